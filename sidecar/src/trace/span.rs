//! One call, written down as it goes on, in the form in which it is sent: the message `Span` of OTLP.
//!
//! Names are those of OpenTelemetry's conventions for MCP, where it has any. Never written are arguments and their values, the
//! URI of a resource, which has arguments in it as often as not, and the id of a session, which is as good as a key to it.

use std::fmt;
use std::sync::Arc;

use reeve_crds::v1alpha1::Mode;
use reeve_policy::compile::pointer;
use reeve_policy::decide::Target;
use reeve_policy::reason::{Outcome, Reason};
use reeve_policy::time::Instant;

use super::Tracer;
use super::context::Context;
use super::protobuf::{push_attribute, push_bytes, push_fixed32, push_fixed64, push_number};
use crate::audit::SessionTag;
use crate::mcp::version::Version;

/// The most of a name that is written: every policy and rule has room. Tools' names come from agents, and are bounded by nobody.
const LONGEST_VALUE: usize = 512;

/// What a span needs as a rule, so that it is seldom moved while it grows.
const USUAL_BYTES: usize = 768;

/// The numbers of the fields of the message `Span`.
mod field {
    pub(super) const TRACE: u32 = 1;
    pub(super) const SPAN: u32 = 2;
    pub(super) const STATE: u32 = 3;
    pub(super) const PARENT: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTE: u32 = 9;
    pub(super) const LINK: u32 = 13;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// The call comes from somebody else, who waits for its answer.
const KIND_SERVER: u64 = 2;

/// That it is known whether the parent is of another process.
const PARENT_IS_KNOWN: u32 = 0x100;
/// That it is.
const PARENT_IS_REMOTE: u32 = 0x200;

const STATUS_ERROR: u64 = 2;

/// A call that is recorded. It ends when this is dropped: as one that its agent gave up, if nothing else was said of its end.
pub struct Span {
    tracer: Arc<Tracer>,
    context: Context,
    /// When it began, on the clock that never goes back.
    began: Instant,
    /// The same in nanoseconds since 1970.
    start: u64,
    /// The message as far as it is written. Fields may come in any order.
    bytes: Vec<u8>,
    named: bool,
    /// Whether it was said how it ended.
    concluded: bool,
}

/// Whom a call comes after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The caller's span.
    pub(super) parent: Option<Context>,
    /// What tracing systems have added to its trace.
    pub(super) state: Option<&'a str>,
    /// Another span that led to the call: of the HTTP request, where the message names its own.
    pub(super) link: Option<Context>,
}

/// What is known of a call once it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The JSON-RPC method.
    pub method: &'a str,
    /// What is called; none of a stream of what changes in several things.
    pub target: Option<Target<'a>>,
    /// Whether a policy or the catalogue knows the target, so that there are not endlessly many of it.
    pub is_known: bool,
    /// The session, where there is one.
    pub session: Option<SessionTag>,
    /// The server's name; empty before any configuration has come, as is the grant.
    pub server: &'a str,
    /// Whom the call is charged to.
    pub grant: &'a str,
    /// Why it was decided so.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: Option<&'a str>,
    /// `Audit` if nothing that governs the call could have refused it.
    pub mode: Mode,
}

