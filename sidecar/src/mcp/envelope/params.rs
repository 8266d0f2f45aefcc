//! What MCP reads in a message's `params`.

use std::borrow::Cow;

use reeve_policy::json::{Kind, Value};

use super::{Id, keys};
use crate::mcp::rejection::{Cause, Rejection};
use crate::trace::{Caller, Context, State};

/// The key of `_meta` that carries the version, and by its presence the era, of a request.
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The key of `_meta` that names the caller's span (SEP-414).
const META_TRACEPARENT: &str = "traceparent";

/// The key of `_meta` with what tracing systems have added to its trace.
const META_TRACESTATE: &str = "tracestate";

/// The most resources, and the most tasks, that one listener may subscribe to: each is decided and recorded by itself.
pub const MAX_SUBSCRIPTIONS: usize = 256;

/// The members of `params` and of its `_meta` that are read. All of them are as they came: the methods say what
/// their type must be.
///
/// The rejections of these methods carry no id; `Envelope::reject` or [`Rejection::of`] adds it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'d> {
    all: Option<Value<'d>>,
    name: Option<Value<'d>>,
    arguments: Option<Value<'d>>,
    uri: Option<Value<'d>>,
    task: Option<Value<'d>>,
    task_id: Option<Value<'d>>,
    cursor: Option<Value<'d>>,
    input_responses: Option<Value<'d>>,
    request_state: Option<Value<'d>>,
    protocol_version: Option<Value<'d>>,
    reference: Option<Value<'d>>,
    notifications: Option<Value<'d>>,
    meta_protocol_version: Option<Value<'d>>,
    traceparent: Option<Value<'d>>,
    tracestate: Option<Value<'d>>,
}

