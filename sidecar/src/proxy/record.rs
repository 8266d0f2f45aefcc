//! What the audit log and the metrics are told of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::Mode;
use reeve_policy::compile::pointer;
use reeve_policy::decide::{Held, Shadow, Target, Verdict};
use reeve_policy::reason::{Outcome, Reason};
use reeve_policy::time::{Instant, WallTime};

use super::Shared;
use super::examine::{Decided, Kind};
use super::given_up::GivenUp;
use super::take::{Counted, Taken};
use crate::audit::{Decision, Entry, Event, SessionTag};
use crate::live::{Backend, Route};
use crate::mcp::ids::OpenId;
use crate::mcp::version::Era;
use crate::metrics::{InFlight, ServerMetrics, ToolMetrics};
use crate::trace::{self, Span, TraceId};
use crate::upstream::{Progress, UpstreamError};

/// The moments of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// When its last byte came.
    pub(super) received: Instant,
    /// When its turn came: it may have waited for its session's stream.
    pub(super) begun: Instant,
    /// The time of day that it was decided at.
    pub(super) decided: WallTime,
}

/// What is known of a request beside its calls.
#[derive(Debug)]
pub(super) struct Facts {
    era: Era,
    session: Option<SessionTag>,
    method: &'static str,
    trace_id: Option<TraceId>,
    moments: Moments,
}

impl Facts {
    pub(super) fn new(
        era: Era,
        session: Option<&str>,
        method: &'static str,
        trace_id: Option<TraceId>,
        moments: Moments,
    ) -> Self {
        Self { era, session: session.map(SessionTag::of), method, trace_id, moments }
    }

    pub(super) fn era(&self) -> Era {
        self.era
    }

    pub(super) fn received(&self) -> Instant {
        self.moments.received
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn entry<'e>(&'e self, route: &'e Route, call: &'e Decided) -> Entry<'e> {
        Entry {
            event: Event::Call,
            time: self.moments.decided,
            parties: &route.parties,
            session: self.session,
            method: self.method,
            target: Some(call.target()),
            arguments: call.arguments.as_ref(),
            trace_id: self.trace_id,
        }
    }

    pub(super) fn decision<'d>(
        &self,
        route: &Route,
        verdict: &'d Verdict,
        shadow: &'d [Shadow],
        now: Instant,
    ) -> Decision<'d> {
        Decision { latency: now.since(self.moments.begun), ..decision(route, verdict, shadow) }
    }

    /// Writes down in its span what a message calls, and what was decided. `target` is none if it calls several things.
    pub(super) fn describe(&self, span: &mut Span, route: &Route, target: Option<Target<'_>>, decision: &Decision<'_>) {
        let is_known = match target {
            Some(Target::Tool(name)) => route.knows_tool(name),
            // Of prompts there is no catalogue, and a rule may name any.
            _ => false,
        };
        span.decided(&trace::Call {
            method: self.method,
            target,
            is_known,
            session: self.session,
            server: &route.name,
            grant: &route.grant,
            reason: decision.reason,
            rule: decision.rule,
            mode: decision.mode,
        });
    }
}

fn decision<'d>(route: &Route, verdict: &'d Verdict, shadow: &'d [Shadow]) -> Decision<'d> {
    let rule = verdict.pointer.as_deref();
    let policy = rule.map(pointer::policy);
    Decision {
        reason: verdict.reason,
        rule,
        policy_generation: policy.and_then(|policy| route.ruleset.generation(policy)),
        mode: if verdict.reason == Reason::AuditOnly { Mode::Audit } else { Mode::Enforce },
        latency: std::time::Duration::ZERO,
        shadow,
    }
}

impl Shared {
    /// Counts a decision, and what Audit rules would have decided.
    pub(super) fn record_call(&self, tool: &ToolMetrics, verdict: &Verdict, decision: &Decision<'_>) {
        tool.decided(verdict.reason, verdict.pointer.as_ref(), Mode::Enforce);
        for Shadow { reason, pointer } in decision.shadow {
            tool.decided(*reason, Some(pointer), Mode::Audit);
        }
        self.metrics.decided_within(decision.latency);
    }

