//! What servers send in streams, message by message: relayed, filtered, governed, or left out.
//!
//! Each message is decided under the configuration of its moment, not of the stream's beginning. What cannot be understood
//! does not pass: where the agent waits for an answer it gets an error instead, elsewhere the event is left out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reeve_policy::json::{self, Document, Limits, Value};

use super::ending::{Late, Unanswered};
use super::filtered::{list_by_its_looks, listing_of};
use super::forward::{Awaited, Expected, OfTasks, Sending};
use super::{Shared, request};
use crate::abandoned::Abandoned;
use crate::mcp::answer::{self, Failure};
use crate::mcp::envelope::{Answer, Envelope, Id, Message, Sender};
use crate::mcp::method::{Form, Handling, handling};
use crate::mcp::rounds::{self, Round};
use crate::mcp::sse::{Event, SseError, has_odd_character, replace_data};
use crate::mcp::tasks::torn_member;
use crate::mcp::version::Era;
use crate::upstream::{Cause, MAY_BE_DONE, UpstreamError};

/// Governs one stream.
#[derive(Clone, Debug)]
pub(super) struct Events {
    pub(super) shared: Arc<Shared>,
    pub(super) sending: Sending,
    /// What the stream answers.
    pub(super) awaited: Awaited,
    /// The task that the call has become.
    pub(super) made: Option<Box<str>>,
    /// The round that the server has opened in its answer.
    pub(super) round: Option<Round>,
    /// What the answer says of an error, if the call is recorded.
    pub(super) error: Option<Said>,
    /// The agent was told that what came cannot be read. The answer may still come, for nobody.
    told: bool,
    answered: bool,
}

/// An error that a server's answer tells.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A result that says of itself that it is one.
    ToolError,
    /// A JSON-RPC error with this code, as it was written.
    Code(Box<str>),
}

/// What becomes of a message.
pub(super) enum Fate {
    /// It passes as it is.
    Pass,
    /// It passes with other data.
    Changed(Bytes),
    /// It does not pass.
    Dropped,
    /// It is not one strict JSON-RPC message, and why.
    NotUnderstood(String),
}

impl Events {
    pub(super) fn new(shared: &Arc<Shared>, sending: Sending, awaited: Awaited) -> Self {
        Self {
            shared: Arc::clone(shared),
            sending,
            awaited,
            made: None,
            round: None,
            error: None,
            told: false,
            answered: false,
        }
    }

    pub(super) fn max_event_bytes(&self) -> usize {
        self.sending.backend.server.limits.max_event_bytes
    }

    pub(super) fn too_large(&self, error: &SseError) -> UpstreamError {
        self.sending.backend.upstream.error(Cause::TooLarge, error.to_string())
    }

    /// Those among whom it is if its agent hangs up: of all requests, and of the calls to its server.
    pub(super) fn abandoned(&self) -> [Abandoned; 2] {
        [self.shared.abandoned.clone(), self.sending.backend.upstream.abandoned().clone()]
    }

    /// How long its server may take to begin an answer.
    pub(super) fn response_timeout(&self) -> Duration {
        self.sending.backend.upstream.response_timeout()
    }

    pub(super) fn era(&self) -> Era {
        self.sending.era
    }

    /// Whether the answer that the stream is for has come.
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// What the agent is sent for an event.
    pub(super) fn event(&mut self, event: Event) -> Option<Bytes> {
        let Some(data) = event.message() else { return self.between(event.raw) };
        match self.message(data) {
            Fate::NotUnderstood(_) if event.is_of_another_type() => None,
            Fate::NotUnderstood(why) => self.not_understood(&why).map(|told| replace_data(&event.raw, &told)),
            Fate::Pass if has_odd_character(&event.raw) => Some(replace_data(&event.raw, data)),
            Fate::Pass => Some(event.raw),
            Fate::Changed(data) => Some(replace_data(&event.raw, &data)),
            Fate::Dropped => None,
        }
    }

    /// What the agent is sent for what brings no message.
    pub(super) fn between(&self, raw: Bytes) -> Option<Bytes> {
        (!has_odd_character(&raw)).then_some(raw)
    }

    /// The event that ends a stream which the server ended without an answer. In the legacy era there is none, because the
    /// agent may resume the stream and find the answer there.
    pub(super) fn end(&mut self) -> Option<Bytes> {
        let error = self.sending.backend.upstream.error(Cause::Reset, "the stream ended without its answer");
        self.fail(&error.message())
    }

    /// The event that tells an error, if the agent waits for an answer that cannot come any more.
    pub(super) fn fail(&mut self, message: &str) -> Option<Bytes> {
        let waits = !self.answered
            && !self.told
            && self.sending.era == Era::Modern
            && self.awaited.expected != Expected::Stream;
        let id = self.awaited.id.as_deref().filter(|_| waits)?;
        self.answered = true;
        Some(replace_data(b"\n", &answer::failed(Some(id), Failure::Unreachable, message)))
    }

