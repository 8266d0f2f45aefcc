//! Statuses, written into the API server by the leader alone.
//!
//! ```text
//! control ─► Outbox: the newest of each object ─► at most so many requests at once ─► server-side apply of /status
//!                          ▲                                 │
//!                          └── tried again after a wait ◄────┘ failed, unless a newer one came meanwhile
//! ```
//!
//! A replica that no longer leads drops everything: the next leader computes it anew. An object's UID is sent along, so that what was
//! computed of one is not written into another of its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use reeve_crds::GROUP;
use reeve_process::back_off::BackOff;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::leader::Leadership;
use super::{KubernetesError, back_off, within};
use crate::control::{PolicyStatusWrite, ServerStatusWrite};
use crate::metrics::Metrics;

/// Requests at once: enough to write a thousand statuses in a second, few enough not to be throttled.
const AT_ONCE: usize = 16;
/// Who owns a status.
const MANAGER: &str = "reeve-operator";
const VERSION: &str = "v1alpha1";

/// An object whose status is written: the last part of its kind's path, its namespace and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    plural: &'static str,
    namespace: Option<Arc<str>>,
    name: Arc<str>,
}

/// A status to be written.
#[derive(Clone, Debug)]
pub struct Write {
    target: Target,
    patch: Value,
}

impl Write {
    fn new(
        plural: &'static str,
        kind: &str,
        namespace: Option<Arc<str>>,
        name: Arc<str>,
        uid: &str,
        status: &Value,
    ) -> Self {
        let mut metadata = json!({"name": &*name, "uid": uid});
        if let Some(namespace) = &namespace {
            metadata["namespace"] = Value::from(&**namespace);
        }
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata, "status": status,
        });
        Self { target: Target { plural, namespace, name }, patch }
    }

    /// A policy's.
    ///
    /// # Errors
    /// If the status cannot be written as JSON; each can.
    pub fn policy(write: PolicyStatusWrite) -> serde_json::Result<Self> {
        let (plural, kind) = match write.namespace {
            Some(_) => ("mcppolicies", "McpPolicy"),
            None => ("clustermcppolicies", "ClusterMcpPolicy"),
        };
        let status = serde_json::to_value(write.status)?;
        Ok(Self::new(plural, kind, write.namespace, write.name, write.uid.as_str(), &status))
    }

    /// A server's.
    ///
    /// # Errors
    /// If the status cannot be written as JSON; each can.
    pub fn server(write: ServerStatusWrite) -> serde_json::Result<Self> {
        let status = serde_json::to_value(write.status)?;
        Ok(Self::new("mcpservers", "McpServer", Some(write.namespace), write.name, write.uid.as_str(), &status))
    }

    async fn send(&self, client: &Client) -> Result<(), KubernetesError> {
        let Target { plural, namespace, name } = &self.target;
        let path = match namespace {
            Some(namespace) => format!("/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"),
            None => format!("/apis/{GROUP}/{VERSION}/{plural}"),
        };
        let parameters = PatchParams::apply(MANAGER).force();
        let request = Request::new(path).patch_subresource("status", name, &parameters, &Patch::Apply(&self.patch))?;
        within(client.request::<Value>(request)).await.map(drop)
    }
}

/// What is to be written, of each object the newest.
#[derive(Debug, Default)]
struct Outbox {
    waiting: BTreeMap<Target, Write>,
    /// Objects whose status is on its way. Each write waits for the one before it.
    sent: BTreeMap<Target, BackOff>,
    /// When those that failed are tried again.
    retries: BTreeMap<Target, (Instant, BackOff)>,
}

impl Outbox {
    fn put(&mut self, write: Write) {
        self.waiting.insert(write.target.clone(), write);
    }

    /// The next that may be sent now, if any.
    fn next(&mut self, now: Instant) -> Option<Write> {
        if self.sent.len() >= AT_ONCE {
            return None;
        }
        let is_due = |target: &Target| self.retries.get(target).is_none_or(|(at, _)| now >= *at);
        let target = self.waiting.keys().find(|target| !self.sent.contains_key(target) && is_due(target))?.clone();
        let back_off = self.retries.remove(&target).map_or_else(back_off, |(_, back_off)| back_off);
        self.sent.insert(target.clone(), back_off);
        self.waiting.remove(&target)
    }

    fn succeeded(&mut self, write: &Write) {
        self.sent.remove(&write.target);
    }

    /// Puts it back, unless a newer one came or asking again cannot help.
    fn failed(&mut self, write: Write, is_final: bool, now: Instant) {
        let Some(mut back_off) = self.sent.remove(&write.target) else { return };
        if is_final {
            return;
        }
        self.retries.insert(write.target.clone(), (now + back_off.wait(), back_off));
        self.waiting.entry(write.target.clone()).or_insert(write);
    }

