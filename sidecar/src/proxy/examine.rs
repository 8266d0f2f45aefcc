//! A posted message, read and decided: bytes and headers in, an owned [`Examined`] out.
//!
//! Pure, so that it runs on the serving thread for the usual call and on a worker for a large one. Everything that reads
//! the body happens here, once: what is forwarded later is the bytes that were read here.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use reeve_policy::decide::{Call, Target, Verdict};
use reeve_policy::json::{self, Document, Limits, Value};
use reeve_policy::time::WallTime;
use smallvec::SmallVec;

use super::Listing;
use super::forward::OfTasks;
use crate::audit::Arguments;
use crate::live::Route;
use crate::mcp::envelope::{Envelope, Message, Reference, Sender};
use crate::mcp::era;
use crate::mcp::headers;
use crate::mcp::method::{Form, Handling, Named, TABLE, handling};
use crate::mcp::rejection::Rejection;
use crate::mcp::rounds::{CallKey, Round};
use crate::mcp::version::{Era, Version};
use crate::trace::Caller;

/// An id as it was written. Numbers and UUIDs need no allocation.
pub(super) type RawId = SmallVec<[u8; 40]>;

/// A message that may be dealt with.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) version: Version,
    /// The id of a request or response, as it was written.
    pub(super) id: Option<RawId>,
    /// The method, as the audit log names it; empty for a response.
    pub(super) method: &'static str,
    /// Who calls, as the message says.
    pub(super) caller: Option<Caller>,
    pub(super) ask: Ask,
}

impl Examined {
    pub(super) fn era(&self) -> Era {
        self.version.era()
    }
}

/// What a message asks for.
#[derive(Debug)]
pub(super) enum Ask {
    /// The handshake of the legacy era, whose answer may bring a session.
    Initialize {
        /// Whether the agent answers requests of servers.
        answers_servers: bool,
    },
    /// The end of that handshake.
    Initialized,
    /// That the agent waits no longer for the answer to a request of its session.
    Cancel(RawId),
    /// Something that needs no rule.
    Relay,
    /// A list, of which policy hides a part.
    List(Listing),
    /// A call, and what its answer may say of tasks.
    Call(Box<Decided>, OfTasks),
    /// A stream of what changes: each resource that it subscribes to is a call of that resource.
    Listen {
        /// Those calls.
        calls: Vec<Decided>,
        /// The tasks that it wants to hear of.
        tasks: Vec<Box<str>>,
    },
    /// Something about a task that was made before.
    Task(Box<str>),
    /// The agent's answer to a request of the server.
    Answer,
}

/// A call and what policy says of it, before anything that is counted.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) kind: Kind,
    /// The tool's or prompt's name, or the resource's URI.
    pub(super) name: Arc<str>,
    pub(super) verdict: Verdict,
    /// What the audit log says of the arguments; none if there is no log.
    pub(super) arguments: Option<Arguments>,
    pub(super) again: Again,
}

/// How a call is known that comes again with what the server asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Again {
    /// What makes another call the same one.
    pub(super) key: Option<CallKey>,
    /// The round of the call that this one says it is.
    pub(super) round: Option<Round>,
}

/// Which kind of thing is called; fixes the form of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl Kind {
    /// A thing of this kind.
    pub(super) fn target(self, name: &str) -> Target<'_> {
        match self {
            Self::Tool => Target::Tool(name),
            Self::Resource => Target::Resource(name),
            Self::Prompt => Target::Prompt(name),
        }
    }
}

/// Whether decisions are recorded, so that arguments must be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auditing {
    On,
    Off,
}

/// Reads and decides one message.
///
/// # Errors
/// If it is refused for what it is, before any policy.
pub(super) fn examine(
    body: Bytes,
    headers: &HeaderMap,
    route: &Route,
    now: WallTime,
    audit: Auditing,
) -> Result<Examined, Rejection> {
    let document = Document::parse(body, Limits::default())?;
    let envelope = Envelope::read(&document, Sender::Agent)?;
    let version = era::agree(headers, &envelope)?;
    let reader = Reader { envelope: &envelope, headers, route, era: version.era(), now, audit };
    reader.verify()?;
    let ask = reader.ask().map_err(|rejection| match rejection.id {
        Some(_) => rejection,
        None => rejection.of(envelope.id().map(crate::mcp::envelope::Id::raw)),
    })?;
    let method = envelope.method().and_then(|method| TABLE.iter().find(|row| row.method == method));
    let method = method.map_or("", |row| row.method);
    Ok(Examined {
        version,
        id: envelope.id().map(|id| RawId::from_slice(id.raw())),
        method,
        caller: envelope.params.caller(),
        ask,
    })
}

struct Reader<'a, 'd> {
    envelope: &'a Envelope<'d>,
    headers: &'a HeaderMap,
    route: &'a Route,
    era: Era,
    now: WallTime,
    audit: Auditing,
}

impl Reader<'_, '_> {
    fn verify(&self) -> Result<(), Rejection> {
        let tools = self.route.tools.load();
        let name = match self.envelope.method() {
            Some("tools/call") if self.era == Era::Modern => self.envelope.params.name().ok(),
            _ => None,
        };
        let repeated = name.and_then(|name| tools.tool(&name)).map_or(&[][..], |tool| tool.repeated());
        headers::verify(self.headers, self.envelope, self.era, repeated)
    }

