//! Every metric of the sidecar, in a registry of its own, with bounded labels.
//!
//! [`family`] is the one table of names, labels, help and buckets; `docs/metrics.md` shows it. Children are made when first
//! used, but for the decisions that policies can make, which are foreseen. The hot path looks no label up: a call asks its
//! [`ServerMetrics`] for the handles of its tool, and those for the counter of its decision.
//!
//! | label | bounded by |
//! |---|---|
//! | `server` | the configuration; empty before any has come |
//! | `tool` | names that a policy or the catalogue knows, at most [`server::TOOLS`] of a server; any other is `_other` |
//! | `policy`, `rule` | the policies; past [`server::CALL_SERIES`] combinations in all, [`FORESEEN_SERIES`] not counted, `_other` |
//! | `decision`, `reason`, `mode`, `cause` | enums of this program |

pub mod family;
mod foreseen;
mod process;
pub mod server;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};
use reeve_policy::reason::Reason;
use reeve_process::usage::Gauges;

use crate::audit;
use crate::clock::Clock;
use crate::listener::{Observer, Refusal};
use crate::mcp::rejection;

pub use family::{Definition, Kind, reference};
pub use foreseen::FORESEEN_SERIES;
pub use server::{InFlight, ServerMetrics, ToolMetrics};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The most limits that are exported: those that are used most.
const LIMIT_SERIES: usize = 2_000;

/// How full one limit is.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitUsage {
    /// The policy's key.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The counter's name.
    pub counter: String,
    /// What its fullest key has used of `max`: 1 is full.
    pub ratio: f64,
}

impl LimitUsage {
    /// What tells it from others: the labels.
    pub fn identity(&self) -> (&str, &str, &str) {
        (&self.policy, &self.rule, &self.counter)
    }
}

/// What becomes of spans.
#[derive(Clone, Debug)]
pub struct SpanCounters {
    /// The collector has taken them.
    pub exported: IntCounter,
    /// Too many were waiting.
    pub queue_full: IntCounter,
    /// The collector could not be reached, or turned the batch away.
    pub undelivered: IntCounter,
    /// The collector took the batch, and not them.
    pub refused: IntCounter,
}

/// Tells how full the limits are; asked at each scrape.
pub type LimitSource = Box<dyn Fn() -> Vec<LimitUsage> + Send + Sync>;

/// Brings up to date what the policies can say; asked at each scrape.
pub type Foresee = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    clock: Clock,
    calls: IntCounterVec,
    call_duration: HistogramVec,
    decision_duration: Histogram,
    rejected_requests: IntCounterVec,
    inflight: IntGaugeVec,
    upstream_errors: IntCounterVec,
    limit_usage: GaugeVec,
    config_generation: IntGauge,
    config_connected: IntGauge,
    config_updated: Gauge,
    config_reload_successful: IntGauge,
    connections: IntGauge,
    refused_connections: IntCounterVec,
    audit_queue: IntGauge,
    audit_queue_limit: IntGauge,
    audit_dropped: IntCounter,
    spans: IntCounterVec,
    process: Gauges,
    /// How many children [`family::CALLS`] has, over all servers.
    call_series: Arc<AtomicUsize>,
    /// How many of its children wait for their first call.
    foreseen_series: Arc<AtomicUsize>,
    servers: Mutex<HashMap<String, Arc<ServerMetrics>>>,
    sources: Mutex<Sources>,
}

/// What is asked at each scrape.
#[derive(Default)]
struct Sources {
    audit: Option<audit::Log>,
    limits: Option<LimitSource>,
    foresee: Option<Foresee>,
}

