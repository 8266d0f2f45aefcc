//! What stands: the configuration of the operator that is in force, what of it the operator should know, and what of it outlives
//! this process.
//!
//! ```text
//! offer ──judge──► Taken ──prepare, enforce (aside)──► in force ──► kept ──► ack
//! files that are mounted change ──► prepare, enforce (aside) ──┘      └──► Report, which the stream tells the operator
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reeve_wire::message::{Ack, Configuration, Outcome, PolicyProblem, Running, ServerState};
use reeve_wire::{Hash, World};
use tokio::sync::{Mutex, watch};

use super::assigned::{self, Assigned, Fate};
use super::prepare::{Ground, Ready};
use crate::clock::Clock;
use crate::config::Files;
use crate::config::watch::Watcher;
use crate::live::aside::{aside, give_up};
use crate::live::{Enforcer, Live};
use crate::state::Cache;

/// The watcher still sees the change that could not be taken up: this keeps it from being tried again at once, for ever.
const AFTER_A_PANIC: Duration = Duration::from_secs(10);

/// What the operator should know.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// What is in force.
    pub(super) running: Option<Running>,
    /// How far each server can be used.
    pub(super) servers: Vec<ServerState>,
}

/// Puts into force what the operator assigns. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Standing(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    ground: Ground,
    enforcer: Enforcer,
    cache: Cache,
    clock: Clock,
    /// What is in force. Held while it changes, so that one change comes after the other.
    assigned: Mutex<Option<Arc<Assigned>>>,
    report: watch::Sender<Report>,
    files: watch::Sender<Files>,
    /// Whether what is in force outlives the process, as far as it is known.
    is_kept: AtomicBool,
}

impl Standing {
    /// Begins with what an earlier process has kept, if there is anything. Blocks: before anything is served.
    pub(super) fn begin(ground: Ground, enforcer: Enforcer, cache: Cache, clock: Clock) -> Self {
        let earlier = earlier(&cache, &ground, &clock).map(Arc::new);
        let parts = Parts {
            ground,
            enforcer,
            cache,
            clock,
            assigned: Mutex::new(earlier.clone()),
            report: watch::Sender::default(),
            files: watch::Sender::default(),
            is_kept: AtomicBool::new(true),
        };
        if let Some(assigned) = earlier {
            tracing::info!("the last configuration of an earlier run is in force until the operator gives another");
            let ready = parts.ground.prepare(&assigned);
            parts.enforce(&assigned, ready);
        }
        Self(Arc::new(parts))
    }

    /// What the operator should know, and each change of it.
    pub(super) fn report(&self) -> watch::Receiver<Report> {
        self.0.report.subscribe()
    }

    /// Takes an offer of the operator, or refuses it. Whether it vouches for what is in force then is in the answer's outcome.
    pub(super) async fn take(&self, offered: Configuration) -> Ack {
        let mut standing = self.0.assigned.lock().await;
        let (hash, world, begun) = (offered.hash, offered.world, Instant::now());
        let outcome = match assigned::judge(standing.as_deref(), offered) {
            Fate::Refused(outcome) => {
                refused(&outcome);
                outcome
            }
            Fate::Same(world) => {
                if let Some(assigned) = &mut *standing {
                    *assigned = Arc::new(assigned.seen(world));
                    self.0.tell_origin(assigned);
                    if self.0.is_kept.load(Ordering::Relaxed) {
                        self.vouched(assigned.origin.hash, world).await;
                    } else {
                        self.keep(Arc::clone(assigned)).await;
                    }
                }
                applied(begun)
            }
            Fate::Taken(assigned) => {
                let assigned = Arc::new(assigned);
                if self.enforce(&assigned).await {
                    *standing = Some(Arc::clone(&assigned));
                    self.keep(assigned).await;
                    applied(begun)
                } else {
                    let why =
                        "putting it into force failed in the sidecar, whose log says more; what ran before still does";
                    Outcome::RefusedInvalid(why.into())
                }
            }
        };
        let metrics = &self.0.enforcer.metrics;
        match outcome {
            Outcome::Applied(_) => metrics.configuration_accepted(),
            _ => metrics.configuration_refused(),
        }
        Ack { hash, world, outcome, running: self.0.report.borrow().running.clone() }
    }

    /// The operator says that what is in force is what should be.
    pub(super) async fn vouch(&self) {
        let standing = self.0.assigned.lock().await;
        let Some(assigned) = &*standing else { return };
        self.0.ground.vouched.renew();
        // Each word need outlive the process only where it binds.
        let binds = |live: Arc<Live>| live.routes().iter().any(|route| route.ruleset.max_config_age().is_some());
        if self.0.enforcer.current.load().is_some_and(binds) {
            self.vouched(assigned.origin.hash, assigned.origin.world).await;
        }
    }

    /// Takes up what changes in what is mounted. For ever.
    pub(super) async fn follow_files(&self) {
        let mut read = self.0.files.subscribe();
        let mut watcher = Watcher::new(read.borrow_and_update().clone());
        loop {
            tokio::select! {
                biased;
                // Its sender is held here.
                _ = read.changed() => watcher.watch(read.borrow_and_update().clone()),
                () = watcher.changed() => if !self.reread().await {
                    tokio::time::sleep(AFTER_A_PANIC).await;
                },
            }
        }
    }

