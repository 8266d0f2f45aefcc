//! The table behind the limiter's lock: counters and their keys, and what a call takes from them.
//!
//! [`room`] says who makes room for whom, [`image`] how the table goes into a snapshot and comes back.

mod image;
mod room;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slab::Slab;

pub(super) use image::CounterImage;
use room::{CLEARED_PER_KEY, Of};

use super::window::{Fit, Window};
use super::{Capacity, Charge, Counter, CounterName, Exceeded, Named, Taken, TakenAtOnce};

#[derive(Debug)]
pub(super) struct Table {
    capacity: Capacity,
    counters: Slab<CounterState>,
    names: HashMap<CounterName, usize>,
    keys: Slab<Key>,
    /// All keys, by when they are empty.
    pool: BTreeSet<(i64, usize)>,
    /// The latest time seen. Callers read the clock before they wait for the lock; what is taken counts from no earlier
    /// than what was taken before, so that order of time is order of the lock.
    latest: i64,
    next_serial: u64,
    /// The number of counters at which those without a policy are looked for.
    retire_at: usize,
    /// When a full pool may look for them again.
    evict_at: i64,
}

#[derive(Debug)]
struct CounterState {
    named: Arc<Named>,
    length: i64,
    keys: HashMap<Arc<str>, usize>,
    /// The counter's keys, by when they are empty.
    expiries: BTreeSet<(i64, usize)>,
    /// Entries in all of its windows.
    entries: usize,
}

#[derive(Debug)]
struct Key {
    /// Tells the key from others that have had its place.
    serial: u64,
    counter: usize,
    name: Arc<str>,
    window: Window,
    /// Until when it stays although nothing may be taken: a call must find it again once all of its charges fit.
    kept_until: i64,
    /// The time by which it is listed.
    listed: i64,
}

/// Why one charge does not fit, and from when on it would.
struct Refusal {
    table_full: bool,
    /// The key, if it is in the table.
    slot: Option<usize>,
    at: Option<i64>,
}

impl Refusal {
    fn exceeded(slot: Option<usize>, at: Option<i64>) -> Self {
        Self { table_full: false, slot, at }
    }

    fn table_full(slot: Option<usize>, at: Option<i64>) -> Self {
        Self { table_full: true, slot, at }
    }
}

