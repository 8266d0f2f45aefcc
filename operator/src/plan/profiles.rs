//! Pods that differ in nothing that a policy can select by, and which of them a policy may select.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;
use reeve_policy::compile::govern;
use reeve_wire::Uid;

use super::Plan;
use super::budget::Budgets;
use super::outline::Outline;
use crate::world::{PodView, World};

/// Names a profile for as long as it has pods.
pub(crate) type ProfileId = u64;

/// What policies select pods by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Traits {
    pub(crate) namespace: Arc<str>,
    service_account: Arc<str>,
    labels: Arc<BTreeMap<String, String>>,
}

/// Pods that are alike.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) traits: Traits,
    pub(crate) pods: BTreeSet<Uid>,
    /// None before the first, and while the namespace is unknown.
    outline: Option<Arc<Outline>>,
    /// None while there is no outline.
    pub(crate) plan: Option<Arc<Plan>>,
}

/// All profiles, by what policies may select.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    held: HashMap<ProfileId, Profile>,
    by_traits: HashMap<Traits, ProfileId>,
    by_namespace: HashMap<Arc<str>, BTreeSet<ProfileId>>,
    /// By one label and its value, then by namespace.
    by_label: HashMap<(String, String), HashMap<Arc<str>, BTreeSet<ProfileId>>>,
    /// What the outlines of each namespace come to.
    pub(crate) budgets: Budgets,
    made: ProfileId,
}

impl Traits {
    pub(crate) fn of(pod: &PodView) -> Self {
        Self {
            namespace: Arc::clone(&pod.namespace),
            service_account: Arc::clone(&pod.service_account),
            labels: Arc::new(pod.labels.clone()),
        }
    }

    /// Whether a pod has them.
    pub(crate) fn are_of(&self, pod: &PodView) -> bool {
        self.namespace == pod.namespace && self.service_account == pod.service_account && *self.labels == pod.labels
    }

    /// As policies select it, in a namespace with these labels.
    pub(crate) fn pod<'a>(&'a self, namespace_labels: &'a BTreeMap<String, String>) -> govern::Pod<'a> {
        govern::Pod {
            namespace: &self.namespace,
            namespace_labels,
            service_account: &self.service_account,
            labels: &self.labels,
        }
    }
}

impl Profile {
    pub(crate) fn outline(&self) -> Option<&Arc<Outline>> {
        self.outline.as_ref()
    }
}

impl Profiles {
    /// Puts a pod with the others of its traits; says with which, and whether it is the first.
    pub(crate) fn add(&mut self, traits: Traits, pod: Uid) -> (ProfileId, bool) {
        if let Some(id) = self.by_traits.get(&traits)
            && let Some(profile) = self.held.get_mut(id)
        {
            profile.pods.insert(pod);
            return (*id, false);
        }
        self.made += 1;
        let id = self.made;
        self.by_namespace.entry(Arc::clone(&traits.namespace)).or_default().insert(id);
        for (label, value) in &*traits.labels {
            let by_namespace = self.by_label.entry((label.clone(), value.clone())).or_default();
            by_namespace.entry(Arc::clone(&traits.namespace)).or_default().insert(id);
        }
        self.by_traits.insert(traits.clone(), id);
        self.held.insert(id, Profile { traits, pods: [pod].into(), outline: None, plan: None });
        (id, true)
    }

    /// Takes a pod out; a profile without pods is forgotten.
    pub(crate) fn remove(&mut self, id: ProfileId, pod: &Uid) {
        let Some(profile) = self.held.get_mut(&id) else { return };
        profile.pods.remove(pod);
        if !profile.pods.is_empty() {
            return;
        }
        self.set_outline(id, None);
        let Some(Profile { traits, .. }) = self.held.remove(&id) else { return };
        self.by_traits.remove(&traits);
        leave(&mut self.by_namespace, &traits.namespace, id);
        for (label, value) in &*traits.labels {
            let pair = (label.clone(), value.clone());
            if let Some(by_namespace) = self.by_label.get_mut(&pair) {
                leave(by_namespace, &traits.namespace, id);
                if by_namespace.is_empty() {
                    self.by_label.remove(&pair);
                }
            }
        }
    }

    pub(crate) fn get(&self, id: ProfileId) -> Option<&Profile> {
        self.held.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ProfileId) -> Option<&mut Profile> {
        self.held.get_mut(&id)
    }

    /// What a profile's pods are to be given is this from now on.
    pub(crate) fn set_outline(&mut self, id: ProfileId, outline: Option<Arc<Outline>>) {
        let Some(profile) = self.held.get_mut(&id) else { return };
        let namespace = &profile.traits.namespace;
        if let Some(outline) = &outline {
            self.budgets.enter(namespace, outline);
        }
        if let Some(old) = std::mem::replace(&mut profile.outline, outline) {
            self.budgets.leave(namespace, &old);
        }
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ProfileId> {
        self.held.keys().copied()
    }

    /// Those of a namespace.
    pub(crate) fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = ProfileId> {
        self.by_namespace.get(namespace).into_iter().flatten().copied()
    }

    /// Those that a policy selects: found by one of the labels that it asks for, if it asks for any.
    pub(crate) fn selected_by(&self, policy: &Policy, world: &World) -> Vec<ProfileId> {
        let candidates: Vec<ProfileId> = match policy {
            Policy::McpPolicy(object) => {
                let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
                match self.rarest(policy, Some(namespace)) {
                    Some(label) => label.get(namespace).into_iter().flatten().copied().collect(),
                    None => self.of_namespace(namespace).collect(),
                }
            }
            Policy::ClusterMcpPolicy(_) => match self.rarest(policy, None) {
                Some(label) => label.values().flatten().copied().collect(),
                None => self.ids().collect(),
            },
        };
        let is_selected = |id: &ProfileId| {
            self.get(*id).is_some_and(|profile| {
                let namespace = world.namespace(&profile.traits.namespace);
                namespace.is_some_and(|namespace| govern::selects(policy, &profile.traits.pod(&namespace.labels)))
            })
        };
        candidates.into_iter().filter(is_selected).collect()
    }

    /// The profiles with that label, of those a policy asks for, which the fewest have; none if it may select any.
    fn rarest(&self, policy: &Policy, namespace: Option<&str>) -> Option<&HashMap<Arc<str>, BTreeSet<ProfileId>>> {
        static NOBODY: std::sync::LazyLock<HashMap<Arc<str>, BTreeSet<ProfileId>>> =
            std::sync::LazyLock::new(HashMap::new);
        let count = |found: &HashMap<Arc<str>, BTreeSet<ProfileId>>| match namespace {
            Some(namespace) => found.get(namespace).map_or(0, BTreeSet::len),
            None => found.values().map(BTreeSet::len).sum(),
        };
        let pairs = govern::wanted_labels(policy).iter();
        let found = pairs.map(|(label, value)| self.by_label.get(&(label.clone(), value.clone())).unwrap_or(&NOBODY));
        found.min_by_key(|found| count(found))
    }
}

fn leave(sets: &mut HashMap<Arc<str>, BTreeSet<ProfileId>>, namespace: &Arc<str>, id: ProfileId) {
    if let Some(set) = sets.get_mut(namespace) {
        set.remove(&id);
        if set.is_empty() {
            sets.remove(namespace);
        }
    }
}