impl Metrics {
    /// All metrics at their beginning.
    ///
    /// # Errors
    /// If a definition is not one that Prometheus accepts; none is.
    pub fn new(clock: Clock) -> prometheus::Result<Arc<Self>> {
        let registry = Registry::new();
        let build = family::BUILD_INFO.gauges(&registry)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Arc::new(Self {
            calls: family::CALLS.counters(&registry)?,
            call_duration: family::CALL_DURATION.histograms(&registry)?,
            decision_duration: family::DECISION_DURATION.histogram(&registry)?,
            rejected_requests: family::REJECTED_REQUESTS.counters(&registry)?,
            inflight: family::INFLIGHT.gauges(&registry)?,
            upstream_errors: family::UPSTREAM_ERRORS.counters(&registry)?,
            limit_usage: family::LIMIT_USAGE.ratios(&registry)?,
            config_generation: family::CONFIG_GENERATION.gauge(&registry)?,
            config_connected: family::CONFIG_CONNECTED.gauge(&registry)?,
            config_updated: family::CONFIG_UPDATED.seconds(&registry)?,
            config_reload_successful: family::CONFIG_RELOAD_SUCCESSFUL.gauge(&registry)?,
            connections: family::CONNECTIONS.gauge(&registry)?,
            refused_connections: family::REFUSED_CONNECTIONS.counters(&registry)?,
            audit_queue: family::AUDIT_QUEUE.gauge(&registry)?,
            audit_queue_limit: family::AUDIT_QUEUE_LIMIT.gauge(&registry)?,
            audit_dropped: family::AUDIT_DROPPED.counter(&registry)?,
            spans: family::SPANS.counters(&registry)?,
            process: process::gauges(&registry, &clock)?,
            call_series: Arc::default(),
            foreseen_series: Arc::default(),
            servers: Mutex::default(),
            sources: Mutex::default(),
            registry,
            clock,
        }))
    }

    /// The metrics of one server, the same for every configuration that has a server of this name.
    pub fn server(&self, name: &str) -> Arc<ServerMetrics> {
        let mut servers = lock(&self.servers);
        if let Some(server) = servers.get(name) {
            return Arc::clone(server);
        }
        let server = Arc::new(ServerMetrics::new(self, name));
        servers.insert(name.to_owned(), Arc::clone(&server));
        server
    }

    /// Other servers than these are gone: nothing is foreseen of their calls any more.
    pub fn keep_servers(&self, is_there: impl Fn(&str) -> bool) {
        for (_, gone) in lock(&self.servers).iter().filter(|(name, _)| !is_there(name)) {
            gone.foresee(std::iter::empty());
        }
    }

    /// A request was refused for what it is, before any policy.
    pub fn rejected(&self, cause: rejection::Cause) {
        self.rejected_requests.with_label_values(&[cause.as_str()]).inc();
    }

    /// A call was refused because no configuration has come: which server it is for, nobody knows. `method`: of one that is
    /// not of a tool.
    pub fn unconfigured(&self, method: Option<&'static str>) {
        let reason = Reason::NoConfiguration;
        let (decision, reason) = (reason.outcome().as_str(), reason.as_str());
        self.calls.with_label_values(&["", method.unwrap_or(server::OTHER), decision, reason, "", "", "Enforce"]).inc();
    }

    /// A decision was made.
    pub fn decided_within(&self, time: Duration) {
        self.decision_duration.observe(time.as_secs_f64());
    }

    /// A configuration is in force.
    pub fn configured(&self, generation: u64) {
        self.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.config_updated.set(seconds(self.clock.wall().0));
        self.configuration_accepted();
    }

    /// What is in force is what should be.
    pub fn configuration_accepted(&self) {
        self.config_reload_successful.set(1);
    }

    /// A configuration was refused; the one before it stays in force.
    pub fn configuration_refused(&self) {
        self.config_reload_successful.set(0);
    }

    /// Whether what brings configurations is there: the operator, or the file.
    pub fn configuration_connected(&self, connected: bool) {
        self.config_connected.set(i64::from(connected));
    }

    /// What is counted of spans. From now on the counters are there, at zero.
    pub fn span_counters(&self) -> SpanCounters {
        let counter = |outcome: &str| self.spans.with_label_values(&[outcome]);
        SpanCounters {
            exported: counter("exported"),
            queue_full: counter("queue_full"),
            undelivered: counter("undelivered"),
            refused: counter("refused"),
        }
    }

    /// The log whose state each scrape shows.
    pub fn observe_audit(&self, log: audit::Log) {
        lock(&self.sources).audit = Some(log);
    }

    /// The limits whose state each scrape shows.
    pub fn observe_limits(&self, source: LimitSource) {
        lock(&self.sources).limits = Some(source);
    }

    /// What each scrape brings up to date first.
    pub fn observe_policies(&self, foresee: Foresee) {
        lock(&self.sources).foresee = Some(foresee);
    }

    /// Everything, as Prometheus reads it.
    ///
    /// # Errors
    /// If a family cannot be written; none is known.
    pub fn encode(&self) -> prometheus::Result<Vec<u8>> {
        // Held to the end, so that two scrapes at once do not see each other's half of what is refreshed.
        let sources = lock(&self.sources);
        self.refresh(&sources);
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    fn refresh(&self, sources: &Sources) {
        self.process.refresh();
        if let Some(foresee) = &sources.foresee {
            foresee(self);
        }
        if let Some(log) = &sources.audit {
            self.audit_queue.set(i64::try_from(log.queue_bytes()).unwrap_or(i64::MAX));
            self.audit_queue_limit.set(i64::try_from(log.queue_limit()).unwrap_or(i64::MAX));
            self.audit_dropped.inc_by(log.lost().saturating_sub(self.audit_dropped.get()));
        }
        self.limit_usage.reset();
        let mut limits = sources.limits.as_ref().map(|limits| limits()).unwrap_or_default();
        limits.sort_by(|one, other| other.ratio.total_cmp(&one.ratio));
        for LimitUsage { policy, rule, counter, ratio } in limits.iter().take(LIMIT_SERIES) {
            self.limit_usage.with_label_values(&[policy, rule, counter]).set(*ratio);
        }
    }
}

impl Observer for Metrics {
    fn opened(&self) {
        self.connections.inc();
    }

    fn closed(&self) {
        self.connections.dec();
    }

    fn refused(&self, refusal: Refusal) {
        self.refused_connections.with_label_values(&[refusal.as_str()]).inc();
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Nanoseconds as Prometheus counts time. The loss below a microsecond does not matter.
#[allow(clippy::cast_precision_loss, reason = "microseconds since 1970 fit a double exactly")]
fn seconds(nanos: i64) -> f64 {
    (nanos / 1_000) as f64 / 1e6
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
