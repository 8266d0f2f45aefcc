//! Lines that wait for the writer, bounded in bytes. Room is counted from the reservation until the line is written.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::OnFull;

/// How long the writer gathers lines after the first one came. Bounds what a killed process loses, and how often the writer
/// wakes under load.
const GATHER: Duration = Duration::from_millis(10);

/// How many bytes are worth a write at once.
const BATCH_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    used: AtomicUsize,
    lost: AtomicU64,
    sequence: AtomicU64,
    failing: AtomicBool,
    ended: AtomicBool,
    lines: Mutex<Lines>,
    /// Wakes the writer.
    filled: Condvar,
    /// Wakes who waits for the writer to end.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// No more lines will come.
    ended: bool,
    /// The writer has written everything and is gone.
    written: bool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            lines: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// The next number.
    pub(super) fn number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes room. While the destination fails, and after the end, there is none for who must not lose a record.
    pub(super) fn reserve(&self, bytes: usize, on_full: OnFull) -> bool {
        let unusable = self.failing.load(Ordering::Relaxed) || self.ended.load(Ordering::Relaxed);
        if on_full == OnFull::Deny && unusable {
            return false;
        }
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    pub(super) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Appends a whole line for which `room` bytes were reserved, and releases what it did not need.
    pub(super) fn push(&self, line: &[u8], room: usize) {
        debug_assert!(line.len() <= room, "a line must fit the room that was reserved for it");
        let mut lines = self.lock();
        if lines.ended {
            drop(lines);
            self.release(room);
            self.count_lost();
            return;
        }
        let before = lines.bytes.len();
        lines.bytes.extend_from_slice(line);
        let after = lines.bytes.len();
        drop(lines);
        self.release(room - line.len());
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.filled.notify_one();
        }
    }

    /// Waits for lines and takes all of them into `batch`, which must be empty. False: everything is written.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> bool {
        let lines = self.lock();
        let lines = self
            .filled
            .wait_while(lines, |lines| lines.bytes.is_empty() && !lines.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let gathering = |lines: &mut Lines| lines.bytes.len() < BATCH_BYTES && !lines.ended;
        let (mut lines, _) =
            self.filled.wait_timeout_while(lines, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut lines.bytes, batch);
        lines.written = batch.is_empty();
        if lines.written {
            self.emptied.notify_all();
        }
        !lines.written
    }

    /// The destination does not work (`failing`), or works again.
    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Waits a while before the destination is tried again; not at all once the end is near.
    pub(super) fn pause(&self, pause: Duration) {
        let lines = self.lock();
        let pause = if lines.ended { pause.min(GATHER) } else { pause };
        let _ = self.filled.wait_timeout_while(lines, pause, |lines| !lines.ended);
    }

    /// No more lines will come.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.lock().ended = true;
        self.filled.notify_all();
    }

    /// Waits for the writer to end, and says how many bytes it has not written if it does not.
    pub(super) fn wait_until_written(&self, deadline: Duration) -> Result<(), usize> {
        let until = Instant::now() + deadline;
        let mut lines = self.lock();
        while !lines.written {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                return Err(self.used());
            }
            lines = self.emptied.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing panics while it holds the lock, and half a line cannot be left behind.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
