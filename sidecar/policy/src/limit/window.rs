//! One sliding window: what one key of one counter has taken, and until when.
//!
//! Pure arithmetic on signed nanoseconds (a unit taken over from a snapshot may be older than the clock's origin).
//! A unit taken at `t` counts in `t <= now < t + length`. Each unit is kept apart, by its time, for as long as there
//! are at most [`EXACT`] of them; beyond that, units within 1/128 of the window share an entry that counts as taken at
//! the latest of them, so that a unit counts up to 1/128 of the window longer and never shorter. A window therefore
//! holds at most `EXACT + 129` entries.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::Taken;

/// How many entries are kept with their exact times. A `max` of this many units is exact as long as no call costs less
/// than one.
pub(super) const EXACT: usize = 1_024;

/// The part of the window that units may share an entry over.
const SHARED: i64 = 128;

/// Units taken from `first` to `last`, all counted as if taken at `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: i64,
    pub(super) last: i64,
    /// Millionths; above zero.
    pub(super) units: i64,
}

/// What was taken, oldest first; entries do not overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// The sum of the entries' units.
    used: i64,
}

/// Whether a cost fits, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Now,
    At(i64),
    Never,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn used(&self) -> i64 {
        self.used
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// When the oldest entry is free again; none if nothing is taken.
    pub(super) fn frees_at(&self, length: i64) -> Option<i64> {
        self.entries.front().map(|entry| entry.last.saturating_add(length))
    }

    /// When nothing will be taken any more; the beginning of time if nothing is.
    pub(super) fn empty_at(&self, length: i64) -> i64 {
        self.entries.back().map_or(i64::MIN, |entry| entry.last.saturating_add(length))
    }

    /// Forgets what is free again. The other methods mean the time of the last call of this one.
    pub(super) fn prune(&mut self, now: i64, length: i64) {
        while let Some(entry) = self.entries.front().filter(|entry| entry.last.saturating_add(length) <= now) {
            self.used -= entry.units;
            self.entries.pop_front();
        }
        // A burst must not go on holding its memory: a table of windows is bounded by entries, not by what they once
        // had.
        if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// Whether `cost` fits under `max`, when `pending` has been promised besides what is taken.
    pub(super) fn fit(&self, cost: i64, pending: i64, max: i64, length: i64) -> Fit {
        let Some(room) = pending.checked_add(cost).and_then(|wanted| max.checked_sub(wanted)).filter(|room| *room >= 0)
        else {
            return Fit::Never;
        };
        let mut left = self.used;
        if left <= room {
            return Fit::Now;
        }
        for entry in &self.entries {
            left -= entry.units;
            if left <= room {
                return Fit::At(entry.last.saturating_add(length));
            }
        }
        Fit::Never
    }

    /// Whether units taken now need no entry of their own. `crowded`: whoever owns
    /// the windows has so many entries that units share them where they can.
    pub(super) fn absorbs(&self, now: i64, length: i64, crowded: bool) -> bool {
        self.entries.back().is_some_and(|entry| {
            entry.last == now
                || ((crowded || self.entries.len() >= EXACT) && now.saturating_sub(entry.first) <= length / SHARED)
        })
    }

    /// Takes units that fit. `now` is no earlier than anything taken before.
    pub(super) fn take(&mut self, units: i64, now: i64, length: i64, crowded: bool) {
        self.used = self.used.saturating_add(units);
        if self.absorbs(now, length, crowded)
            && let Some(entry) = self.entries.back_mut()
        {
            entry.last = now;
            entry.units += units;
        } else {
            self.entries.push_back(Entry { first: now, last: now, units });
        }
    }

    /// Returns units that were taken at `at`, as far as they still count.
    pub(super) fn give_back(&mut self, units: i64, at: i64) {
        let index = self.entries.partition_point(|entry| entry.last < at);
        let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.first <= at) else {
            return;
        };
        let returned = units.min(entry.units);
        entry.units -= returned;
        self.used -= returned;
        if entry.units == 0 {
            self.entries.remove(index);
        }
    }

    /// What it is when these have been given back.
    pub(super) fn without<'t>(&self, returned: impl Iterator<Item = &'t Taken>) -> Cow<'_, Self> {
        let mut window = Cow::Borrowed(self);
        for place in returned {
            window.to_mut().give_back(place.units, place.at);
        }
        window
    }

    /// A window with these entries; none if they overlap, hold nothing, or add up to more than can be counted.
    pub(super) fn restored(entries: Vec<Entry>) -> Option<Self> {
        let mut used: i64 = 0;
        let mut previous = None;
        for entry in &entries {
            let in_order = entry.first <= entry.last && previous.is_none_or(|last| last < entry.first);
            if !in_order || entry.units <= 0 {
                return None;
            }
            used = used.checked_add(entry.units)?;
            previous = Some(entry.last);
        }
        Some(Self { entries: entries.into(), used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: i64 = 128_000;

    fn taken(units: impl IntoIterator<Item = (i64, i64)>) -> Window {
        let mut window = Window::default();
        for (at, units) in units {
            window.take(units, at, LENGTH, false);
        }
        window
    }

    #[test]
    fn a_unit_is_free_again_after_exactly_the_window() {
        let mut window = taken([(5, 1)]);
        window.prune(5 + LENGTH - 1, LENGTH);
        assert_eq!(window.used(), 1);
        window.prune(5 + LENGTH, LENGTH);
        assert!(window.is_empty());
    }

    #[test]
    fn a_cost_fits_when_enough_has_been_freed() {
        let window = taken([(0, 2), (10, 3), (20, 1)]);
        assert_eq!(window.fit(1, 0, 7, LENGTH), Fit::Now);
        assert_eq!(window.fit(1, 1, 7, LENGTH), Fit::At(LENGTH));
        assert_eq!(window.fit(4, 0, 6, LENGTH), Fit::At(LENGTH + 10));
        assert_eq!(window.fit(6, 0, 6, LENGTH), Fit::At(LENGTH + 20));
        assert_eq!(window.fit(7, 0, 6, LENGTH), Fit::Never);
        assert_eq!(window.fit(i64::MAX, i64::MAX, i64::MAX, LENGTH), Fit::Never);
    }

    #[test]
    fn beyond_the_exact_entries_units_share_an_entry_that_spans_no_more_than_a_128th() {
        let window = taken((0..100_000).map(|at| (at, 1)));
        assert!(window.len() <= EXACT + 129, "{}", window.len());
        assert!(window.entries().all(|entry| entry.last - entry.first <= LENGTH / SHARED));
        assert_eq!(window.used(), 100_000);
    }

    #[test]
    fn what_is_given_back_leaves_an_entry_that_others_share() {
        let mut window = taken((0..2_000).map(|at| (at, 3)));
        let shared = *window.entries().last().expect("entries");
        assert!(shared.last - shared.first > 10);
        window.give_back(2, shared.first + 5);
        window.give_back(2, 7);
        window.give_back(2, 7);
        assert_eq!(window.used(), 6_000 - 2 - 3, "no more than was taken at that time");
        window.give_back(1, 2_000_000);
        assert_eq!(window.used(), 6_000 - 2 - 3);
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut window = taken((0..1_000).map(|at| (at, 1)));
        window.prune(LENGTH + 995, LENGTH);
        assert_eq!(window.used(), 4);
        assert!(window.entries.capacity() <= 64, "{}", window.entries.capacity());
    }
}
