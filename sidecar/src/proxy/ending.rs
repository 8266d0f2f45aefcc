//! What becomes of what a request holds (places in flight, quota, its id): when its answer has come, and when its stream ends
//! without it.

use reeve_policy::decide::Held;

use super::events::Events;
use super::forward::{Awaited, Expected, OfTasks};
use super::record::Flight;
use super::request;
use crate::mcp::ids::OpenId;
use crate::mcp::version::Era;

/// A request whose stream has ended before its answer came.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) expected: Expected,
    pub(super) tasks: OfTasks,
    /// What its call holds.
    pub(super) held: Vec<Held>,
    /// Its id, which stays open until then.
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
            let charged = flight.take_out().into_iter().map(Held::landed).collect();
            self.shared.rounds().open(round, charged);
        }
        flight.answered();
    }

    /// Holds what a call holds until the task that it has become has ended.
    pub(super) fn hold_for_task(&self, task: &str, held: Vec<Held>) {
        if !held.is_empty() {
            self.shared.running().begin(&self.sending.route.name, task, held);
        }
    }

    /// The stream has ended. If its answer has not come, it may come on another one of the session, in the legacy era: notes what
    /// must be known of it then.
    pub(super) fn leave(&self, flight: &mut Flight) {
        if self.is_answered() || self.sending.era == Era::Modern {
            return;
        }
        let Awaited { id, expected, tasks, .. } = &self.awaited;
        let unanswered =
            Unanswered { expected: *expected, tasks: tasks.clone(), held: flight.take_out(), id: flight.take_id() };
        if unanswered.matters() {
            request::with_id(id.as_deref(), |id| {
                self.shared.unanswered().insert(&self.sending.route.name, self.session(), id, unanswered);
            });
        }
    }
}