/// What a completion completes an argument of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference<'d> {
    /// A prompt, by name.
    Prompt(Cow<'d, str>),
    /// A resource or a template of some, by URI.
    Resource(Cow<'d, str>),
}

impl<'d> Params<'d> {
    pub(super) fn read(params: Option<Value<'d>>) -> Result<Self, Rejection> {
        let Some(params) = params else {
            return Ok(Self::default());
        };
        if params.kind() != Kind::Object {
            return Err(Rejection::new(Cause::NotJsonRpc, "`params` must be an object."));
        }
        let mut read = Self { all: Some(params), ..Self::default() };
        let mut meta = None;
        for (key, value) in params.members_as_bytes() {
            let slot = match key.as_ref() {
                b"name" => &mut read.name,
                b"arguments" => &mut read.arguments,
                b"uri" => &mut read.uri,
                b"_meta" => &mut meta,
                b"task" => &mut read.task,
                b"taskId" => &mut read.task_id,
                b"cursor" => &mut read.cursor,
                b"inputResponses" => &mut read.input_responses,
                b"requestState" => &mut read.request_state,
                b"protocolVersion" => &mut read.protocol_version,
                b"ref" => &mut read.reference,
                b"notifications" => &mut read.notifications,
                other => {
                    keys::check(other, keys::PARAMS)?;
                    continue;
                }
            };
            *slot = Some(value);
        }
        if let Some(meta) = meta {
            read.read_meta(meta)?;
        }
        for (object, known) in [(read.reference, keys::REFERENCE), (read.notifications, keys::LISTEN)] {
            for (key, _) in object.into_iter().flat_map(Value::members_as_bytes) {
                keys::check(&key, known)?;
            }
        }
        Ok(read)
    }

    fn read_meta(&mut self, meta: Value<'d>) -> Result<(), Rejection> {
        if meta.kind() != Kind::Object {
            return Err(Rejection::new(Cause::InvalidParams, "`params._meta` must be an object."));
        }
        for (key, value) in meta.members_as_bytes() {
            if *key == *META_PROTOCOL_VERSION.as_bytes() {
                self.meta_protocol_version = Some(value);
            } else if *key == *META_TRACEPARENT.as_bytes() {
                self.traceparent = Some(value);
            } else if *key == *META_TRACESTATE.as_bytes() {
                self.tracestate = Some(value);
            } else {
                keys::check(&key, keys::META)?;
            }
        }
        Ok(())
    }

    /// The whole of `params`.
    pub fn value(&self) -> Option<Value<'d>> {
        self.all
    }

    /// The name of the tool or prompt: `params.name`.
    ///
    /// # Errors
    /// If it is missing or not a string.
    pub fn name(&self) -> Result<Cow<'d, str>, Rejection> {
        required(self.name, "`params.name` must be a string.")
    }

    /// The arguments of a tool or prompt. `null` counts as absent, as it does for the servers that accept it.
    ///
    /// # Errors
    /// If they are there but not an object.
    pub fn arguments(&self) -> Result<Option<Value<'d>>, Rejection> {
        match self.arguments {
            None => Ok(None),
            Some(value) => match value.kind() {
                Kind::Object => Ok(Some(value)),
                Kind::Null => Ok(None),
                _ => Err(invalid("`params.arguments` must be an object.")),
            },
        }
    }

    /// The URI of the resource: `params.uri`.
    ///
    /// # Errors
    /// If it is missing or not a string.
    pub fn uri(&self) -> Result<Cow<'d, str>, Rejection> {
        required(self.uri, "`params.uri` must be a string.")
    }

    /// The id of the task: `params.taskId`.
    ///
    /// # Errors
    /// If it is missing or not a string.
    pub fn task_id(&self) -> Result<Cow<'d, str>, Rejection> {
        required(self.task_id, "`params.taskId` must be a string.")
    }

    /// Where a list goes on; the empty string is a cursor like any other.
    ///
    /// # Errors
    /// If it is there but not a string.
    pub fn cursor(&self) -> Result<Option<Cow<'d, str>>, Rejection> {
        self.cursor.map(|cursor| required(Some(cursor), "`params.cursor` must be a string.")).transpose()
    }

    /// What a completion is about: `params.ref`.
    ///
    /// # Errors
    /// If it is neither a `ref/prompt` with a name nor a `ref/resource` with a URI.
    pub fn reference(&self) -> Result<Reference<'d>, Rejection> {
        const WRONG: &str =
            "`params.ref` must be {\"type\":\"ref/prompt\",\"name\":…} or {\"type\":\"ref/resource\",\"uri\":…}.";
        let reference = self.reference.ok_or_else(|| invalid(WRONG))?;
        match reference.get("type").and_then(Value::as_str).as_deref() {
            Some("ref/prompt") => required(reference.get("name"), WRONG).map(Reference::Prompt),
            Some("ref/resource") => required(reference.get("uri"), WRONG).map(Reference::Resource),
            _ => Err(invalid(WRONG)),
        }
    }

    /// The resources whose changes a listener asks for: `params.notifications.resourceSubscriptions`.
    ///
    /// # Errors
    /// If `notifications` is not an object, or this member there but not an array of at most [`MAX_SUBSCRIPTIONS`] strings.
    pub fn resource_subscriptions(&self) -> Result<Vec<Cow<'d, str>>, Rejection> {
        self.listened("resourceSubscriptions", "`params.notifications.resourceSubscriptions` must be an array of URIs.")
    }

    /// The tasks whose progress a listener asks for: `params.notifications.taskIds`.
    ///
    /// # Errors
    /// As [`Params::resource_subscriptions`].
    pub fn listened_tasks(&self) -> Result<Vec<Cow<'d, str>>, Rejection> {
        self.listened("taskIds", "`params.notifications.taskIds` must be an array of strings.")
    }

    fn listened(&self, key: &str, wrong: &'static str) -> Result<Vec<Cow<'d, str>>, Rejection> {
        let filter = self.notifications.filter(|value| value.kind() == Kind::Object);
        let filter = filter.ok_or_else(|| invalid("`params.notifications` must be an object."))?;
        match filter.get(key) {
            None => Ok(Vec::new()),
            Some(list) if list.kind() == Kind::Array && list.items().nth(MAX_SUBSCRIPTIONS).is_some() => {
                let message =
                    format!("A listener may name at most {MAX_SUBSCRIPTIONS} in `{key}`: open another for more.");
                Err(Rejection::new(Cause::TooManySubscriptions, message))
            }
            Some(list) if list.kind() == Kind::Array => list.items().map(|item| required(Some(item), wrong)).collect(),
            Some(_) => Err(invalid(wrong)),
        }
    }

    /// The version that an `initialize` request offers, if it is a string. It is an offer and binds nobody: the server
    /// answers with a version of its own choice.
    pub fn offered_version(&self) -> Option<Cow<'d, str>> {
        self.protocol_version.and_then(Value::as_str)
    }

    /// Whether an `initialize` request says that the agent answers requests of servers.
    pub fn answers_servers(&self) -> bool {
        let capabilities = self.all.and_then(|params| params.get("capabilities"));
        capabilities
            .is_some_and(|these| ["sampling", "elicitation", "roots"].iter().any(|key| these.get(key).is_some()))
    }

    /// The request that a `notifications/cancelled` cancels, if that can be read: `params.requestId`. A server that reads another there
    /// cancels that one.
    pub fn cancelled(&self) -> Option<Id<'d>> {
        self.all.and_then(|params| params.get("requestId")).and_then(|id| Id::read(id).ok())
    }

    /// The version in `_meta`, whatever its type.
    pub fn meta_protocol_version(&self) -> Option<Value<'d>> {
        self.meta_protocol_version
    }

    /// Who calls, if `_meta` names a span that can be read.
    pub fn caller(&self) -> Option<Caller> {
        // Nothing in one needs an escape.
        let quoted = self.traceparent.filter(|value| value.kind() == Kind::String)?.raw();
        let span = Context::parse(quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)?;
        let state = self.tracestate.and_then(Value::as_str);
        Some(Caller { span, state: State::read(state.as_deref().into_iter()) })
    }

    /// That a legacy call wants to run as a task: `params.task`.
    pub fn task(&self) -> Option<Value<'d>> {
        self.task
    }

    /// The answers that a retried request of the modern era brings.
    pub fn input_responses(&self) -> Option<Value<'d>> {
        self.input_responses
    }

    /// What a server of the modern era wants back with a retry. The agent may have changed it.
    pub fn request_state(&self) -> Option<Value<'d>> {
        self.request_state
    }
}

fn required<'d>(value: Option<Value<'d>>, wrong: &'static str) -> Result<Cow<'d, str>, Rejection> {
    value.and_then(Value::as_str).ok_or_else(|| invalid(wrong))
}

fn invalid(message: &'static str) -> Rejection {
    Rejection::new(Cause::InvalidParams, message)
}
