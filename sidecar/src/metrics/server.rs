//! The metrics of one server, with the handles that a call needs already resolved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use reeve_crds::v1alpha1::Mode;
use reeve_policy::compile::pointer::{Parts, split};
use reeve_policy::reason::Reason;

use super::Metrics;
use crate::upstream::Cause;

/// The most tools of a server that have a label of their own; servers have some dozens.
pub const TOOLS: usize = 256;

/// The most combinations of labels that `reeve_calls_total` takes, over all servers. Far more than anybody looks at, few
/// enough for a scrape of some milliseconds.
pub const CALL_SERIES: usize = 8_192;

/// What stands for names that are not labels.
pub(super) const OTHER: &str = "other";

/// The metrics of one server.
pub struct ServerMetrics {
    server: Arc<str>,
    calls: IntCounterVec,
    call_duration: HistogramVec,
    upstream_errors: IntCounterVec,
    inflight: IntGauge,
    call_series: Arc<AtomicUsize>,
    other: Arc<ToolMetrics>,
    tools: RwLock<HashMap<Arc<str>, Arc<ToolMetrics>, RandomState>>,
}

/// The metrics of one tool; what a call holds on to.
pub struct ToolMetrics {
    server: Arc<str>,
    tool: Arc<str>,
    calls: IntCounterVec,
    duration: Histogram,
    call_series: Arc<AtomicUsize>,
    decisions: RwLock<HashMap<DecisionKey, IntCounter, RandomState>>,
}

#[derive(PartialEq, Eq, Hash)]
struct DecisionKey {
    reason: Reason,
    pointer: Option<Arc<str>>,
    mode: Mode,
}

impl ServerMetrics {
    pub(super) fn new(metrics: &Metrics, server: &str) -> Self {
        let server: Arc<str> = server.into();
        let other = ToolMetrics {
            server: Arc::clone(&server),
            tool: OTHER.into(),
            calls: metrics.calls.clone(),
            duration: metrics.call_duration.with_label_values(&[&*server, OTHER]),
            call_series: Arc::clone(&metrics.call_series),
            decisions: RwLock::default(),
        };
        Self {
            calls: metrics.calls.clone(),
            call_duration: metrics.call_duration.clone(),
            upstream_errors: metrics.upstream_errors.clone(),
            inflight: metrics.inflight.with_label_values(&[&*server]),
            call_series: Arc::clone(&metrics.call_series),
            other: Arc::new(other),
            tools: RwLock::default(),
            server,
        }
    }

    /// The metrics of a tool that a policy or the catalogue names. For calls that are not of a tool, pass the method.
    pub fn known(&self, name: &str) -> Arc<ToolMetrics> {
        let tools = self.tools.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tool) = tools.get(name) {
            return Arc::clone(tool);
        }
        drop(tools);
        self.make(name)
    }

    /// The metrics of all tools whose name nobody knows: an agent can invent as many as it likes.
    pub fn unknown(&self) -> Arc<ToolMetrics> {
        Arc::clone(&self.other)
    }

    fn make(&self, name: &str) -> Arc<ToolMetrics> {
        let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tool) = tools.get(name) {
            return Arc::clone(tool);
        }
        if tools.len() >= TOOLS {
            return self.unknown();
        }
        let label: Arc<str> = name.into();
        let tool = Arc::new(ToolMetrics {
            server: Arc::clone(&self.server),
            tool: Arc::clone(&label),
            calls: self.calls.clone(),
            duration: self.call_duration.with_label_values(&[&*self.server, name]),
            call_series: Arc::clone(&self.call_series),
            decisions: RwLock::default(),
        });
        tools.insert(label, Arc::clone(&tool));
        tool
    }

    /// A call is in flight until the guard is dropped.
    pub fn in_flight(&self) -> InFlight {
        self.inflight.inc();
        InFlight(self.inflight.clone())
    }

    /// A call failed between the sidecar and the server.
    pub fn upstream_failed(&self, cause: Cause) {
        self.upstream_errors.with_label_values(&[&*self.server, cause.as_str()]).inc();
    }
}

impl ToolMetrics {
    /// A call was decided: `Enforce` for what happens to it, once; `Audit` for each rule in Audit mode that would have decided
    /// otherwise.
    pub fn decided(&self, reason: Reason, pointer: Option<&Arc<str>>, mode: Mode) {
        let key = DecisionKey { reason, pointer: pointer.map(Arc::clone), mode };
        let decisions = self.decisions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = decisions.get(&key) {
            counter.inc();
            return;
        }
        drop(decisions);
        self.resolve(key).inc();
    }

    /// A call has ended.
    pub fn took(&self, time: Duration) {
        self.duration.observe(time.as_secs_f64());
    }

    fn resolve(&self, key: DecisionKey) -> IntCounter {
        let mut decisions = self.decisions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = decisions.get(&key) {
            return counter.clone();
        }
        // The part of a rule is left out: one rule is one series.
        let Parts { policy, rule, .. } = split(key.pointer.as_deref().unwrap_or_default());
        if self.call_series.fetch_add(1, Ordering::Relaxed) < CALL_SERIES {
            let counter = self.child(&self.tool, &key, policy, rule.unwrap_or_default());
            decisions.insert(key, counter.clone());
            counter
        } else {
            // Not remembered, so that memory is bounded too; looked up each time instead.
            self.call_series.fetch_sub(1, Ordering::Relaxed);
            self.child(OTHER, &key, OTHER, OTHER)
        }
    }

    fn child(&self, tool: &str, key: &DecisionKey, policy: &str, rule: &str) -> IntCounter {
        let mode = match key.mode {
            Mode::Enforce => "Enforce",
            Mode::Audit => "Audit",
        };
        let (decision, reason) = (key.reason.outcome().as_str(), key.reason.as_str());
        self.calls.with_label_values(&[&*self.server, tool, decision, reason, policy, rule, mode])
    }
}

/// A call in flight.
#[derive(Debug)]
#[must_use = "the call counts as in flight until this is dropped"]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl std::fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerMetrics").field("server", &self.server).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ToolMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolMetrics").field("tool", &self.tool).finish_non_exhaustive()
    }
}
