//! The sessions, or the tasks, that are remembered. Those that nobody has asked for yet are forgotten first: to have many made is
//! easy, and must not cost another client what it uses.

use std::num::NonZeroUsize;

use super::Bound;
use crate::mcp::digest::Key;
use crate::mcp::recent::Recent;

/// The part of the room that those have for themselves which nobody has asked for yet: one that is new is asked for before so many
/// others are made.
const NEW: usize = 4;

#[derive(Debug)]
pub(super) struct Known {
    capacity: usize,
    /// Never asked for.
    unused: Recent<Key, Bound>,
    used: Recent<Key, Bound>,
}

impl Known {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity: capacity.get(), unused: Recent::new(capacity), used: Recent::new(capacity) }
    }

    /// Puts in what has just been made. Returns what had to make room.
    pub(super) fn insert(&mut self, key: Key, bound: Bound) -> Option<Key> {
        self.remove(&key);
        let evicted = self.make_room();
        self.unused.insert(key, bound);
        evicted
    }

    /// Puts in what an earlier run knew. Whether it was ever asked for is not known, so it counts as if it was.
    pub(super) fn restore(&mut self, key: Key, bound: Bound) {
        self.remove(&key);
        self.make_room();
        self.used.insert(key, bound);
    }

    /// What is known of it, without asking for it.
    pub(super) fn peek(&self, key: &Key) -> Option<&Bound> {
        self.used.peek(key).or_else(|| self.unused.peek(key))
    }

    /// What is known of it, which makes it the most recently used.
    pub(super) fn get(&mut self, key: &Key) -> Option<&Bound> {
        if let Some(bound) = self.unused.remove(key) {
            self.used.insert(*key, bound);
        }
        self.used.get(key)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Bound> {
        self.used.remove(key).or_else(|| self.unused.remove(key))
    }

    /// All that are known, those first that are forgotten first where there is room for new ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Bound)> {
        self.unused.iter().chain(self.used.iter())
    }

    fn make_room(&mut self) -> Option<Key> {
        if self.unused.len() + self.used.len() < self.capacity {
            return None;
        }
        let spare = self.unused.len() > self.capacity / NEW;
        let evicted = if spare { self.unused.remove_oldest() } else { self.used.remove_oldest() };
        evicted.or_else(|| self.unused.remove_oldest()).map(|(key, _)| key)
    }
}
