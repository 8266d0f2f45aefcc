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

mod configurations;
mod moment;
mod tell;
#[cfg(test)]
mod tests;
mod touched;

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reeve_crds::v1alpha1::{PolicyStatus, ServerStatus};
use reeve_wire::Uid;
use reeve_wire::message::PodReport;

use self::configurations::{Configurations, Seen};
pub use self::moment::{Clock, Moment};
use self::tell::Telling;
use self::touched::Touched;
use crate::assignment::Assignment;
use crate::events::Event;
use crate::reports::Reports;
use crate::world::{Change, Key, Ledger, NamespaceView, PodView, PolicyView, ServerView, SharedWorld, World};

/// How often what is said of unknown pods is gone through.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

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
    /// When to settle again, though nothing be heard until then: by the steady clock.
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
    /// This replica's name: what it heard itself is never lost.
    replica: Arc<str>,
    epoch: u64,
    ledgers: Ledgers,
    reports: Reports,
    configurations: Configurations,
    touched: Touched,
    telling: Telling,
    /// Whether anything was settled yet: until then everything is touched.
    has_begun: bool,
    /// The pods that were made since they were last asked for.
    made: Vec<PodView>,
    /// When what is said of unknown pods was last gone through.
    swept: Timestamp,
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
    pub fn new(world: SharedWorld, replica: Arc<str>, epoch: u64) -> Self {
        let ledgers = Ledgers {
            policies: Ledger::new(),
            cluster_policies: Ledger::new(),
            servers: Ledger::new(),
            namespaces: Ledger::new(),
            pods: Ledger::new(),
        };
        Self {
            world,
            replica,
            epoch,
            ledgers,
            reports: Reports::default(),
            configurations: Configurations::default(),
            touched: Touched::default(),
            telling: Telling::default(),
            has_begun: false,
            made: Vec::new(),
            swept: Timestamp::UNIX_EPOCH,
        }
    }

    /// Takes one input.
    pub fn take(&mut self, input: Input, now: Moment) {
        let now = now.steady;
        match input {
            Input::Report { replica, report } => {
                self.touched.reported.insert(report.pod.clone());
                self.reports.take(&replica, report, now);
            }
            Input::ReplicaGone(replica) if replica == self.replica => {}
            Input::ReplicaGone(replica) => self.touched.reported.extend(self.reports.lose(&replica, now)),
            Input::Leading(leads) => {
                let begins = self.telling.lead(leads, now);
                if begins {
                    self.touched.all_statuses = true;
                }
            }
            watched => self.watch(watched, now),
        }
    }

    /// What follows from everything taken so far that did not follow before. Nothing before every watch has told all it has.
    pub fn settle(&mut self, now: Moment) -> Output {
        if !self.is_synced() {
            return Output::default();
        }
        let world = Arc::clone(&self.world);
        let world = world.read().unwrap_or_else(PoisonError::into_inner);
        if !self.has_begun {
            self.has_begun = true;
            self.touched.everything(&world);
        }
        self.sweep(&world, now.steady);
        let mut touched = std::mem::take(&mut self.touched);
        touched.spread(&world);
        for gone in touched.pods.iter().filter(|pod| !world.pods.contains_key(*pod)) {
            self.reports.forget(gone);
        }
        let seen = Seen { world: &world, reports: &self.reports, versions: self.ledgers.versions(self.epoch), now };
        let assignments = self.configurations.settle(&seen, &touched);
        let mut output = Output { assignments, ..Output::default() };
        let changed = tell::Changed::take(&mut self.configurations, &touched);
        let known = tell::Known { world: &world, reports: &self.reports, configurations: &self.configurations, now };
        self.telling.settle(&known, changed, &mut output);
        output
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

    /// The pods that were made since this was last asked: none of those that were there before everything was.
    pub fn take_made(&mut self) -> Vec<PodView> {
        std::mem::take(&mut self.made)
    }

    /// What was seen of the cluster.
    pub fn world(&self) -> &SharedWorld {
        &self.world
    }

    /// How many profiles were planned since it began: what a change costs.
    pub fn planned(&self) -> u64 {
        self.configurations.planned()
    }

    /// The world is locked only while a change is put into it: an injection that asks meanwhile waits for nothing longer.
    fn watch(&mut self, input: Input, now: Timestamp) {
        let Self { world, ledgers, touched, configurations, telling, has_begun, made, .. } = self;
        let changed = || world.write().unwrap_or_else(PoisonError::into_inner);
        let seen = || world.read().unwrap_or_else(PoisonError::into_inner);
        // A list that is read anew may be of something newer than what assignments were made from, though nothing differs.
        match input {
            Input::Policies(change) => {
                touched.restamp |= *has_begun && change.is_list();
                let differences = ledgers.policies.apply(&mut changed().policies, change);
                telling.seen_policies(&differences, now);
                configurations.policies(differences, &seen(), touched);
            }
            Input::ClusterPolicies(change) => {
                touched.restamp |= *has_begun && change.is_list();
                let differences = ledgers.cluster_policies.apply(&mut changed().cluster_policies, change);
                telling.seen_policies(&differences, now);
                configurations.policies(differences, &seen(), touched);
            }
            Input::Servers(change) => {
                touched.restamp |= *has_begun && change.is_list();
                let differences = ledgers.servers.apply(&mut changed().servers, change);
                telling.seen_servers(&differences, now);
                configurations.servers(differences, touched);
            }
            Input::Namespaces(change) => {
                touched.restamp |= *has_begun && change.is_list();
                let differences = ledgers.namespaces.apply(&mut changed().namespaces, change);
                configurations.namespaces(differences, touched);
            }
            Input::Pods(change) => {
                touched.restamp |= *has_begun && change.is_list();
                let differences = ledgers.pods.apply(&mut changed().pods, change);
                if *has_begun {
                    let new = differences.iter().filter(|difference| difference.old.is_none());
                    made.extend(new.filter_map(|difference| difference.new.clone()));
                }
                configurations.pods(differences, touched);
            }
            Input::Report { .. } | Input::ReplicaGone(_) | Input::Leading(_) => {}
        }
    }

    fn sweep(&mut self, world: &World, now: Timestamp) {
        if now.duration_since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.reports.forget_unknown(|pod| world.pods.contains_key(pod), now);
        }
    }
}

impl Ledgers {
    /// How much of the world was seen; what is of one pod alone is left out.
    fn versions(&self, epoch: u64) -> reeve_wire::World {
        reeve_wire::World {
            epoch,
            policies: self.policies.version(),
            cluster_policies: self.cluster_policies.version(),
            servers: self.servers.version(),
            namespace: 0,
            pod: 0,
        }
    }
}
