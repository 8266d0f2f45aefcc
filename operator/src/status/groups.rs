//! Pods with one plan, by what their sidecars run: counted together, however many they are.
//!
//! A pod that moves from one group or class to another makes the status of those policies anew for which that is a difference,
//! and of no other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use reeve_wire::Uid;

use super::names::PodName;
use crate::plan::outline::Bound;
use crate::plan::{Excess, Plan, PlanId};
use crate::reports::Runs;

/// What pods of a group have in common beside their plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// They should have a sidecar and have none.
    Unprotected,
    /// Their sidecars were never heard of.
    Unheard,
    /// Their sidecars said what they run, if anything.
    Heard {
        connected: bool,
        /// The [`Runs`] of this number.
        runs: Option<u64>,
    },
}

/// Where a pod is counted.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) plan: Arc<Plan>,
    pub(crate) class: Class,
    pub(crate) runs: Option<Arc<Runs>>,
    pub(crate) name: PodName,
    /// Whom its calls are charged to.
    pub(crate) service_account: Arc<str>,
    /// The servers that it does not reach through its sidecar.
    pub(crate) unrouted: Vec<Uid>,
}

/// How far a policy binds a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It should have a sidecar and has none.
    Unprotected,
    /// Its sidecar acknowledged this generation.
    Programmed,
    /// Its sidecar has this generation and cannot enforce it.
    Refused(String),
    /// Its sidecar would have to be sent more than can be sent, and so runs something older, though perhaps this generation.
    TooLarge {
        /// By how much.
        excess: Excess,
        /// The generation that it runs.
        runs: Option<i64>,
    },
    /// Its sidecar runs another generation, none, or this one beside others that it yields to.
    Behind {
        /// The generation that it runs.
        runs: Option<i64>,
        /// Whether it is connected; unset if it never was.
        connected: Option<bool>,
    },
}

/// Pods with one plan.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) plan: Arc<Plan>,
    pub(crate) classes: BTreeMap<Class, BTreeSet<PodName>>,
    /// How many have a sidecar, by whom their calls are charged to.
    pub(crate) grants: BTreeMap<(Arc<str>, Arc<str>), usize>,
    /// How many do not reach these servers through their sidecar.
    pub(crate) unrouted: BTreeMap<Vec<Uid>, usize>,
    pods: usize,
}

/// A configuration that some sidecar runs, and in which groups.
#[derive(Debug)]
struct InUse {
    runs: Arc<Runs>,
    groups: BTreeMap<PlanId, usize>,
}

/// Pods whose sidecars run a policy that does not concern them any more.
#[derive(Debug)]
pub(crate) struct Lingering<'a> {
    /// The generation of the policy that they run.
    pub(crate) runs: i64,
    pub(crate) connected: bool,
    /// Why they cannot be given what is without it, if that is too large.
    pub(crate) excess: Option<Excess>,
    pub(crate) pods: &'a BTreeSet<PodName>,
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    held: HashMap<PlanId, Group>,
    places: HashMap<Uid, Place>,
    /// The groups that a policy governs, by its UID.
    governed: HashMap<Uid, BTreeSet<PlanId>>,
    runs: HashMap<u64, InUse>,
    /// The configurations in use that have a policy, by its UID.
    running: HashMap<Uid, BTreeSet<u64>>,
    /// Policies of which something changed.
    changed: BTreeSet<Uid>,
    compared: HashSet<[Option<(PlanId, Class)>; 2]>,
}

impl Groups {
    /// Counts a pod there, or nowhere any more.
    pub(crate) fn set(&mut self, pod: &Uid, place: Option<Place>) {
        let old = self.places.remove(pod);
        self.compare(old.as_ref(), place.as_ref());
        if let Some(old) = &old {
            self.leave(old);
        }
        if let Some(place) = place {
            self.enter(&place);
            self.places.insert(pod.clone(), place);
        }
    }

