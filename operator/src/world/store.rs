//! Everything that was seen, by kind and key.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use reeve_wire::Uid;

use super::ledger::Versioned;
use super::{NamespaceView, PodView, PolicyView, ServerView};

/// The world as the webhooks read it while `control`, alone, changes it.
pub type SharedWorld = Arc<RwLock<World>>;

/// The namespace and the name of an object.
pub type Key = (Arc<str>, Arc<str>);

/// What was seen of the cluster.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) namespaces: BTreeMap<Arc<str>, NamespaceView>,
    pub(crate) servers: BTreeMap<Key, ServerView>,
    /// McpPolicies, by `namespace/name`.
    pub(crate) policies: BTreeMap<Arc<str>, PolicyView>,
    /// ClusterMcpPolicies, by name.
    pub(crate) cluster_policies: BTreeMap<Arc<str>, PolicyView>,
    pub(crate) pods: BTreeMap<Uid, PodView>,
}

impl World {
    /// The namespace of this name.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceView> {
        self.namespaces.get(name)
    }

    /// The servers of a namespace, by name.
    pub fn servers_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ServerView> {
        let from: Key = (namespace.into(), "".into());
        self.servers.range(from..).take_while(move |((of, _), _)| **of == *namespace).map(|(_, server)| server)
    }

    /// The policy of this name, in a namespace or cluster-wide.
    pub fn policy(&self, namespace: Option<&str>, name: &str) -> Option<&PolicyView> {
        match namespace {
            Some(namespace) => self.policies.get(format!("{namespace}/{name}").as_str()),
            None => self.cluster_policies.get(name),
        }
    }

    /// The McpPolicies of a namespace, by name.
    pub fn policies_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a PolicyView> {
        let from: Arc<str> = format!("{namespace}/").into();
        let within = move |policy: &&PolicyView| policy.namespace.as_deref() == Some(namespace);
        self.policies.range(from..).map(|(_, policy)| policy).take_while(within)
    }

    /// The ClusterMcpPolicies, by name.
    pub fn cluster_policies(&self) -> impl Iterator<Item = &PolicyView> {
        self.cluster_policies.values()
    }

    /// Every pod that has not finished.
    pub fn pods(&self) -> impl Iterator<Item = &PodView> {
        self.pods.values()
    }
}

/// Says what names a view, and its version.
macro_rules! versioned {
    ($($view:ident: $key:ty, |$self:ident| $value:expr;)+) => {
        $(impl Versioned for $view {
            type Key = $key;

            fn key(&self) -> $key {
                let $self = self;
                $value
            }

            fn version(&self) -> u64 {
                self.version
            }
        })+
    };
}

versioned! {
    NamespaceView: Arc<str>, |view| view.name.clone();
    ServerView: Key, |view| (view.namespace.clone(), view.name.clone());
    PolicyView: Arc<str>, |view| view.key.clone();
    PodView: Uid, |view| view.uid.clone();
}
