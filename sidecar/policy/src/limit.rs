//! Limits: exact sliding windows, concurrency, and their snapshot.
//!
//! ```text
//! Limiter ── one lock ──► table: counter ──► key ──► window: when units were taken
//!    │ snapshot, restore                    (scope's value)
//! Permits ──► gate (a rule) ── one lock ──► permits of calls in flight
//! ```
//!
//! A [`Limiter`] outlives configurations: a [`crate::compile::Ruleset`] names its counters by policy and name, so that
//! a reload goes on counting. Everything is decided under one short lock, all or none; time comes from the caller.
//! Windows slide: never more than `max` in any interval of their length, exact while at most 1,024 entries are taken,
//! and beyond that a unit counts up to 1/128 of the window longer, never shorter.
//!
//! Memory is bounded by [`Capacity`], whatever keys an agent chooses. A key longer than 256 bytes is kept as its
//! SHA-256.

pub mod concurrency;
mod snapshot;
mod table;
mod window;

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::time::Instant;
use snapshot::Writer;
use table::Table;
use window::Window;

/// An amount in millionths of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(pub i64);

impl Units {
    /// One unit: what a call costs where a limit says nothing else.
    pub const ONE: Self = Self(1_000_000);

    /// Whole units; saturates.
    pub fn whole(units: i64) -> Self {
        Self(units.saturating_mul(Self::ONE.0))
    }
}

/// As decimals: `3`, `0.25`.
impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::ONE.0, (self.0 % Self::ONE.0).abs());
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Names a counter over configurations: what survives a reload and a restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterName {
    /// The policy's key ([`reeve_crds::v1alpha1::Policy::key`]).
    pub policy: Arc<str>,
    /// The counter's name in that policy.
    pub counter: Arc<str>,
    /// A shadow counter is used by Audit rules and never binds.
    pub shadow: bool,
}

/// A counter resolved once, when a policy is compiled; cheap to use on every call. Deals with one window. The limiter
/// remembers a counter for as long as one of these names it, and after that for as long as it has anything taken.
#[derive(Clone, Debug)]
pub struct Counter {
    named: Arc<Named>,
}

impl Counter {
    /// The counter's name.
    pub fn name(&self) -> &CounterName {
        &self.named.name
    }
}

#[derive(Debug)]
struct Named {
    name: CounterName,
    index: usize,
}

/// What one call takes from one counter under one of its limits. A call has one charge for each counter and key; of
/// several for the same each must fit beside those before it.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    /// The counter.
    pub counter: &'a Counter,
    /// The scope's value: grant, session, pod, policy or the value of `key`.
    pub key: &'a str,
    /// What the call costs, the highest of the limits that share the counter; zero reserves nothing and always fits.
    pub cost: Units,
    /// The smallest `max` among the limits that share the counter.
    pub max: Units,
}

/// Why a reservation was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// Indices of the charges that did not fit, or whose counter's table is full.
    pub charges: Vec<usize>,
    /// Whether any of them was refused because the table of keys is full (then that is the reason, unless another limit
    /// was exceeded).
    pub table_full: bool,
    /// The earliest time at which all charges fit, as things stand; none if they never can.
    pub retry_at: Option<Instant>,
}

/// Quota that a call has taken. Dropping it keeps the quota taken; only [`Limiter::give_back`] returns it.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    limiter: u64,
    taken: TakenAtOnce,
}

/// What one call has taken: most calls have one charge.
type TakenAtOnce = SmallVec<[Taken; 1]>;

/// One charge that was taken.
#[derive(Debug)]
struct Taken {
    slot: usize,
    serial: u64,
    at: i64,
    units: i64,
}

/// Bounds of the limiter's memory: about 200 bytes a key beside its text, and 24 to 48 an entry.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// The most keys in one counter.
    pub keys_per_counter: usize,
    /// The most keys over all counters. The first eight keys of a counter always find room.
    pub keys: usize,
    /// The most entries in one counter: distinct times at which something was taken, over all of its keys. From half of
    /// it on, units share entries as if every key had 1,024; what would need another entry when all are in use is
    /// refused.
    pub entries_per_counter: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { keys_per_counter: 4_096, keys: 65_536, entries_per_counter: 262_144 }
    }
}

/// Every counter of a sidecar.
#[derive(Debug)]
pub struct Limiter {
    /// Tells reservations of this limiter from others'.
    id: u64,
    table: Mutex<Table>,
    permits: concurrency::Permits,
}

