//! Notices of injections that wait until the pod itself was seen.
//!
//! Nobody need prove to a webhook that it is the API server, and many a pod that is asked about is never made. So what a question
//! says is told only once a pod is seen that it can have been about; and that pod, as the API server has it, says which object the
//! Event is of. There are no more Events than pods.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Notice;
use crate::events::{Event, of_workload};
use crate::world::PodView;

/// How long a pod may take from its admission until it is seen.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// The most notices of one namespace that wait; the oldest makes room.
const MOST_OF_NAMESPACE: usize = 128;
/// The most of all.
const MOST: usize = 2_048;

/// Those that wait, the oldest first.
#[derive(Debug, Default)]
pub struct Pending {
    waiting: VecDeque<(Instant, Notice)>,
}

impl Pending {
    /// Keeps one until its pod is seen.
    pub fn put(&mut self, notice: Notice, now: Instant) {
        while self.waiting.front().is_some_and(|(since, _)| now.duration_since(*since) > SEEN_WITHIN) {
            self.waiting.pop_front();
        }
        let is_beside = |(_, other): &(Instant, Notice)| other.namespace == notice.namespace;
        if self.waiting.iter().filter(|other| is_beside(other)).count() >= MOST_OF_NAMESPACE {
            let oldest = self.waiting.iter().position(is_beside);
            oldest.and_then(|oldest| self.waiting.remove(oldest));
        }
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back((now, notice));
    }

    /// What is to be told of a pod that was just made, if anything waits for it.
    pub fn seen(&mut self, pod: &PodView, now: Instant) -> Option<Event> {
        let is_about =
            |(since, notice): &(Instant, Notice)| now.duration_since(*since) <= SEEN_WITHIN && notice.may_be_about(pod);
        let (_, Notice { kind, reason, message, .. }) = self.waiting.remove(self.waiting.iter().position(is_about)?)?;
        Some(Event { regarding: of_workload(pod), kind, reason, action: "Inject", message })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhook::inject::{Injected, Outcome};
    use crate::webhook::notice;
    use crate::webhook::tests::world::pod_view;
    use crate::world::{Owner, Protection};

    fn notice(namespace: &str, name: &str, uid: &str) -> Notice {
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": uid, "controller": true});
        let pod = json!({"metadata": {"generateName": name, "ownerReferences": [owner]}});
        let outcome = Outcome::Injected(Injected { pod: json!({}), routed: Vec::new(), warnings: Vec::new() });
        notice::of(&pod, namespace, &outcome).unwrap()
    }

    fn pod(name: &str, uid: &str) -> PodView {
        let owner = Owner {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "agent-7f9".into(),
            uid: uid.into(),
        };
        let protection = Protection::Sidecar { routed: Vec::new(), mounts: std::collections::BTreeMap::new() };
        PodView { owner: Some(owner), protection, ..pod_view("clinic", name, &[]) }
    }

    #[test]
    fn what_a_question_says_is_told_only_of_a_pod_that_was_seen_as_the_pod_has_it_and_once() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        pending.put(notice("clinic", "agent-7f9-", "2"), now);
        for other in [
            pod("other-7f9-abcde", "2"),
            pod("agent-7f9-abcde", "3"),
            PodView { namespace: "kube-system".into(), ..pod("agent-7f9-abcde", "2") },
            PodView { protection: Protection::None, ..pod("agent-7f9-abcde", "2") },
            PodView { owner: None, ..pod("agent-7f9-abcde", "2") },
        ] {
            assert_eq!(pending.seen(&other, now), None, "{other:?}");
        }
        let event = pending.seen(&pod("agent-7f9-abcde", "2"), now).unwrap();
        assert_eq!((event.regarding.name.as_str(), event.reason), ("agent-7f9", "Injected"));
        assert_eq!(pending.seen(&pod("agent-7f9-fghij", "2"), now), None);
    }

    #[test]
    fn questions_without_pods_keep_nothing_from_being_told_in_other_namespaces_and_are_forgotten() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        pending.put(notice("clinic", "agent-7f9-", "2"), now);
        for number in 0..10_000 {
            pending.put(notice("kube-system", &format!("forged-{number}-"), "9"), now);
        }
        assert_eq!(pending.waiting.len(), MOST_OF_NAMESPACE + 1);
        assert!(pending.seen(&pod("agent-7f9-abcde", "2"), now).is_some());
        for number in 0..10_000 {
            pending.put(notice(&format!("n{number}"), "forged-", "9"), now);
        }
        assert_eq!(pending.waiting.len(), MOST);
        let later = now + SEEN_WITHIN + Duration::from_secs(1);
        assert_eq!(pending.seen(&PodView { namespace: "n9999".into(), ..pod("forged-a", "9") }, later), None);
        pending.put(notice("clinic", "agent-", "2"), later);
        assert_eq!(pending.waiting.len(), 1);
    }
}
