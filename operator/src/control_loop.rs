//! Runs `control`: what was seen and heard goes in, what follows goes out.
//!
//! ```text
//! watches, sidecars, lease ─► inputs (bounded) ─► take, take, take … ─► settle, at most once in 10 ms ─┬─► registry
//!                                                                                                      ├─► statuses
//!                                                                                                      └─► Events, pods that were made
//! ```
//!
//! A burst of changes is settled once. It runs on a thread of its own, since settling can take long, and sessions and webhooks are
//! not to wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::control::{Clock, Control, Input, Output};
use crate::delivery::Registry;
use crate::events::Event;
use crate::kubernetes::write::Write;
use crate::metrics::Metrics;
use crate::readiness::Awaited;
use crate::world::PodView;

/// The least time between two settlings: what comes at once is settled at once, and no change waits longer than this.
const SETTLE_EVERY: Duration = Duration::from_millis(10);
/// Inputs that are taken before it is looked whether to settle, so that a flood of them does not keep others waiting.
const AT_ONCE: usize = 4_096;

/// Where what follows goes.
pub struct Outlets {
    /// Configurations.
    pub registry: Arc<Registry>,
    /// Statuses.
    pub writes: mpsc::Sender<Write>,
    /// Events; those that find no room are dropped.
    pub events: mpsc::Sender<Event>,
    /// Pods that were made; those that find no room are passed over.
    pub made: mpsc::Sender<PodView>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Reached once every watch has told all it has and what follows is published.
    pub synced: Awaited,
}

/// Runs until nobody has inputs any more.
pub async fn run(mut control: Control, mut inputs: mpsc::Receiver<Input>, outlets: Outlets) {
    let Outlets { registry, writes, events, made, metrics, synced } = outlets;
    let clock = Clock::start();
    let mut synced = Some(synced);
    let mut next: Option<Instant> = None;
    let mut settled = Instant::now();
    let mut taken = Vec::new();
    loop {
        taken.clear();
        tokio::select! {
            count = inputs.recv_many(&mut taken, AT_ONCE) => if count == 0 { return },
            () = sleep_until(next) => {}
        }
        let due = settled + SETTLE_EVERY;
        while take_all(&mut control, &mut taken, &clock) && Instant::now() < due {
            let more = inputs.recv_many(&mut taken, AT_ONCE);
            if tokio::time::timeout_at(due.into(), more).await.is_err() {
                break;
            }
        }
        let begun = Instant::now();
        let Output { assignments, policies, servers, events: told, next: again } = control.settle(clock.now());
        settled = Instant::now();
        metrics.reconciled("settle", settled - begun);
        next = again.map(|at| settled + Duration::try_from(at.duration_since(clock.now().steady)).unwrap_or_default());
        if !assignments.is_empty() {
            registry.publish(assignments);
        }
        if control.is_synced()
            && let Some(synced) = synced.take()
        {
            registry.open();
            synced.reached();
        }
        let policies = policies.into_iter().map(Write::policy);
        for write in policies.chain(servers.into_iter().map(Write::server)) {
            match write {
                Ok(write) => {
                    if writes.send(write).await.is_err() {
                        return;
                    }
                }
                Err(error) => tracing::error!(%error, "a status cannot be written as JSON"),
            }
        }
        for pod in control.take_made() {
            // Only an Event waits for it.
            let _ = made.try_send(pod);
        }
        for event in told {
            if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
                metrics.failed("events", "dropped");
                tracing::debug!(reason = event.reason, regarding = %event.regarding.name, "an Event is dropped: too many at once");
            }
        }
    }
}

/// Takes what came; says whether anything did.
fn take_all(control: &mut Control, taken: &mut Vec<Input>, clock: &Clock) -> bool {
    let any = !taken.is_empty();
    let now = clock.now();
    for input in taken.drain(..) {
        control.take(input, now);
    }
    any
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
