//! What policies' statuses say, as everybody who watches them reads it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::objects;
use crate::operator::PATIENCE;

/// What the status of one policy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The generation of the policy.
    generation: i64,
    /// The generation of which Programmed is True, if it is.
    programmed: Option<i64>,
    /// How many pods have acknowledged it.
    pods: i64,
}

impl Said {
    /// Reads a policy.
    fn of(policy: &Value) -> Self {
        let status = &policy["status"];
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_true = |condition: &&Value| condition["type"] == "Programmed" && condition["status"] == "True";
        Self {
            generation: policy["metadata"]["generation"].as_i64().unwrap_or_default(),
            programmed: conditions.iter().find(is_true).and_then(|condition| condition["observedGeneration"].as_i64()),
            pods: status["programmedPods"].as_i64().unwrap_or_default(),
        }
    }

    /// Whether it is in force, at least in this generation, in so many pods.
    fn is_in_force(&self, generation: i64, pods: usize) -> bool {
        self.programmed.is_some_and(|programmed| programmed == self.generation && programmed >= generation)
            && usize::try_from(self.pods).is_ok_and(|counted| counted == pods)
    }
}

/// All policies that were seen, by namespace and name, and when any has changed last.
#[derive(Clone, Debug)]
pub struct Seen {
    policies: BTreeMap<String, Said>,
    /// When a status has changed last.
    pub changed: Instant,
}

/// Watches policies until dropped.
#[derive(Debug)]
pub struct Statuses {
    seen: watch::Receiver<Seen>,
    watching: AbortHandle,
}

impl Statuses {
    /// Watches the McpPolicies of a namespace, or of all.
    pub async fn watch(cluster: &Cluster, namespace: Option<&str>) -> Self {
        let path = namespace.map_or_else(|| "/apis/reeve.dev/v1alpha1/mcppolicies".into(), objects::policies);
        let cluster = cluster.clone();
        let mut events = Box::pin(cluster.watch(&path).await);
        let (sender, seen) = watch::channel(Seen { policies: BTreeMap::new(), changed: Instant::now() });
        let watching = tokio::spawn(async move {
            loop {
                let Some(policy) = events.next().await else {
                    // The API server ends the watch of whoever does not keep up; a new one begins with everything there is.
                    events = Box::pin(cluster.watch(&path).await);
                    continue;
                };
                let (key, said) = (key(&policy), Said::of(&policy));
                sender.send_if_modified(|seen| {
                    if seen.policies.get(&key) == Some(&said) {
                        return false;
                    }
                    seen.policies.insert(key, said);
                    seen.changed = Instant::now();
                    true
                });
            }
        });
        Self { seen, watching: watching.abort_handle() }
    }

    /// Waits until a policy is in force, at least in this generation, in so many pods.
    ///
    /// # Panics
    /// If it is not in time.
    pub async fn in_force(&self, namespace: &str, name: &str, generation: i64, pods: usize) {
        let key = format!("{namespace}/{name}");
        let is_true = |seen: &Seen| seen.policies.get(&key).is_some_and(|said| said.is_in_force(generation, pods));
        self.wait(is_true, || format!("{key} is not in force in {pods} pods")).await;
    }

    /// Waits until so many policies, and all that there are, are in force in a number of pods each.
    ///
    /// # Panics
    /// If they are not in time.
    pub async fn all_in_force(&self, policies: usize, pods: usize) {
        let are_true = |seen: &Seen| {
            seen.policies.len() == policies && seen.policies.values().all(|said| said.is_in_force(0, pods))
        };
        self.wait(are_true, || format!("not all of {policies} policies are in force in {pods} pods")).await;
    }

    /// Waits until no status has changed for so long; says when the last did.
    pub async fn quiet(&self, long: Duration) -> Instant {
        let mut seen = self.seen.clone();
        while timeout(long, seen.changed()).await.is_ok_and(|changed| changed.is_ok()) {}
        seen.borrow().changed
    }

    async fn wait(&self, is_true: impl FnMut(&Seen) -> bool, otherwise: impl Fn() -> String) {
        let mut seen = self.seen.clone();
        let outcome = timeout(PATIENCE, seen.wait_for(is_true)).await;
        let seen = self.seen.borrow();
        assert!(outcome.is_ok_and(|seen| seen.is_ok()), "{}: {:?} ...", otherwise(), seen.policies.iter().next());
    }
}

impl Drop for Statuses {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn key(policy: &Value) -> String {
    let text = |field: &str| policy["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_in_force_if_its_newest_generation_is_programmed_in_all_pods() {
        let policy = |generation: i64, observed: i64, status: &str, pods: i64| {
            let programmed = json!({"type": "Programmed", "status": status, "observedGeneration": observed});
            let status =
                json!({"conditions": [{"type": "Accepted", "status": "True"}, programmed], "programmedPods": pods});
            Said::of(&json!({"metadata": {"generation": generation}, "status": status}))
        };
        assert!(policy(3, 3, "True", 100).is_in_force(3, 100));
        for (other, why) in [
            (policy(4, 3, "True", 100), "another generation"),
            (policy(3, 3, "False", 100), "not programmed"),
            (policy(3, 3, "True", 99), "in fewer pods"),
            (policy(2, 2, "True", 100), "an older generation"),
        ] {
            assert!(!other.is_in_force(3, 100), "{why}");
        }
    }
}
