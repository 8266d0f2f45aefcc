//! Records, and how they become lines. What a line holds is told by [`super::Line`].

use std::time::Duration;

use reeve_crds::v1alpha1::Mode;
use reeve_policy::decide::{Shadow, Target};
use reeve_policy::reason::Reason;
use reeve_policy::time::WallTime;

use super::arguments::{Arguments, SessionTag};
use super::text::{push_formatted, push_hex, push_number, push_string, push_time};
use crate::trace::TraceId;

/// Room for what [`Decision`] adds to a line: a rule pointer of its greatest length, the fixed words, and some shadow
/// decisions (those that have no room are counted).
pub(super) const DECISION_BYTES: usize = 1_536;

/// A policy's name has at most 253 bytes, its namespace, a rule and a counter 63 each: pointers are never cut.
const POINTER_BYTES: usize = 768;
const NAME_BYTES: usize = 320;
/// Names of tools are bounded by nobody.
const TARGET_BYTES: usize = 512;
const WORD_BYTES: usize = 128;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call: `tools/call`, `resources/read`, `prompts/get`.
    Call,
    /// A request of the server to the agent: sampling, elicitation, roots.
    ServerRequest,
}

impl Event {
    /// The word in the line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::ServerRequest => "server_request",
        }
    }
}

/// Between whom decisions are made: members of each line, with a comma before each. The same for all calls to a server, so that
/// they are rendered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties(Box<[u8]>);

impl Parties {
    /// `grant`: whom calls are charged to; `pod`: where they come from; `server`: what they are for. Empty is what nobody knows
    /// before any configuration has come.
    pub fn new(grant: &str, pod: &str, server: &str) -> Self {
        let mut out = Vec::new();
        let members = [("grant", grant, 2 * NAME_BYTES), ("pod", pod, NAME_BYTES), ("server", server, NAME_BYTES)];
        for (member, text, limit) in members.into_iter().filter(|(_, text, _)| !text.is_empty()) {
            push_member(&mut out, member, text, limit);
        }
        Self(out.into())
    }
}

/// What is known of a decision before the call is let through.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What was decided.
    pub event: Event,
    /// When: the time that the decision saw.
    pub time: WallTime,
    /// Between whom.
    pub parties: &'a Parties,
    /// The session, where there is one.
    pub session: Option<SessionTag>,
    /// The JSON-RPC method.
    pub method: &'a str,
    /// What is called.
    pub target: Option<Target<'a>>,
    /// Its arguments.
    pub arguments: Option<&'a Arguments>,
    /// The trace it belongs to.
    pub trace_id: Option<TraceId>,
}

/// What is known once it is over.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Why; the decision follows from it.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: Option<&'a str>,
    /// The generation of its policy, where it has one.
    pub policy_generation: Option<i64>,
    /// Audit if nothing that governs the call could have refused it.
    pub mode: Mode,
    /// From the request's last byte, or from its turn if it had to wait, to the decision.
    pub latency: Duration,
    /// What Audit rules would have done.
    pub shadow: &'a [Shadow],
}

/// What is recorded beside decisions.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// The first line of a run.
    Started {
        /// Reeve's version.
        version: &'a str,
    },
    /// A configuration is in force from here on.
    Configured {
        /// The same number as the metric `reeve_config_generation`.
        generation: u64,
    },
    /// The last line of an orderly end.
    Stopped,
}

