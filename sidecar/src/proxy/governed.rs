//! What servers ask of agents, in requests of the legacy era and in results and tasks of the modern one: each decided by
//! `serverRequests`, recorded, and relayed or answered in the agent's stead.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use reeve_policy::decide::{ServerRequest, Verdict};
use reeve_policy::json::Value;
use reeve_policy::reason::Reason;

use super::events::{Events, Fate};
use super::examine::Kind;
use super::forward::{Expected, Sending};
use crate::mcp::answer::{self, Refusal};
use crate::mcp::envelope::{Envelope, Id};
use crate::mcp::inputs;
use crate::mcp::version::Era;

impl Events {
    pub(super) fn govern(&self, kind: ServerRequest, id: &Id<'_>) -> Fate {
        match self.permit(kind) {
            Ok(()) => self.ask(id),
            Err(_) => self.refuse(id, &format!("The policy of this agent does not permit {}.", kind.as_str())),
        }
    }

    /// Decides and records a request of the server to the agent. A server that is no longer configured has no policy that
    /// could permit one.
    fn permit(&self, kind: ServerRequest) -> Result<(), Verdict> {
        let live = self.shared.live.load();
        let route = live.as_deref().and_then(|live| live.of(&self.sending.backend.name));
        let Some(route) = route else { return Err(Verdict::refusal(Reason::NoPolicy)) };
        let verdict = route.server_request(kind);
        self.shared.record_server_request(route, self.sending.session.as_deref(), kind.method(), verdict)
    }

    /// Relays a request to the agent, whose answer is then awaited.
    pub(super) fn ask(&self, id: &Id<'_>) -> Fate {
        let backend = &self.sending.backend;
        backend.asked().insert(&backend.name, self.session(), id, ());
        Fate::Pass
    }

    /// Answers a request in the agent's stead. Not in the modern era, in which there is neither such a request nor a way to
    /// answer it; nor beyond what the sidecar tells servers at once, so that one that asks without end fills no memory.
    pub(super) fn refuse(&self, id: &Id<'_>, text: &str) -> Fate {
        if self.sending.era == Era::Legacy
            && let Ok(turn) = Arc::clone(&self.shared.telling).try_acquire_owned()
        {
            let answer = answer::refused_server_request(id.raw(), text);
            let sending = Sending { method: Method::POST, ..self.sending.clone() };
            tokio::spawn(async move {
                sending.tell(answer).await;
                drop(turn);
            });
        }
        Fate::Dropped
    }

    /// The answer that takes the place of one in which the server asks the agent for what it may not ask for.
    pub(super) fn govern_inputs(&self, result: Value<'_>, id: &Id<'_>) -> Option<Bytes> {
        let kinds = match inputs::requested(result) {
            Ok(kinds) => kinds,
            Err(error) => return Some(self.withheld(id, &error.to_string())),
        };
        let refused = |kind: ServerRequest| self.permit(kind).err().map(|verdict| (kind, verdict));
        let (kind, verdict) = kinds.into_iter().find_map(refused)?;
        let text = format!(
            "The MCP server {:?} asks for {} before it answers, which the policy of this agent does not permit.",
            self.sending.backend.name,
            kind.as_str()
        );
        let refusal = Refusal { verdict: &verdict, text: &text };
        Some(match self.awaited.expected {
            Expected::Call(Kind::Tool) if self.is_own(Some(id)) => {
                answer::refused_call(id.raw(), self.sending.era, &refusal)
            }
            _ => answer::refused_request(id.raw(), &refusal),
        })
    }

    /// A notification of a task may bring requests of the server.
    pub(super) fn notified(&self, envelope: &Envelope<'_>) -> Fate {
        let asked = envelope.params.value().map_or(Ok(Vec::new()), inputs::requested);
        match asked {
            Ok(kinds) if kinds.iter().all(|kind| self.permit(*kind).is_ok()) => Fate::Pass,
            _ => self.dropped("notifications/tasks"),
        }
    }
}