    /// When the next one is due that is not yet.
    fn due(&self) -> Option<Instant> {
        self.retries.values().map(|(at, _)| *at).min()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Writes what arrives, while this replica leads, until nobody sends any more.
pub async fn run(
    client: Client,
    mut writes: mpsc::Receiver<Write>,
    mut leadership: watch::Receiver<Leadership>,
    metrics: Arc<Metrics>,
) {
    let mut outbox = Outbox::default();
    let mut flying = FuturesUnordered::new();
    loop {
        let until = leadership.borrow_and_update().until.filter(|until| Instant::now() < *until);
        if until.is_none() {
            // Requests that were sent cannot be called back; dropping them closes their connections.
            outbox.clear();
            flying.clear();
        }
        while let Some(write) = until.and_then(|_| outbox.next(Instant::now())) {
            let client = client.clone();
            flying.push(async move {
                let begun = Instant::now();
                let result = write.send(&client).await;
                (write, result, begun.elapsed())
            });
        }
        // Woken when the first of them comes: an answer, another write, a retry's time, the end of leading.
        let wake = [until, outbox.due()].into_iter().flatten().min();
        tokio::select! {
            Some((write, result, took)) = flying.next(), if !flying.is_empty() => {
                settle(&mut outbox, write, result, took, &metrics);
            }
            write = writes.recv() => match write {
                Some(write) => outbox.put(write),
                None => return,
            },
            changed = leadership.changed() => if changed.is_err() { return },
            () = sleep_until(wake) => {}
        }
    }
}

fn settle(outbox: &mut Outbox, write: Write, result: Result<(), KubernetesError>, took: Duration, metrics: &Metrics) {
    match result {
        Ok(()) => {
            metrics.reconciled("status", took);
            outbox.succeeded(&write);
        }
        Err(error) => {
            let Target { plural, namespace, name } = &write.target;
            metrics.failed(plural, error.reason());
            // An object that is gone, or is another by now, needs no status.
            if error.is_missing() || error.is_conflict() {
                tracing::debug!(kind = plural, namespace = namespace.as_deref(), name = &**name, %error, "no status is written");
            } else {
                tracing::warn!(kind = plural, namespace = namespace.as_deref(), name = &**name, %error, "the status cannot be written");
            }
            outbox.failed(write, error.is_final(), Instant::now());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reeve_crds::v1alpha1::PolicyStatus;

    fn write(name: &str, matched_pods: i32) -> Write {
        let status = PolicyStatus { matched_pods, ..PolicyStatus::default() };
        Write::policy(PolicyStatusWrite {
            namespace: Some("clinic".into()),
            name: name.into(),
            uid: "u".into(),
            status,
        })
        .unwrap()
    }

    fn pods(write: &Write) -> i64 {
        write.patch["status"]["matchedPods"].as_i64().unwrap()
    }

    #[test]
    fn of_each_object_only_the_newest_status_is_written_and_one_after_the_other() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("a", 1));
        outbox.put(write("a", 2));
        let first = outbox.next(now).unwrap();
        assert_eq!(pods(&first), 2);
        outbox.put(write("a", 3));
        assert!(outbox.next(now).is_none(), "the one before is on its way");
        outbox.succeeded(&first);
        assert_eq!(pods(&outbox.next(now).unwrap()), 3);
    }

    #[test]
    fn a_failed_status_is_tried_again_later_unless_a_newer_one_came() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("a", 1));
        let first = outbox.next(now).unwrap();
        outbox.failed(first, false, now);
        assert!(outbox.next(now).is_none());
        let due = outbox.due().unwrap();
        let again = outbox.next(due).unwrap();
        assert_eq!(pods(&again), 1);
        outbox.put(write("a", 2));
        outbox.failed(again, false, due);
        let due = outbox.due().unwrap();
        assert_eq!(pods(&outbox.next(due).unwrap()), 2);
    }

    #[test]
    fn what_cannot_be_written_is_dropped_and_never_more_than_so_many_are_on_their_way() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("gone", 1));
        let gone = outbox.next(now).unwrap();
        outbox.failed(gone, true, now);
        assert!(outbox.next(now).is_none() && outbox.due().is_none());
        for number in 0..40 {
            outbox.put(write(&format!("p{number}"), 1));
        }
        let sent: Vec<_> = std::iter::from_fn(|| outbox.next(now)).collect();
        assert_eq!(sent.len(), AT_ONCE);
    }

    #[test]
    fn a_status_is_applied_to_the_very_object_it_was_computed_of() {
        let server = Write::server(ServerStatusWrite {
            namespace: "clinic".into(),
            name: "aws".into(),
            uid: "u7".into(),
            status: reeve_crds::v1alpha1::ServerStatus::default(),
        })
        .unwrap();
        assert_eq!(server.patch["metadata"], json!({"name": "aws", "namespace": "clinic", "uid": "u7"}));
        assert_eq!(server.patch["kind"], "McpServer");
        let cluster =
            PolicyStatusWrite { namespace: None, name: "all".into(), uid: "u".into(), status: PolicyStatus::default() };
        assert_eq!(Write::policy(cluster).unwrap().target.plural, "clustermcppolicies");
    }
}
