//! What a configuration was made from, and which of two is older.
//!
//! Sidecars move between replicas of the operator, and a replica may lag behind another. A sidecar that took whatever it is
//! given could so be led back to a policy that was replaced since. Hence each configuration says how much of the world its maker
//! had seen, and a sidecar refuses one that is older in any part than the one it runs. The replica then reads that part anew and
//! offers again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Hash, Uid};

/// A part of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// McpPolicies.
    Policies,
    /// ClusterMcpPolicies.
    ClusterPolicies,
    /// McpServers.
    Servers,
    /// The pod's namespace.
    Namespace,
    /// The pod itself.
    Pod,
    /// A part that only a later version knows.
    #[serde(other)]
    Other,
}

/// How much of the world the maker of a configuration had seen: resource versions of the API server, which only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct World {
    /// Raised by an administrator after the cluster's state was restored from a backup, which sets every version back. It alone
    /// decides where it differs.
    pub epoch: u64,
    /// Of the watch of McpPolicies.
    pub policies: u64,
    /// Of the watch of ClusterMcpPolicies.
    pub cluster_policies: u64,
    /// Of the watch of McpServers.
    pub servers: u64,
    /// Of the pod's namespace, the object itself.
    pub namespace: u64,
    /// Of the pod, the object itself.
    pub pod: u64,
}

impl World {
    fn parts(&self) -> [(Kind, u64); 5] {
        [
            (Kind::Policies, self.policies),
            (Kind::ClusterPolicies, self.cluster_policies),
            (Kind::Servers, self.servers),
            (Kind::Namespace, self.namespace),
            (Kind::Pod, self.pod),
        ]
    }

    /// What has been seen by one or the other: of a configuration that both made alike. The later epoch decides alone.
    pub fn together(&self, other: &Self) -> Self {
        match self.epoch.cmp(&other.epoch) {
            std::cmp::Ordering::Less => *other,
            std::cmp::Ordering::Greater => *self,
            std::cmp::Ordering::Equal => Self {
                epoch: self.epoch,
                policies: self.policies.max(other.policies),
                cluster_policies: self.cluster_policies.max(other.cluster_policies),
                servers: self.servers.max(other.servers),
                namespace: self.namespace.max(other.namespace),
                pod: self.pod.max(other.pod),
            },
        }
    }
}

/// Where a configuration comes from: enough to tell whether another is the same, newer or older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Of the document's bytes.
    pub hash: Hash,
    /// What its maker had seen.
    pub world: World,
    /// The generation of each policy in it, by UID.
    #[serde(default)]
    pub generations: BTreeMap<Uid, i64>,
}

/// How a configuration that is offered stands to the one that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The content is the same: nothing to do but to note that its maker had seen more.
    Same,
    /// To be taken.
    Newer,
    /// To be refused; the parts that its maker has to read anew.
    Older(BTreeSet<Kind>),
}

/// Judges what is offered against what runs. Nothing running is older than anything.
pub fn judge(running: Option<&Origin>, offered: &Origin) -> Judgement {
    let Some(running) = running else { return Judgement::Newer };
    if running.hash == offered.hash {
        return Judgement::Same;
    }
    let parts = || running.world.parts().into_iter().zip(offered.world.parts());
    match offered.world.epoch.cmp(&running.world.epoch) {
        std::cmp::Ordering::Greater => return Judgement::Newer,
        std::cmp::Ordering::Less => return Judgement::Older(parts().map(|((kind, _), _)| kind).collect()),
        std::cmp::Ordering::Equal => {}
    }
    let mut older: BTreeSet<_> =
        parts().filter(|((_, runs), (_, offers))| offers < runs).map(|((kind, _), _)| kind).collect();
    let is_older = |(uid, runs): (&Uid, &i64)| offered.generations.get(uid).is_some_and(|offers| offers < runs);
    if running.generations.iter().any(is_older) {
        older.extend([Kind::Policies, Kind::ClusterPolicies]);
    }
    if older.is_empty() { Judgement::Newer } else { Judgement::Older(older) }
}
