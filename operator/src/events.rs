//! Which Events tell of what has changed: on the policy or server itself, and on the workload of an agent that it concerns.
//!
//! Their reasons are those of the conditions. An Event follows from a change, so that it is told once.

use std::collections::BTreeMap;

use reeve_crds::conditions::{PolicyReason, ServerReason};
use reeve_crds::v1alpha1::{API_VERSION, Condition, ConditionStatus, Policy, PolicyStatus, ServerStatus};
use reeve_wire::Uid;

use crate::status::conditions::find;
use crate::status::reach::Reach;
use crate::world::{PodView, PolicyView, ServerView};

/// An Event to be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// What it is about.
    pub regarding: Regarding,
    /// Whether something is to be done.
    pub kind: EventKind,
    /// Why, in the word that the condition has.
    pub reason: &'static str,
    /// What the operator did when it found it.
    pub action: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// Whether an Event asks for something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// Nothing is to be done.
    Normal,
    /// Something is.
    Warning,
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regarding {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; none of a cluster-wide one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The object.
    pub uid: Uid,
}

/// A pod by its UID.
type Pods<'a> = &'a dyn Fn(&Uid) -> Option<&'a PodView>;

/// What is told when a policy's status becomes another.
pub(crate) fn of_policy<'a>(
    policy: &'a PolicyView,
    present: &PolicyStatus,
    status: &PolicyStatus,
    reach: &Reach,
    pods: Pods<'a>,
) -> Vec<Event> {
    let mut told = Vec::new();
    for condition in &status.conditions {
        let before = find(&present.conditions, &condition.kind);
        let is_same =
            before.is_some_and(|before| before.status == condition.status && before.reason == condition.reason);
        let reason = PolicyReason::ALL.iter().find(|reason| reason.as_str() == condition.reason);
        let Some(reason) = reason.filter(|_| !is_same) else { continue };
        let Some((kind, action)) = weight(*reason, before) else { continue };
        let event = |regarding, message| Event { regarding, kind, reason: reason.as_str(), action, message };
        told.push(event(regarding_policy(policy), condition.message.clone()));
        let concerned = workloads(*reason, reach, pods).into_iter();
        told.extend(concerned.map(|(workload, pod)| event(workload, of_pod(policy, *reason, &pod))));
    }
    told
}

/// How much a reason weighs, and what the operator was about; none if it is not worth an Event.
fn weight(reason: PolicyReason, before: Option<&Condition>) -> Option<(EventKind, &'static str)> {
    match reason {
        PolicyReason::Invalid | PolicyReason::Unreadable => Some((EventKind::Warning, "Compile")),
        // That a new policy compiles is expected.
        PolicyReason::Accepted => before.map(|_| (EventKind::Normal, "Compile")),
        PolicyReason::Programmed => Some((EventKind::Normal, "Program")),
        PolicyReason::UnprotectedPods
        | PolicyReason::NotConnected
        | PolicyReason::SidecarRefused
        | PolicyReason::ConfigurationTooLarge => Some((EventKind::Warning, "Program")),
        PolicyReason::CountedPerPod => Some((EventKind::Warning, "Count")),
        // These pass by themselves, or another condition tells of them.
        PolicyReason::Reconciling | PolicyReason::PolicyInvalid | PolicyReason::NoPods | PolicyReason::Exact => None,
    }
}

/// The workloads of the pods that a reason names, each once, and one of its pods.
fn workloads<'a>(reason: PolicyReason, reach: &Reach, pods: Pods<'a>) -> BTreeMap<Regarding, String> {
    let named: Vec<&Uid> = match reason {
        PolicyReason::UnprotectedPods => reach.unprotected.named().map(|(pod, ())| &pod.uid).collect(),
        PolicyReason::NotConnected => reach.away.named().map(|(pod, _)| &pod.uid).collect(),
        PolicyReason::SidecarRefused => reach.refused.named().map(|(pod, _)| &pod.uid).collect(),
        _ => Vec::new(),
    };
    let mut found = BTreeMap::new();
    for pod in named.into_iter().filter_map(pods) {
        found.entry(of_workload(pod)).or_insert_with(|| pod.name.to_string());
    }
    found
}

fn of_pod(policy: &PolicyView, reason: PolicyReason, pod: &str) -> String {
    let key = &policy.key;
    match reason {
        PolicyReason::UnprotectedPods => {
            format!("pod {pod} is governed by policy {key} and has no sidecar: restart it, so that it is given one")
        }
        PolicyReason::NotConnected => {
            format!(
                "the sidecar of pod {pod} does not enforce the present policy {key} and is not connected: see its log"
            )
        }
        _ => format!("the sidecar of pod {pod} cannot enforce policy {key}: see the status of the policy"),
    }
}

/// What is told when a server's status becomes another.
pub(crate) fn of_server(server: &ServerView, present: &ServerStatus, status: &ServerStatus) -> Vec<Event> {
    let mut told = Vec::new();
    for condition in &status.conditions {
        let before = find(&present.conditions, &condition.kind);
        let is_same =
            before.is_some_and(|before| before.status == condition.status && before.reason == condition.reason);
        let reason = ServerReason::ALL.iter().find(|reason| reason.as_str() == condition.reason);
        let kind = match condition.status {
            ConditionStatus::False => EventKind::Warning,
            // Only that something is right again is worth telling.
            ConditionStatus::True if before.is_some_and(|before| before.status == ConditionStatus::False) => {
                EventKind::Normal
            }
            ConditionStatus::True | ConditionStatus::Unknown => continue,
        };
        let Some(reason) = reason.filter(|_| !is_same) else { continue };
        told.push(Event {
            regarding: regarding_server(server),
            kind,
            reason: reason.as_str(),
            action: "Resolve",
            message: condition.message.clone(),
        });
    }
    told
}

fn regarding_policy(policy: &PolicyView) -> Regarding {
    let kind = match &**policy.policy() {
        Policy::McpPolicy(_) => "McpPolicy",
        Policy::ClusterMcpPolicy(_) => "ClusterMcpPolicy",
    };
    Regarding {
        api_version: API_VERSION.into(),
        kind: kind.into(),
        namespace: policy.namespace.as_deref().map(str::to_owned),
        name: policy.name().into(),
        uid: policy.uid.clone(),
    }
}

fn regarding_server(server: &ServerView) -> Regarding {
    Regarding {
        api_version: API_VERSION.into(),
        kind: "McpServer".into(),
        namespace: Some(server.namespace.to_string()),
        name: server.name.to_string(),
        uid: server.uid.clone(),
    }
}

/// The workload of a pod, or the pod itself if it has none.
pub(crate) fn of_workload(pod: &PodView) -> Regarding {
    let namespace = Some(pod.namespace.to_string());
    match &pod.owner {
        Some(owner) => Regarding {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace,
            name: owner.name.clone(),
            uid: owner.uid.as_str().into(),
        },
        None => Regarding {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace,
            name: pod.name.to_string(),
            uid: pod.uid.clone(),
        },
    }
}
