//! What all pods of a namespace have in common: its servers, and the policies that may govern them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reeve_crds::v1alpha1::{McpServerSpec, Mode, Policy, Tier};
use reeve_policy::compile::govern;
use reeve_wire::Uid;
use reeve_wire::document::{Header, Mounts, Server};
use serde_json::value::RawValue;

use crate::world::{PolicyView, ServerView, World};

/// The header of a credential whose server names none.
const DEFAULT_HEADER: &str = "Authorization";

/// A server that pods of its namespace are given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) name: Arc<str>,
    pub(crate) uid: Uid,
    pub(crate) created: Timestamp,
    server: Server,
}

/// A policy that names at least one server of the namespace.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) uid: Uid,
    pub(crate) generation: i64,
    pub(crate) policy: Arc<Policy>,
    pub(crate) object: Arc<RawValue>,
    /// The servers that it names, by their place.
    pub(crate) servers: Arc<[u32]>,
    /// The labels without which it selects no pod.
    wanted: BTreeMap<String, String>,
    /// Whether Baselines yield to it.
    pub(crate) decides: bool,
    pub(crate) is_baseline: bool,
}

/// The servers of a namespace and the policies that name them.
#[derive(Debug)]
pub(crate) struct Basis {
    namespace: Box<str>,
    servers: Arc<Vec<Arc<Given>>>,
    /// Those of the namespace, by key.
    own: BTreeMap<Arc<str>, Arc<Entry>>,
    /// Those of the cluster, by key.
    cluster: BTreeMap<Arc<str>, Arc<Entry>>,
}

impl Basis {
    /// Of a namespace.
    pub(crate) fn of(world: &World, namespace: &str) -> Self {
        let servers = world.servers_of(namespace).filter_map(Given::of).map(Arc::new).collect();
        let mut basis = Self {
            namespace: namespace.into(),
            servers: Arc::new(servers),
            own: BTreeMap::new(),
            cluster: BTreeMap::new(),
        };
        for policy in world.policies_of(namespace).chain(world.cluster_policies()) {
            basis.set(&policy.key, Some(policy));
        }
        basis
    }

    /// Puts a policy in, or takes the one of this key out.
    pub(crate) fn set(&mut self, key: &Arc<str>, policy: Option<&PolicyView>) {
        // Only the key of a policy of a namespace has a `/`.
        let of_kind = if key.contains('/') { &mut self.own } else { &mut self.cluster };
        of_kind.remove(key);
        if let Some(entry) = policy.and_then(|policy| Entry::of(policy, &self.namespace, &self.servers)) {
            of_kind.insert(Arc::clone(key), Arc::new(entry));
        }
    }

    /// The servers, by name.
    pub(crate) fn servers(&self) -> &Arc<Vec<Arc<Given>>> {
        &self.servers
    }

    /// The policies that name a server, the cluster's first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.cluster.values().chain(self.own.values())
    }
}

impl Entry {
    fn of(view: &PolicyView, namespace: &str, servers: &[Arc<Given>]) -> Option<Self> {
        let policy = view.policy();
        let (decides, is_baseline) = match &**policy {
            Policy::McpPolicy(object) => (object.spec.mode == Mode::Enforce, false),
            Policy::ClusterMcpPolicy(object) => (false, object.spec.tier == Tier::Baseline),
        };
        let is_named = |given: &Given| {
            govern::names(policy, &govern::Named { server: &given.name, url: &given.server.url, namespace })
        };
        let named = servers.iter().zip(0..).filter(|(given, _)| is_named(given));
        let servers: Arc<[u32]> = named.map(|(_, number)| number).collect();
        (!servers.is_empty()).then(|| Self {
            uid: view.uid.clone(),
            generation: view.generation,
            policy: Arc::clone(policy),
            object: Arc::clone(&view.object),
            servers,
            wanted: govern::wanted_labels(policy).clone(),
            decides,
            is_baseline,
        })
    }

    /// Whether it selects a pod. Most do not, and are told by a label; the rest is for [`govern::selects`] to say.
    pub(crate) fn selects(&self, pod: &govern::Pod<'_>) -> bool {
        self.wanted.iter().all(|(label, value)| pod.labels.get(label) == Some(value))
            && govern::selects(&self.policy, pod)
    }
}

impl Given {
    /// None of one that no sidecar can use.
    fn of(view: &ServerView) -> Option<Self> {
        let spec = view.spec.as_ref().ok()?;
        Some(Self {
            name: Arc::clone(&view.name),
            uid: view.uid.clone(),
            created: view.created,
            server: server(view, spec),
        })
    }

    /// Counts the changes of what it says.
    pub(crate) fn generation(&self) -> i64 {
        self.server.generation
    }

    /// As it stands in a document whose policies of these places govern it.
    pub(crate) fn with_policies(&self, policies: Vec<u32>) -> Server {
        Server { policies, ..self.server.clone() }
    }
}

fn server(view: &ServerView, spec: &McpServerSpec) -> Server {
    let tls = spec.tls.as_ref();
    let header = |credentials: &reeve_crds::v1alpha1::ServerCredentials| Header {
        header: credentials.header.clone().unwrap_or_else(|| DEFAULT_HEADER.into()),
        prefix: credentials.prefix.clone().unwrap_or_default(),
    };
    Server {
        name: view.name.to_string(),
        uid: view.uid.clone(),
        generation: view.generation,
        url: spec.url.clone(),
        policies: Vec::new(),
        mounts: Mounts::of(spec),
        ca_bundle: tls.is_some_and(|tls| tls.ca_bundle.is_some()),
        client_certificate: tls.is_some_and(|tls| tls.client_certificate.is_some()),
        credentials: spec.credentials.as_ref().map(header),
        timeouts: spec.timeouts.clone().unwrap_or_default(),
    }
}
