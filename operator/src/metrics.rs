//! Every metric of the operator, in a registry of its own, with bounded labels.
//!
//! | label | bounded by |
//! |---|---|
//! | `kind` | the kinds that are watched or written |
//! | `reason`, `outcome`, `state` | words of this program |
//! | `namespace`, `policy` | the policies there are; shown by the leader alone |
//!
//! The webhooks and delivery add their own to the same registry. What can be told from the world is read from it at each scrape rather than counted along, so that it is true after a restart.

mod policies;
mod process;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use reeve_process::usage::Gauges;

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sets gauges from what holds the state; asked at each scrape.
type Source = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    reconcile_duration: HistogramVec,
    reconcile_errors: IntCounterVec,
    policy_pods: IntGaugeVec,
    certificate_expiry: Gauge,
    leader: IntGauge,
    connections: IntGauge,
    refused_connections: IntCounterVec,
    process: Gauges,
    sources: Mutex<Vec<Source>>,
}

impl Metrics {
    /// All metrics at their beginning.
    ///
    /// # Errors
    /// If a definition is not one that Prometheus accepts; none is.
    pub fn new() -> prometheus::Result<Arc<Self>> {
        let registry = Registry::new();
        let metrics = Self {
            reconcile_duration: HistogramVec::new(
                HistogramOpts::new(
                    "reeve_operator_reconcile_duration_seconds",
                    "How long a step took: list (reading a kind), settle (configurations and statuses), write (a status).",
                )
                .buckets(vec![0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0]),
                &["kind"],
            )?,
            reconcile_errors: IntCounterVec::new(
                Opts::new(
                    "reeve_operator_reconcile_errors_total",
                    "Failed attempts, by the kind they concerned and what failed. All are tried again.",
                ),
                &["kind", "reason"],
            )?,
            policy_pods: IntGaugeVec::new(
                Opts::new("reeve_policy_pods", "Pods of a policy, by their state, as its status says. The leader alone tells."),
                &["namespace", "policy", "state"],
            )?,
            certificate_expiry: Gauge::new(
                "reeve_certificate_expiry_timestamp_seconds",
                "When the certificate that this replica shows expires.",
            )?,
            leader: IntGauge::new("reeve_leader", "1 while this replica writes statuses and Events.")?,
            connections: IntGauge::new("reeve_operator_connections", "Open connections at the port with TLS.")?,
            refused_connections: IntCounterVec::new(
                Opts::new("reeve_operator_refused_connections_total", "Connections that were turned away, by why."),
                &["cause"],
            )?,
            process: process::gauges(&registry)?,
            sources: Mutex::default(),
            registry,
        };
        metrics.register()?;
        Ok(Arc::new(metrics))
    }

    fn register(&self) -> prometheus::Result<()> {
        let build = IntGaugeVec::new(Opts::new("reeve_build_info", "The version that runs."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        self.registry.register(Box::new(build))?;
        self.registry.register(Box::new(self.reconcile_duration.clone()))?;
        self.registry.register(Box::new(self.reconcile_errors.clone()))?;
        self.registry.register(Box::new(self.policy_pods.clone()))?;
        self.registry.register(Box::new(self.certificate_expiry.clone()))?;
        self.registry.register(Box::new(self.leader.clone()))?;
        self.registry.register(Box::new(self.connections.clone()))?;
        self.registry.register(Box::new(self.refused_connections.clone()))
    }

    /// Where parts of the operator add what they count themselves.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A step that concerned a kind took this long.
    pub fn reconciled(&self, kind: &str, took: Duration) {
        self.reconcile_duration.with_label_values(&[kind]).observe(took.as_secs_f64());
    }

    /// A step that concerned a kind failed and is tried again.
    pub fn failed(&self, kind: &str, reason: &str) {
        self.reconcile_errors.with_label_values(&[kind, reason]).inc();
    }

    /// So many pods of a policy are in this state.
    pub fn policy_pods(&self, namespace: &str, policy: &str, state: &str, count: i32) {
        self.policy_pods.with_label_values(&[namespace, policy, state]).set(count.into());
    }

    /// Forgets all policies, before those there are now are told of.
    pub fn forget_policies(&self) {
        self.policy_pods.reset();
    }

    /// This replica shows a certificate that expires then.
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double exactly")]
    pub fn certificate_expires(&self, at: Timestamp) {
        self.certificate_expiry.set(at.as_second() as f64);
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A connection was opened.
    pub fn opened(&self) {
        self.connections.inc();
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.connections.dec();
    }

    /// A connection was turned away.
    pub fn refused(&self, cause: &str) {
        self.refused_connections.with_label_values(&[cause]).inc();
    }

    /// What each scrape asks first.
    pub fn observe(&self, source: impl Fn(&Self) + Send + Sync + 'static) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }

    /// Everything, as Prometheus reads it.
    ///
    /// # Errors
    /// If a family cannot be written; none is known.
    pub fn encode(&self) -> prometheus::Result<Vec<u8>> {
        // Held to the end, so that two scrapes at once do not see each other's half of what is refreshed.
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        for source in sources.iter() {
            source(self);
        }
        self.process.refresh();
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_asks_the_sources_first() {
        let metrics = Metrics::new().unwrap();
        metrics.observe(|metrics| {
            metrics.forget_policies();
            metrics.policy_pods("clinic", "imaging", "programmed", 3);
        });
        metrics.leads(true);
        let text = String::from_utf8(metrics.encode().unwrap()).unwrap();
        assert!(
            text.contains("reeve_policy_pods{namespace=\"clinic\",policy=\"imaging\",state=\"programmed\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("\nreeve_leader 1\n"), "{text}");
    }

    #[test]
    fn the_process_is_seen() {
        let text = String::from_utf8(Metrics::new().unwrap().encode().unwrap()).unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
            line.parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6, "{text}");
        assert!(value("process_open_fds") >= 3.0 && value("process_threads") >= 1.0, "{text}");
        assert!(value("process_start_time_seconds") > 1.7e9, "{text}");
    }
}
