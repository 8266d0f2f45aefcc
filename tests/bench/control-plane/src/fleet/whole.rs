//! A sidecar that does everything: the sidecar's own client, which reads, compiles, keeps on the disk and puts into force what it is
//! given. It lacks ports: nobody calls.

use std::sync::Arc;
use std::time::Duration;

use reeve_policy::limit::{Capacity, Limiter};
use reeve_sidecar::audit::{Destination, Log, Settings};
use reeve_sidecar::clock::Clock;
use reeve_sidecar::config::Audit;
use reeve_sidecar::lifecycle::{self, Readiness};
use reeve_sidecar::live::reload::Fixed;
use reeve_sidecar::live::{Builder, Catalogues, Current, Enforcer};
use reeve_sidecar::metrics::Metrics;
use reeve_sidecar::state::Cache;
use reeve_sidecar::sync;
use reeve_sidecar::upstream::Environment;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::board::{Awaited, Board};
use crate::objects::SERVER;

/// How often it is looked who enforces what. The times of these sidecars are no finer than this.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A sidecar, which ends by its task.
#[derive(Debug)]
pub(super) struct Whole {
    number: usize,
    current: Arc<Current>,
    /// Its token and its cache; gone when it is.
    _folder: tempfile::TempDir,
}

impl Whole {
    /// Starts one.
    pub(super) fn begin(number: usize, settings: sync::Settings, token: &str) -> (Self, AbortHandle) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("token");
        std::fs::write(&file, token).expect("a temporary file can be written");
        let settings = sync::Settings { token: file, servers: folder.path().join("servers"), ..settings };
        let way = sync::Way::new(settings).expect("the webhook gives a pod what its sidecar can use");
        let clock = Clock::system();
        let cache = Cache::open(&folder.path().join("cache")).expect("a folder of its own can be used");
        let current = Arc::<Current>::default();
        let enforcer = enforcer(&current, &cache, &clock);
        let environment = Arc::new(Environment::from_process());
        let client = sync::Client::begin(way, Fixed::default(), environment, enforcer, cache, clock);
        let task = tokio::spawn(client.follow()).abort_handle();
        (Self { number, current, _folder: folder }, task)
    }

    /// Its number, and what it enforces.
    pub(super) fn seen(&self) -> (usize, Arc<Current>) {
        (self.number, Arc::clone(&self.current))
    }
}

fn enforcer(current: &Arc<Current>, cache: &Cache, clock: &Clock) -> Enforcer {
    let metrics = Metrics::new(clock.clone()).expect("a registry of its own takes every metric");
    let limiter = Arc::new(Limiter::new(Capacity::default()));
    let catalogues = Arc::new(Catalogues::kept_in(cache.clone()));
    let wanted = Audit::default();
    let settings = Settings { on_full: wanted.on_full, queue_bytes: wanted.queue_bytes };
    let (_, drain) = lifecycle::drain();
    Enforcer {
        current: Arc::clone(current),
        builder: Builder::new(limiter, catalogues, Arc::clone(&metrics)),
        metrics,
        audit: Log::open(Destination::Off, settings, clock.clone()).expect("no log can always be opened"),
        readiness: Readiness::new(clock.clone(), drain),
    }
}

/// Tells the board when each of these enforces a change that is awaited: when a call would be decided by it.
pub(super) async fn watch(
    sidecars: Vec<(usize, Arc<Current>)>,
    mut awaited: watch::Receiver<Option<Awaited>>,
    board: Arc<Board>,
) {
    while awaited.changed().await.is_ok() {
        let Some(Awaited { number, change }) = awaited.borrow_and_update().clone() else { continue };
        let mut missing = sidecars.clone();
        while !missing.is_empty() && board.is_awaited(number) {
            missing.retain(|(sidecar, current)| {
                let live = current.load();
                let enforces = live.is_some_and(|live| live.of(SERVER).is_some_and(|it| it.knows_tool(&change.tool)));
                if enforces {
                    board.note(*sidecar);
                }
                !enforces
            });
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
