//! What is told of a pod's injection where people look for it: as an Event of the workload that made the pod.

use std::collections::BTreeMap;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

use super::inject::Outcome;
use crate::events::{Event, EventKind, Regarding};

/// What is to be told of a pod; nothing of one that was refused, or that nobody could find again.
pub fn of(pod: &Value, namespace: &str, outcome: &Outcome) -> Option<Event> {
    let regarding = maker(pod, namespace)?;
    let (reason, kind, message) = match outcome {
        Outcome::Injected(injected) => {
            let routed = match injected.routed.as_slice() {
                [] => "none of its variables holds a server's URL".to_owned(),
                servers => format!("its calls to {} go through it", servers.join(", ")),
            };
            let mut message = format!("a pod was given a sidecar; {routed}");
            for warning in &injected.warnings {
                message.push_str(&format!("; {warning}"));
            }
            let kind = if injected.warnings.is_empty() { EventKind::Normal } else { EventKind::Warning };
            ("Injected", kind, message)
        }
        Outcome::Skipped(skipped) => {
            ("InjectionSkipped", EventKind::Warning, format!("{}: {}", skipped.reason.as_str(), skipped.message))
        }
        // Whoever makes the pod is told, and a controller writes an Event of its own.
        Outcome::Refused(_) => return None,
    };
    Some(Event { regarding, kind, reason, action: "Inject", message })
}

/// The pod's controller, or a pod with a name of its own.
fn maker(pod: &Value, namespace: &str) -> Option<Regarding> {
    let metadata = pod.get("metadata")?;
    let owners = metadata.get("ownerReferences").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true));
    let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let namespace = Some(namespace.to_owned());
    if let Some(owner) = controller {
        let (api_version, kind) = (text(owner, "apiVersion"), text(owner, "kind"));
        return Some(Regarding {
            api_version,
            kind,
            namespace,
            name: text(owner, "name"),
            uid: text(owner, "uid").as_str().into(),
        });
    }
    let name = text(metadata, "name");
    let uid = text(metadata, "uid").as_str().into();
    let pod = Regarding { api_version: "v1".into(), kind: "Pod".into(), namespace, name, uid };
    (!pod.name.is_empty()).then_some(pod)
}

/// How many workloads are remembered.
const MOST_KNOWN: usize = 4_096;

/// Finds the workload that people know: a Deployment's pods are made by a ReplicaSet, a CronJob's by a Job.
pub struct Workloads {
    client: Client,
    known: BTreeMap<Regarding, Regarding>,
}

impl Workloads {
    /// Asks this API server, and remembers what it says.
    pub fn new(client: Client) -> Self {
        Self { client, known: BTreeMap::new() }
    }

    /// The same Event about the workload. If that cannot be found, it stays where it is.
    pub async fn resolve(&mut self, mut event: Event) -> Event {
        let Some(resource) = intermediate(&event.regarding) else { return event };
        let Some(namespace) = event.regarding.namespace.clone() else { return event };
        if let Some(known) = self.known.get(&event.regarding) {
            event.regarding = known.clone();
            return event;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let Ok(object) = api.get_metadata(&event.regarding.name).await else { return event };
        let owners = object.metadata.owner_references.unwrap_or_default();
        let workload = match owners.into_iter().find(|owner| owner.controller == Some(true)) {
            Some(owner) => Regarding {
                api_version: owner.api_version,
                kind: owner.kind,
                namespace: Some(namespace),
                name: owner.name,
                uid: owner.uid.as_str().into(),
            },
            None => event.regarding.clone(),
        };
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(event.regarding.clone(), workload.clone());
        event.regarding = workload;
        event
    }
}

/// How to ask for an object that another one made only to make pods.
fn intermediate(of: &Regarding) -> Option<ApiResource> {
    let (group, kind, plural) = match (of.api_version.as_str(), of.kind.as_str()) {
        ("apps/v1", "ReplicaSet") => ("apps", "ReplicaSet", "replicasets"),
        ("batch/v1", "Job") => ("batch", "Job", "jobs"),
        _ => return None,
    };
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhook::inject::{Injected, SkipReason, Skipped};

    fn injected(warnings: &[&str]) -> Outcome {
        let warnings = warnings.iter().map(|warning| (*warning).to_owned()).collect();
        Outcome::Injected(Injected { pod: json!({}), routed: vec!["aws".into()], warnings })
    }

    #[test]
    fn what_is_told_is_told_of_the_pods_controller() {
        let pod = json!({"metadata": {"generateName": "agent-7f9-", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "1"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "agent-7f9", "uid": "2", "controller": true},
        ]}});
        let event = of(&pod, "clinic", &injected(&[])).unwrap();
        assert_eq!(
            (event.regarding.kind.as_str(), event.regarding.name.as_str(), event.regarding.uid.as_str()),
            ("ReplicaSet", "agent-7f9", "2")
        );
        assert_eq!((event.reason, event.kind), ("Injected", EventKind::Normal));
        assert_eq!(event.message, "a pod was given a sidecar; its calls to aws go through it");
        assert!(intermediate(&event.regarding).is_some());
        assert_eq!(of(&pod, "clinic", &injected(&["look"])).unwrap().kind, EventKind::Warning);
    }

    #[test]
    fn a_pod_of_its_own_is_told_of_by_its_name() {
        let skipped = Outcome::Skipped(Skipped { reason: SkipReason::HostNetwork, message: "why".into() });
        let event = of(&json!({"metadata": {"name": "agent"}}), "clinic", &skipped).unwrap();
        assert_eq!(
            (event.regarding.kind.as_str(), event.reason, event.message.as_str()),
            ("Pod", "InjectionSkipped", "HostNetwork: why")
        );
        assert!(intermediate(&event.regarding).is_none());
        assert_eq!(of(&json!({"metadata": {"generateName": "agent-"}}), "clinic", &skipped), None);
    }
}
