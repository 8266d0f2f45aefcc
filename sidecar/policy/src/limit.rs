//! Limits: exact sliding windows, concurrency, and their snapshot.
//!
//! A [`Limiter`] outlives configurations: a [`crate::compile::Ruleset`] names its counters by policy and name, so that a
//! reload goes on counting. Everything is decided under one short lock, all or none; time comes from the caller.

use std::sync::Arc;
use std::time::Duration;

use crate::time::Instant;

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

/// A counter resolved once, when a policy is compiled; cheap to use on every call. Deals with one window.
#[derive(Clone, Debug)]
pub struct Counter {
    // Replaced by the implementation (an index or Arc into the limiter).
    name: Arc<CounterName>,
}

/// What one call takes from one counter under one of its limits.
#[derive(Clone, Debug)]
pub struct Charge<'a> {
    /// The counter.
    pub counter: &'a Counter,
    /// The scope's value: grant, session, pod, policy or the value of `key`.
    pub key: &'a str,
    /// What the call costs, the highest of the limits that share the counter; zero reserves nothing.
    pub cost: Units,
    /// The smallest `max` among the limits that share the counter.
    pub max: Units,
}

/// Why a reservation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Indices of the charges that did not fit, or whose counter's table is full.
    pub charges: Vec<usize>,
    /// Whether any of them was refused because the table of keys is full (then that is the reason, unless another limit was exceeded).
    pub table_full: bool,
    /// The earliest time at which all charges fit, as things stand; none if they never can.
    pub retry_at: Option<Instant>,
}

/// Quota that a call has taken. Dropping it keeps the quota taken; only [`Limiter::give_back`] returns it.
#[derive(Debug)]
#[must_use]
pub struct Reservation {}

/// Every counter of a sidecar.
#[derive(Debug)]
pub struct Limiter {}

/// Bounds of the limiter's memory.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// The most keys in one counter.
    pub keys_per_counter: usize,
    /// The most keys over all counters.
    pub keys: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            keys_per_counter: 4_096,
            keys: 65_536,
        }
    }
}

impl Limiter {
    /// An empty limiter.
    pub fn new(capacity: Capacity) -> Self {
        let _ = capacity;
        todo!()
    }

    /// The counter of this name, made if need be, with this window from now on. What it has counted stays.
    pub fn counter(&self, name: CounterName, window: Duration) -> Counter {
        let _ = (name, window);
        todo!()
    }

    /// Takes all charges, or none and says which did not fit and when all would.
    ///
    /// # Errors
    /// The charges that did not fit.
    pub fn reserve(&self, charges: &[Charge<'_>], now: Instant) -> Result<Reservation, Exceeded> {
        let _ = (charges, now);
        todo!()
    }

    /// Returns quota of a call that certainly never reached the server.
    pub fn give_back(&self, reservation: Reservation) {
        let _ = reservation;
        todo!()
    }

    /// What a counter has in its window, for each key: for `/limits` and metrics.
    pub fn usage(&self, counter: &Counter, now: Instant) -> Vec<(String, Units)> {
        let _ = (counter, now, &counter.name);
        todo!()
    }

    /// Everything counted, to survive a restart of the container.
    pub fn snapshot(&self, now: Instant) -> Vec<u8> {
        let _ = now;
        todo!()
    }

    /// Takes over a snapshot; `elapsed` is how much later than the snapshot `now` is (zero if the clock cannot tell, which counts
    /// units longer, never shorter).
    ///
    /// # Errors
    /// A sentence if the bytes are not a snapshot; nothing is taken over then.
    pub fn restore(&self, bytes: &[u8], now: Instant, elapsed: Duration) -> Result<(), String> {
        let _ = (bytes, now, elapsed);
        todo!()
    }
}
