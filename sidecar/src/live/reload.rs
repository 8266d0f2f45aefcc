//! Follows the files of a configuration: a good edit is put into force, a bad one leaves the last good configuration there.

use std::sync::Arc;
use std::time::Duration;

use reeve_policy::compile::Severity;
use reeve_policy::load::Diagnostic;

use super::{Builder, Current};
use crate::audit::{self, Note};
use crate::config::Files;
use crate::config::source::{Inputs, Loaded, Rejected, load};
use crate::config::watch::Watcher;
use crate::metrics::Metrics;
use crate::upstream::Environment;

/// The watcher still sees the change that could not be read: this keeps it from being tried again at once, for ever.
const AFTER_A_PANIC: Duration = Duration::from_secs(10);

/// What a reload works with.
#[derive(Debug)]
pub struct Reloader {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// What makes configurations serve.
    pub builder: Arc<Builder>,
    /// Where configurations come from.
    pub inputs: Inputs,
    /// The process's proxies and certificate authorities.
    pub environment: Arc<Environment>,
    /// What is counted for people.
    pub metrics: Arc<Metrics>,
    /// Where it is recorded which configuration is in force.
    pub audit: audit::Log,
}

impl Reloader {
    /// Puts a configuration into force.
    pub fn enforce(&self, loaded: &Loaded) {
        let live = self.builder.build(loaded, self.current.load().as_deref());
        report(&loaded.warnings);
        self.metrics.configured(live.number);
        self.metrics.configuration_connected(true);
        self.audit.note(&Note::Configured { generation: live.number });
        tracing::info!(
            generation = live.number,
            servers = live.routes().len(),
            policies = loaded.policies.len(),
            "a configuration is in force"
        );
        self.current.swap(live);
    }

    /// Follows the files for ever. Reading and compiling happen on a worker, so that calls are served meanwhile.
    pub async fn follow(self, files: Files) {
        let mut watcher = Watcher::new(files);
        let this = Arc::new(self);
        loop {
            watcher.changed().await;
            let work = Arc::clone(&this);
            match tokio::task::spawn_blocking(move || work.reload()).await {
                Ok(files) => watcher.watch(files),
                Err(error) => {
                    tracing::error!(%error, "reading the configuration failed; the last good one stays in force");
                    tokio::time::sleep(AFTER_A_PANIC).await;
                }
            }
        }
    }

    fn reload(&self) -> Files {
        match load(&self.inputs, &self.environment) {
            Ok(loaded) => {
                self.enforce(&loaded);
                loaded.files
            }
            Err(Rejected { diagnostics, files }) => {
                report(&diagnostics);
                self.metrics.configuration_refused();
                let mistakes = diagnostics.iter().filter(|told| told.severity == Severity::Error).count();
                tracing::error!(mistakes, "the new configuration has mistakes: the last good one stays in force");
                files
            }
        }
    }
}

fn report(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Error => tracing::error!("{diagnostic}"),
            Severity::Warning => tracing::warn!("{diagnostic}"),
        }
    }
}
