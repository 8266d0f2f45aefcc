//! What becomes of what a request holds (places in flight, quota, its id): when its answer has come, and when its stream ends
//! without it.

use reeve_policy::decide::Held;
use reeve_policy::time::Instant;

use super::Shared;
use super::events::{Events, Said};
use super::forward::{Awaited, Expected, OfTasks, Sending};
use super::record::Flight;
use super::request;
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
        match self.held.iter().any(|held| held.in_flight_until().is_some()) {
            true => Rank::Counts,
            false => Rank::Other,
        }
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
        if !held.is_empty() {
            // As long as the rules of the call say, if a stream that broke off has made it less.
            held.iter_mut().for_each(|held| held.in_flight_no_later_than(Instant(u64::MAX)));
            self.shared.running().begin(&self.sending.backend.name, task, held);
        }
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
        let mut unanswered =
            Unanswered { expected: *expected, tasks: tasks.clone(), held: flight.take_out(), id: flight.take_id() };
        if !unanswered.matters() {
            return;
        }
        let too_late = self.clock.now().after(sending.backend.upstream.response_timeout());
        unanswered.held.iter_mut().for_each(|held| held.in_flight_no_later_than(too_late));
        let rank = unanswered.rank();
        request::with_id(id.as_deref(), |id| {
            let session = sending.session.as_deref().unwrap_or_default();
            self.unanswered().insert(&sending.backend.name, session, id, unanswered, rank);
        });
    }
}
