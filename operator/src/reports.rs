//! What sidecars said, by pod and by the replica that they said it to.
//!
//! A sidecar that moves is for a while known to two replicas, and the one that it left may tell of it last. So the one to which it
//! is connected counts; of several, and of none, the one that knows of the newest configuration, as a sidecar never goes back to
//! an older one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use jiff::{SignedDuration, Timestamp};
use reeve_wire::message::{PodReport, PolicyProblem, Running, ServerState};
use reeve_wire::{Hash, Uid, World};

/// How long what is said of a pod that no watch has told of is kept.
const UNKNOWN_KEPT: SignedDuration = SignedDuration::from_mins(5);

/// A configuration that sidecars run, shared by all that run it alike.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Names it.
    pub(crate) id: u64,
    /// The generation of each policy in it.
    pub(crate) generations: BTreeMap<Uid, i64>,
    problems: Vec<PolicyProblem>,
}

impl Runs {
    /// Why it cannot enforce a policy, if it cannot.
    pub(crate) fn problem(&self, policy: &Uid) -> Option<&str> {
        let problem = self.problems.iter().find(|problem| problem.uid == *policy);
        problem.map(|problem| problem.message.as_str())
    }
}

/// What is known of one sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) connected: bool,
    pub(crate) runs: Option<Arc<Runs>>,
    pub(crate) servers: Arc<[ServerState]>,
    /// When it was last heard of; of one that is connected, when it last said something.
    pub(crate) heard: Timestamp,
}

/// What one replica knows of a sidecar.
#[derive(Debug)]
struct Said {
    known: Known,
    world: World,
}

/// What all replicas know.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pods: HashMap<Uid, BTreeMap<Arc<str>, Said>>,
    runs: HashMap<Hash, Vec<Weak<Runs>>>,
    made: u64,
}

impl Reports {
    /// Takes what a replica heard of a sidecar.
    pub(crate) fn take(&mut self, replica: &Arc<str>, report: PodReport, now: Timestamp) {
        let PodReport { pod, connected, running, servers } = report;
        let world = running.as_ref().map(|running| running.origin.world).unwrap_or_default();
        let runs = running.map(|running| self.shared(running));
        let said = self.pods.entry(pod).or_default();
        // A replica that repeats that it has lost a sidecar has not heard of it again.
        let lost = said.get(replica).filter(|said| !connected && !said.known.connected && said.world == world);
        let heard = lost.map_or(now, |said| said.known.heard);
        let known = Known { connected, runs, servers: servers.into(), heard };
        said.insert(Arc::clone(replica), Said { known, world });
    }

    /// Nothing is heard any more from a replica: what it last said stands, but none of its sidecars is connected. Says which pods
    /// that concerns.
    pub(crate) fn lose(&mut self, replica: &str, now: Timestamp) -> Vec<Uid> {
        let mut lost = Vec::new();
        for (pod, said) in &mut self.pods {
            if let Some(said) = said.get_mut(replica).filter(|said| said.known.connected) {
                said.known.connected = false;
                said.known.heard = now;
                lost.push(pod.clone());
            }
        }
        lost
    }

    /// What is known of a sidecar. None if it never said anything.
    pub(crate) fn known(&self, pod: &Uid) -> Option<Known> {
        let said = self.pods.get(pod)?;
        let order = |(replica, said): &(&Arc<str>, &Said)| {
            let World { epoch, policies, cluster_policies, servers, namespace, pod } = said.world;
            let known = &said.known;
            // A newer world is at least as new in every part, so that it comes later in this order too.
            let world = [epoch, policies, cluster_policies, servers, namespace, pod];
            (known.connected, known.runs.is_some(), world, Arc::clone(replica))
        };
        let (_, newest) = said.iter().max_by_key(order)?;
        let heard = said.values().map(|said| said.known.heard).max().unwrap_or(newest.known.heard);
        Some(Known { heard, ..newest.known.clone() })
    }

    /// Forgets what was said of a pod that is gone.
    pub(crate) fn forget(&mut self, pod: &Uid) {
        self.pods.remove(pod);
    }

    /// Forgets what was said long ago of pods that nobody knows.
    pub(crate) fn forget_unknown(&mut self, is_known: impl Fn(&Uid) -> bool, now: Timestamp) {
        self.pods.retain(|pod, said| {
            is_known(pod) || said.values().any(|said| now.duration_since(said.known.heard) < UNKNOWN_KEPT)
        });
        self.runs.retain(|_, alike| {
            alike.retain(|runs| runs.strong_count() > 0);
            !alike.is_empty()
        });
    }