/// The line up to the decision, without its end.
pub(super) fn render(entry: &Entry<'_>, sequence: u64, run: &str) -> Vec<u8> {
    let arguments = entry.arguments.map_or(&[][..], Arguments::fragment);
    let mut out = Vec::with_capacity(640 + arguments.len());
    push_head(&mut out, entry.event.as_str(), sequence, run, entry.time);
    out.extend_from_slice(&entry.parties.0);
    if let Some(session) = entry.session {
        out.extend_from_slice(b",\"session\":\"");
        push_hex(&mut out, session.bytes());
        out.push(b'"');
    }
    push_member(&mut out, "method", entry.method, WORD_BYTES);
    match entry.target {
        Some(Target::Tool(name)) => push_member(&mut out, "tool", name, TARGET_BYTES),
        Some(Target::Resource(uri)) => push_member(&mut out, "resource", uri, TARGET_BYTES),
        Some(Target::Prompt(name)) => push_member(&mut out, "prompt", name, TARGET_BYTES),
        None => {}
    }
    out.extend_from_slice(arguments);
    if let Some(trace_id) = entry.trace_id {
        out.extend_from_slice(b",\"traceId\":\"");
        push_hex(&mut out, trace_id.bytes());
        out.push(b'"');
    }
    out
}

/// The rest of the line, such that it has at most `limit` bytes.
pub(super) fn render_decision(decision: &Decision<'_>, out: &mut Vec<u8>, limit: usize) {
    let Decision { reason, rule, policy_generation, mode, latency, shadow } = *decision;
    push_all(out, &[",\"decision\":\"", reason.outcome().as_str(), "\",\"reason\":\"", reason.as_str(), "\""]);
    if let Some(rule) = rule {
        push_member(out, "rule", rule, POINTER_BYTES);
    }
    if let Some(generation) = policy_generation {
        out.extend_from_slice(b",\"policyGeneration\":");
        // Kubernetes counts generations from 1.
        push_number(out, generation.unsigned_abs(), 1);
    }
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    push_all(out, &[",\"mode\":\"", mode.as_str(), "\",\"latencyMs\":"]);
    push_number(out, micros / 1_000, 1);
    out.push(b'.');
    push_number(out, micros % 1_000, 3);
    if !shadow.is_empty() {
        push_shadow(out, shadow, limit);
    }
    out.extend_from_slice(b"}\n");
}

fn push_shadow(out: &mut Vec<u8>, shadow: &[Shadow], limit: usize) {
    const TAIL: &str = "],\"shadowOmitted\":4294967295}\n";
    out.extend_from_slice(b",\"shadow\":[");
    let mut written = 0;
    for Shadow { reason, pointer } in shadow {
        let before = out.len();
        push_formatted(
            out,
            format_args!(
                "{}{{\"decision\":\"{}\",\"reason\":\"{reason}\"",
                if written == 0 { "" } else { "," },
                reason.outcome()
            ),
        );
        push_member(out, "rule", pointer, POINTER_BYTES);
        out.push(b'}');
        if out.len() + TAIL.len() > limit {
            out.truncate(before);
            break;
        }
        written += 1;
    }
    out.push(b']');
    if written < shadow.len() {
        push_formatted(out, format_args!(",\"shadowOmitted\":{}", shadow.len() - written));
    }
}

/// A whole line that is not a decision.
pub(super) fn render_note(note: &Note<'_>, sequence: u64, run: &str, time: WallTime) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    match note {
        Note::Started { version } => {
            push_head(&mut out, "started", sequence, run, time);
            push_member(&mut out, "version", version, WORD_BYTES);
        }
        Note::Configured { generation } => {
            push_head(&mut out, "configured", sequence, run, time);
            push_formatted(&mut out, format_args!(",\"configGeneration\":{generation}"));
        }
        Note::Stopped => push_head(&mut out, "stopped", sequence, run, time),
    }
    out.extend_from_slice(b"}\n");
    out
}

fn push_head(out: &mut Vec<u8>, event: &str, sequence: u64, run: &str, time: WallTime) {
    out.extend_from_slice(b"{\"seq\":");
    push_number(out, sequence, 1);
    push_all(out, &[",\"run\":\"", run, "\",\"time\":\""]);
    push_time(out, time);
    push_all(out, &["\",\"event\":\"", event, "\""]);
}

/// Appends text that needs no escape.
fn push_all(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

fn push_member(out: &mut Vec<u8>, name: &str, text: &str, limit: usize) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    push_string(out, text, limit);
}
