//! How many bytes of documents are kept of each namespace: whoever may write policies and pods in one could else have every replica
//! hold as many large documents as there are ways to select pods.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Excess;
use super::outline::{Outline, OutlineId};

/// The most bytes of one namespace's documents.
///
/// Of the 512 MiB that the chart lets an operator have (`operator.resources.limits`), questions to the webhooks take up to 184 MiB,
/// and what is known of the cluster some tens. While a change replaces all documents of a namespace the old ones are held too, until
/// streams have let go of them: twice this, 128 MiB, fit beside that, and of a second namespace as well. It is room for two documents
/// of the longest, or for a thousand of 64 KiB, each for other pods.
const MOST: usize = 64 << 20;

/// What all namespaces have and may have.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// The most bytes of one namespace's documents.
    pub(crate) most: usize,
    shares: HashMap<Arc<str>, Share>,
    /// The namespaces in which something came or went.
    changed: BTreeSet<Arc<str>>,
}

/// What one namespace has.
#[derive(Debug, Default)]
struct Share {
    held: HashMap<OutlineId, Held>,
    /// The bytes of all documents.
    total: usize,
    /// Those that are not written, since together they are too many bytes.
    beyond: HashSet<OutlineId>,
}

#[derive(Debug)]
struct Held {
    outline: Arc<Outline>,
    profiles: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { most: MOST, shares: HashMap::new(), changed: BTreeSet::new() }
    }
}

impl Budgets {
    /// A profile of the namespace has this outline.
    pub(super) fn enter(&mut self, namespace: &Arc<str>, outline: &Arc<Outline>) {
        let share = self.shares.entry(Arc::clone(namespace)).or_default();
        let held = share.held.entry(outline.id).or_insert_with(|| {
            share.total = share.total.saturating_add(outline.weight());
            self.changed.insert(Arc::clone(namespace));
            Held { outline: Arc::clone(outline), profiles: 0 }
        });
        held.profiles += 1;
    }

    /// A profile of the namespace has this outline no more.
    pub(super) fn leave(&mut self, namespace: &Arc<str>, outline: &Outline) {
        let Some(share) = self.shares.get_mut(namespace) else { return };
        let Some(held) = share.held.get_mut(&outline.id) else { return };
        held.profiles -= 1;
        if held.profiles == 0 {
            share.held.remove(&outline.id);
            share.total -= outline.weight();
            self.changed.insert(Arc::clone(namespace));
        }
    }

    /// Decides what is written. Gives the namespaces of which plans may be others than before, though nothing of their profiles is.
    pub(crate) fn settle(&mut self) -> Vec<Arc<str>> {
        let mut differing = Vec::new();
        for namespace in std::mem::take(&mut self.changed) {
            let Some(share) = self.shares.get_mut(&namespace) else { continue };
            let were_beyond = !share.beyond.is_empty();
            share.decide(self.most);
            if share.held.is_empty() {
                self.shares.remove(&namespace);
            } else if were_beyond || !share.beyond.is_empty() {
                differing.push(namespace);
            }
        }
        differing
    }

    /// What keeps an outline of the namespace from being written beside the others, if anything does.
    pub(crate) fn beyond(&self, namespace: &str, outline: &Outline) -> Option<Excess> {
        let share = self.shares.get(namespace).filter(|share| share.beyond.contains(&outline.id))?;
        Some(Excess::Namespace { has: share.total, most: self.most })
    }
}

impl Share {
    /// The shortest are written, as many as fit: that leaves the fewest out, and follows from what there is, not from what came first.
    fn decide(&mut self, most: usize) {
        self.beyond.clear();
        if self.total <= most {
            return;
        }
        let mut all: Vec<_> = self.held.values().map(|held| &held.outline).collect();
        all.sort_by(|one, other| {
            let by_name = || one.name().cmp(&other.name());
            one.weight().cmp(&other.weight()).then_with(by_name)
        });
        let mut kept = 0;
        for outline in all {
            kept += outline.weight();
            if kept > most {
                self.beyond.insert(outline.id);
            }
        }
    }
}
