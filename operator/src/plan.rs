//! A pod's configuration: the servers of its namespace, and the policies that govern each.
//!
//! ```text
//! world ──► Basis (one a namespace): its servers, and which policy names which ─┐
//! pods alike ──► Profile ──────────────────────────────────────────────────────┴─► Plan: a document and what it binds
//! ```
//!
//! Pods that differ in nothing that a policy can select by are one profile and are planned once; profiles to which the same
//! policies apply share one plan, and its bytes.

pub(crate) mod basis;
pub(crate) mod profiles;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use reeve_policy::compile::govern;
use reeve_wire::document::{Document, Encoded, PolicyEntry};
use reeve_wire::{LONGEST_DOCUMENT, MOST_OBJECTS, Uid};
use serde_json::value::RawValue;

use self::basis::{Basis, Entry, Given};

/// Names a plan for as long as it is held.
pub(crate) type PlanId = u64;

/// What pods to which the same policies apply are given.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: PlanId,
    pub(crate) encoded: Encoded,
    /// What of the document is more than what can be sent, if anything.
    pub(crate) excess: Option<Excess>,
    pub(crate) servers: Arc<Vec<Arc<Given>>>,
    /// By UID.
    pub(crate) policies: Vec<Bound>,
}

/// What a document has too much of to be sent, and how much it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excess {
    Bytes { has: usize, most: usize },
    Policies { has: usize, most: usize },
    Servers { has: usize, most: usize },
}

/// A policy of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) entry: Arc<Entry>,
    /// The servers that it governs, by their place in the plan, without those where it yields to another policy.
    pub(crate) servers: Vec<u32>,
}

impl Plan {
    /// The policy of this UID, though it may yield everywhere.
    pub(crate) fn policy(&self, uid: &Uid) -> Option<&Bound> {
        let at = self.policies.binary_search_by(|bound| bound.entry.uid.cmp(uid)).ok()?;
        self.policies.get(at)
    }

    /// The policies that govern at least one server.
    pub(crate) fn governing(&self) -> impl Iterator<Item = &Bound> {
        self.policies.iter().filter(|bound| !bound.servers.is_empty())
    }

    /// The servers that a policy of this plan governs.
    pub(crate) fn servers_of<'a>(&'a self, bound: &'a Bound) -> impl Iterator<Item = &'a Arc<Given>> {
        bound.servers.iter().filter_map(|number| self.servers.get(*number as usize))
    }

    /// Whether these are the policies of this plan, in the same generations.
    pub(crate) fn has_generations(&self, generations: &BTreeMap<Uid, i64>) -> bool {
        let own = self.policies.iter().map(|bound| (&bound.entry.uid, &bound.entry.generation));
        self.policies.len() == generations.len() && own.eq(generations)
    }
}

/// The plans that are in use, so that what is the same is made once.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The largest document that can be sent, in bytes.
    pub(crate) largest: usize,
    /// The most policies, and the most servers, of one.
    pub(crate) most_objects: usize,
    by_parts: HashMap<Parts, Weak<Plan>>,
    made: PlanId,
    kept: usize,
}

/// What a plan is made of, by where that is held: the same parts are the same plan. A plan holds its parts, so that of one that
/// is in use no address is another's.
type Parts = Vec<usize>;

impl Default for Plans {
    fn default() -> Self {
        Self { largest: LONGEST_DOCUMENT, most_objects: MOST_OBJECTS, by_parts: HashMap::new(), made: 0, kept: 0 }
    }
}

impl Plans {
    /// The plan of pods that are alike.
    ///
    /// # Errors
    /// What serde says of the document; nothing in its types gives a reason.
    pub(crate) fn plan(&mut self, basis: &Basis, pod: &govern::Pod<'_>) -> Result<Arc<Plan>, serde_json::Error> {
        let entries: Vec<_> = basis.entries().filter(|entry| entry.selects(pod)).collect();
        let address = |entry: &&Arc<Entry>| Arc::as_ptr(entry) as usize;
        let parts: Parts =
            std::iter::once(Arc::as_ptr(basis.servers()) as usize).chain(entries.iter().map(address)).collect();
        if let Some(plan) = self.by_parts.get(&parts).and_then(Weak::upgrade) {
            return Ok(plan);
        }
        let encoded = document(basis.servers(), &entries).encode()?;
        let policies = bound(basis.servers(), &entries);
        self.made += 1;
        let excess = self.excess(encoded.bytes.len(), entries.len(), basis.servers().len());
        let plan = Arc::new(Plan { id: self.made, encoded, excess, servers: Arc::clone(basis.servers()), policies });
        self.forget_unused();
        self.by_parts.insert(parts, Arc::downgrade(&plan));
        Ok(plan)
    }

    fn excess(&self, bytes: usize, policies: usize, servers: usize) -> Option<Excess> {
        let Self { largest, most_objects: most, .. } = *self;
        if bytes > largest {
            Some(Excess::Bytes { has: bytes, most: largest })
        } else if policies > most {
            Some(Excess::Policies { has: policies, most })
        } else {
            (servers > most).then_some(Excess::Servers { has: servers, most })
        }
    }

    fn forget_unused(&mut self) {
        if self.by_parts.len() < 2 * self.kept + 64 {
            return;
        }
        self.by_parts.retain(|_, plan| plan.strong_count() > 0);
        self.kept = self.by_parts.len();
    }
}

/// The document of these servers and policies, both in their order.
fn document(servers: &[Arc<Given>], entries: &[&Arc<Entry>]) -> Document {
    let named: BTreeSet<_> = entries.iter().map(|entry| &entry.uid).collect();
    debug_assert_eq!(named.len(), entries.len(), "each policy stands in a document once");
    let servers = servers.iter().zip(0_u32..).map(|(server, number)| {
        let governing = entries.iter().zip(0_u32..).filter(|(entry, _)| entry.servers.contains(&number));
        server.with_policies(governing.map(|(_, place)| place).collect())
    });
    let policies = entries.iter().map(|entry| PolicyEntry {
        uid: entry.uid.clone(),
        generation: entry.generation,
        object: RawValue::to_owned(&entry.object),
    });
    Document { servers: servers.collect(), policies: policies.collect() }
}

fn bound(servers: &[Arc<Given>], entries: &[&Arc<Entry>]) -> Vec<Bound> {
    let mut decided = vec![false; servers.len()];
    for number in entries.iter().filter(|entry| entry.decides).flat_map(|entry| &entry.servers) {
        if let Some(decided) = decided.get_mut(*number as usize) {
            *decided = true;
        }
    }
    let is_decided = |number: &u32| decided.get(*number as usize).copied().unwrap_or_default();
    let governs = |entry: &Entry| {
        let yields = |number: &&u32| entry.is_baseline && is_decided(number);
        entry.servers.iter().filter(|number| !yields(number)).copied().collect()
    };
    let mut bound: Vec<_> =
        entries.iter().map(|entry| Bound { entry: Arc::clone(entry), servers: governs(entry) }).collect();
    bound.sort_by(|one, other| one.entry.uid.cmp(&other.entry.uid));
    bound
}