    /// The event that tells that a cancelled request was given up. Without an answer some clients would take up the stream again, and
    /// wait on.
    pub(super) fn cancelled(&mut self) -> Option<Bytes> {
        let waits = !self.answered && !self.told;
        let id = self.awaited.id.as_deref().filter(|_| waits)?;
        self.told = true;
        Some(replace_data(b"\n", &answer::cancelled(Some(id), &self.sending.backend.name)))
    }

    /// What the agent is sent for an answer that came as plain JSON with a status of success.
    ///
    /// # Errors
    /// Why nothing of it can pass.
    pub(super) fn answer(&mut self, data: &Bytes) -> Result<Bytes, String> {
        let no_message = |why: String| format!("it is not one strict JSON-RPC message: {why}");
        let document = document(data).map_err(no_message)?;
        let envelope = envelope(&document).map_err(no_message)?;
        let Message::Response { id, .. } = &envelope.message else {
            return Err("it is a message of its own, and no answer".into());
        };
        if envelope.result().is_some() && !self.is_own(id.as_ref()) {
            return Err("it has another id than the request".into());
        }
        match self.response(&document, &envelope, id.as_ref()) {
            Fate::Pass => Ok(data.clone()),
            Fate::Changed(changed) => Ok(changed),
            Fate::NotUnderstood(why) => Err(why),
            Fate::Dropped => Err("it may not reach the agent".into()),
        }
    }

    /// What the agent is sent for JSON that came with the status of a failure: the server's own words if they are a JSON-RPC
    /// error or no JSON-RPC at all (an OAuth error, say), so that the agent learns why; nothing that could be taken for a
    /// result or a request.
    pub(super) fn failed_answer(&self, data: Bytes) -> Bytes {
        let harmless = document(&data).is_ok_and(|document| {
            let root = document.root();
            match envelope(&document) {
                Ok(envelope) => matches!(envelope.message, Message::Response { answer: Answer::Error, .. }),
                Err(_) => {
                    root.kind() == json::Kind::Object
                        && root.get("jsonrpc").is_none()
                        && !root.has_case_variant("jsonrpc")
                }
            }
        });
        if harmless || data.is_empty() {
            return data;
        }
        let message =
            format!("The MCP server {:?} failed, and gave no reason that can be relayed.", self.sending.backend.name);
        answer::failed(self.awaited.id.as_deref(), Failure::Unreachable, &message)
    }

    fn message(&mut self, data: &Bytes) -> Fate {
        let document = match document(data) {
            Ok(document) => document,
            Err(why) => return Fate::NotUnderstood(why),
        };
        let envelope = match envelope(&document) {
            Ok(envelope) => envelope,
            Err(why) => return Fate::NotUnderstood(why),
        };
        match &envelope.message {
            Message::Response { id, .. } => self.response(&document, &envelope, id.as_ref()),
            Message::Notification { method } => match self.handling(Form::Notification, method) {
                Handling::Relay => Fate::Pass,
                Handling::Task if self.may_hear_of_task(&envelope) => self.notified(&envelope),
                _ => self.dropped(method),
            },
            Message::Request { id, method } => match self.handling(Form::Request, method) {
                Handling::Relay => self.ask(id),
                Handling::ServerRequest(kind) => self.govern(kind, id),
                _ => self.refuse(id, "The sidecar relays no such request to the agent."),
            },
        }
    }

    fn handling(&self, form: Form, method: &str) -> Handling {
        handling(Sender::Server, form, method, self.sending.era)
    }

    fn response(&mut self, document: &Document, envelope: &Envelope<'_>, id: Option<&Id<'_>>) -> Fate {
        let own = self.is_own(id);
        self.answered |= own;
        if own && self.shared.tracer.is_some() {
            self.error = said(document, envelope);
        }
        let late = id.filter(|_| !own).and_then(|id| self.late(id));
        let listing = match (own, &late) {
            (true, _) => listing_of(envelope, self.awaited.expected, &self.awaited.tasks),
            (false, Some(Late::Own(request))) => listing_of(envelope, request.expected, &request.tasks),
            (false, _) => list_by_its_looks(envelope),
        };
        // Only an error can be without an id, and neither a list nor a request for input stands in one.
        let (Some(result), Some(id)) = (envelope.result(), id) else { return Fate::Pass };
        if let Some(key) = document.is_torn().then(|| torn_member(result)).flatten() {
            let cause = format!("gave an answer in whose `{key}` half of a surrogate pair is escaped");
            return Fate::Changed(self.withheld(id, &cause));
        }
        if let Some(instead) = self.govern_inputs(result, id) {
            return Fate::Changed(instead);
        }
        if own {
            self.made = self.note_task(result, &self.awaited.tasks);
            self.round = self.round_of(result);
        } else {
            self.note_late(result, late);
        }
        let Some(listing) = listing else { return Fate::Pass };
        match self.filter(document, envelope, listing) {
            Ok(None) => Fate::Pass,
            Ok(Some(filtered)) => Fate::Changed(filtered),
            Err(cause) => Fate::Changed(self.withheld(id, &cause)),
        }
    }

