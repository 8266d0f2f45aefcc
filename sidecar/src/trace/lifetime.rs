//! Tracing from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Tracer;
use super::export::{self, End};
use super::settings::Settings;
use crate::clock::Clock;
use crate::live::host_name;
use crate::metrics::Metrics;
use crate::upstream::Environment;

/// The attribute that says where a process runs; in a pod it is the pod's name.
const HOST_NAME: &str = "host.name";

/// Tracing that is on.
#[derive(Debug)]
pub struct Tracing {
    /// Makes spans.
    pub tracer: Arc<Tracer>,
    end: End,
    exporter: JoinHandle<()>,
}

impl Tracing {
    /// Begins it if the settings say so, and logs what of them is not followed: whatever it is, calls are served.
    pub async fn begin(
        settings: Settings,
        environment: &Arc<Environment>,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Option<Self> {
        for problem in &settings.problems {
            tracing::warn!("{problem}");
        }
        let mut export = settings.export?;
        if export.resource.iter().all(|(key, _)| key != HOST_NAME) {
            export.resource.push((HOST_NAME.to_owned(), host_name()));
        }
        let url = export.shown_url().to_owned();
        let (environment, clock, counters) = (Arc::clone(environment), clock.clone(), metrics.span_counters());
        // Certificates are read, which may block.
        let started =
            tokio::task::spawn_blocking(move || export::start(&export, &environment, &clock, &counters)).await.ok()?;
        match started {
            Ok((tracer, exporter, end)) => {
                tracing::info!("tracing: a span of each call is sent to {url}");
                Some(Self { tracer, end, exporter: tokio::spawn(exporter.run()) })
            }
            Err(problems) => {
                for problem in problems {
                    tracing::warn!("{problem}");
                }
                None
            }
        }
    }

    /// Ends it: what waits is sent, if that takes no longer than this.
    pub async fn end(mut self, patience: Duration) {
        self.end.tell();
        if tokio::time::timeout(patience, &mut self.exporter).await.is_err() {
            self.exporter.abort();
            tracing::warn!(waiting = self.end.waiting(), "the last spans were not delivered in time");
        }
    }
}
