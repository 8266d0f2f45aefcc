//! What is told of a pod's injection where people look for it: as an Event of the workload that made the pod.
//!
//! ```text
//! question ─► of ─► Notice ─► pending, until the pod was seen ─► Event ─► Workloads ─► Event of what people know
//! ```

mod pending;

use std::collections::BTreeMap;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

pub use self::pending::Pending;
use super::cluster::is_dns_name;
use super::inject::Outcome;
use crate::events::{Event, EventKind, Regarding};
use crate::world::PodView;

/// The longest name and UID that a notice keeps; no pod has a longer one.
const LONGEST_NAME: usize = 253;
/// How much of a message is kept: as many bytes as an Event takes, and a little.
const LONGEST_MESSAGE: usize = 1_100;
/// How long the beginning of a name may be that the API server makes; it cuts off what is longer.
const LONGEST_BEGINNING: usize = 58;

/// What is to be told of a pod once it is there. Nobody has vouched for any of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    namespace: String,
    name: Name,
    /// The UID of the pod's controller.
    owner: Option<String>,
    has_sidecar: bool,
    kind: EventKind,
    reason: &'static str,
    message: String,
}

/// The name of a pod that is not made yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Is(String),
    Begins(String),
}

impl Notice {
    /// Whether this can have been said of a pod.
    fn may_be_about(&self, pod: &PodView) -> bool {
        let is_named = match &self.name {
            Name::Is(name) => *name == *pod.name,
            Name::Begins(beginning) => pod.name.starts_with(beginning.as_str()),
        };
        is_named
            && *self.namespace == *pod.namespace
            && self.has_sidecar == pod.has_sidecar()
            && self.owner.as_deref() == pod.owner.as_ref().map(|owner| owner.uid.as_str())
    }
}

/// What is to be told of a pod; nothing of one that was refused, or that nobody could find again.
pub fn of(pod: &Value, namespace: &str, outcome: &Outcome) -> Option<Notice> {
    let metadata = pod.get("metadata")?;
    let name = name(metadata)?;
    let owner = controller(metadata).map(|owner| text(owner, "uid").to_owned());
    let (reason, kind, mut message) = match outcome {
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
    message.truncate(beginning(&message, LONGEST_MESSAGE).len());
    let has_sidecar = matches!(outcome, Outcome::Injected(_));
    let is_bounded = namespace.len() <= LONGEST_NAME && owner.as_ref().is_none_or(|uid| uid.len() <= LONGEST_NAME);
    let notice = Notice { namespace: namespace.to_owned(), name, owner, has_sidecar, kind, reason, message };
    is_bounded.then_some(notice)
}

/// As much of a text as this many bytes hold.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn controller(metadata: &Value) -> Option<&Value> {
    let owners = metadata.get("ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

fn name(metadata: &Value) -> Option<Name> {
    match (text(metadata, "name"), text(metadata, "generateName")) {
        ("", "") => None,
        ("", begins) => Some(Name::Begins(beginning(begins, LONGEST_BEGINNING).to_owned())),
        (name, _) => (name.len() <= LONGEST_NAME).then(|| Name::Is(name.to_owned())),
    }
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
        // Whoever makes a pod says who its owner is, and both names become parts of a path.
        if !is_dns_name(&namespace) || !is_dns_name(&event.regarding.name) {
            return event;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        let Ok(object) = api.get_metadata(&event.regarding.name).await else { return event };
        if object.metadata.uid.as_deref() != Some(event.regarding.uid.as_str()) {
            return event;
        }
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
    fn what_is_told_is_kept_by_what_the_pod_will_be() {
        let pod = json!({"metadata": {"generateName": "agent-7f9-", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "1"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "agent-7f9", "uid": "2", "controller": true},
        ]}});
        let notice = of(&pod, "clinic", &injected(&[])).unwrap();
        assert_eq!((&notice.name, notice.owner.as_deref()), (&Name::Begins("agent-7f9-".into()), Some("2")));
        assert_eq!((notice.reason, notice.kind), ("Injected", EventKind::Normal));
        assert_eq!(notice.message, "a pod was given a sidecar; its calls to aws go through it");
        assert_eq!(of(&pod, "clinic", &injected(&["look"])).unwrap().kind, EventKind::Warning);
        let long = of(&pod, "clinic", &injected(&["é"; 2_000])).unwrap();
        assert!((1_024..=LONGEST_MESSAGE).contains(&long.message.len()), "{}", long.message.len());
    }

    #[test]
    fn a_pod_of_its_own_is_told_of_by_its_name() {
        let skipped = Outcome::Skipped(Skipped { reason: SkipReason::HostNetwork, message: "why".into() });
        let notice = of(&json!({"metadata": {"name": "agent"}}), "clinic", &skipped).unwrap();
        assert_eq!((&notice.name, notice.owner.as_deref()), (&Name::Is("agent".into()), None));
        assert_eq!((notice.reason, notice.message.as_str()), ("InjectionSkipped", "HostNetwork: why"));
        assert!(!notice.has_sidecar);
        for nobody in [json!({}), json!({"metadata": {}}), json!({"metadata": {"name": "x".repeat(300)}})] {
            assert_eq!(of(&nobody, "clinic", &skipped), None);
        }
    }

    #[test]
    fn only_what_another_object_made_to_make_pods_is_asked_for() {
        let regarding = |api_version: &str, kind: &str| Regarding {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: Some("clinic".into()),
            name: "agent".into(),
            uid: "2".into(),
        };
        assert!(intermediate(&regarding("apps/v1", "ReplicaSet")).is_some());
        assert!(intermediate(&regarding("v1", "Pod")).is_none());
    }
}
