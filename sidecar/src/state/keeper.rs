//! Writes the cache directory, on a thread of its own that sleeps while nothing changes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use reeve_policy::catalogue::Catalogue;
use reeve_policy::time;

use super::bindings::{self, BindingLog};
use super::catalogues::Catalogues;
use super::directory::Cache;
use super::limits;
use super::sealed::Outlives;
use super::stamp::Stamp;
use crate::clock::Clock;

/// How long changes are gathered after something was written: what a killed process can lose.
const GATHER: Duration = Duration::from_secs(1);

/// How often counts are forced to the disk: what a failing machine can lose.
const SYNC: Duration = Duration::from_secs(30);

/// The most orders that wait. Sessions begin and end a few times a second at most.
const ORDERS: usize = 4_096;

/// Where the thread gets what it writes.
pub struct Sources {
    /// [`reeve_policy::limit::Limiter::snapshot`].
    pub limits: Box<dyn Fn(time::Instant) -> Vec<u8> + Send>,
    /// The log of sessions and tasks as it would be if it were written now: the lines of `Bindings::snapshot`.
    pub bindings: Box<dyn Fn() -> String + Send>,
    /// The tools last seen of each server, by whatever tells servers apart: name and URL.
    pub catalogues: Box<dyn Fn() -> Vec<(String, Arc<Catalogue>)> + Send>,
}

/// Takes what is to be kept. Never blocks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper(Option<Handle>);

#[derive(Clone, Debug)]
struct Handle {
    orders: SyncSender<Order>,
    changed: Arc<AtomicBool>,
}

enum Order {
    Changed,
    Binding(String),
    Close(SyncSender<()>),
}

impl Keeper {
    /// Starts the thread; without a cache directory, keeps nothing.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(cache: &Cache, sources: Sources, clock: Clock) -> io::Result<Self> {
        let (Some(limits), Some(synced), Some(bindings)) =
            (cache.file(limits::FILE), cache.file(limits::SYNCED_FILE), cache.file(bindings::FILE))
        else {
            return Ok(Self(None));
        };
        let (orders, receiver) = sync_channel(ORDERS);
        let changed = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            sources,
            clock,
            changed: Arc::clone(&changed),
            limits: Snapshots { file: limits, synced, synced_at: Instant::now() },
            bindings: BindingLog::new(bindings),
            catalogues: Catalogues::new(cache.clone()),
            due: None,
            written: None,
            failing: false,
        };
        std::thread::Builder::new().name("state".into()).spawn(move || worker.run(&receiver))?;
        Ok(Self(Some(Handle { orders, changed })))
    }

    /// Limits have counted something, or tools were seen. Cheap enough for every request.
    pub fn changed(&self) {
        if let Some(handle) = &self.0
            && !handle.changed.swap(true, Ordering::Relaxed)
        {
            // If there is no room, the thread is awake and looks at the flag when it comes around.
            let _ = handle.orders.try_send(Order::Changed);
        }
    }

    /// Appends a line, its line feed included, to the log of sessions and tasks. The change that it tells must have been applied to what
    /// [`Sources::bindings`] gives.
    pub fn binding(&self, line: String) {
        let Some(handle) = &self.0 else { return };
        if let Err(TrySendError::Full(_)) = handle.orders.try_send(Order::Binding(line)) {
            tracing::warn!("the cache directory is too slow: a session or task will not survive a restart");
        }
    }

    /// Writes everything, forces it to the disk, and ends. Blocks. False: it was not done before the deadline.
    pub fn close(&self, deadline: Duration) -> bool {
        let Some(handle) = &self.0 else { return true };
        let (done, wait) = sync_channel(1);
        handle.orders.send(Order::Close(done)).is_ok() && wait.recv_timeout(deadline).is_ok()
    }
}

struct Worker {
    sources: Sources,
    clock: Clock,
    changed: Arc<AtomicBool>,
    limits: Snapshots,
    bindings: BindingLog,
    catalogues: Catalogues,
    /// When what has gathered is written.
    due: Option<Instant>,
    /// When something was written last.
    written: Option<Instant>,
    failing: bool,
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match self.next(orders) {
                Some(Order::Changed) => {}
                Some(Order::Binding(line)) => {
                    let written = self.bindings.append(&line, || (self.sources.bindings)());
                    self.report(written);
                }
                Some(Order::Close(done)) => {
                    self.flush(Outlives::Machine);
                    let _ = done.send(());
                    return;
                }
                None if self.due.is_some() => self.flush(Outlives::Process),
                None => return,
            }
            if self.due.is_none() && self.changed.load(Ordering::Relaxed) {
                self.due = Some(due(Instant::now(), self.written));
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
        (self.due, self.written) = (None, Some(Instant::now()));
        self.changed.store(false, Ordering::Relaxed);
        let snapshot = (self.sources.limits)(self.clock.now());
        let counts = self.limits.write(&Stamp::now(&self.clock), &snapshot, outlives);
        let tools = self.catalogues.write((self.sources.catalogues)());
        let result = counts.and(tools);
        // What could not be written is tried again without waiting for another change.
        self.changed.fetch_or(result.is_err(), Ordering::Relaxed);
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

/// When what changes `now` is written: at once after a quiet time, as a process that is killed on purpose should forget nothing.
fn due(now: Instant, written: Option<Instant>) -> Instant {
    written.map_or(now, |written| now.max(written + GATHER))
}

struct Snapshots {
    file: PathBuf,
    synced: PathBuf,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_after_a_quiet_time_is_written_at_once_and_else_a_second_after_what_was_written_before() {
        let now = Instant::now();
        assert_eq!(due(now, None), now);
        assert_eq!(due(now + GATHER, Some(now)), now + GATHER);
        assert_eq!(due(now + GATHER / 4, Some(now)), now + GATHER);
    }
}