    /// One copy of what many sidecars run.
    fn shared(&mut self, running: Running) -> Arc<Runs> {
        let Running { origin, problems } = running;
        let alike = self.runs.entry(origin.hash).or_default();
        let same = |runs: &Arc<Runs>| runs.generations == origin.generations && runs.problems == problems;
        if let Some(runs) = alike.iter().filter_map(Weak::upgrade).find(same) {
            return runs;
        }
        self.made += 1;
        let runs = Arc::new(Runs { id: self.made, generations: origin.generations, problems });
        alike.retain(|runs| runs.strong_count() > 0);
        alike.push(Arc::downgrade(&runs));
        runs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reeve_wire::Origin;

    use super::*;

    fn report(connected: bool, policies: u64) -> PodReport {
        let world = World { policies, ..World::default() };
        let generations = [("u".into(), i64::try_from(policies).unwrap())].into();
        let origin = Origin { hash: Hash::of(b"x"), world, generations };
        let running = (policies > 0).then(|| Running { origin, problems: Vec::new() });
        PodReport { pod: "p".into(), connected, running, servers: Vec::new() }
    }

    fn runs(known: &Known) -> Option<i64> {
        known.runs.as_ref().map(|runs| runs.generations["u"])
    }

    fn after(reports: &[(&str, bool, u64)]) -> Known {
        let mut all = Reports::default();
        for (replica, connected, policies) in reports {
            all.take(&(*replica).into(), report(*connected, *policies), Timestamp::UNIX_EPOCH);
        }
        all.known(&"p".into()).unwrap()
    }

    #[test]
    fn the_replica_it_left_may_tell_of_it_last() {
        let known = after(&[("a", true, 3), ("b", true, 5), ("a", false, 3)]);
        assert!(known.connected && runs(&known) == Some(5));
        let known = after(&[("a", true, 3), ("b", true, 5), ("b", false, 5), ("a", false, 3)]);
        assert!(!known.connected && runs(&known) == Some(5));
    }

    #[test]
    fn what_a_lost_replica_said_stands_but_its_sidecars_are_not_connected() {
        let mut all = Reports::default();
        all.take(&"a".into(), report(true, 3), Timestamp::UNIX_EPOCH);
        let later = Timestamp::from_second(9).unwrap();
        assert_eq!(all.lose("a", later), [Uid::from("p")]);
        assert!(all.lose("b", later).is_empty());
        let known = all.known(&"p".into()).unwrap();
        assert!(!known.connected && known.runs.is_some() && known.heard == later);
    }

    #[test]
    fn sidecars_that_run_the_same_share_it_and_one_that_lies_of_a_hash_deceives_of_itself_alone() {
        let mut all = Reports::default();
        let mut lying = report(true, 3);
        lying.running.as_mut().unwrap().origin.generations.insert("u".into(), 9);
        for (pod, mut report) in [("p", report(true, 3)), ("q", report(true, 3)), ("r", lying)] {
            report.pod = pod.into();
            all.take(&"a".into(), report, Timestamp::UNIX_EPOCH);
        }
        let [p, q, r] = ["p", "q", "r"].map(|pod| all.known(&pod.into()).unwrap().runs.unwrap());
        assert!(Arc::ptr_eq(&p, &q) && p.generations["u"] == 3 && r.generations["u"] == 9);
    }

    #[test]
    fn what_is_said_of_a_pod_that_nobody_knows_is_forgotten_after_a_while() {
        let mut all = Reports::default();
        all.take(&"a".into(), report(true, 3), Timestamp::UNIX_EPOCH);
        all.forget_unknown(|_| false, Timestamp::from_second(60).unwrap());
        assert!(all.known(&"p".into()).is_some());
        all.forget_unknown(|_| true, Timestamp::from_second(600).unwrap());
        assert!(all.known(&"p".into()).is_some());
        all.forget_unknown(|_| false, Timestamp::from_second(600).unwrap());
        assert!(all.known(&"p".into()).is_none() && all.runs.is_empty());
    }

    proptest! {
        #[test]
        fn the_order_in_which_replicas_are_heard_never_matters(
            (ordered, shuffled) in prop::collection::vec((any::<bool>(), 0..4_u64), 1..5)
                .prop_map(|said| said.into_iter().zip(["a", "b", "c", "d", "e"]).map(|((c, w), r)| (r, c, w)).collect::<Vec<_>>())
                .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        ) {
            let (one, other) = (after(&ordered), after(&shuffled));
            prop_assert_eq!(one.connected, other.connected);
            prop_assert_eq!(runs(&one), runs(&other));
        }
    }
}