    fn ask(&self) -> Result<Ask, Rejection> {
        let (form, method, id) = match &self.envelope.message {
            Message::Request { id, method } => (Form::Request, method, Some(id.raw())),
            Message::Notification { method } => (Form::Notification, method, None),
            Message::Response { .. } => return Ok(Ask::Answer),
        };
        match handling(Sender::Agent, form, method, self.era) {
            Handling::Relay if method == "initialize" => {
                Ok(Ask::Initialize { answers_servers: self.envelope.params.answers_servers() })
            }
            Handling::Relay if method == "notifications/initialized" => Ok(Ask::Initialized),
            Handling::Relay if method == "notifications/cancelled" && self.era == Era::Legacy => {
                let cancelled = self.envelope.params.cancelled();
                Ok(cancelled.map_or(Ask::Relay, |id| Ask::Cancel(RawId::from_slice(id.raw()))))
            }
            Handling::Relay => Ok(Ask::Relay),
            Handling::Filter(list) => {
                let whole = self.envelope.params.cursor()?.is_none();
                Ok(Ask::List(Listing { list, whole, turn: None }))
            }
            Handling::Decide(named) => Ok(Ask::Call(Box::new(self.named(named)?), self.may_make_task(named))),
            Handling::Listen => self.listen(),
            Handling::Task => Ok(Ask::Task(self.envelope.params.task_id()?.into())),
            Handling::ServerRequest(_) | Handling::Deny => Err(Rejection::method_unknown(self.era, id)),
        }
    }

    fn named(&self, named: Named) -> Result<Decided, Rejection> {
        let params = &self.envelope.params;
        match named {
            Named::Tool => Ok(self.decide(Kind::Tool, &params.name()?, params.arguments()?)),
            Named::Prompt => Ok(self.decide(Kind::Prompt, &params.name()?, params.arguments()?)),
            Named::Resource => Ok(self.decide(Kind::Resource, &params.uri()?, params.value())),
            Named::Reference => Ok(match params.reference()? {
                Reference::Prompt(name) => self.decide(Kind::Prompt, &name, None),
                Reference::Resource(uri) => {
                    let verdict = self.route.decide_reference(&uri, session(self.headers, self.era), self.now);
                    let again = Again::default();
                    Decided { kind: Kind::Resource, name: uri.into(), verdict, arguments: None, again }
                }
            }),
        }
    }

    /// In the modern era it is for the server to say that a call becomes a task, in the legacy era for the agent.
    fn may_make_task(&self, named: Named) -> OfTasks {
        match (named, self.era) {
            (Named::Tool, Era::Modern) => OfTasks::MayMake,
            (Named::Tool, Era::Legacy) if self.envelope.params.task().is_some() => OfTasks::MayMake,
            _ => OfTasks::Nothing,
        }
    }

    fn listen(&self) -> Result<Ask, Rejection> {
        let params = &self.envelope.params;
        let tasks = params.listened_tasks()?.into_iter().map(Into::into).collect();
        let uris = params.resource_subscriptions()?;
        Ok(Ask::Listen { calls: uris.iter().map(|uri| self.decide(Kind::Resource, uri, None)).collect(), tasks })
    }

    fn decide(&self, kind: Kind, name: &str, arguments: Option<Value<'_>>) -> Decided {
        let tools = self.route.tools.load();
        let call = Call {
            target: kind.target(name),
            arguments,
            session: session(self.headers, self.era),
            tool: tools.tool(name).filter(|_| kind == Kind::Tool),
            now: self.now,
        };
        let verdict = self.route.decide(&call);
        let again = self.again(&call, &verdict);
        let arguments = match (arguments, self.audit) {
            (Some(arguments), Auditing::On) => Some(Arguments::of(arguments, self.route.ruleset.audited_arguments())),
            _ => None,
        };
        Decided { kind, name: self.route.own_name(name), verdict, arguments, again }
    }

    /// How the call is known when it comes again, where that matters: a limit charges it, and its era has rounds.
    fn again(&self, call: &Call<'_>, verdict: &Verdict) -> Again {
        if self.era == Era::Legacy || !verdict.demands.is_charged() {
            return Again::default();
        }
        let (name, arguments) = match call.target {
            Target::Tool(name) | Target::Prompt(name) => (name, call.arguments.map(json::hash)),
            // All of a resource is in its URI.
            Target::Resource(uri) => (uri, None),
        };
        let method = self.envelope.method().unwrap_or_default();
        let key = CallKey::of(&self.route.name, &self.route.grant, method, name, &arguments.unwrap_or_default());
        let params = &self.envelope.params;
        let answers = params.input_responses().is_some() || params.request_state().is_some();
        Again { key: Some(key), round: answers.then(|| key.round(params.request_state())) }
    }
}

/// The session that a request names. There are none in the modern era, whatever a header says.
pub(super) fn session(headers: &HeaderMap, era: Era) -> Option<&str> {
    let named = if era.has_sessions() { headers.get(headers::SESSION_ID) } else { None };
    named.and_then(|session| session.to_str().ok())
}

#[cfg(test)]
mod tests;