    /// A tool has a label of its own only if a policy or the catalogue knows its name; other calls count by method.
    pub(super) fn tool_metrics(&self, route: &Route, call: &Decided, method: &'static str) -> Arc<ToolMetrics> {
        match call.kind {
            Kind::Tool if route.knows_tool(&call.name) => route.metrics.known(&call.name),
            Kind::Tool => route.metrics.unknown(),
            Kind::Resource | Kind::Prompt => route.metrics.known(method),
        }
    }

    /// Records and counts a request of a server to the agent. One that cannot be recorded is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn record_server_request(
        &self,
        route: &Route,
        session: Option<&str>,
        method: &str,
        verdict: Verdict,
    ) -> Result<(), Verdict> {
        let entry = Entry {
            event: Event::ServerRequest,
            time: self.clock.wall(),
            parties: &route.parties,
            session: session.map(SessionTag::of),
            method,
            target: None,
            arguments: None,
            trace_id: None,
        };
        let slot = self.audit.reserve(&entry);
        let verdict = if slot.is_ok() { verdict } else { Verdict::refusal(Reason::AuditUnavailable) };
        route.metrics.known(method).decided(verdict.reason, verdict.pointer.as_ref(), Mode::Enforce);
        if let Ok(slot) = slot {
            slot.write(&decision(route, &verdict, &verdict.shadow));
        }
        if verdict.outcome() == Outcome::Allow { Ok(()) } else { Err(verdict) }
    }
}

/// Counts and logs a failure of the server or the network.
pub(super) fn upstream_failed(metrics: &ServerMetrics, error: &UpstreamError) {
    tracing::warn!(server = %error.server, cause = %error.cause, detail = error.detail, "a request failed on its way");
    metrics.upstream_failed(error.cause);
}

/// A message on its way to the server and back: in flight until its answer has ended or is dropped.
pub(super) struct Flight {
    metrics: Arc<ServerMetrics>,
    _in_flight: Option<InFlight>,
    taken: Box<Taken>,
}

impl Flight {
    pub(super) fn begin(backend: &Backend, taken: Box<Taken>) -> Self {
        Self {
            _in_flight: taken.call().is_some().then(|| backend.metrics.in_flight()),
            metrics: Arc::clone(&backend.metrics),
            taken,
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        self.taken.progress()
    }

    /// The answer has come, whatever the server does with the stream that brought it: the call is no longer in flight.
    pub(super) fn answered(&mut self) {
        self.taken.answered();
    }

    /// Whether the server's answer must be seen though nobody waits for it.
    pub(super) fn must_be_answered(&self) -> bool {
        self.taken.must_be_answered()
    }

    /// For how long yet the call is in flight at most, if that counts.
    pub(super) fn in_flight_for(&self) -> Option<Duration> {
        self.taken.in_flight_until().map(|until| until.since(self.taken.now()))
    }

    /// When the request is given up.
    pub(super) fn given_up(&mut self) -> GivenUp {
        GivenUp::after(self.taken.take_cancelled())
    }

    /// Its id, for who holds it on.
    pub(super) fn take_id(&mut self) -> Option<OpenId> {
        self.taken.take_id()
    }

    /// The stream has ended and its answer is to come on another one: gives what the call holds until then.
    pub(super) fn take_out(&mut self) -> Vec<Held> {
        self.taken.take_out()
    }

    /// The server or the network failed.
    pub(super) fn failed(&mut self, error: &UpstreamError) {
        upstream_failed(&self.metrics, error);
        if let Some(span) = self.taken.span() {
            span.failed(error.cause.as_str(), error.cause.meaning());
        }
    }

    /// The call as it is recorded, if it is.
    pub(super) fn span(&mut self) -> Option<&mut Span> {
        self.taken.span()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(Counted { tool, received }) = self.taken.call() {
            tool.took(self.taken.now().since(*received));
        }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("call", &self.taken.call()).finish_non_exhaustive()
    }
}
