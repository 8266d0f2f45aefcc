//! Puts the parts together, runs them, and ends them in order.
//!
//! ```text
//! settings ─► client ─► ports ─► tasks ──── a signal ────► /ready fails ─► leave delay ─► drain ─► end
//!                                  └────── one of them ends: the process ends with it, to be started again
//! ```

mod bridges;
mod parts;
mod reread;
mod route;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use reeve_process::drain::{DrainTrigger, Phase};
use reeve_process::exit::Exit;

use self::parts::Parts;
use crate::settings::Settings;

/// How long tasks that were told to end may take.
const LAST: Duration = Duration::from_secs(3);

/// Why the operator cannot run, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings are at odds.
    #[error("{0}")]
    Settings(String),
    /// There is no way to the API server.
    #[error("the API server cannot be found: {0}")]
    Cluster(String),
    /// A port cannot be listened on.
    #[error("{address} cannot be listened on: {source}; free it, or give another by {flag}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// The flag that says where.
        flag: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// What should not happen.
    #[error("{0}")]
    Internal(String),
}

impl RunError {
    /// How the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) => Exit::Usage,
            Self::Cluster(_) | Self::Listen { .. } => Exit::Configuration,
            Self::Internal(_) => Exit::Internal,
        }
    }
}

/// Runs until a signal says to end.
///
/// # Errors
/// What cannot be used, before anything is served; or which part ended by itself.
pub fn run(settings: Settings) -> Result<(), RunError> {
    settings.check().map_err(RunError::Settings)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?settings, "reeve-operator");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::Internal(format!("the runtime cannot be started: {error}")))?;
    let result = runtime.block_on(serve(settings));
    runtime.shutdown_timeout(LAST);
    result
}

async fn serve(settings: Settings) -> Result<(), RunError> {
    let internal = |error: std::io::Error| RunError::Internal(format!("signals cannot be heard: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
    let (leave, grace) = (settings.serving.leave_delay, settings.serving.grace_period);
    let (trigger, mut parts) = Parts::start(settings).await?;
    let name = tokio::select! {
        ended = parts.ended() => return Err(RunError::Internal(format!("{ended} ended by itself"))),
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "leaving: requests are still taken until the cluster has heard of it");
    tokio::select! {
        () = end(&trigger, &mut parts, leave, grace) => {}
        _ = terminate.recv() => tracing::warn!("a second SIGTERM: ending at once"),
        _ = interrupt.recv() => tracing::warn!("a second SIGINT: ending at once"),
    }
    tracing::info!("ended");
    Ok(())
}

async fn end(trigger: &DrainTrigger, parts: &mut Parts, leave: Duration, grace: Duration) {
    trigger.advance(Phase::Leaving);
    tokio::time::sleep(leave).await;
    trigger.advance(Phase::Draining);
    if timeout(grace, parts.drained(grace / 2)).await.is_err() {
        tracing::info!("the grace period is over: what is still open is closed");
    }
    trigger.advance(Phase::Ending);
    let _ = timeout(LAST, parts.drained(Duration::ZERO)).await;
}
