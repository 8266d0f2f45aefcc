//! Puts configurations into force, whatever brings them, and tells everybody who should know.

use std::sync::Arc;

use super::{Builder, Current, Live, Prepared};
use crate::audit::{self, Note};
use crate::lifecycle::Readiness;
use crate::metrics::Metrics;

/// What puts configurations into force.
#[derive(Debug)]
pub struct Enforcer {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// What makes configurations serve.
    pub builder: Builder,
    /// What is counted for people.
    pub metrics: Arc<Metrics>,
    /// Where it is recorded which configuration is in force.
    pub audit: audit::Log,
    /// What the probes answer.
    pub readiness: Readiness,
}

impl Enforcer {
    /// Puts a configuration into force; gives the one before. Compiles the policies: not for the serving thread, once that
    /// serves.
    pub fn enforce(&self, prepared: &Prepared) -> Option<Arc<Live>> {
        let live = self.builder.build(prepared, self.current.load().as_deref());
        let (generation, servers) = (live.number, live.routes().len());
        // Before the first call that is decided under it.
        self.audit.note(&Note::Configured { generation });
        let replaced = self.current.swap(live);
        self.metrics.configured(generation);
        tracing::info!(generation, servers, policies = prepared.policies, "a configuration is in force");
        self.readiness.configured();
        replaced
    }
}