    /// Takes note of what an answer on another stream than its request's says of tasks.
    fn note_late(&self, result: Value<'_>, late: Option<Late>) {
        match late {
            Some(Late::Own(Unanswered { tasks, held, .. })) => {
                if let Some(task) = self.note_task(result, &tasks) {
                    self.hold_for_task(&task, held);
                }
            }
            // Whichever request of the session it answers, a task that it brings is this grant's. That it brings none ends none.
            Some(Late::Perhaps(tasks @ OfTasks::MayMake)) => drop(self.note_task(result, &tasks)),
            Some(Late::Perhaps(_)) | None => {}
        }
    }

    /// The round that the server opens, if it asks before it answers: the agent will send the call once more.
    fn round_of(&self, result: Value<'_>) -> Option<Round> {
        let call = self.awaited.call.filter(|_| rounds::is_open(result))?;
        Some(call.round(result.get("requestState")))
    }

    /// What the agent is told instead of an answer that cannot be governed. `cause` goes on after the server's name.
    pub(super) fn withheld(&self, id: &Id<'_>, cause: &str) -> Bytes {
        let backend = &self.sending.backend;
        tracing::warn!(server = %backend.name, "the server {cause}: the agent got an error instead");
        backend.metrics.upstream_failed(Cause::Unreadable);
        self.failure(id.raw(), cause)
    }

    pub(super) fn session(&self) -> &str {
        self.sending.session.as_deref().unwrap_or_default()
    }

    pub(super) fn is_own(&self, id: Option<&Id<'_>>) -> bool {
        let (Some(id), Some(own)) = (id, self.awaited.id.as_deref()) else { return false };
        // Servers echo ids as they were written, with few exceptions.
        id.raw() == own || request::with_id(Some(own), |own| id == own).unwrap_or(false)
    }

    pub(super) fn dropped(&self, method: &str) -> Fate {
        let method: String = method.chars().filter(|c| !c.is_control()).take(64).collect();
        tracing::debug!(server = %self.sending.backend.name, method, "left out a message that the sidecar does not relay");
        Fate::Dropped
    }

    /// What the agent is told instead of an event that cannot be read, if it waits for an answer: this may have been it.
    fn not_understood(&mut self, why: &str) -> Option<Bytes> {
        let server = &self.sending.backend.name;
        tracing::warn!(%server, "an event of the stream is not one strict JSON-RPC message, and was not relayed: {why}");
        self.sending.backend.metrics.upstream_failed(Cause::Unreadable);
        let waits = !self.answered && !self.told && self.awaited.expected != Expected::Stream;
        let id = self.awaited.id.as_deref().filter(|_| waits)?;
        self.told = true;
        Some(self.failure(id, &format!("sent an event that is not one strict JSON-RPC message: {why}")))
    }

    fn failure(&self, id: &[u8], cause: &str) -> Bytes {
        let message = format!("The MCP server {:?} {cause}. {MAY_BE_DONE}", self.sending.backend.name);
        answer::failed(Some(id), Failure::Unreachable, &message)
    }
}

/// What a server wrote, parsed. Texts that a program has cut between the halves of a character are common in what tools
/// give, and pass; nothing that is decided on may be one.
fn document(data: &Bytes) -> Result<Document, String> {
    Document::parse_torn(data.clone(), LIMITS).map_err(|error| error.to_string())
}

fn envelope(document: &Document) -> Result<Envelope<'_>, String> {
    let read = Envelope::read(document, Sender::Server);
    read.map_err(|rejection| rejection.message.trim_end_matches('.').to_owned())
}

/// The error that an answer tells.
fn said(document: &Document, envelope: &Envelope<'_>) -> Option<Said> {
    if let Some(result) = envelope.result() {
        return result.get("isError").and_then(Value::as_bool).filter(|is_error| *is_error).map(|_| Said::ToolError);
    }
    let code = document.root().get("error")?.get("code").filter(|code| code.kind() == json::Kind::Number)?;
    Some(Said::Code(String::from_utf8_lossy(code.raw()).into()))
}

/// Answers of servers may be larger than requests, and have as many values as fit.
const LIMITS: Limits = Limits { depth: 128, tokens: 4 << 20 };
