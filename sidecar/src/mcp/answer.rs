//! The bytes of what the sidecar itself answers: refusals of policy, failures of servers, errors.
//!
//! Ids are echoed exactly as they were written; everything else goes through `serde_json`, so that no text of a policy, a
//! server's name or an error can break out of its string. No answer holds a value of a call's arguments.

use std::time::Duration;

use bytes::Bytes;
use reeve_policy::compile::pointer;
use reeve_policy::decide::Verdict;
use reeve_policy::reason::Outcome;
use serde::Serialize;

use super::version::Era;

/// A decision of policy against a request.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// The decision.
    pub verdict: &'a Verdict,
    /// What the model reads: what was refused, by which rule, and what would pass.
    pub text: &'a str,
}

impl Refusal<'_> {
    /// The value of an HTTP `Retry-After` header: whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.verdict.retry_after.map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0))
    }

    fn decision(&self) -> Decision<'_> {
        let pointer = self.verdict.pointer.as_deref();
        let parts = pointer.map(pointer::split);
        Decision {
            decision: self.verdict.outcome().as_str(),
            reason: self.verdict.reason.as_str(),
            policy: parts.map(|parts| parts.policy),
            rule: pointer.filter(|_| parts.is_some_and(|parts| parts.rule.is_some())),
            message: self.verdict.message.as_deref(),
            retry_after_ms: self.verdict.retry_after.map(milliseconds),
        }
    }
}

/// A decision, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decision<'a> {
    decision: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// How refusals carry their decision for programs.
#[derive(Serialize)]
struct Decided<'a> {
    #[serde(rename = "reeve.dev/decision")]
    decision: Decision<'a>,
}

/// A `CallToolResult` that says no.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolRefusal<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    content: [Text<'a>; 1],
    is_error: bool,
    #[serde(rename = "_meta")]
    meta: Decided<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// A refused `tools/call`: a result with `isError`, which every client hands to its model, and to be sent with HTTP 200.
/// `resultType` stands in it in the modern era, which requires it, and not in the legacy one, which does not know it.
pub fn refused_call(id: &[u8], era: Era, refusal: &Refusal<'_>) -> Bytes {
    let result = ToolRefusal {
        result_type: (era == Era::Modern).then_some("complete"),
        content: [Text { r#type: "text", text: refusal.text }],
        is_error: true,
        meta: Decided { decision: refusal.decision() },
    };
    message(Some(id), "result", &result)
}

/// Any other refused request: a JSON-RPC error, to be sent with HTTP 200, because clients do not read the body of another
/// status. Its code is 403, or 429 where time would help; both outside the range that JSON-RPC reserves.
pub fn refused_request(id: &[u8], refusal: &Refusal<'_>) -> Bytes {
    let code = match refusal.verdict.outcome() {
        Outcome::Limited => 429,
        Outcome::Allow | Outcome::Deny | Outcome::ApprovalRequired => 403,
    };
    error(Some(id), code, refusal.text, Some(&Decided { decision: refusal.decision() }))
}

/// The answer to a request of the server that may not reach the agent; sent to the server.
pub fn refused_server_request(id: &[u8], text: &str) -> Bytes {
    error(Some(id), 403, text, None::<&()>)
}

/// What went wrong between sidecar and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server cannot be reached, broke off, or answered what cannot be passed on.
    Unreachable,
    /// The server did not answer in time.
    Timeout,
}

/// The answer to a request that policy permits and the server or network failed: a JSON-RPC error whose `message` names the
/// server and the cause, and holds no word of policy. Its code is 502 or 504.
pub fn failed(id: Option<&[u8]>, failure: Failure, message: &str) -> Bytes {
    let code = match failure {
        Failure::Unreachable => 502,
        Failure::Timeout => 504,
    };
    error(id, code, message, None::<&()>)
}

/// The answer to a request that its agent has cancelled and the server does not answer. Its code is 499. Agents pass over it.
pub fn cancelled(id: Option<&[u8]>, server: &str) -> Bytes {
    let text = format!("The request was cancelled, and the MCP server {server:?} has not answered it.");
    error(id, 499, &text, None::<&()>)
}

/// A JSON-RPC error. `id`: as it was written, or none where it is not known.
pub fn error(id: Option<&[u8]>, code: i64, text: &str, data: Option<&impl Serialize>) -> Bytes {
    #[derive(Serialize)]
    struct Error<'a, D> {
        code: i64,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a D>,
    }
    message(id, "error", &Error { code, message: text, data })
}

fn message(id: Option<&[u8]>, key: &str, value: &impl Serialize) -> Bytes {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","#);
    if let Some(id) = id {
        out.extend_from_slice(br#""id":"#);
        out.extend_from_slice(id);
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    let start = out.len();
    if serde_json::to_writer(&mut out, value).is_err() {
        // Writing strings and numbers to memory does not fail; were it to, the answer must still be JSON.
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
    out.push(b'}');
    out.into()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
