//! A pod's configuration: the servers of its namespace, and the policies that govern each.
//!
//! ```text
//! world ──► Basis (one a namespace): its servers, and which policy names which ─┐
//! pods alike ──► Profile ──────────────────────────────────────────────────────┴─► Outline: what is bound, and how long it is
//!                                                                                     │
//! all outlines of a namespace ──► Budgets: which of them are written ─────────────────┴─► Plan: a document, or why there is none
//! ```
//!
//! Pods that differ in nothing that a policy can select by are one profile and are planned once; profiles to which the same
//! policies apply share one plan, and its bytes. What cannot be sent is never written.

pub(crate) mod basis;
pub(crate) mod budget;
pub(crate) mod outline;
pub(crate) mod profiles;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use reeve_policy::compile::govern;
use reeve_wire::document::{Encoded, Hash};
use reeve_wire::{LONGEST_DOCUMENT, MOST_OBJECTS, Uid};

use self::basis::{Basis, Entry, Given};
use self::outline::{Bound, Outline, OutlineId};

/// Names a plan for as long as it is held.
pub(crate) type PlanId = u64;

/// What pods to which the same policies apply are given.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: PlanId,
    outline: Arc<Outline>,
    pub(crate) content: Content,
}

/// What is sent, or why nothing is.
#[derive(Debug)]
pub(crate) enum Content {
    Document(Encoded),
    Excess(Excess),
}

/// What there is too much of to be sent, and how much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excess {
    /// Bytes of the document.
    Bytes { has: usize, most: usize },
    /// Policies in it.
    Policies { has: usize, most: usize },
    /// Servers in it.
    Servers { has: usize, most: usize },
    /// Bytes of all documents of its namespace.
    Namespace { has: usize, most: usize },
}

impl Plan {
    /// What of it is more than what can be sent, if anything.
    pub(crate) fn excess(&self) -> Option<Excess> {
        match self.content {
            Content::Document(_) => None,
            Content::Excess(excess) => Some(excess),
        }
    }

    /// Names what sidecars are to run: the document by its bytes; one that is not written by what would stand in it.
    pub(crate) fn hash(&self) -> Hash {
        match &self.content {
            Content::Document(encoded) => encoded.hash,
            Content::Excess(_) => self.outline.name(),
        }
    }

    /// The servers, by name.
    pub(crate) fn servers(&self) -> &[Arc<Given>] {
        &self.outline.servers
    }

    /// The policy of this UID, though it may yield everywhere.
    pub(crate) fn policy(&self, uid: &Uid) -> Option<&Bound> {
        let policies = &self.outline.policies;
        let at = policies.binary_search_by(|bound| bound.entry.uid.cmp(uid)).ok()?;
        policies.get(at)
    }

    /// The policies that govern at least one server.
    pub(crate) fn governing(&self) -> impl Iterator<Item = &Bound> {
        self.outline.policies.iter().filter(|bound| !bound.servers.is_empty())
    }

    /// The servers that a policy of this plan governs.
    pub(crate) fn servers_of<'a>(&'a self, bound: &'a Bound) -> impl Iterator<Item = &'a Arc<Given>> {
        bound.servers.iter().filter_map(|number| self.outline.servers.get(*number as usize))
    }

    /// Whether these are the policies of this plan, in the same generations.
    pub(crate) fn has_generations(&self, generations: &BTreeMap<Uid, i64>) -> bool {
        let policies = &self.outline.policies;
        let own = policies.iter().map(|bound| (&bound.entry.uid, &bound.entry.generation));
        policies.len() == generations.len() && own.eq(generations)
    }
}

/// The outlines and plans that are in use, so that what is the same is made once.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The largest document that can be sent, in bytes.
    pub(crate) largest: usize,
    /// The most policies, and the most servers, of one.
    pub(crate) most_objects: usize,
    outlines: InUse<Parts, Outline>,
    plans: InUse<OutlineId, Plan>,
    made: u64,
}

/// What an outline is made of, by where that is held: the same parts are the same outline. An outline holds its parts, so that of one
/// that is in use no address is another's.
type Parts = Vec<usize>;

impl Default for Plans {
    fn default() -> Self {
        let (outlines, plans) = (InUse::default(), InUse::default());
        Self { largest: LONGEST_DOCUMENT, most_objects: MOST_OBJECTS, outlines, plans, made: 0 }
    }
}

impl Plans {
    /// What pods that are alike are to be given.
    ///
    /// # Errors
    /// What serde says of the document; nothing in its types gives a reason.
    pub(crate) fn outline(&mut self, basis: &Basis, pod: &govern::Pod<'_>) -> Result<Arc<Outline>, serde_json::Error> {
        let entries: Vec<_> = basis.entries().filter(|entry| entry.selects(pod)).collect();
        let address = |entry: &&Arc<Entry>| Arc::as_ptr(entry) as usize;
        let parts: Parts =
            std::iter::once(Arc::as_ptr(basis.servers()) as usize).chain(entries.iter().map(address)).collect();
        if let Some(outline) = self.outlines.get(&parts) {
            return Ok(outline);
        }
        self.made += 1;
        let outline = Arc::new(Outline::of(self.made, basis.servers(), &entries, self)?);
        self.outlines.insert(parts, &outline);
        Ok(outline)
    }

    /// The plan of an outline: written, unless it cannot be sent, or what is `beyond` keeps it from being written beside the others of
    /// its namespace.
    ///
    /// # Errors
    /// As [`Self::outline`].
    pub(crate) fn plan(
        &mut self,
        outline: &Arc<Outline>,
        beyond: Option<Excess>,
    ) -> Result<Arc<Plan>, serde_json::Error> {
        let excess = outline.excess.or(beyond);
        if let Some(plan) = self.plans.get(&outline.id).filter(|plan| plan.excess() == excess) {
            return Ok(plan);
        }
        let content = match excess {
            Some(excess) => Content::Excess(excess),
            None => Content::Document(outline.write()?),
        };
        self.made += 1;
        let plan = Arc::new(Plan { id: self.made, outline: Arc::clone(outline), content });
        self.plans.insert(outline.id, &plan);
        Ok(plan)
    }
}

/// What is held elsewhere, to be found while it is.
#[derive(Debug)]
struct InUse<K, T> {
    held: HashMap<K, Weak<T>>,
    /// How many there were when what is not held any more was last forgotten.
    kept: usize,
}

impl<K, T> Default for InUse<K, T> {
    fn default() -> Self {
        Self { held: HashMap::new(), kept: 0 }
    }
}

impl<K: Eq + std::hash::Hash, T> InUse<K, T> {
    fn get(&self, key: &K) -> Option<Arc<T>> {
        self.held.get(key).and_then(Weak::upgrade)
    }

    fn insert(&mut self, key: K, value: &Arc<T>) {
        if self.held.len() >= 2 * self.kept + 64 {
            self.held.retain(|_, value| value.strong_count() > 0);
            self.kept = self.held.len();
        }
        self.held.insert(key, Arc::downgrade(value));
    }
}
