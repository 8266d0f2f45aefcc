//! Brings the changes of one watch into what is held of its objects, whatever order they come in.
//!
//! Each object's versions only grow, so the newest wins. What is gone is remembered until the watch says that it has told
//! everything up to then, lest an older word bring it back.

use std::collections::{BTreeMap, BTreeSet};

use super::Change;

/// What a [`Ledger`] needs to know of a view.
pub(crate) trait Versioned {
    /// What names the object.
    type Key: Ord + Clone;

    /// What names it.
    fn key(&self) -> Self::Key;

    /// The version of the object.
    fn version(&self) -> u64;
}

/// An object before and after a change; none: it was not there, or is no more.
#[derive(Clone, Debug)]
pub(crate) struct Difference<V> {
    pub(crate) old: Option<V>,
    pub(crate) new: Option<V>,
}

/// What is known of a watch beside its objects.
#[derive(Debug)]
pub(crate) struct Ledger<K> {
    /// The newest version that the watch has told of.
    version: u64,
    /// Everything up to here has been told.
    complete: u64,
    /// Objects that are gone, and the version at which they went: those above `complete`.
    gone: BTreeMap<K, u64>,
    is_synced: bool,
}

impl<K: Ord + Clone> Ledger<K> {
    /// Of a watch that has told nothing.
    pub(crate) fn new() -> Self {
        Self { version: 0, complete: 0, gone: BTreeMap::new(), is_synced: false }
    }

    /// The newest version that the watch has told of.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether it has told all there is, once.
    pub(crate) fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Brings a change in; says what has become different.
    pub(crate) fn apply<V>(&mut self, held: &mut BTreeMap<K, V>, change: Change<V>) -> Vec<Difference<V>>
    where
        V: Versioned<Key = K> + Clone,
    {
        match change {
            Change::All { objects, version } => self.all(held, objects, version),
            Change::Set(view) => self.set(held, view).into_iter().collect(),
            Change::Gone(view) => self.remove(held, &view.key(), view.version()).into_iter().collect(),
            Change::Bookmark(version) => {
                self.told(version);
                Vec::new()
            }
        }
    }

    fn all<V>(&mut self, held: &mut BTreeMap<K, V>, objects: Vec<V>, version: u64) -> Vec<Difference<V>>
    where
        V: Versioned<Key = K> + Clone,
    {
        let listed: BTreeSet<K> = objects.iter().map(Versioned::key).collect();
        let missing: Vec<K> = held.keys().filter(|key| !listed.contains(key)).cloned().collect();
        let mut found: Vec<_> = missing.iter().filter_map(|key| self.remove(held, key, version)).collect();
        found.extend(objects.into_iter().filter_map(|view| self.set(held, view)));
        self.told(version);
        self.is_synced = true;
        found
    }

    fn set<V>(&mut self, held: &mut BTreeMap<K, V>, view: V) -> Option<Difference<V>>
    where
        V: Versioned<Key = K> + Clone,
    {
        let (key, version) = (view.key(), view.version());
        self.version = self.version.max(version);
        let known = match held.get(&key) {
            Some(present) => present.version(),
            None => self.gone.get(&key).copied().unwrap_or(0).max(self.complete),
        };
        if version <= known {
            return None;
        }
        self.gone.remove(&key);
        let old = held.insert(key, view.clone());
        Some(Difference { old, new: Some(view) })
    }

    fn remove<V>(&mut self, held: &mut BTreeMap<K, V>, key: &K, version: u64) -> Option<Difference<V>>
    where
        V: Versioned<Key = K>,
    {
        self.version = self.version.max(version);
        if held.get(key).is_some_and(|present| present.version() > version) {
            return None;
        }
        if version > self.complete {
            let gone = self.gone.entry(key.clone()).or_default();
            *gone = version.max(*gone);
        }
        held.remove(key).map(|old| Difference { old: Some(old), new: None })
    }

    fn told(&mut self, version: u64) {
        self.version = self.version.max(version);
        self.complete = self.complete.max(version);
        let complete = self.complete;
        self.gone.retain(|_, gone| *gone > complete);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Thing(u8, u64);

    impl Versioned for Thing {
        type Key = u8;

        fn key(&self) -> u8 {
            self.0
        }

        fn version(&self) -> u64 {
            self.1
        }
    }

    fn after(changes: impl IntoIterator<Item = Change<Thing>>) -> (BTreeMap<u8, Thing>, Ledger<u8>) {
        let (mut held, mut ledger) = (BTreeMap::new(), Ledger::new());
        for change in changes {
            ledger.apply(&mut held, change);
        }
        (held, ledger)
    }

    #[test]
    fn an_older_word_changes_nothing_and_brings_nothing_back() {
        let all = |version| Change::All { objects: vec![Thing(1, 3)], version };
        assert_eq!(after([all(5), Change::Set(Thing(1, 2))]).0[&1], Thing(1, 3));
        assert!(after([all(5), Change::Gone(Thing(1, 6)), Change::Set(Thing(1, 4))]).0.is_empty());
        assert!(after([all(5), Change::Set(Thing(2, 4))]).0.len() == 1, "a list has everything up to its version");
        assert!(after([Change::Set(Thing(2, 7)), all(5)]).0.len() == 2, "a list may be older than what is held");
        assert!(after([Change::Set(Thing(2, 4)), all(5)]).0.len() == 1, "what a list leaves out is gone");
    }

    #[test]
    fn what_is_gone_is_forgotten_when_the_watch_has_told_all_up_to_it() {
        let (_, ledger) = after([Change::Gone(Thing(1, 6)), Change::Gone(Thing(2, 8)), Change::Bookmark(7)]);
        assert_eq!((ledger.gone.len(), ledger.version(), ledger.is_synced()), (1, 8, false));
    }

    /// The life of a few objects: versions are unique, as the API server gives them.
    fn history() -> impl Strategy<Value = Vec<Change<Thing>>> {
        prop::collection::vec((0..4_u8, any::<bool>()), 1..20).prop_map(|steps| {
            let steps = steps.into_iter().zip(1_u64..);
            steps
                .map(
                    |((key, set), version)| {
                        if set { Change::Set(Thing(key, version)) } else { Change::Gone(Thing(key, version)) }
                    },
                )
                .collect()
        })
    }

    proptest! {
        #[test]
        fn any_order_of_changes_ends_alike(
            (ordered, shuffled) in history().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            prop_assert_eq!(after(ordered).0, after(shuffled).0);
        }

        #[test]
        fn a_list_at_any_time_ends_alike(all in history(), at in any::<prop::sample::Index>(), reads in any::<prop::sample::Index>()) {
            let (at, reads) = (at.index(all.len() + 1), reads.index(all.len() + 1));
            let (listed, _) = after(all[..reads].iter().cloned());
            let list = Change::All { objects: listed.into_values().collect(), version: reads as u64 };
            let (before, behind) = all.split_at(at);
            let changes = before.iter().cloned().chain([list]).chain(behind.iter().cloned());
            prop_assert_eq!(after(changes).0, after(all.clone()).0);
        }
    }
}
