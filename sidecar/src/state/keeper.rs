//! Writes the cache directory, on a thread of its own that sleeps while nothing changes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use reeve_policy::time;

use super::directory::{Cache, catalogue_file};
use super::limits::{self, Stamp};
use super::sealed::{self, Outlives};
use super::sessions::{self, SessionLog};
use crate::clock::Clock;

/// How long changes are gathered: what a killed process can lose.
const GATHER: Duration = Duration::from_secs(1);

/// How often counts are forced to the disk: what a failing machine can lose.
const SYNC: Duration = Duration::from_secs(30);

/// The most orders that wait. Sessions begin and end a few times a second at most.
const ORDERS: usize = 4_096;

/// Where the thread gets what it writes.
pub struct Sources {
    /// [`reeve_policy::limit::Limiter::snapshot`].
    pub limits: Box<dyn Fn(time::Instant) -> Vec<u8> + Send>,
    /// The session log as it would be if it were written now: the lines of `Sessions::snapshot`.
    pub sessions: Box<dyn Fn() -> String + Send>,
}

/// Takes what is to be kept. Never blocks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper(Option<Handle>);

#[derive(Clone, Debug)]
struct Handle {
    orders: SyncSender<Order>,
    counted: Arc<AtomicBool>,
}

enum Order {
    Counted,
    Session(String),
    Catalogue { server: String, content: Vec<u8> },
    Close(SyncSender<()>),
}

impl Keeper {
    /// Starts the thread; without a cache directory, keeps nothing.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(cache: &Cache, sources: Sources, clock: Clock) -> io::Result<Self> {
        let (Some(limits), Some(synced), Some(sessions)) =
            (cache.file(limits::FILE), cache.file(limits::SYNCED_FILE), cache.file(sessions::FILE))
        else {
            return Ok(Self(None));
        };
        let (orders, receiver) = sync_channel(ORDERS);
        let counted = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            cache: cache.clone(),
            sources,
            clock,
            counted: Arc::clone(&counted),
            limits: Snapshots { file: limits, synced, synced_at: Instant::now() },
            sessions: SessionLog::new(sessions),
            catalogues: HashMap::new(),
            due: None,
            failing: false,
        };
        std::thread::Builder::new().name("state".into()).spawn(move || worker.run(&receiver))?;
        Ok(Self(Some(Handle { orders, counted })))
    }

    /// A limit has counted something. Cheap enough for every call.
    pub fn counted(&self) {
        if let Some(handle) = &self.0
            && !handle.counted.swap(true, Ordering::Relaxed)
        {
            // If there is no room, the thread is awake and looks at the flag when it comes around.
            let _ = handle.orders.try_send(Order::Counted);
        }
    }

    /// Appends a line, its line feed included, to the session log.
    pub fn session(&self, line: String) {
        self.order(Order::Session(line), "a session will not survive a restart");
    }

    /// Keeps what is known of a server's tools.
    pub fn catalogue(&self, server: &str, content: Vec<u8>) {
        self.order(Order::Catalogue { server: server.into(), content }, "a server's tools will not survive a restart");
    }

    /// Writes everything, forces it to the disk, and ends. Blocks. False: it was not done before the deadline.
    pub fn close(&self, deadline: Duration) -> bool {
        let Some(handle) = &self.0 else { return true };
        let (done, wait) = sync_channel(1);
        handle.orders.send(Order::Close(done)).is_ok() && wait.recv_timeout(deadline).is_ok()
    }

    fn order(&self, order: Order, lost: &str) {
        let Some(handle) = &self.0 else { return };
        if let Err(TrySendError::Full(_)) = handle.orders.try_send(order) {
            tracing::warn!("the cache directory is too slow: {lost}");
        }
    }
}

struct Worker {
    cache: Cache,
    sources: Sources,
    clock: Clock,
    counted: Arc<AtomicBool>,
    limits: Snapshots,
    sessions: SessionLog,
    /// Catalogues that are not written yet, by file; only the newest of each matters.
    catalogues: HashMap<String, Vec<u8>>,
    /// When what has gathered is written.
    due: Option<Instant>,
    failing: bool,
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match self.next(orders) {
                Some(Order::Counted) => {}
                Some(Order::Session(line)) => {
                    let written = self.sessions.append(&line, || (self.sources.sessions)());
                    self.report(written);
                }
                Some(Order::Catalogue { server, content }) => {
                    self.catalogues.insert(catalogue_file(&server), content);
                }
                Some(Order::Close(done)) => {
                    self.flush(Outlives::Machine);
                    let _ = done.send(());
                    return;
                }
                None if self.due.is_some() => self.flush(Outlives::Process),
                None => return,
            }
            if self.due.is_none() && (self.counted.load(Ordering::Relaxed) || !self.catalogues.is_empty()) {
                self.due = Some(Instant::now() + GATHER);
            }
        }
    }

    /// The next order; none when something is due, or when nobody can give orders any more.
    fn next(&mut self, orders: &Receiver<Order>) -> Option<Order> {
        let Some(due) = self.due else { return orders.recv().ok() };
        match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(order) if Instant::now() < due => Some(order),
            // Orders that never cease must not keep what is due from being written.
            Ok(order) => {
                self.flush(Outlives::Process);
                Some(order)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn flush(&mut self, outlives: Outlives) {
        self.due = None;
        let mut result = Ok(());
        if self.counted.swap(false, Ordering::Relaxed) || outlives == Outlives::Machine {
            let now = self.clock.now();
            let snapshot = (self.sources.limits)(now);
            result = self.limits.write(&Stamp::now(&self.clock), &snapshot, outlives);
            if result.is_err() {
                self.counted.store(true, Ordering::Relaxed);
            }
        }
        for (name, content) in self.catalogues.drain() {
            let Some(path) = self.cache.file(&name) else { continue };
            result = result.and(sealed::write(&path, &content, Outlives::Process));
        }
        self.report(result);
    }

    /// Tells of trouble when it begins and when it is over.
    fn report(&mut self, result: io::Result<()>) {
        match result {
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "the cache directory cannot be written: what is counted now does not survive a restart");
            }
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::info!("the cache directory is written again");
            }
            _ => {}
        }
    }
}

struct Snapshots {
    file: std::path::PathBuf,
    synced: std::path::PathBuf,
    synced_at: Instant,
}

impl Snapshots {
    fn write(&mut self, stamp: &Stamp, snapshot: &[u8], outlives: Outlives) -> io::Result<()> {
        if outlives == Outlives::Machine || self.synced_at.elapsed() >= SYNC {
            self.synced_at = Instant::now();
            limits::write(&self.synced, stamp, snapshot, Outlives::Machine)?;
        }
        limits::write(&self.file, stamp, snapshot, outlives)
    }
}