    /// The policies of which something changed since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<Uid> {
        self.compared.clear();
        std::mem::take(&mut self.changed)
    }

    /// The groups that a policy governs.
    pub(crate) fn governed(&self, policy: &Uid) -> impl Iterator<Item = &Group> {
        self.governed.get(policy).into_iter().flatten().filter_map(|plan| self.held.get(plan))
    }

    /// The pods that a policy governs and whose sidecars were never heard of.
    pub(crate) fn unheard(&self, policy: &Uid) -> impl Iterator<Item = &Uid> {
        let unheard = self.governed(policy).filter_map(|group| group.classes.get(&Class::Unheard));
        unheard.flatten().map(|pod| &pod.uid)
    }

    /// The pods whose sidecars run an older generation of a policy that does not concern them any more.
    pub(crate) fn lingering(&self, policy: &Uid, generation: i64) -> Vec<Lingering<'_>> {
        let mut found = Vec::new();
        for id in self.running.get(policy).into_iter().flatten() {
            let Some(used) = self.runs.get(id) else { continue };
            let Some(older) = used.runs.generations.get(policy).filter(|runs| **runs < generation) else { continue };
            let groups = used.groups.keys().filter_map(|plan| self.held.get(plan));
            for group in groups.filter(|group| group.plan.policy(policy).is_none()) {
                for connected in [true, false] {
                    let pods = group.classes.get(&Class::Heard { connected, runs: Some(*id) });
                    let excess = group.plan.excess();
                    found.extend(pods.map(|pods| Lingering { runs: *older, connected, excess, pods }));
                }
            }
        }
        found
    }

    /// What the pods of a class run.
    pub(crate) fn runs(&self, class: Class) -> Option<&Arc<Runs>> {
        let Class::Heard { runs: Some(id), .. } = class else { return None };
        self.runs.get(&id).map(|used| &used.runs)
    }

    fn enter(&mut self, place: &Place) {
        let plan = &place.plan;
        let group = self.held.entry(plan.id).or_insert_with(|| {
            for bound in plan.governing() {
                self.governed.entry(bound.entry.uid.clone()).or_default().insert(plan.id);
            }
            Group {
                plan: Arc::clone(plan),
                classes: BTreeMap::new(),
                grants: BTreeMap::new(),
                unrouted: BTreeMap::new(),
                pods: 0,
            }
        });
        group.pods += 1;
        group.classes.entry(place.class).or_default().insert(place.name.clone());
        if place.class != Class::Unprotected {
            *group.grants.entry(place.grant()).or_default() += 1;
        }
        if !place.unrouted.is_empty() {
            *group.unrouted.entry(place.unrouted.clone()).or_default() += 1;
        }
        let Some(runs) = &place.runs else { return };
        let used = self.runs.entry(runs.id).or_insert_with(|| {
            for policy in runs.generations.keys() {
                self.running.entry(policy.clone()).or_default().insert(runs.id);
            }
            InUse { runs: Arc::clone(runs), groups: BTreeMap::new() }
        });
        *used.groups.entry(plan.id).or_default() += 1;
    }

    fn leave(&mut self, place: &Place) {
        if let Some(group) = self.held.get_mut(&place.plan.id) {
            group.pods -= 1;
            if let Some(pods) = group.classes.get_mut(&place.class) {
                pods.remove(&place.name);
                if pods.is_empty() {
                    group.classes.remove(&place.class);
                }
            }
            if place.class != Class::Unprotected {
                uncount(&mut group.grants, &place.grant());
            }
            uncount(&mut group.unrouted, &place.unrouted);
            if group.pods == 0 {
                self.held.remove(&place.plan.id);
                for bound in place.plan.governing() {
                    leave_set(&mut self.governed, &bound.entry.uid, place.plan.id);
                }
            }
        }
        let Some(runs) = &place.runs else { return };
        let Some(used) = self.runs.get_mut(&runs.id) else { return };
        uncount(&mut used.groups, &place.plan.id);
        if used.groups.is_empty() {
            self.runs.remove(&runs.id);
            for policy in runs.generations.keys() {
                leave_set(&mut self.running, policy, runs.id);
            }
        }
    }

    /// Notes the policies for which it makes a difference where a pod is counted.
    fn compare(&mut self, old: Option<&Place>, new: Option<&Place>) {
        let is_counted_alike = match (old, new) {
            (Some(old), Some(new)) => old.unrouted == new.unrouted && old.grant() == new.grant(),
            _ => true,
        };
        // Of a thousand pods that move alike, one is compared.
        let places = [old, new].map(|place| place.map(|place| (place.plan.id, place.class)));
        if is_counted_alike && !self.compared.insert(places) {
            return;
        }
        for (one, other) in [(old, new), (new, old)] {
            let Some(one) = one else { continue };
            let concerned = one.plan.governing().filter(|bound| {
                let same = other.is_some_and(|other| one.is_alike(other, bound));
                !same || !is_counted_alike
            });
            self.changed.extend(concerned.map(|bound| bound.entry.uid.clone()));
            let lingers = |policy: &&Uid| one.plan.policy(policy).is_none();
            let running = one.runs.iter().flat_map(|runs| runs.generations.keys());
            self.changed.extend(running.filter(lingers).cloned());
        }
    }
}

impl Place {
    fn grant(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.name.namespace), Arc::clone(&self.service_account))
    }

    /// Whether a policy that governs here governs there alike, and the pod stands to it alike.
    fn is_alike(&self, other: &Self, bound: &Bound) -> bool {
        let Some(there) = other.plan.policy(&bound.entry.uid) else { return false };
        let servers = |plan: &'_ Plan, bound: &'_ Bound| -> Vec<Uid> {
            plan.servers_of(bound).map(|server| server.uid.clone()).collect()
        };
        let alike = self.plan.id == other.plan.id
            || (bound.entry.generation == there.entry.generation
                && servers(&self.plan, bound) == servers(&other.plan, there));
        alike
            && standing(bound, &self.plan, self.class, self.runs.as_deref())
                == standing(there, &other.plan, other.class, other.runs.as_deref())
    }
}

/// How far a policy of a plan binds the pods of a class.
pub(crate) fn standing(bound: &Bound, plan: &Plan, class: Class, runs: Option<&Runs>) -> Standing {
    let connected = match class {
        Class::Unprotected => return Standing::Unprotected,
        Class::Unheard => None,
        Class::Heard { connected, .. } => Some(connected),
    };
    let uid = &bound.entry.uid;
    let generation = runs.and_then(|runs| runs.generations.get(uid)).copied();
    let present = runs.filter(|_| generation == Some(bound.entry.generation));
    if let Some(problem) = present.and_then(|runs| runs.problem(uid)) {
        return Standing::Refused(problem.to_owned());
    }
    // Of one that was never heard of it is not known what it runs; of any other that it is not this, which nobody is sent.
    if let (Some(excess), Some(_)) = (plan.excess(), connected) {
        return Standing::TooLarge { excess, runs: generation };
    }
    // What a Baseline yields to follows from the other policies, so that it is in force only beside the present ones. Any other
    // binds what the sidecar runs wherever that has it: a server that came since is not offered, and the URL that one has since
    // is not called.
    let is_in_force = present.is_some_and(|runs| !bound.entry.is_baseline || plan.has_generations(&runs.generations));
    if is_in_force { Standing::Programmed } else { Standing::Behind { runs: generation, connected } }
}

fn uncount<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn leave_set(sets: &mut HashMap<Uid, BTreeSet<u64>>, key: &Uid, value: u64) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(&value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
