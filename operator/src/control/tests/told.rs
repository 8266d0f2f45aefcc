//! What is written and told, and when.

use super::*;
use crate::events::EventKind;

/// The policy as it is stored after its status was written.
fn written(cluster: &mut Cluster, status: PolicyStatus) {
    cluster.version += 1;
    let version = cluster.version;
    let mut view = cluster.control.world().read().unwrap().policies_of("clinic").next().unwrap().clone();
    view.version = version;
    view.status = status;
    cluster.take(Input::Policies(Change::Set(view)));
}

fn events(cluster: &mut Cluster) -> Vec<(String, EventKind, &'static str)> {
    let events = std::mem::take(&mut cluster.events);
    let mut told: Vec<_> = events
        .into_iter()
        .map(|event| (format!("{} {}", event.regarding.kind, event.regarding.name), event.kind, event.reason))
        .collect();
    told.sort();
    told
}

#[test]
fn a_replica_that_does_not_lead_writes_nothing() {
    let mut cluster = Cluster::new();
    cluster.take(Input::Leading(false));
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    let output = cluster.settle();
    assert_eq!((output.policies.len(), output.servers.len(), output.events.len(), output.next), (0, 0, 0, None));
    assert_eq!(output.assignments.len(), 1);
    cluster.take(Input::Leading(true));
    let output = cluster.settle();
    assert_eq!((output.policies.len(), output.servers.len(), output.assignments.len()), (1, 1, 0));
}

#[test]
fn each_pod_that_is_made_is_told_of_once_and_none_that_was_there_before() {
    let mut cluster = Cluster::new();
    cluster.pod("agent-0", "imaging");
    assert_eq!(cluster.control.take_made(), [], "nothing was settled yet");
    cluster.settle();
    cluster.pod("agent-1", "imaging");
    let made: Vec<_> = cluster.control.take_made().iter().map(|pod| pod.name.to_string()).collect();
    assert_eq!(made, ["agent-1"]);
    cluster.pod("agent-1", "other");
    assert_eq!(cluster.control.take_made(), [], "it has changed");
}

#[test]
fn a_status_that_does_not_arrive_is_given_again() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    let output = cluster.settle();
    let status = output.policies[0].status.clone();
    let events = cluster.events.len();
    cluster.pass(5);
    assert!(cluster.settle().policies.is_empty());
    cluster.pass(5);
    assert_eq!(cluster.settle().policies[0].status, status);
    assert_eq!(cluster.events.len(), events, "nothing new is to be told");

    written(&mut cluster, status.clone());
    cluster.pass(60);
    assert!(cluster.settle().policies.is_empty());
    written(&mut cluster, PolicyStatus { matched_pods: 99, ..status.clone() });
    assert_eq!(cluster.settle().policies[0].status, status, "what another hand wrote is put right");
}

#[test]
fn events_tell_of_the_policy_and_of_the_workload_with_the_words_of_the_condition() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.settle();
    assert!(events(&mut cluster).is_empty());
    cluster.converge();
    assert_eq!(events(&mut cluster), [("McpPolicy imaging".into(), EventKind::Normal, "Programmed")]);
    cluster.without_sidecar("agent-1", "imaging");
    cluster.without_sidecar("agent-2", "imaging");
    cluster.settle();
    let warned = |object: &str, reason| (object.to_owned(), EventKind::Warning, reason);
    assert_eq!(
        events(&mut cluster),
        [warned("McpPolicy imaging", "UnprotectedPods"), warned("ReplicaSet imaging", "UnprotectedPods")]
    );
    cluster.without_sidecar("agent-3", "imaging");
    cluster.settle();
    assert!(events(&mut cluster).is_empty(), "it is told once");
    cluster.policy("imaging", json!({"serverRefs": [{"name": "aws"}], "colour": "red"}));
    cluster.settle();
    assert_eq!(events(&mut cluster), [warned("McpPolicy imaging", "Unreadable")]);
}

#[test]
fn the_sidecars_of_a_lost_replica_are_not_connected() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    cluster.policy_for("imaging", "imaging");
    cluster.settle();
    cluster.take(Input::ReplicaGone("replica-1".into()));
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "Reconciling");
    cluster.pass(30);
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "NotConnected");
}
