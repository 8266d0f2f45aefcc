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

mod outbox;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use reeve_crds::GROUP;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use self::outbox::Outbox;
use super::leader::Leadership;
use super::{KubernetesError, within};
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
