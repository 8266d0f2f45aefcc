//! What the webhooks count.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// The counters of the webhooks.
#[derive(Clone, Debug)]
pub struct Metrics {
    injections: IntCounterVec,
    validations: IntCounterVec,
    duration: HistogramVec,
}

/// The two webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Pods.
    Inject,
    /// Reeve's own kinds.
    Validate,
}

impl Which {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Inject => "inject",
            Self::Validate => "validate",
        }
    }
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is taken in this registry.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let injections = Opts::new(
            "reeve_injections_total",
            "Pods that the injection webhook was asked about, by outcome (injected, skipped, refused, error) and reason.",
        );
        let validations = Opts::new(
            "reeve_validations_total",
            "Objects of Reeve's kinds that the validating webhook was asked about, by kind and outcome (accepted, refused, error).",
        );
        let duration = HistogramOpts::new(
            "reeve_webhook_duration_seconds",
            "How long a webhook took to answer, from when it had the whole question.",
        )
        .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0]);
        let metrics = Self {
            injections: IntCounterVec::new(injections, &["outcome", "reason"])?,
            validations: IntCounterVec::new(validations, &["kind", "outcome"])?,
            duration: HistogramVec::new(duration, &["webhook"])?,
        };
        registry.register(Box::new(metrics.injections.clone()))?;
        registry.register(Box::new(metrics.validations.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn injection(&self, outcome: &str, reason: &str) {
        self.injections.with_label_values(&[outcome, reason]).inc();
    }

    pub(crate) fn validation(&self, kind: &str, outcome: &str) {
        self.validations.with_label_values(&[kind, outcome]).inc();
    }

    pub(crate) fn answered(&self, which: Which, took: Duration) {
        self.duration.with_label_values(&[which.as_str()]).observe(took.as_secs_f64());
    }
}