impl Table {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            counters: Slab::new(),
            names: HashMap::new(),
            keys: Slab::new(),
            pool: BTreeSet::new(),
            latest: i64::MIN,
            next_serial: 0,
            retire_at: 64,
            evict_at: i64::MIN,
        }
    }

    /// The time that counts when a caller says it is `now`.
    pub(super) fn advance(&mut self, now: i64) -> i64 {
        self.latest = self.latest.max(now);
        self.latest
    }

    pub(super) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The counter of this name, with this window from now on.
    pub(super) fn counter(&mut self, name: CounterName, length: i64) -> Arc<Named> {
        if let Some(&index) = self.names.get(&name) {
            let counter = &mut self.counters[index];
            let named = Arc::clone(&counter.named);
            if counter.length != length {
                counter.length = length;
                self.relist_all(index);
            }
            return named;
        }
        if self.counters.len() >= self.retire_at {
            self.retire();
        }
        let vacant = self.counters.vacant_entry();
        let named = Arc::new(Named { name: name.clone(), index: vacant.key() });
        self.names.insert(name, vacant.key());
        vacant.insert(CounterState {
            named: Arc::clone(&named),
            length,
            keys: HashMap::new(),
            expiries: BTreeSet::new(),
            entries: 0,
        });
        named
    }

    /// Takes all charges, or none.
    pub(super) fn reserve(&mut self, charges: &[Charge<'_>], now: i64) -> Result<TakenAtOnce, Exceeded> {
        self.exchange(&[], charges, now)
    }

    /// Takes all charges and returns what was taken before, which need not be free beside them; or does nothing.
    pub(super) fn exchange(
        &mut self,
        old: &[Taken],
        charges: &[Charge<'_>],
        now: i64,
    ) -> Result<TakenAtOnce, Exceeded> {
        let now = self.advance(now);
        let mut taken = TakenAtOnce::new();
        let mut refused: Option<(Exceeded, Option<i64>)> = None;
        for (index, charge) in charges.iter().enumerate().filter(|(_, charge)| charge.cost.0 > 0) {
            let slot = match self.fit(charge, old, &taken, now) {
                Ok(slot) => Some(slot),
                Err(refusal) => {
                    let (exceeded, at) = refused.get_or_insert((Exceeded::default(), Some(now)));
                    exceeded.charges.push(index);
                    exceeded.table_full |= refusal.table_full;
                    *at = at.zip(refusal.at).map(|(one, other)| one.max(other));
                    refusal.slot
                }
            };
            // Also what did not fit: a later charge to the same key must fit beside it.
            taken.extend(slot.map(|slot| Taken {
                slot,
                serial: self.keys[slot].serial,
                at: now,
                units: charge.cost.0,
            }));
        }
        if let Some((mut exceeded, at)) = refused {
            for place in taken {
                self.remove_if_unused(place.slot);
            }
            exceeded.retry_at = at.map(super::instant);
            return Err(exceeded);
        }
        for place in &taken {
            let crowded = self.crowded(self.keys[place.slot].counter);
            self.with_window(place.slot, |window, length| {
                window.take(place.units, now, length, crowded);
            });
        }
        // Afterwards: a key that had nothing taken in between would be gone.
        self.give_back(old);
        Ok(taken)
    }

    /// Returns what was taken, as far as it still counts.
    pub(super) fn give_back(&mut self, taken: &[Taken]) {
        for place in taken {
            let same = |key: &Key| key.serial == place.serial;
            if self.keys.get(place.slot).is_some_and(same) {
                self.with_window(place.slot, |window, _| {
                    window.give_back(place.units, place.at);
                });
                self.remove_if_unused(place.slot);
                self.list_earlier(place.slot);
            }
        }
    }

    /// What each key of a counter has taken.
    pub(super) fn usage(&mut self, counter: &Counter, now: i64) -> impl Iterator<Item = (&str, i64)> {
        let slots: Vec<usize> = match self.index(counter) {
            Some(index) => self.counters[index].keys.values().copied().collect(),
            None => Vec::new(),
        };
        let now = self.advance(now);
        for slot in &slots {
            self.with_window(*slot, |window, length| window.prune(now, length));
        }
        let keys = &self.keys;
        slots
            .into_iter()
            .map(|slot| &keys[slot])
            .filter(|key| !key.window.is_empty())
            .map(|key| (&*key.name, key.window.used()))
    }

    /// What one key of a counter has in its window.
    pub(super) fn used(&mut self, counter: &Counter, key: &str, now: i64) -> i64 {
        let now = self.advance(now);
        let counter = self.index(counter).map(|index| &self.counters[index]);
        let Some(&slot) = counter.and_then(|counter| counter.keys.get(&*super::key_text(key))) else { return 0 };
        self.with_window(slot, |window, length| {
            window.prune(now, length);
            window.used()
        })
    }

    /// The key that a charge would be taken from, made if need be, if the charge fits without the `old` ones and beside
    /// what was `promised` before it.
    fn fit(&mut self, charge: &Charge<'_>, old: &[Taken], promised: &[Taken], now: i64) -> Result<usize, Refusal> {
        let (cost, max) = (charge.cost.0, charge.max.0);
        let text = super::key_text(charge.key);
        let Some(index) = self.index(charge.counter) else {
            return Err(Refusal::table_full(None, None));
        };
        let Some(&slot) = self.counters[index].keys.get(&*text) else {
            if cost > max {
                return Err(Refusal::exceeded(None, None));
            }
            self.clear(Of::Counter(index), now, CLEARED_PER_KEY);
            let room = self.room_for_key(index, now);
            return match room {
                Ok(()) => Ok(self.insert_key(index, &text, Window::default())),
                Err(at) => Err(Refusal::table_full(None, at)),
            };
        };
        self.keys[slot].kept_until = now.saturating_add(1);
        let same = promised.iter().filter(|place| place.slot == slot);
        let pending = same.fold(0_i64, |sum, place| sum.saturating_add(place.units));
        let crowded = self.crowded(index);
        let serial = self.keys[slot].serial;
        let returned = |place: &&Taken| (place.slot, place.serial) == (slot, serial);
        let (fit, frees_at, absorbs) = self.with_window(slot, |window, length| {
            window.prune(now, length);
            let fit = window.without(old.iter().filter(returned)).fit(cost, pending, max, length);
            (fit, window.frees_at(length), window.absorbs(now, length, crowded))
        });
        match fit {
            Fit::Never => Err(Refusal::exceeded(Some(slot), None)),
            Fit::At(at) => Err(Refusal::exceeded(Some(slot), Some(at))),
            Fit::Now if absorbs || self.room_for_entry(index, now) => Ok(slot),
            Fit::Now => {
                // Its own oldest entry makes room, or a whole key of the counter does.
                let key_expires_at = self.next_expiry(Of::Counter(index));
                let at = key_expires_at.into_iter().chain(frees_at).min();
                Err(Refusal::table_full(Some(slot), at))
            }
        }
    }

    /// Whether a counter's entries are so many that units must share them where they can.
    fn crowded(&self, index: usize) -> bool {
        self.counters[index].entries >= self.capacity.entries_per_counter / 2
    }

    fn index(&self, counter: &Counter) -> Option<usize> {
        let index = counter.named.index;
        self.counters.get(index).filter(|state| Arc::ptr_eq(&state.named, &counter.named)).map(|_| index)
    }

    /// Uses a key's window and keeps the count of its counter's entries.
    fn with_window<R>(&mut self, slot: usize, using: impl FnOnce(&mut Window, i64) -> R) -> R {
        let key = &mut self.keys[slot];
        let counter = &mut self.counters[key.counter];
        let before = key.window.len();
        let result = using(&mut key.window, counter.length);
        counter.entries = counter.entries + key.window.len() - before;
        result
    }

    fn insert_key(&mut self, index: usize, name: &str, window: Window) -> usize {
        let counter = &mut self.counters[index];
        let name: Arc<str> = name.into();
        counter.entries += window.len();
        self.next_serial += 1;
        let mut key = Key {
            serial: self.next_serial,
            counter: index,
            name: Arc::clone(&name),
            window,
            kept_until: self.latest.saturating_add(1),
            listed: 0,
        };
        key.listed = key.expires_at(counter.length);
        let listed = key.listed;
        let slot = self.keys.insert(key);
        counter.keys.insert(name, slot);
        counter.expiries.insert((listed, slot));
        self.pool.insert((listed, slot));
        slot
    }

    fn remove_if_unused(&mut self, slot: usize) {
        if self.keys.get(slot).is_some_and(|key| key.window.is_empty()) {
            self.remove_key(slot);
        }
    }

    fn remove_key(&mut self, slot: usize) {
        let key = self.keys.remove(slot);
        let counter = &mut self.counters[key.counter];
        counter.keys.remove(&key.name);
        counter.entries -= key.window.len();
        counter.expiries.remove(&(key.listed, slot));
        self.pool.remove(&(key.listed, slot));
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.counters.len(), self.keys.len())
    }
}

impl Key {
    /// When there is no more reason to keep the key, in a counter of this window.
    fn expires_at(&self, length: i64) -> i64 {
        self.window.empty_at(length).max(self.kept_until)
    }
}
