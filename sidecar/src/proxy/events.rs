//! What servers send in streams, message by message: relayed, filtered, governed, or left out.
//!
//! Each message is decided under the configuration of its moment, not of the stream's beginning. What cannot be understood
//! does not pass: where the agent waits for an answer it gets an error instead, elsewhere the event is left out.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use reeve_policy::decide::{ServerRequest, Target, Verdict};
use reeve_policy::json::{self, Document, Limits, Value};
use reeve_policy::reason::Reason;

use super::examine::Kind;
use super::forward::{Awaited, Expected, Sending};
use super::record::Flight;
use super::tasks::Unanswered;
use super::{Listing, Shared, request};
use crate::mcp::answer::{self, Failure, Refusal};
use crate::mcp::envelope::{Answer, Envelope, Id, Message, Sender};
use crate::mcp::inputs;
use crate::mcp::lists::{self, Item};
use crate::mcp::method::{Form, Handling, List, handling};
use crate::mcp::rounds::{self, Round};
use crate::mcp::sse::{Event, SseError, has_odd_line_end, replace_data};
use crate::mcp::version::Era;
use crate::upstream::{Cause, UpstreamError};

/// Governs one stream.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) shared: Arc<Shared>,
    pub(super) sending: Sending,
    /// What the stream answers.
    pub(super) awaited: Awaited,
    /// The task that the call has become.
    pub(super) made: Option<Box<str>>,
    /// The round that the server has opened in its answer.
    pub(super) round: Option<Round>,
    /// The agent was told that what came cannot be read. The answer may still come, for nobody.
    told: bool,
    answered: bool,
}

/// What becomes of a message.
enum Fate {
    /// It passes as it is.
    Pass,
    /// It passes with other data.
    Changed(Bytes),
    /// It does not pass.
    Dropped,
    /// It is not one strict JSON-RPC message.
    NotUnderstood,
}

impl Events {
    pub(super) fn new(shared: &Arc<Shared>, sending: &Sending, awaited: &Awaited) -> Self {
        Self {
            shared: Arc::clone(shared),
            sending: sending.clone(),
            awaited: awaited.clone(),
            made: None,
            round: None,
            told: false,
            answered: false,
        }
    }

    pub(super) fn max_event_bytes(&self) -> usize {
        self.sending.route.server.limits.max_event_bytes
    }

    pub(super) fn too_large(&self, error: &SseError) -> UpstreamError {
        self.sending.route.upstream.error(Cause::TooLarge, error.to_string())
    }

    pub(super) fn era(&self) -> Era {
        self.sending.era
    }

