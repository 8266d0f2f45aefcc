//! The operator's core: takes what was seen and heard, and says what follows.
//!
//! ```text
//!  watches ── Change ──► take ─┬─► world, and whom the change touches ─┐
//!  sidecars ── PodReport ─────►└─► reports                             ├─► settle ─► assignments, statuses, events
//!  lease ── Leading ──────────►────────────────────────────────────────┘
//! ```
//!
//! No input waits, nothing is read or written here: whoever has inputs and a clock can run it. `take` is cheap and only notes
//! what a change touches; `settle` computes what is touched, once, however many changes came between.

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use reeve_crds::v1alpha1::{PolicyStatus, ServerStatus};
use reeve_wire::Uid;
use reeve_wire::message::PodReport;

use crate::assignment::Assignment;
use crate::events::Event;
use crate::world::{Change, Key, Ledger, NamespaceView, PodView, PolicyView, ServerView, SharedWorld};

/// What the operator's core is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Of McpPolicies.
    Policies(Change<PolicyView>),
    /// Of ClusterMcpPolicies.
    ClusterPolicies(Change<PolicyView>),
    /// Of McpServers.
    Servers(Change<ServerView>),
    /// Of namespaces.
    Namespaces(Change<NamespaceView>),
    /// Of pods.
    Pods(Change<PodView>),
    /// What a replica heard of a sidecar.
    Report {
        /// The replica, by the name of its pod.
        replica: Arc<str>,
        /// What it heard.
        report: PodReport,
    },
    /// Nothing is heard any more from a replica.
    ReplicaGone(Arc<str>),
    /// Whether this replica writes statuses and Events.
    Leading(bool),
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// What sidecars are to be given, by pod; none: the pod is gone, or nothing is known to give it.
    pub assignments: Vec<(Uid, Option<Arc<Assignment>>)>,
    /// The statuses of policies to be written. None unless this replica leads.
    pub policies: Vec<PolicyStatusWrite>,
    /// The statuses of servers to be written. None unless this replica leads.
    pub servers: Vec<ServerStatusWrite>,
    /// The Events to be told. None unless this replica leads.
    pub events: Vec<Event>,
    /// When to settle again, though nothing be heard until then.
    pub next: Option<Timestamp>,
}

/// The status of a policy, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatusWrite {
    /// The policy's namespace; none of a ClusterMcpPolicy.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// The object, so that another of its name is not written to.
    pub uid: Uid,
    /// The whole status.
    pub status: PolicyStatus,
}

/// The status of a server, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatusWrite {
    /// The server's namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The object, so that another of its name is not written to.
    pub uid: Uid,
    /// The whole status.
    pub status: ServerStatus,
}

/// The operator's core.
#[derive(Debug)]
pub struct Control {
    world: SharedWorld,
    ledgers: Ledgers,
}

/// What is known of each watch beside its objects.
#[derive(Debug)]
struct Ledgers {
    policies: Ledger<Arc<str>>,
    cluster_policies: Ledger<Arc<str>>,
    servers: Ledger<Key>,
    namespaces: Ledger<Arc<str>>,
    pods: Ledger<Uid>,
}

impl Control {
    /// One that has seen nothing. `replica` is the name of this replica's pod, and `epoch` what an administrator raises after
    /// the cluster's state was restored from a backup.
    pub fn new(world: SharedWorld, _replica: Arc<str>, _epoch: u64) -> Self {
        let ledgers = Ledgers {
            policies: Ledger::new(),
            cluster_policies: Ledger::new(),
            servers: Ledger::new(),
            namespaces: Ledger::new(),
            pods: Ledger::new(),
        };
        Self { world, ledgers }
    }

    /// Takes one input.
    pub fn take(&mut self, input: Input, _now: Timestamp) {
        let Self { world, ledgers } = self;
        let mut world = world.write().unwrap_or_else(PoisonError::into_inner);
        match input {
            Input::Policies(change) => drop(ledgers.policies.apply(&mut world.policies, change)),
            Input::ClusterPolicies(change) => {
                drop(ledgers.cluster_policies.apply(&mut world.cluster_policies, change));
            }
            Input::Servers(change) => drop(ledgers.servers.apply(&mut world.servers, change)),
            Input::Namespaces(change) => drop(ledgers.namespaces.apply(&mut world.namespaces, change)),
            Input::Pods(change) => drop(ledgers.pods.apply(&mut world.pods, change)),
            Input::Report { .. } | Input::ReplicaGone(_) | Input::Leading(_) => {}
        }
    }

    /// What follows from everything taken so far that did not follow before. Nothing before every watch has told all it has.
    pub fn settle(&mut self, _now: Timestamp) -> Output {
        Output::default()
    }

    /// Whether every watch has told all it has, once.
    pub fn is_synced(&self) -> bool {
        let Ledgers { policies, cluster_policies, servers, namespaces, pods } = &self.ledgers;
        policies.is_synced()
            && cluster_policies.is_synced()
            && servers.is_synced()
            && namespaces.is_synced()
            && pods.is_synced()
    }

    /// What was seen of the cluster.
    pub fn world(&self) -> &SharedWorld {
        &self.world
    }
}