impl Limiter {
    /// An empty limiter.
    pub fn new(capacity: Capacity) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            table: Mutex::new(Table::new(capacity)),
            permits: concurrency::Permits::default(),
        }
    }

    /// The gate of this rule pointer, made if need be.
    pub fn gate(&self, rule: &Arc<str>) -> concurrency::Gate {
        self.permits.gate(rule)
    }

    /// The counter of this name, made if need be, with this window from now on. What it has counted stays: with a
    /// longer window it counts for longer, as far as it is still remembered, with a shorter one for less.
    pub fn counter(&self, name: CounterName, window: Duration) -> Counter {
        Counter { named: self.lock().counter(name, nanos(window)) }
    }

    /// Takes all charges, or none and says which did not fit and when all would.
    ///
    /// # Errors
    /// The charges that did not fit.
    pub fn reserve(&self, charges: &[Charge<'_>], now: Instant) -> Result<Reservation, Exceeded> {
        let taken = if charges.iter().any(|charge| charge.cost.0 > 0) {
            self.lock().reserve(charges, ticks(now))?
        } else {
            TakenAtOnce::new()
        };
        Ok(Reservation { limiter: self.id, taken })
    }

    /// Has a reservation be for these charges, now, instead of what it was for: what it had taken need not be free twice, and is free
    /// for nobody in between. If they do not fit all, it stays what it was. One of another limiter had taken nothing of this one.
    ///
    /// # Errors
    /// The charges that did not fit.
    pub fn exchange(
        &self,
        reservation: &mut Reservation,
        charges: &[Charge<'_>],
        now: Instant,
    ) -> Result<(), Exceeded> {
        let old = if reservation.limiter == self.id { &reservation.taken[..] } else { &[] };
        let taken = self.lock().exchange(old, charges, ticks(now))?;
        *reservation = Reservation { limiter: self.id, taken };
        Ok(())
    }

    /// Returns quota of a call that certainly never reached the server: exactly what was taken, as far as it still
    /// counts. A reservation of another limiter returns nothing.
    #[allow(clippy::needless_pass_by_value, reason = "quota is returned once")]
    pub fn give_back(&self, reservation: Reservation) {
        if reservation.limiter == self.id && !reservation.taken.is_empty() {
            self.lock().give_back(&reservation.taken);
        }
    }

    /// What a counter has in its window, for each key, in no order: for `/limits`. Keys longer than 256 bytes are shown
    /// as their SHA-256.
    pub fn usage(&self, counter: &Counter, now: Instant) -> Vec<(String, Units)> {
        self.lock().usage(counter, ticks(now)).map(|(key, used)| (key.to_owned(), Units(used))).collect()
    }

    /// What one key of a counter has in its window.
    pub fn used(&self, counter: &Counter, key: &str, now: Instant) -> Units {
        Units(self.lock().used(counter, key, ticks(now)))
    }

    /// The most that any key of a counter has in its window: for metrics.
    pub fn highest_usage(&self, counter: &Counter, now: Instant) -> Units {
        Units(self.lock().usage(counter, ticks(now)).map(|(_, used)| used).max().unwrap_or(0))
    }

    /// Everything counted, to survive a restart of the container. Locks counter by counter, so that no call waits for
    /// long: a call that is charged to two meanwhile may be in it with one.
    pub fn snapshot(&self, now: Instant) -> Vec<u8> {
        let now = ticks(now);
        let indices = self.lock().indices();
        let mut writer = Writer::new(now);
        for index in indices {
            let mut table = self.lock();
            let image = if table.settle(index, now) { table.image(index) } else { None };
            drop(table);
            if let Some(image) = image {
                writer.counter(&image);
            }
        }
        writer.finish()
    }

    /// Takes over a snapshot, before the first call is counted; counters may be named before or after. `elapsed` is how
    /// much later than the snapshot `now` is (zero if the clock cannot tell, which counts units longer, never shorter).
    ///
    /// # Errors
    /// A sentence if the bytes are not a snapshot or something has been counted already; nothing is taken over then.
    pub fn restore(&self, bytes: &[u8], now: Instant, elapsed: Duration) -> Result<(), String> {
        let counters = snapshot::read(bytes, ticks(now), elapsed)
            .map_err(|wrong| format!("the snapshot of the limits cannot be used: {wrong}"))?;
        let mut restored = Vec::new();
        for counter in counters {
            let keys = counter.keys.into_iter().map(|(key, entries)| Some((key, Window::restored(entries)?)));
            let keys = keys.collect::<Option<Vec<_>>>();
            let keys =
                keys.ok_or("the snapshot of the limits cannot be used: a key's entries contradict each other")?;
            restored.push((counter.name, counter.length, keys));
        }
        let mut table = self.lock();
        if table.has_keys() {
            return Err("a snapshot of the limits must be taken over before the first call is counted".to_owned());
        }
        table.advance(ticks(now));
        for (name, length, keys) in restored {
            table.restore(name, length, keys);
        }
        Ok(())
    }

    /// A panic while the lock was held leaves at worst a key with nothing taken, which is the first to be cleared away:
    /// what is taken is only changed once every charge has been found to fit. So the table is used on.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Internal times are signed: what a snapshot brings may be older than the clock's origin.
fn ticks(time: Instant) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn instant(ticks: i64) -> Instant {
    Instant(u64::try_from(ticks).unwrap_or(0))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What a key is kept as: itself, or if it is long (or looks like one that was), the SHA-256 of it.
fn key_text(key: &str) -> Cow<'_, str> {
    const PREFIX: &str = "sha256:";
    if key.len() <= 256 && !key.starts_with(PREFIX) {
        return Cow::Borrowed(key);
    }
    let mut text = PREFIX.to_owned();
    for byte in Sha256::digest(key.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
