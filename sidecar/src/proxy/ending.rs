//! What becomes of what a request holds (places in flight, quota, its id): when its answer has come, and when its stream ends
//! without it.
//!
//! An answer on the request's own stream is its own. On another one only its id tells, and it is given back nothing for an id that
//! another request has had: servers repeat answers on streams that are taken up. What is given back for no answer lapses with time.

use reeve_policy::decide::Held;
use reeve_policy::time::Instant;

use super::Shared;
use super::events::{Events, Said};
use super::forward::{Awaited, Expected, OfTasks, Sending};
use super::record::Flight;
use super::request;
use crate::mcp::envelope::Id;
use crate::mcp::ids::OpenId;
use crate::mcp::open::Rank;
use crate::mcp::version::Era;

/// A request whose stream has ended before its answer came.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) expected: Expected,
    pub(super) tasks: OfTasks,
    /// What its call holds. It is in flight until then, or until it is too late for an answer.
    pub(super) held: Vec<Held>,
    /// Its id, which stays open until then: whenever it comes, it must not be taken for the answer to a later request.
    pub(super) id: Option<OpenId>,
    /// From when on nobody waits for its answer.
    pub(super) too_late: Instant,
}

/// An answer to a request whose stream has ended, come on another one.
#[derive(Debug)]
pub(super) enum Late {
    /// It is that request's: no other one has had its id.
    Own(Unanswered),
    /// It has its id, and so had another request of the session, which may be the one that it answers, for the second time even: servers
    /// repeat answers on streams that are taken up. Nothing that the request holds is given back, and of what was asked only this counts.
    Perhaps(OfTasks),
}

impl Unanswered {
    /// Whether its answer is to be treated otherwise than one to a request that nobody remembers.
    pub(super) fn matters(&self) -> bool {
        matches!(self.expected, Expected::List(_))
            || self.tasks != OfTasks::Nothing
            || !self.held.is_empty()
            || self.id.is_some()
    }

    /// Agents leave requests unanswered at will, by cancelling them: none that counts may be forgotten for others.
    fn rank(&self) -> Rank {
        rank(&self.held)
    }

    fn is_answered_by_its_id(&self) -> bool {
        self.id.as_ref().is_some_and(OpenId::is_of_one_request)
    }

    /// It is forgotten without an answer: the server may go on with it, and its call is in flight until its time.
    pub(super) fn lapse(self) {
        self.held.into_iter().for_each(Held::lapse);
    }
}

/// Whether a rule counts one of these calls as in flight.
fn rank(held: &[Held]) -> Rank {
    match held.iter().any(|held| held.in_flight_until().is_some()) {
        true => Rank::Counts,
        false => Rank::Other,
    }
}

impl Events {
    /// The answer has come: what its call holds is given up, or held on for the task that the call has become.
    pub(super) fn settle(&mut self, flight: &mut Flight) {
        if !self.is_answered() {
            return;
        }
        if let Some(task) = self.made.take() {
            self.hold_for_task(&task, flight.take_out());
        }
        if let Some(round) = self.round.take() {
            // Only a call by itself has rounds.
            if let Some(charged) = flight.take_out().pop() {
                self.shared.rounds().open(round, charged.landed());
            }
        }
        if let (Some(error), Some(span)) = (self.error.take(), flight.span()) {
            match error {
                Said::ToolError => span.failed("tool_error", "the tool answered with an error"),
                Said::Code(code) => span.errored(&code),
            }
        }
        flight.answered();
    }

    /// Holds what a call holds until the task that it has become has ended.
    pub(super) fn hold_for_task(&self, task: &str, mut held: Vec<Held>) {
        // Quota stays taken in any case.
        held.retain(Held::is_counted_in_flight);
        if !held.is_empty() {
            // As long as the rules of the call say, if a stream that broke off has made it less.
            held.iter_mut().for_each(|held| held.in_flight_no_later_than(Instant(u64::MAX)));
            let rank = rank(&held);
            let forgotten = self.shared.running().begin(&self.sending.backend.name, task, held, rank);
            forgotten.into_iter().for_each(Held::lapse);
        }
    }

    /// The request that an answer is for, if it is not this stream's and its own stream has ended.
    pub(super) fn late(&self, id: &Id<'_>) -> Option<Late> {
        let (server, session) = (&*self.sending.backend.name, self.session());
        let mut unanswered = self.shared.unanswered();
        let request = unanswered.get(server, session, id)?;
        if request.is_answered_by_its_id() {
            return unanswered.take(server, session, id).map(Late::Own);
        }
        if let Some(id) = &request.id {
            // The agent may have what it asked for, and be done with the id.
            id.open_until(request.too_late);
        }
        Some(Late::Perhaps(request.tasks.clone()))
    }

    /// The stream has ended: the call's span says so, if the answer has not come.
    pub(super) fn conclude(&self, flight: &mut Flight) {
        if let Some(span) = flight.span().filter(|_| !self.is_answered()) {
            span.failed("no_answer", "its stream ended before the answer had come");
        }
    }

    /// The stream has ended. If its answer has not come, it may come on another one.
    pub(super) fn leave(&self, flight: &mut Flight) {
        if !self.is_answered() {
            self.shared.leave(&self.sending, &self.awaited, flight);
        }
    }
}

impl Shared {
    /// Nothing leads to the answer of a request any more. In the legacy era that does not end it, and its answer may come on another
    /// stream of the session: notes what must be known of it then. Nobody knows whether the server is still there. It is given as
    /// long as for the beginning of an answer; then the request counts as in flight no more.
    pub(super) fn leave(&self, sending: &Sending, awaited: &Awaited, flight: &mut Flight) {
        if sending.era == Era::Modern {
            return;
        }
        let Awaited { id, expected, tasks, .. } = awaited;
        let too_late = self.clock.now().after(sending.backend.upstream.response_timeout());
        let (held, open) = (flight.take_out(), flight.take_id());
        let mut unanswered = Unanswered { expected: *expected, tasks: tasks.clone(), held, id: open, too_late };
        if !unanswered.matters() {
            return;
        }
        unanswered.held.iter_mut().for_each(|held| held.in_flight_no_later_than(too_late));
        let rank = unanswered.rank();
        let session = sending.session.as_deref().unwrap_or_default();
        let noted = request::with_id(id.as_deref(), |id| {
            self.unanswered().insert(&sending.backend.name, session, id, unanswered, rank)
        });
        noted.into_iter().flatten().flatten().for_each(Unanswered::lapse);
    }
}
