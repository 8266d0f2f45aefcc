//! A counter as a snapshot has it, and back.

use std::sync::Arc;

use super::Table;
use crate::limit::CounterName;
use crate::limit::window::{Entry, Window};

/// A counter as a snapshot has it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::limit) struct CounterImage {
    pub(in crate::limit) name: CounterName,
    pub(in crate::limit) length: i64,
    pub(in crate::limit) keys: Vec<(Arc<str>, Vec<Entry>)>,
}

impl Table {
    /// The counters there are, for [`Table::settle`] and [`Table::image`].
    pub(in crate::limit) fn indices(&self) -> Vec<usize> {
        self.counters.iter().map(|(index, _)| index).collect()
    }

    /// A counter as a snapshot shows it; none if it has nothing taken.
    pub(in crate::limit) fn image(&self, index: usize) -> Option<CounterImage> {
        let counter = self.counters.get(index).filter(|counter| !counter.keys.is_empty())?;
        let entries = |slot: &usize| self.keys[*slot].window.entries().copied().collect();
        Some(CounterImage {
            name: counter.named.name.clone(),
            length: counter.length,
            keys: counter.keys.iter().map(|(name, slot)| (Arc::clone(name), entries(slot))).collect(),
        })
    }

    /// Takes over a counter of a snapshot. A counter that a policy has named already keeps the window it was given.
    pub(in crate::limit) fn restore(&mut self, name: CounterName, length: i64, keys: Vec<(Arc<str>, Window)>) {
        let index = match self.names.get(&name) {
            Some(&index) => index,
            None => self.counter(name, length).index,
        };
        for (name, window) in keys {
            if !self.counters[index].keys.contains_key(&name) {
                self.insert_key(index, &name, window);
            }
        }
    }
}
