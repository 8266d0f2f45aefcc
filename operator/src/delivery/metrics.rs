//! What is counted of delivery.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The metrics of delivery.
#[derive(Clone, Debug)]
pub struct Metrics {
    sidecars: IntGaugeVec,
    replicas: IntGauge,
    push: Histogram,
    refused: IntCounterVec,
    ended: IntCounterVec,
}

impl Metrics {
    /// Adds them to a registry.
    ///
    /// # Errors
    /// One of the names is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["reason"]);
        let buckets = vec![0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
        let push = HistogramOpts::new(
            "reeve_config_push_seconds",
            "From a changed configuration to a sidecar's word that it is in force.",
        );
        let metrics = Self {
            sidecars: IntGaugeVec::new(
                Opts::new(
                    "reeve_sidecars",
                    "Sidecars connected to this replica: `current` run what they are to run, `behind` do not yet.",
                ),
                &["state"],
            )?,
            replicas: IntGauge::new("reeve_operator_replicas_connected", "Other replicas that report to this one.")?,
            push: Histogram::with_opts(push.buckets(buckets))?,
            refused: counter("reeve_operator_sync_refusals_total", "Streams that were not begun, by reason.")?,
            ended: counter("reeve_operator_sync_streams_ended_total", "Streams that ended, by reason.")?,
        };
        registry.register(Box::new(metrics.sidecars.clone()))?;
        registry.register(Box::new(metrics.replicas.clone()))?;
        registry.register(Box::new(metrics.push.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.ended.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn ended(&self, reason: &str) {
        self.ended.with_label_values(&[reason]).inc();
    }

    pub(crate) fn pushed(&self, took: Duration) {
        self.push.observe(took.as_secs_f64());
    }

    /// A sidecar is connected, and is counted until this is dropped.
    pub(crate) fn sidecar(&self) -> Counted {
        let [behind, current] = ["behind", "current"].map(|state| self.sidecars.with_label_values(&[state]));
        behind.inc();
        Counted { behind, current, is_current: false }
    }

    /// A replica is connected, and is counted until this is dropped.
    pub(crate) fn replica(&self) -> CountedReplica {
        self.replicas.inc();
        CountedReplica(self.replicas.clone())
    }
}

/// A connected sidecar.
#[derive(Debug)]
pub(crate) struct Counted {
    behind: IntGauge,
    current: IntGauge,
    is_current: bool,
}

impl Counted {
    pub(crate) fn set_current(&mut self, is_current: bool) {
        if self.is_current != is_current {
            self.gauge().dec();
            self.is_current = is_current;
            self.gauge().inc();
        }
    }

    fn gauge(&self) -> &IntGauge {
        if self.is_current { &self.current } else { &self.behind }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge().dec();
    }
}

/// A connected replica.
#[derive(Debug)]
pub(crate) struct CountedReplica(IntGauge);

impl Drop for CountedReplica {
    fn drop(&mut self) {
        self.0.dec();
    }
}