    /// The stream has ended. If its answer has not come, it may come on another one of the session, in the legacy era: notes what
    /// must be known of it then.
    pub(super) fn leave(&self, flight: &mut Flight) {
        if self.answered || self.sending.era == Era::Modern {
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

    /// Whether the answer that the stream is for has come.
    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// What the agent is sent for an event.
    pub(super) fn event(&mut self, event: Event) -> Option<Bytes> {
        let Some(data) = event.message() else { return self.between(event.raw) };
        match self.message(data) {
            Fate::NotUnderstood if event.is_of_another_type() => None,
            Fate::NotUnderstood => self.not_understood().map(|told| replace_data(&event.raw, &told)),
            Fate::Pass if has_odd_line_end(&event.raw) => Some(replace_data(&event.raw, data)),
            Fate::Pass => Some(event.raw),
            Fate::Changed(data) => Some(replace_data(&event.raw, &data)),
            Fate::Dropped => None,
        }
    }

    /// What the agent is sent for what brings no message.
    pub(super) fn between(&self, raw: Bytes) -> Option<Bytes> {
        (!has_odd_line_end(&raw)).then_some(raw)
    }

    /// The event that ends a stream which the server ended without an answer. In the legacy era there is none, because the
    /// agent may resume the stream and find the answer there.
    pub(super) fn end(&mut self) -> Option<Bytes> {
        let error = self.sending.route.upstream.error(Cause::Reset, "the stream ended without its answer");
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

    /// What the agent is sent for an answer that came as plain JSON with a status of success.
    ///
    /// # Errors
    /// Why nothing of it can pass.
    pub(super) fn answer(&mut self, data: &Bytes) -> Result<Bytes, String> {
        let document =
            Document::parse(data.clone(), LIMITS).map_err(|error| format!("the answer is not JSON: {error}"))?;
        let envelope = Envelope::read(&document, Sender::Server).map_err(|rejection| rejection.message.into_owned())?;
        let Message::Response { id, .. } = &envelope.message else { return Err("the answer is none".into()) };
        if envelope.result().is_some() && !self.is_own(id.as_ref()) {
            return Err("the answer is not one to this request".into());
        }
        match self.response(&document, &envelope, id.as_ref()) {
            Fate::Pass => Ok(data.clone()),
            Fate::Changed(changed) => Ok(changed),
            Fate::Dropped | Fate::NotUnderstood => Err("the answer cannot be relayed".into()),
        }
    }

    /// What the agent is sent for JSON that came with the status of a failure: the server's own words if they are a JSON-RPC
    /// error or no JSON-RPC at all (an OAuth error, say), so that the agent learns why; nothing that could be taken for a
    /// result or a request.
    pub(super) fn failed_answer(&self, data: Bytes) -> Bytes {
        let harmless = Document::parse(data.clone(), LIMITS).is_ok_and(|document| {
            let root = document.root();
            match Envelope::read(&document, Sender::Server) {
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
            format!("The MCP server {:?} failed, and gave no reason that can be relayed.", self.sending.route.name);
        answer::failed(self.awaited.id.as_deref(), Failure::Unreachable, &message)
    }

    fn message(&mut self, data: &Bytes) -> Fate {
        let Ok(document) = Document::parse(data.clone(), LIMITS) else { return Fate::NotUnderstood };
        let Ok(envelope) = Envelope::read(&document, Sender::Server) else { return Fate::NotUnderstood };
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
        let earlier = id
            .filter(|_| !own)
            .and_then(|id| self.shared.unanswered().take(&self.sending.route.name, self.session(), id));
        let listing = self.listing_of(envelope, own, earlier.as_ref());
        // Only an error can be without an id, and neither a list nor a request for input stands in one.
        let (Some(result), Some(id)) = (envelope.result(), id) else { return Fate::Pass };
        if let Some(instead) = self.govern_inputs(result, id) {
            return Fate::Changed(instead);
        }
        if own {
            self.made = self.note_task(result, &self.awaited.tasks);
            self.round = self.round_of(result);
        } else if let Some(Unanswered { tasks, held, .. }) = earlier
            && let Some(task) = self.note_task(result, &tasks)
        {
            self.hold_for_task(&task, held);
        }
        let Some(listing) = listing else { return Fate::Pass };
        match self.filter(document, envelope, listing) {
            Ok(None) => Fate::Pass,
            Ok(Some(filtered)) => Fate::Changed(filtered),
            Err(cause) => Fate::Changed(self.withheld(id, &cause)),
        }
    }

    /// A notification of a task may bring requests of the server.
    fn notified(&self, envelope: &Envelope<'_>) -> Fate {
        let asked = envelope.params.value().map_or(Ok(Vec::new()), inputs::requested);
        match asked {
            Ok(kinds) if kinds.iter().all(|kind| self.permit(*kind).is_ok()) => Fate::Pass,
            _ => self.dropped("notifications/tasks"),
        }
    }

    /// The round that the server opens, if it asks before it answers: the agent will send the call once more.
    fn round_of(&self, result: Value<'_>) -> Option<Round> {
        let call = self.awaited.call.filter(|_| rounds::is_open(result))?;
        Some(call.round(result.get("requestState")))
    }

    /// The answer that takes the place of one in which the server asks the agent for what it may not ask for.
    fn govern_inputs(&self, result: Value<'_>, id: &Id<'_>) -> Option<Bytes> {
        let kinds = match inputs::requested(result) {
            Ok(kinds) => kinds,
            Err(error) => return Some(self.withheld(id, &error.to_string())),
        };
        let refused = |kind: ServerRequest| self.permit(kind).err().map(|verdict| (kind, verdict));
        let (kind, verdict) = kinds.into_iter().find_map(refused)?;
        let text = format!(
            "The MCP server {:?} asks for {} before it answers, which the policy of this agent does not permit.",
            self.sending.route.name,
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

    fn withheld(&self, id: &Id<'_>, cause: &str) -> Bytes {
        self.sending.route.metrics.upstream_failed(Cause::Protocol);
        self.failure(id.raw(), cause)
    }

    fn session(&self) -> &str {
        self.sending.session.as_deref().unwrap_or_default()
    }

    fn is_own(&self, id: Option<&Id<'_>>) -> bool {
        let own = request::with_id(self.awaited.id.as_deref(), |own| id == Some(own));
        own.unwrap_or(false)
    }

    /// Which list an answer brings: the one asked for, by its id; or what its result looks like, since servers may send an answer on
    /// another stream than its own, and under an id that two requests have.
    fn listing_of(&self, envelope: &Envelope<'_>, own: bool, earlier: Option<&Unanswered>) -> Option<Listing> {
        let expected = if own { Some(self.awaited.expected) } else { earlier.map(|earlier| earlier.expected) };
        match expected {
            Some(Expected::List(listing)) => Some(listing),
            _ => Some(Listing { list: List::looks_like(envelope.result()?)?, whole: false }),
        }
    }

    fn filter(&self, document: &Document, envelope: &Envelope<'_>, listing: Listing) -> Result<Option<Bytes>, String> {
        let live = self.shared.live.load();
        let route = live.as_deref().and_then(|live| live.of(&self.sending.route.name));
        let Some(route) = route else { return Err("is no longer part of the configuration".into()) };
        let tools = match (listing.list, envelope.result()) {
            // What the list says of a tool, such as its risk, must count for whether it is shown. A stream that began before a
            // reload may be of another server than the one that has its name now.
            (List::Tools, Some(result)) if route.server.url == self.sending.route.server.url => {
                self.shared.learn(route, result, envelope, listing)
            }
            _ => route.tools.load_full(),
        };
        let mut keep = |item: &Item<'_>| {
            let name = &*item.name;
            match item.list {
                List::Tools => route.ruleset.lists(Target::Tool(name), &tools),
                List::Prompts => route.ruleset.lists(Target::Prompt(name), &tools),
                List::Resources => route.ruleset.lists(Target::Resource(name), &tools),
                List::ResourceTemplates => route.ruleset.lists_template(name),
                List::Tasks => self.shared.owns_task(route, name),
            }
        };
        let filtered = lists::filter(document, envelope, listing.list, self.sending.era, &mut keep);
        filtered.map_err(|error| format!("gave an answer that {error}"))
    }

    fn govern(&self, kind: ServerRequest, id: &Id<'_>) -> Fate {
        match self.permit(kind) {
            Ok(()) => self.ask(id),
            Err(_) => self.refuse(id, &format!("The policy of this agent does not permit {}.", kind.as_str())),
        }
    }

    /// Decides and records a request of the server to the agent. A server that is no longer configured has no policy that
    /// could permit one.
    fn permit(&self, kind: ServerRequest) -> Result<(), Verdict> {
        let live = self.shared.live.load();
        let route = live.as_deref().and_then(|live| live.of(&self.sending.route.name));
        let Some(route) = route else { return Err(Verdict::refusal(Reason::NoPolicy)) };
        let verdict = route.ruleset.server_request(kind);
        self.shared.record_server_request(route, self.sending.session.as_deref(), kind.method(), verdict)
    }

    /// Relays a request to the agent, whose answer is then awaited.
    fn ask(&self, id: &Id<'_>) -> Fate {
        let route = &self.sending.route;
        route.asked().insert(&route.name, self.session(), id, ());
        Fate::Pass
    }

    /// Answers a request in the agent's stead. Not in the modern era, in which there is neither such a request nor a way to
    /// answer it; nor beyond what the sidecar tells servers at once, so that one that asks without end fills no memory.
    fn refuse(&self, id: &Id<'_>, text: &str) -> Fate {
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

    fn dropped(&self, method: &str) -> Fate {
        let method: String = method.chars().filter(|c| !c.is_control()).take(64).collect();
        tracing::debug!(server = %self.sending.route.name, method, "left out a message that the sidecar does not relay");
        Fate::Dropped
    }

    /// What the agent is told instead of an event that cannot be read, if it waits for an answer: this may have been it.
    fn not_understood(&mut self) -> Option<Bytes> {
        let server = &self.sending.route.name;
        tracing::warn!(%server, "an event of the stream is not one strict JSON-RPC message, and was not relayed");
        self.sending.route.metrics.upstream_failed(Cause::Protocol);
        let waits = !self.answered && !self.told && self.awaited.expected != Expected::Stream;
        let id = self.awaited.id.as_deref().filter(|_| waits)?;
        self.told = true;
        Some(self.failure(id, "sent an event that is not one strict JSON-RPC message"))
    }

    fn failure(&self, id: &[u8], cause: &str) -> Bytes {
        let message = format!("The MCP server {:?} {cause}.", self.sending.route.name);
        answer::failed(Some(id), Failure::Unreachable, &message)
    }
}

/// Answers of servers may be larger than requests, and have as many values as fit.
const LIMITS: Limits = Limits { depth: 128, tokens: 4 << 20 };
