//! One JSON document → one JSON-RPC 2.0 message, and what MCP reads in it.
//!
//! Requests from the agent and messages from the server are read by the same code. Read once, after the strict parse; the
//! proxy decides on what stands here and forwards the bytes that were parsed. Nothing is copied: strings without escapes
//! are borrowed from the document.
//!
//! Beyond JSON-RPC, a message is refused if one of its keys could be read as a key of the protocol by somebody who ignores
//! case or odd characters (Go's `encoding/json` does), because a server might then act on another value than the policy saw.

mod id;
mod keys;
mod params;

use std::borrow::Cow;

use reeve_policy::json::{Document, Kind, Value};

pub use id::{Id, MAX_ID_BYTES};
pub use params::{MAX_SUBSCRIPTIONS, META_PROTOCOL_VERSION, Params, Reference};

use super::rejection::{Cause, Rejection};

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The agent: requests, notifications, and responses to the server's requests.
    Agent,
    /// The server: responses, notifications, and requests to the agent.
    Server,
}

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub struct Envelope<'d> {
    /// What kind of message it is.
    pub message: Message<'d>,
    /// Its `params`; empty where it has none.
    pub params: Params<'d>,
}

/// The three kinds of message.
#[derive(Clone, Debug)]
pub enum Message<'d> {
    /// Wants an answer.
    Request {
        /// What the answer will be known by.
        id: Id<'d>,
        /// The method, decoded.
        method: Cow<'d, str>,
    },
    /// Wants none.
    Notification {
        /// The method, decoded.
        method: Cow<'d, str>,
    },
    /// Is one.
    Response {
        /// The id of the request it answers; none only in an error of the server that could not read the request.
        id: Option<Id<'d>>,
        /// What came of the request.
        answer: Answer<'d>,
    },
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'d> {
    /// The value of `result`.
    Result(Value<'d>),
    /// It has an `error`.
    Error,
}

impl<'d> Envelope<'d> {
    /// Reads a message.
    ///
    /// # Errors
    /// If the document is not exactly one JSON-RPC 2.0 message, or could be read as another one than this. The rejection
    /// has the message's id where it could be read.
    pub fn read(document: &'d Document, sender: Sender) -> Result<Self, Rejection> {
        let root = document.root();
        match root.kind() {
            Kind::Object => {}
            Kind::Array => {
                return Err(Rejection::new(Cause::Batch, "Batches are not accepted: send each message by itself."));
            }
            _ => return Err(not_jsonrpc("The body is not a JSON object.")),
        }
        let members = Members::collect(root)?;
        let id = members.id.map(Id::read).transpose();
        let echo = match &id {
            Ok(Some(id)) => Some(id.raw()),
            _ => None,
        };
        let read = members.message(id, sender).and_then(|message| {
            let params = Params::read(members.params)?;
            Ok(Self { message, params })
        });
        read.map_err(|rejection| rejection.of(echo))
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match &self.message {
            Message::Request { method, .. } | Message::Notification { method } => Some(method),
            Message::Response { .. } => None,
        }
    }

    /// The id of a request or response.
    pub fn id(&self) -> Option<&Id<'d>> {
        match &self.message {
            Message::Request { id, .. } => Some(id),
            Message::Response { id, .. } => id.as_ref(),
            Message::Notification { .. } => None,
        }
    }

    /// The result of a response that has one.
    pub fn result(&self) -> Option<Value<'d>> {
        match self.message {
            Message::Response { answer: Answer::Result(result), .. } => Some(result),
            _ => None,
        }
    }

    /// A rejection of this message.
    pub fn reject(&self, cause: Cause, message: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection::new(cause, message).of(self.id().map(Id::raw))
    }
}

/// The members of the outermost object that JSON-RPC knows.
#[derive(Clone, Copy, Default)]
struct Members<'d> {
    jsonrpc: Option<Value<'d>>,
    id: Option<Value<'d>>,
    method: Option<Value<'d>>,
    params: Option<Value<'d>>,
    result: Option<Value<'d>>,
    error: Option<Value<'d>>,
}

impl<'d> Members<'d> {
    fn collect(root: Value<'d>) -> Result<Self, Rejection> {
        let mut members = Self::default();
        for (key, value) in root.members_as_bytes() {
            let slot = match key.as_ref() {
                b"jsonrpc" => &mut members.jsonrpc,
                b"id" => &mut members.id,
                b"method" => &mut members.method,
                b"params" => &mut members.params,
                b"result" => &mut members.result,
                b"error" => &mut members.error,
                other => {
                    keys::check(other, keys::ENVELOPE)?;
                    continue;
                }
            };
            *slot = Some(value);
        }
        Ok(members)
    }

    fn message(&self, id: Result<Option<Id<'d>>, Rejection>, sender: Sender) -> Result<Message<'d>, Rejection> {
        if !self.jsonrpc.is_some_and(|version| version.is_str("2.0")) {
            return Err(not_jsonrpc("The message is not JSON-RPC 2.0: `jsonrpc` must be \"2.0\"."));
        }
        let answer = match (self.result, self.error) {
            (None, None) => None,
            (Some(result), None) => Some(Answer::Result(result)),
            (None, Some(_)) => Some(Answer::Error),
            (Some(_), Some(_)) => {
                return Err(not_jsonrpc("A response has either `result` or `error`."));
            }
        };
        match (self.method, answer) {
            (Some(method), None) => {
                let method = method.as_str().ok_or_else(|| not_jsonrpc("`method` must be a string."))?;
                self.call(id?, method)
            }
            (None, Some(answer)) => self.response(id, answer, sender),
            (Some(_), Some(_)) => Err(not_jsonrpc("A message has either a `method` or an answer.")),
            (None, None) => Err(not_jsonrpc("The message has neither a `method` nor an answer.")),
        }
    }

    /// All notifications of the protocol are named `notifications/…`: anything else without an id is a request whose sender
    /// would never learn what became of it, and which some server might carry out all the same.
    fn call(&self, id: Option<Id<'d>>, method: Cow<'d, str>) -> Result<Message<'d>, Rejection> {
        match id {
            Some(id) => Ok(Message::Request { id, method }),
            None if method.starts_with("notifications/") => Ok(Message::Notification { method }),
            None => Err(Rejection::new(Cause::MissingId, "A request needs an id: a string or a whole number.")),
        }
    }

    fn response(
        &self,
        id: Result<Option<Id<'d>>, Rejection>,
        answer: Answer<'d>,
        sender: Sender,
    ) -> Result<Message<'d>, Rejection> {
        if self.params.is_some() {
            return Err(not_jsonrpc("A response has no `params`."));
        }
        let unread = self.id.is_none_or(|id| id.kind() == Kind::Null);
        let id = match (sender, answer) {
            (Sender::Server, Answer::Error) if unread => None,
            _ => id?,
        };
        match (sender, answer, &id) {
            (Sender::Server, Answer::Error, _) | (_, _, Some(_)) => Ok(Message::Response { id, answer }),
            _ => Err(Rejection::new(Cause::MissingId, "A response needs the id of the request it answers.")),
        }
    }
}

fn not_jsonrpc(message: &'static str) -> Rejection {
    Rejection::new(Cause::NotJsonRpc, message)
}

#[cfg(test)]
mod tests;