impl Span {
    pub(super) fn begin(
        tracer: &Arc<Tracer>,
        context: Context,
        origin: &Origin<'_>,
        began: Instant,
        start: u64,
    ) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        push_bytes(&mut bytes, field::TRACE, context.trace.bytes());
        push_bytes(&mut bytes, field::SPAN, context.span.bytes());
        push_number(&mut bytes, field::KIND, KIND_SERVER);
        push_fixed64(&mut bytes, field::START, start);
        let of_parent = PARENT_IS_KNOWN | if origin.parent.is_some() { PARENT_IS_REMOTE } else { 0 };
        push_fixed32(&mut bytes, field::FLAGS, u32::from(context.flags) | of_parent);
        if let Some(parent) = origin.parent {
            push_bytes(&mut bytes, field::PARENT, parent.span.bytes());
        }
        if let Some(state) = origin.state {
            push_bytes(&mut bytes, field::STATE, state.as_bytes());
        }
        if let Some(link) = origin.link {
            let mut message = Vec::with_capacity(32);
            push_bytes(&mut message, field::TRACE, link.trace.bytes());
            push_bytes(&mut message, field::SPAN, link.span.bytes());
            push_bytes(&mut bytes, field::LINK, &message);
        }
        Self { tracer: Arc::clone(tracer), context, began, start, bytes, named: false, concluded: false }
    }

    /// Where it stands: what its server is told.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The request's id, as it was written. One with escapes, or that is long, is left out.
    pub fn request_id(&mut self, raw: &[u8]) {
        let text = raw.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(raw);
        if let Ok(text) = std::str::from_utf8(text)
            && text.len() <= LONGEST_VALUE
            && !text.contains('\\')
        {
            self.attribute("jsonrpc.request.id", text);
        }
    }

    /// The version of the protocol.
    pub fn version(&mut self, version: Version) {
        self.attribute("mcp.protocol.version", version.as_str());
    }

    /// What is called, and what was decided.
    pub fn decided(&mut self, call: &Call<'_>) {
        self.named = true;
        let name = match call.target {
            Some(Target::Tool(name) | Target::Prompt(name)) if call.is_known => {
                format!("{} {}", call.method, cut(name))
            }
            _ => call.method.to_owned(),
        };
        push_bytes(&mut self.bytes, field::NAME, name.as_bytes());
        self.attribute("mcp.method.name", call.method);
        match call.target {
            Some(Target::Tool(name)) => {
                self.attribute("gen_ai.operation.name", "execute_tool");
                self.attribute("gen_ai.tool.name", name);
            }
            Some(Target::Prompt(name)) => self.attribute("gen_ai.prompt.name", name),
            Some(Target::Resource(_)) | None => {}
        }
        self.attribute("network.transport", "tcp");
        for (key, value) in [("reeve.server", call.server), ("reeve.grant", call.grant)] {
            if !value.is_empty() {
                self.attribute(key, value);
            }
        }
        if let Some(session) = call.session {
            self.attribute("reeve.session", &session.to_string());
        }
        self.attribute("reeve.decision", call.reason.outcome().as_str());
        self.attribute("reeve.reason", call.reason.as_str());
        if let Some(rule) = call.rule {
            self.attribute("reeve.policy", pointer::policy(rule));
            self.attribute("reeve.rule", rule);
        }
        self.attribute("reeve.mode", call.mode.as_str());
        if call.reason.outcome() != Outcome::Allow {
            self.failed(call.reason.as_str(), call.reason.meaning());
        }
    }

    /// The server has answered with a JSON-RPC error.
    pub fn errored(&mut self, code: &str) {
        self.attribute("rpc.response.status_code", code);
        self.failed(code, "the server answered with an error");
    }

    /// It ended with an error, of a class that `kind` names. Only the first counts.
    pub fn failed(&mut self, kind: &str, message: &str) {
        const MESSAGE: u32 = 2;
        const CODE: u32 = 3;
        if std::mem::replace(&mut self.concluded, true) {
            return;
        }
        self.attribute("error.type", kind);
        let mut status = Vec::with_capacity(message.len() + 8);
        push_bytes(&mut status, MESSAGE, message.as_bytes());
        push_number(&mut status, CODE, STATUS_ERROR);
        push_bytes(&mut self.bytes, field::STATUS, &status);
    }

    /// Its answer has come, or it wants none.
    pub fn answered(&mut self) {
        self.concluded = true;
    }

    fn attribute(&mut self, key: &str, value: &str) {
        push_attribute(&mut self.bytes, field::ATTRIBUTE, key, cut(value));
    }
}

impl Drop for Span {
    /// A message that was rejected before it was decided is no call.
    fn drop(&mut self) {
        if !self.named {
            return;
        }
        self.failed("cancelled", "the agent went away before the answer had come");
        let took = self.tracer.clock.now().since(self.began);
        let end = self.start.saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        push_fixed64(&mut self.bytes, field::END, end);
        self.bytes.shrink_to_fit();
        self.tracer.record(std::mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("context", &self.context).finish_non_exhaustive()
    }
}

/// The beginning of a text, in whole characters.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_VALUE)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
