//! What of the cluster a policy is compared with, as it was at one moment.
//!
//! It is a copy: comparing takes as long as whoever wrote the policy likes, and pods are not admitted meanwhile by a world that waits
//! for it. Pods that are alike are copied once.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crds::v1alpha1::{ClusterMcpPolicySpec, Mode, Object, Policy, Tier};
use reeve_policy::compile::{Source, govern};
use reeve_wire::pod::{INJECT_LABEL, is_expected};

use crate::world::{NamespaceView, PodView, World};

/// The copy.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The Boundaries that are enforced; none around a policy that is compared with none.
    boundaries: Vec<Arc<Policy>>,
    /// The servers of the namespace.
    pub(super) servers: Vec<Arc<str>>,
    namespaces: BTreeMap<Arc<str>, NamespaceView>,
    /// How many pods there are of each that are alike.
    pods: BTreeMap<Alike, usize>,
}

/// What pods have in common that no policy tells apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alike {
    namespace: Arc<str>,
    service_account: Arc<str>,
    has_sidecar: bool,
    labels: BTreeMap<String, String>,
}

impl Around {
    /// What a policy of a namespace is compared with.
    pub(super) fn namespace(world: &World, name: &str) -> Self {
        let sources = world.cluster_policies().map(|view| &view.source);
        let readable = sources.filter_map(|source| match source {
            Source::Readable(policy) => Some(policy),
            Source::Unreadable { .. } => None,
        });
        Self {
            boundaries: readable.filter(|policy| as_boundary(policy).is_some()).cloned().collect(),
            servers: world.servers_of(name).map(|server| Arc::clone(&server.name)).collect(),
            namespaces: world.namespace(name).into_iter().map(|view| (Arc::clone(&view.name), view.clone())).collect(),
            pods: alike(world.pods().filter(|pod| *pod.namespace == *name)),
        }
    }

    /// What a cluster-wide policy is compared with.
    pub(super) fn cluster(world: &World) -> Self {
        Self { namespaces: world.namespaces.clone(), pods: alike(world.pods()), ..Self::default() }
    }

    /// The Boundaries that are enforced.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = &Object<ClusterMcpPolicySpec>> {
        self.boundaries.iter().filter_map(|policy| as_boundary(policy))
    }

    /// The labels of a namespace, if there is one of this name.
    pub(super) fn labels_of(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(namespace).map(|view| &view.labels)
    }

    /// The pods that a policy selects, by the very rules that decide what sidecars are given, and how many there are of each.
    pub(super) fn selected<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = (&'a Alike, usize)> {
        static UNLABELLED: BTreeMap<String, String> = BTreeMap::new();
        let is_selected = move |pod: &Alike| {
            let Alike { namespace, service_account, labels, .. } = pod;
            let namespace_labels = self.labels_of(namespace).unwrap_or(&UNLABELLED);
            govern::selects(policy, &govern::Pod { namespace, namespace_labels, service_account, labels })
        };
        self.pods.iter().filter(move |(pod, _)| is_selected(pod)).map(|(pod, count)| (pod, *count))
    }

    /// Whether pods have a sidecar, or would be given one if they were made anew.
    pub(super) fn is_governed(&self, pod: &Alike) -> bool {
        let of_namespace = self.namespaces.get(&pod.namespace).and_then(NamespaceView::inject_label);
        pod.has_sidecar || is_expected(of_namespace, pod.labels.get(INJECT_LABEL).map(String::as_str))
    }
}

fn as_boundary(policy: &Policy) -> Option<&Object<ClusterMcpPolicySpec>> {
    match policy {
        Policy::ClusterMcpPolicy(object) if object.spec.tier == Tier::Boundary && object.spec.mode == Mode::Enforce => {
            Some(object)
        }
        _ => None,
    }
}

/// Counts before it copies: the pods of a workload are alike.
fn alike<'a>(pods: impl Iterator<Item = &'a PodView>) -> BTreeMap<Alike, usize> {
    let mut counted = BTreeMap::<_, usize>::new();
    for pod in pods {
        let key = (&pod.namespace, &pod.service_account, pod.has_sidecar(), &pod.labels);
        *counted.entry(key).or_default() += 1;
    }
    let copied = counted.into_iter().map(|((namespace, service_account, has_sidecar, labels), count)| {
        let (namespace, service_account) = (Arc::clone(namespace), Arc::clone(service_account));
        (Alike { namespace, service_account, has_sidecar, labels: labels.clone() }, count)
    });
    copied.collect()
}
