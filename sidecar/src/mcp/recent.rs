//! A map of bounded size that forgets what was used least recently.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;

/// Entries in a slab, linked from the least to the most recently used. Every operation takes constant time; memory grows with
/// the entries, up to the capacity.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    capacity: usize,
    index: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    /// Slots that hold nothing.
    free: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: Option<V>,
    older: Option<usize>,
    newer: Option<usize>,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            capacity: capacity.get(),
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: None,
            newest: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Puts an entry in as the most recently used; returns the one that had to make room.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        self.remove(&key);
        let evicted = if self.len() == self.capacity { self.remove_oldest() } else { None };
        let slot = Slot { key, value: Some(value), older: None, newer: None };
        let at = if let Some(at) = self.free.pop() {
            self.slots[at] = slot;
            at
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        self.link(at);
        self.index.insert(key, at);
        evicted
    }

    /// The entry, which becomes the most recently used.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let at = *self.index.get(key)?;
        if self.newest != Some(at) {
            self.unlink(at);
            self.link(at);
        }
        self.slots[at].value.as_ref()
    }

    /// The entry, which is used no more recently for that.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.slots[*self.index.get(key)?].value.as_ref()
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.index.remove(key)?;
        self.unlink(at);
        self.free.push(at);
        self.slots[at].value.take()
    }

    /// Removes the entries for which this holds; gives them.
    pub(super) fn remove_all(&mut self, is_meant: impl Fn(&V) -> bool) -> Vec<V> {
        let meant: Vec<K> = self.iter().filter(|(_, value)| is_meant(value)).map(|(key, _)| *key).collect();
        meant.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// The entries, least recently used first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        std::iter::successors(self.oldest, |at| self.slots[*at].newer)
            .filter_map(|at| self.slots[at].value.as_ref().map(|value| (&self.slots[at].key, value)))
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(K, V)> {
        let key = self.slots[self.oldest?].key;
        self.remove(&key).map(|value| (key, value))
    }

    fn link(&mut self, at: usize) {
        self.slots[at].older = self.newest;
        self.slots[at].newer = None;
        match self.newest {
            Some(newest) => self.slots[newest].newer = Some(at),
            None => self.oldest = Some(at),
        }
        self.newest = Some(at);
    }

    fn unlink(&mut self, at: usize) {
        let (older, newer) = (self.slots[at].older, self.slots[at].newer);
        match older {
            Some(older) => self.slots[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.slots[newer].older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recent(capacity: usize) -> Recent<u8, u8> {
        Recent::new(NonZeroUsize::new(capacity).unwrap())
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut recent = recent(2);
        recent.insert(1, 10);
        recent.insert(2, 20);
        assert_eq!(recent.get(&1), Some(&10));
        assert_eq!(recent.insert(3, 30), Some((2, 20)));
        assert_eq!((recent.peek(&1), recent.peek(&2), recent.peek(&3)), (Some(&10), None, Some(&30)));
    }

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn it_is_the_model_made_fast(operations in prop::collection::vec((0u8..3, 0u8..8), 0..200), capacity in 1usize..6) {
            let mut recent = recent(capacity);
            let mut model: Vec<(u8, u8)> = Vec::new();
            for (step, (operation, key)) in (0u8..).zip(operations) {
                let place = model.iter().position(|(known, _)| *known == key);
                let had = place.map(|place| model.remove(place));
                match operation {
                    0 => {
                        let evicted = (model.len() == capacity).then(|| model.remove(0));
                        model.push((key, step));
                        prop_assert_eq!(recent.insert(key, step), evicted);
                    }
                    1 => {
                        model.extend(had);
                        prop_assert_eq!(recent.get(&key).copied(), had.map(|(_, value)| value));
                    }
                    _ => prop_assert_eq!(recent.remove(&key), had.map(|(_, value)| value)),
                }
                prop_assert_eq!(recent.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), model.clone());
                prop_assert!(recent.slots.len() <= capacity);
            }
        }
    }
}
