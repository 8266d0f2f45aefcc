//! The metrics of one server, with the handles that a call needs already resolved.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use reeve_crds::v1alpha1::Mode;
use reeve_policy::compile::pointer::{Parts, split};
use reeve_policy::decide::Foreseen;
use reeve_policy::reason::Reason;

use super::Metrics;
use crate::upstream::Cause;

/// The most tools of a server that have a label of their own; servers have some dozens.
pub const TOOLS: usize = 256;

/// The most combinations of labels that `reeve_calls_total` takes, over all servers. Far more than anybody looks at, few
/// enough for a scrape of some milliseconds.
pub const CALL_SERIES: usize = 8_192;

/// What stands for names that are not labels. No policy and no rule can be called so; a tool that is counts among the others.
pub(super) const OTHER: &str = "_other";

/// The metrics of one server.
pub struct ServerMetrics {
    pub(super) server: Arc<str>,
    pub(super) calls: IntCounterVec,
    call_duration: HistogramVec,
    upstream_errors: IntCounterVec,
    inflight: IntGauge,
    call_series: Arc<AtomicUsize>,
    pub(super) other: Arc<ToolMetrics>,
    pub(super) tools: RwLock<HashMap<Arc<str>, Arc<ToolMetrics>, RandomState>>,
    /// The children of [`super::family::CALLS`] that wait for their first call, and how many those of all servers are.
    pub(super) foreseen: Mutex<HashSet<Foreseen>>,
    pub(super) foreseen_series: Arc<AtomicUsize>,
}

/// The metrics of one tool; what a call holds on to.
pub struct ToolMetrics {
    server: Arc<str>,
    tool: Arc<str>,
    calls: IntCounterVec,
    duration: Histogram,
    call_series: Arc<AtomicUsize>,
    pub(super) decisions: RwLock<HashMap<DecisionKey, IntCounter, RandomState>>,
}

/// What a tool's calls are counted by.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct DecisionKey {
    pub(super) reason: Reason,
    pub(super) pointer: Option<Arc<str>>,
    pub(super) mode: Mode,
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
            foreseen: Mutex::default(),
            foreseen_series: Arc::clone(&metrics.foreseen_series),
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
        if name == OTHER { self.unknown() } else { self.make(name) }
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

    /// A request failed between the sidecar and the server, or there.
    pub fn upstream_failed(&self, cause: Cause) {
        self.upstream_errors.with_label_values(&[&*self.server, cause.as_str()]).inc();
    }
}

impl ToolMetrics {
    /// A call was decided: `Enforce` for what happens to it, once; `Audit` for what each policy or rule in Audit mode
    /// would have done.
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
        let parts = split(key.pointer.as_deref().unwrap_or_default());
        if self.call_series.fetch_add(1, Ordering::Relaxed) < CALL_SERIES {
            let counter = self.child(&self.tool, &key, parts);
            decisions.insert(key, counter.clone());
            counter
        } else {
            // Not remembered, so that memory is bounded too; looked up each time instead.
            self.call_series.fetch_sub(1, Ordering::Relaxed);
            self.child(OTHER, &key, Parts { policy: OTHER, rule: Some(OTHER), part: None })
        }
    }

    fn child(&self, tool: &str, key: &DecisionKey, parts: Parts<'_>) -> IntCounter {
        self.calls.with_label_values(&labels(&self.server, tool, key.reason, parts, key.mode))
    }
}

/// The labels of [`super::family::CALLS`], in its order. The part of a rule is none: one rule is one series.
pub(super) fn labels<'l>(server: &'l str, tool: &'l str, reason: Reason, parts: Parts<'l>, mode: Mode) -> [&'l str; 7] {
    let rule = parts.rule.unwrap_or_default();
    [server, tool, reason.outcome().as_str(), reason.as_str(), parts.policy, rule, mode.as_str()]
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