    /// Puts a configuration into force, aside. False if that failed.
    async fn enforce(&self, assigned: &Arc<Assigned>) -> bool {
        let (parts, work) = (Arc::clone(&self.0), Arc::clone(assigned));
        let enforce = move || {
            let ready = parts.ground.prepare(&work);
            // It must not be too old the moment it comes.
            parts.ground.vouched.renew();
            parts.enforce(&work, ready)
        };
        let Some(replaced) = aside(enforce).await else { return false };
        tokio::spawn(give_up(replaced));
        true
    }

    /// Takes up what has changed in what is mounted. False if that failed.
    async fn reread(&self) -> bool {
        let standing = self.0.assigned.lock().await;
        let Some(assigned) = &*standing else { return true };
        let (parts, work) = (Arc::clone(&self.0), Arc::clone(assigned));
        let Some(replaced) = aside(move || parts.reread(&work)).await else { return false };
        tokio::spawn(give_up(replaced));
        true
    }

    async fn keep(&self, assigned: Arc<Assigned>) {
        let cache = self.0.cache.clone();
        let (hash, world) = (assigned.origin.hash, assigned.origin.world);
        let kept = aside(move || cache.keep_configuration(&assigned.write()?)).await;
        self.0.is_kept.store(matches!(kept, Some(Ok(()))), Ordering::Relaxed);
        if let Some(Err(error)) = kept {
            tracing::error!(
                %error,
                "the configuration cannot be kept: a restarted sidecar begins without any, and refuses every call until the operator \
                 has given it one; see whether the disk of the cache directory is full"
            );
        }
        self.vouched(hash, world).await;
    }

    async fn vouched(&self, hash: Hash, world: World) {
        self.0.ground.vouched.renew();
        let (cache, clock) = (self.0.cache.clone(), self.0.clock.clone());
        if let Some(Err(error)) = aside(move || cache.keep_vouched(hash, world, &clock)).await {
            tracing::error!(
                %error,
                "the operator's word cannot be kept: a restarted sidecar takes its configuration for older than it is"
            );
        }
    }
}

impl Parts {
    /// Looks again at what is mounted for what is in force, and enforces that anew if anything is other than it was.
    fn reread(&self, assigned: &Assigned) -> Option<Arc<Live>> {
        let ready = self.ground.prepare(assigned);
        if self.enforcer.current.load().is_some_and(|live| ready.is_like(&live)) {
            self.files.send_replace(ready.files);
            self.report.send_if_modified(|report| {
                let changed = report.servers != ready.servers;
                told_of(&report.servers, &ready.servers);
                report.servers = ready.servers;
                changed
            });
            return None;
        }
        self.enforce(assigned, ready)
    }

    fn enforce(&self, assigned: &Assigned, ready: Ready) -> Option<Arc<Live>> {
        let replaced = self.enforcer.enforce(&ready.prepared);
        let problems = self.enforcer.current.load().map(|live| ready.problems(&live)).unwrap_or_default();
        told_of_policies(&problems);
        told_of(&self.report.borrow().servers, &ready.servers);
        let running = Some(Running { origin: assigned.origin.clone(), problems });
        self.files.send_replace(ready.files);
        self.report.send_replace(Report { running, servers: ready.servers });
        replaced
    }

    fn tell_origin(&self, assigned: &Assigned) {
        self.report.send_modify(|report| {
            if let Some(running) = &mut report.running {
                running.origin = assigned.origin.clone();
            }
        });
    }
}

/// What an earlier process has kept, with what was heard of it since.
fn earlier(cache: &Cache, ground: &Ground, clock: &Clock) -> Option<Assigned> {
    let read = Assigned::read(&cache.configuration()?);
    let mut assigned = read
        .inspect_err(|why| tracing::error!(why, "the kept configuration cannot be used, and another is awaited"))
        .ok()?;
    if let Some(heard) = cache.vouched(clock).filter(|heard| heard.hash == assigned.origin.hash) {
        assigned.origin.world = assigned.origin.world.together(&heard.world);
        if let Some(ago) = heard.ago {
            ground.vouched.set(ago);
        }
    }
    Some(assigned)
}

fn applied(begun: Instant) -> Outcome {
    Outcome::Applied(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX))
}

fn refused(outcome: &Outcome) {
    match outcome {
        Outcome::RefusedOlder(parts) => {
            tracing::warn!(?parts, "the operator offers an older configuration than runs here: it is refused");
        }
        Outcome::RefusedInvalid(why) => tracing::error!(why, "the operator offers what cannot be used: it is refused"),
        Outcome::Applied(_) | Outcome::Unknown => {}
    }
}

fn told_of_policies(problems: &[PolicyProblem]) {
    for problem in problems {
        tracing::error!(policy = %problem.uid, "a policy has errors, and denies every call if it is enforced: {}", problem.message);
    }
}

/// Says of each server that has become unusable, or usable again.
fn told_of(before: &[ServerState], now: &[ServerState]) {
    for state in now.iter().filter(|state| !before.contains(state)) {
        match state.message.as_str() {
            "" => tracing::info!(server = %state.uid, "the server can be used"),
            why => tracing::warn!(server = %state.uid, reason = ?state.reason, "the server cannot be used: {why}"),
        }
    }
}
