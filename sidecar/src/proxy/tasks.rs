//! Tasks belong to the grant whose call made them: bound when a server makes one, asked for by nobody else.

use reeve_policy::json::Value;

use super::Shared;
use super::events::Events;
use super::forward::OfTasks;
use crate::live::{Backend, Route};
use crate::mcp::binding::Thing;
use crate::mcp::envelope::Envelope;
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::tasks::{described, made};
use crate::mcp::version::Era;

impl Shared {
    /// Whether a server's task belongs to the grant that calls this server.
    pub(super) fn owns_task(&self, route: &Backend, task: &str) -> bool {
        self.bindings().check(Thing::Task, &route.name, task, &route.grant)
    }

    /// Refuses a request about a task of somebody else, or one that does not exist: no answer tells the two apart. For a server that
    /// has made no task here the method does not exist, as for the server itself if it has none.
    pub(super) fn check_task(&self, route: &Route, era: Era, id: Option<&[u8]>, task: &str) -> Result<(), Rejection> {
        if self.owns_task(route, task) {
            Ok(())
        } else if self.bindings().makes_tasks(&route.name) {
            Err(unknown().of(id))
        } else {
            Err(Rejection::method_unknown(era, id))
        }
    }

    /// A task has ended: what its calls hold is given up.
    fn end_task(&self, server: &str, task: &str) {
        let held = self.running().end(server, task);
        drop(held);
    }

    /// Refuses a listener to a task of somebody else, or one that does not exist.
    pub(super) fn check_listened(&self, route: &Route, tasks: &[Box<str>]) -> Result<(), Rejection> {
        if tasks.iter().all(|task| self.owns_task(route, task)) { Ok(()) } else { Err(unknown()) }
    }
}

fn unknown() -> Rejection {
    Rejection::new(Cause::UnknownTask, "Unknown task.")
}

impl Events {
    /// Takes note of what an answer says of tasks. Gives the task that the call has become, if it still runs.
    pub(super) fn note_task(&self, result: Value<'_>, tasks: &OfTasks) -> Option<Box<str>> {
        let (shared, route) = (&self.shared, &self.sending.backend);
        match tasks {
            OfTasks::Nothing => None,
            OfTasks::MayMake => {
                let task = made(result, self.sending.era)?;
                for change in shared.bindings().bind(Thing::Task, &route.name, &task.id, &route.grant) {
                    shared.keeper.binding(change.write());
                }
                (!task.ended).then(|| task.id.into())
            }
            OfTasks::About(id) => {
                // In the legacy era an answer that is no task is the result of one.
                if described(result).map_or(self.sending.era == Era::Legacy, |task| task.ended) {
                    shared.end_task(&route.name, id);
                }
                None
            }
        }
    }

    /// Whether a notification about a task may pass: it is one of the agent's own.
    pub(super) fn may_hear_of_task(&self, envelope: &Envelope<'_>) -> bool {
        let (shared, route) = (&self.shared, &self.sending.backend);
        let Some(task) = envelope.params.value().and_then(described) else { return false };
        if !shared.owns_task(route, &task.id) {
            return false;
        }
        if task.ended {
            shared.end_task(&route.name, &task.id);
        }
        true
    }
}
