//! The table of metrics: names, labels, help, buckets. What is made from it and what documents show cannot differ.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, Result,
};

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// The word in `# TYPE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
    /// The upper bounds of a histogram's buckets.
    pub buckets: &'static [f64],
}

/// Declares the definitions and the list of all of them.
macro_rules! families {
    ($($(#[$doc:meta])* $ident:ident: $kind:ident $name:literal [$($label:literal),*] $(buckets $buckets:ident)?, $help:literal;)+) => {
        $(
            $(#[$doc])*
            #[allow(unused_mut, unused_assignments)]
            pub(super) const $ident: Definition = {
                let mut buckets: &'static [f64] = &[];
                $(buckets = $buckets;)?
                Definition { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help, buckets }
            };
        )+

        /// Every metric, in the order of the documentation.
        pub fn reference() -> &'static [Definition] {
            &[$($ident),+]
        }
    };
}

/// A call takes as long as its server does: from a local server's millisecond to tools that work for minutes.
const CALL_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// A decision takes some microseconds; expressions and schemas end at their budgets, which are below 10 ms.
const DECISION_SECONDS: &[f64] =
    &[1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2];

families! {
    CALLS: Counter "reeve_calls_total" ["server", "tool", "decision", "reason", "policy", "rule", "mode"],
        "Calls decided. mode=\"Enforce\" is what happened, one for each call; mode=\"Audit\" is what rules in Audit mode would have done. For resources and prompts, tool is the method; for names that no policy or catalogue knows, _other. server is empty for calls before any configuration.";
    CALL_DURATION: Histogram "reeve_call_duration_seconds" ["server", "tool"] buckets CALL_SECONDS,
        "Time from the last byte of a call that policy permits to the last byte of its answer, the server's time included. A stream of subscriptions/listen has no end of its own and is left out.";
    DECISION_DURATION: Histogram "reeve_decision_duration_seconds" [] buckets DECISION_SECONDS,
        "Time that deciding a call took, permitted or refused: parsing, policies, expressions and limits.";
    REJECTED_REQUESTS: Counter "reeve_rejected_requests_total" ["cause"],
        "Requests refused for what they are, before any policy.";
    INFLIGHT: Gauge "reeve_inflight_calls" ["server"],
        "Calls whose answer is not complete; a stream of subscriptions/listen is none.";
    LIMIT_USAGE: Gauge "reeve_limit_usage_ratio" ["policy", "rule", "counter"],
        "What the fullest key of a limit has used of its max; 1 is full.";
    CONFIG_GENERATION: Gauge "reeve_config_generation" [],
        "The number of the configuration in force; 0 before the first.";
    CONFIG_CONNECTED: Gauge "reeve_config_connected" [],
        "Whether what brings configurations can be reached: the operator, or the file.";
    CONFIG_UPDATED: Gauge "reeve_config_last_update_timestamp_seconds" [],
        "When the configuration in force was taken over.";
    CONFIG_RELOAD_SUCCESSFUL: Gauge "reeve_config_last_reload_successful" [],
        "Whether the newest configuration is in force; 0 if it was refused and the one before it stays.";
    UPSTREAM_ERRORS: Counter "reeve_upstream_errors_total" ["server", "cause"],
        "Requests that failed between the sidecar and the server, or there (a status of 500 or more): calls, and all else that is passed on, such as initialisations and lists.";
    CONNECTIONS: Gauge "reeve_connections" [],
        "Connections of agents that are open.";
    REFUSED_CONNECTIONS: Counter "reeve_refused_connections_total" ["cause"],
        "Connections of agents that were refused or cut.";
    AUDIT_QUEUE: Gauge "reeve_audit_queue_bytes" [],
        "Bytes of audit records that calls in flight have reserved or that wait to be written.";
    AUDIT_QUEUE_LIMIT: Gauge "reeve_audit_queue_limit_bytes" [],
        "What reeve_audit_queue_bytes cannot exceed; 0 if the audit log is off.";
    AUDIT_DROPPED: Counter "reeve_audit_dropped_total" [],
        "Decisions that have no audit record because the log was full; the call was refused, or passed with onFull: Drop.";
    SPANS: Counter "reeve_spans_total" ["outcome"],
        "Spans of calls, if OpenTelemetry is on: exported; queue_full, undelivered or refused are lost, because too many waited, the collector did not take them in time, or it refused them.";
    BUILD_INFO: Gauge "reeve_build_info" ["version"],
        "Always 1; the labels say which build this is.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" [],
        "User and system CPU time of the process.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" [],
        "Memory of the process that is in RAM.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" [],
        "Address space of the process.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [],
        "Open file descriptors.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" [],
        "The most file descriptors that may be open.";
    PROCESS_THREADS: Gauge "process_threads" [],
        "Threads of the process.";
    PROCESS_START: Gauge "process_start_time_seconds" [],
        "When the process started, in seconds since 1970.";
}

/// Makes and registers. The kind is checked by a test over [`reference`].
impl Definition {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram_opts(&self) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help).buckets(self.buckets.to_vec())
    }

    pub(super) fn counter(&self, registry: &Registry) -> Result<IntCounter> {
        register(registry, IntCounter::with_opts(self.opts())?)
    }

    pub(super) fn cpu_seconds(&self, registry: &Registry) -> Result<Counter> {
        register(registry, Counter::with_opts(self.opts())?)
    }

    pub(super) fn counters(&self, registry: &Registry) -> Result<IntCounterVec> {
        register(registry, IntCounterVec::new(self.opts(), self.labels)?)
    }

    pub(super) fn gauge(&self, registry: &Registry) -> Result<IntGauge> {
        register(registry, IntGauge::with_opts(self.opts())?)
    }

    pub(super) fn seconds(&self, registry: &Registry) -> Result<Gauge> {
        register(registry, Gauge::with_opts(self.opts())?)
    }

    pub(super) fn gauges(&self, registry: &Registry) -> Result<IntGaugeVec> {
        register(registry, IntGaugeVec::new(self.opts(), self.labels)?)
    }

    pub(super) fn ratios(&self, registry: &Registry) -> Result<GaugeVec> {
        register(registry, GaugeVec::new(self.opts(), self.labels)?)
    }

    pub(super) fn histogram(&self, registry: &Registry) -> Result<Histogram> {
        register(registry, Histogram::with_opts(self.histogram_opts())?)
    }

    pub(super) fn histograms(&self, registry: &Registry) -> Result<HistogramVec> {
        register(registry, HistogramVec::new(self.histogram_opts(), self.labels)?)
    }
}

fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
