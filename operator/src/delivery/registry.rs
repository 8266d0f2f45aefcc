//! What each pod is to be given, and who waits for it.
//!
//! Pods that are given the same document share its bytes. A stream is woken when its pod's content changes, not for every word
//! that the operator hears of the cluster.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reeve_wire::Uid;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::assignment::Assignment;

/// The assignment of every live pod. Nothing is given before [`Registry::open`].
#[derive(Debug)]
pub struct Registry {
    is_open: watch::Sender<bool>,
    pods: RwLock<HashMap<Uid, Slot>>,
    /// Counts the pods that were added: what those wait for whose pod is not there yet.
    added: watch::Sender<u64>,
}

/// An assignment, and since when its content is what it is.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) assignment: Arc<Assignment>,
    pub(super) since: Instant,
}

#[derive(Debug)]
struct Slot {
    held: watch::Sender<Held>,
    /// How many of those who watch it wait for one that was made from a newer world, whatever it says.
    await_world: Arc<AtomicUsize>,
}

/// One stream's view of its pod.
#[derive(Debug)]
pub(super) struct Subscription {
    held: watch::Receiver<Held>,
    await_world: Arc<AtomicUsize>,
    is_counted: bool,
}

/// The pod is not live any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Default for Registry {
    fn default() -> Self {
        Self { is_open: watch::Sender::new(false), pods: RwLock::default(), added: watch::Sender::new(0) }
    }
}

impl Registry {
    /// Of no pods, and closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every watch has been read once, and what follows from them was published: sidecars may come.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Whether sidecars may come.
    pub fn is_open(&self) -> bool {
        *self.is_open.borrow()
    }

    /// Takes what changed: a pod's new assignment, or none for a pod that is gone.
    pub fn publish(&self, changed: impl IntoIterator<Item = (Uid, Option<Arc<Assignment>>)>) {
        let since = Instant::now();
        let mut added = false;
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        for (pod, assignment) in changed {
            let Some(assignment) = assignment else {
                pods.remove(&pod);
                continue;
            };
            match pods.get(&pod) {
                Some(slot) => slot.replace(assignment, since),
                None => {
                    let held = watch::Sender::new(Held { assignment, since });
                    pods.insert(pod, Slot { held, await_world: Arc::default() });
                    added = true;
                }
            }
        }
        drop(pods);
        if added {
            self.added.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Whether a pod is live.
    pub(super) fn has(&self, pod: &Uid) -> bool {
        self.pods.read().unwrap_or_else(PoisonError::into_inner).contains_key(pod)
    }

    pub(super) fn subscribe(&self, pod: &Uid) -> Option<Subscription> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        let slot = pods.get(pod)?;
        let await_world = Arc::clone(&slot.await_world);
        Some(Subscription { held: slot.held.subscribe(), await_world, is_counted: false })
    }

    /// As [`Self::subscribe`], for a pod that may not have been seen yet: its sidecar can be faster than the watch.
    pub(super) async fn subscribe_within(&self, pod: &Uid, longest: Duration) -> Option<Subscription> {
        let mut added = self.added.subscribe();
        let appears = async {
            loop {
                added.borrow_and_update();
                if let Some(subscription) = self.subscribe(pod) {
                    return Some(subscription);
                }
                added.changed().await.ok()?;
            }
        };
        tokio::time::timeout(longest, appears).await.ok().flatten()
    }
}

impl Slot {
    fn replace(&self, assignment: Arc<Assignment>, since: Instant) {
        self.held.send_if_modified(|held| {
            let is_same = held.assignment.says_the_same(&assignment);
            let since = if is_same { held.since } else { since };
            *held = Held { assignment, since };
            !is_same || self.await_world.load(Ordering::Relaxed) > 0
        });
    }
}

impl Subscription {
    pub(super) fn current(&self) -> Held {
        self.held.borrow().clone()
    }

    /// Ends when the assignment says something else.
    pub(super) async fn changed(&mut self) -> Result<(), Gone> {
        self.held.changed().await.map_err(|_| Gone)
    }

    /// Whether to be woken for one that says the same and was made from a newer world, too.
    pub(super) fn await_world(&mut self, awaits: bool) {
        match (self.is_counted, awaits) {
            (false, true) => self.await_world.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.await_world.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.is_counted = awaits;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.await_world(false);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use reeve_wire::World;

    use super::*;
    use crate::delivery::tests::assignment;

    fn is_woken(subscription: &mut Subscription) -> bool {
        subscription.changed().now_or_never().is_some_and(|changed| changed.is_ok())
    }

    fn publish(registry: &Registry, assignment: Assignment) {
        registry.publish([(assignment.pod().clone(), Some(Arc::new(assignment)))]);
    }

    #[test]
    fn a_stream_is_woken_for_other_content_and_not_for_a_newer_world() {
        let registry = Registry::new();
        publish(&registry, assignment("p1", "a"));
        let mut subscription = registry.subscribe(&"p1".into()).unwrap();
        assert!(!is_woken(&mut subscription));

        let newer = World { policies: 9, ..World::default() };
        publish(&registry, Assignment { world: newer, ..assignment("p1", "a") });
        assert!(!is_woken(&mut subscription));
        assert_eq!(subscription.current().assignment.world, newer);

        publish(&registry, assignment("p1", "b"));
        assert!(is_woken(&mut subscription));
        let mut relabelled = assignment("p1", "b");
        relabelled.identity.labels.insert("app".into(), "other".into());
        publish(&registry, relabelled);
        assert!(is_woken(&mut subscription));
    }

    #[test]
    fn a_stream_whose_sidecar_refused_is_woken_when_the_world_has_moved() {
        let registry = Registry::new();
        publish(&registry, assignment("p1", "a"));
        let mut subscription = registry.subscribe(&"p1".into()).unwrap();
        subscription.await_world(true);
        publish(&registry, Assignment { world: World { policies: 9, ..World::default() }, ..assignment("p1", "a") });
        assert!(is_woken(&mut subscription));
        subscription.await_world(false);
        publish(&registry, Assignment { world: World { policies: 10, ..World::default() }, ..assignment("p1", "a") });
        assert!(!is_woken(&mut subscription));
    }

    #[test]
    fn a_stream_is_told_that_its_pod_is_gone() {
        let registry = Registry::new();
        publish(&registry, assignment("p1", "a"));
        let mut subscription = registry.subscribe(&"p1".into()).unwrap();
        registry.publish([("p1".into(), None)]);
        assert_eq!(subscription.changed().now_or_never(), Some(Err(Gone)));
        assert!(registry.subscribe(&"p1".into()).is_none());
    }

    #[tokio::test]
    async fn a_pod_that_is_seen_a_moment_later_is_waited_for() {
        let registry = Arc::new(Registry::new());
        let waiting = Arc::clone(&registry);
        let waiter =
            tokio::spawn(
                async move { waiting.subscribe_within(&"p1".into(), Duration::from_secs(30)).await.is_some() },
            );
        publish(&registry, assignment("p2", "a"));
        publish(&registry, assignment("p1", "a"));
        assert!(waiter.await.unwrap());
    }
}
