//! Who makes room for whom: expired keys first, then counters that no policy names.
//!
//! Every key is listed twice by the time at which it will have nothing taken any more: among its counter's keys and in
//! the pool of all keys. What is listed may be too early (the key was used since), never too late, and is put right
//! when it is read; so using a key costs nothing here, finding an expired one is amortised O(log n), and no call scans
//! the keys.

use std::sync::Arc;

use super::{CounterState, Table};

/// Keys of a counter that need no room in the pool: flooding one limit never leaves another without its grant's or
/// pod's key.
const OWN_KEYS: usize = 8;

/// Counters named by no policy any more that are remembered, in case their name returns.
const RETIRED: usize = 1_024;

/// How often, in nanoseconds, a full pool may look for counters that no policy names.
const EVICTION_INTERVAL: i64 = 1_000_000_000;

/// How many expired keys one new key clears away: more than one, so that they dwindle.
pub(super) const CLEARED_PER_KEY: usize = 2;

/// How many expired keys of one counter are cleared away under one hold of the lock.
const CLEARED_AT_ONCE: usize = 1_024;

/// Whose keys.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Counter(usize),
    Everyone,
}

impl Table {
    /// Whether a counter may have another key, if need be by clearing expired ones away; else when it will have room.
    pub(super) fn room_for_key(&mut self, index: usize, now: i64) -> Result<(), Option<i64>> {
        let own_full = |table: &Self| table.counters[index].keys.len() >= table.capacity.keys_per_counter;
        let entries_full = |table: &Self| table.entries_full(index);
        let pool_full =
            |table: &Self| table.keys.len() >= table.capacity.keys && table.counters[index].keys.len() >= OWN_KEYS;
        if own_full(self) || entries_full(self) {
            self.clear(Of::Counter(index), now, CLEARED_PER_KEY);
        }
        if pool_full(self) {
            self.clear(Of::Everyone, now, CLEARED_PER_KEY);
        }
        if pool_full(self) && now >= self.evict_at {
            self.evict_at = now.saturating_add(EVICTION_INTERVAL);
            self.evict_retired(0);
        }
        let mut at = None;
        if own_full(self) || entries_full(self) {
            at = at.max(self.next_expiry(Of::Counter(index)));
        }
        if pool_full(self) {
            at = at.max(self.next_expiry(Of::Everyone));
        }
        if own_full(self) || entries_full(self) || pool_full(self) { Err(at) } else { Ok(()) }
    }

    /// Whether a counter may have another entry, if need be by clearing expired keys away.
    pub(super) fn room_for_entry(&mut self, index: usize, now: i64) -> bool {
        if self.entries_full(index) {
            self.clear(Of::Counter(index), now, CLEARED_PER_KEY);
        }
        !self.entries_full(index)
    }

    fn entries_full(&self, index: usize) -> bool {
        self.counters[index].entries >= self.capacity.entries_per_counter
    }

    /// Removes up to `at_most` keys that have nothing taken at `now`.
    pub(super) fn clear(&mut self, of: Of, now: i64, at_most: usize) {
        for _ in 0..at_most {
            match self.first_to_expire(of) {
                Some((at, slot)) if at <= now => self.remove_key(slot),
                _ => break,
            }
        }
    }

    /// When the next key will have nothing taken.
    pub(super) fn next_expiry(&mut self, of: Of) -> Option<i64> {
        self.first_to_expire(of).map(|(at, _)| at)
    }

    /// The key that is empty first, and when.
    fn first_to_expire(&mut self, of: Of) -> Option<(i64, usize)> {
        loop {
            let (listed, slot) = match of {
                Of::Counter(index) => *self.counters[index].expiries.first()?,
                Of::Everyone => *self.pool.first()?,
            };
            let key = &self.keys[slot];
            let at = key.expires_at(self.counters[key.counter].length);
            if at <= listed {
                return Some((at, slot));
            }
            self.relist(slot, at);
        }
    }

    /// After units were given back: a key must never be listed too late.
    pub(super) fn list_earlier(&mut self, slot: usize) {
        if let Some(key) = self.keys.get(slot) {
            let at = key.expires_at(self.counters[key.counter].length);
            if at < key.listed {
                self.relist(slot, at);
            }
        }
    }

    fn relist(&mut self, slot: usize, at: i64) {
        let key = &mut self.keys[slot];
        let counter = &mut self.counters[key.counter];
        counter.expiries.remove(&(key.listed, slot));
        self.pool.remove(&(key.listed, slot));
        key.listed = at;
        counter.expiries.insert((at, slot));
        self.pool.insert((at, slot));
    }

    /// After a counter's window has changed.
    pub(super) fn relist_all(&mut self, index: usize) {
        let slots: Vec<usize> = self.counters[index].keys.values().copied().collect();
        let length = self.counters[index].length;
        for slot in slots {
            let at = self.keys[slot].expires_at(length);
            self.relist(slot, at);
        }
    }

    /// Drops the counters that no policy names and that have nothing taken, and of the others that no policy names the
    /// soonest to expire if there are many.
    pub(super) fn retire(&mut self) {
        let counters: Vec<usize> = self.counters.iter().map(|(index, _)| index).collect();
        for index in counters {
            self.settle(index, self.latest);
        }
        self.evict_retired(RETIRED);
        self.retire_at = (self.counters.len() * 2).max(64);
    }

    /// Clears a counter's expired keys away, and drops the counter if then nothing needs it. Says whether it is still
    /// there.
    pub(in crate::limit) fn settle(&mut self, index: usize, now: i64) -> bool {
        if !self.counters.contains(index) {
            return false;
        }
        self.clear(Of::Counter(index), now, CLEARED_AT_ONCE);
        let counter = &self.counters[index];
        let needed = counter.is_named() || !counter.keys.is_empty();
        if !needed {
            self.remove_counter(index);
        }
        needed
    }

    /// Drops counters that no policy names until at most `keep` are left, the soonest to expire first.
    fn evict_retired(&mut self, keep: usize) {
        let mut retired: Vec<(i64, usize)> = (self.counters.iter())
            .filter(|(_, counter)| !counter.is_named())
            .map(|(index, counter)| (counter.expiries.last().map_or(i64::MIN, |(at, _)| *at), index))
            .collect();
        retired.sort_unstable();
        for (_, index) in &retired[..retired.len().saturating_sub(keep)] {
            self.remove_counter(*index);
        }
    }

    fn remove_counter(&mut self, index: usize) {
        let slots: Vec<usize> = self.counters[index].keys.values().copied().collect();
        for slot in slots {
            self.remove_key(slot);
        }
        let counter = self.counters.remove(index);
        self.names.remove(&counter.named.name);
    }
}

impl CounterState {
    /// Whether anyone but the table holds the counter.
    fn is_named(&self) -> bool {
        Arc::strong_count(&self.named) > 1
    }
}
