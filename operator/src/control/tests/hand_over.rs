//! What a replica that begins to lead lets stand of what the last leader said.

use reeve_wire::message::ServerReason;

use super::*;
use crate::control::tell::grace::GRACE;

/// One that has policy imaging and pod agent-0, of which it is said that it is in force.
fn told() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.pass(1);
    cluster.converge();
    cluster
}

/// A replica that has seen the same cluster, with what was said of it, and has heard of no sidecar.
fn follower(cluster: &Cluster) -> Cluster {
    let world = cluster.control.world().read().unwrap();
    let version = cluster.version;
    let mut other = Cluster::unsynced();
    (other.version, other.now, other.generations) = (version, cluster.now, cluster.generations.clone());
    let with_status = |mut policy: PolicyView| {
        policy.status = cluster.policies.get(&*policy.key).cloned().unwrap_or_default();
        policy
    };
    let policies = world.policies.values().cloned().map(with_status).collect();
    let cluster_policies = world.cluster_policies.values().cloned().map(with_status).collect();
    let servers = world.servers.values().cloned().map(|mut server| {
        server.status = cluster.servers.get(&*server.name).cloned().unwrap_or_default();
        server
    });
    other.take(Input::Policies(Change::All { objects: policies, version }));
    other.take(Input::ClusterPolicies(Change::All { objects: cluster_policies, version }));
    other.take(Input::Servers(Change::All { objects: servers.collect(), version }));
    other.take(Input::Namespaces(Change::All { objects: world.namespaces.values().cloned().collect(), version }));
    other.take(Input::Pods(Change::All { objects: world.pods.values().cloned().collect(), version }));
    other.settle();
    other
}

/// As [`follower`], and it leads from now on.
fn successor(cluster: &Cluster) -> Cluster {
    let mut other = follower(cluster);
    other.take(Input::Leading(true));
    other
}

/// What it says at once of a policy: nothing if what was said stands.
fn says_at_once(other: &mut Cluster, policy: &str) -> Option<String> {
    other.settle();
    other.policies.contains_key(policy).then(|| other.programmed(policy).1)
}

fn gone(cluster: &mut Cluster, pod: &str) {
    let mut view = cluster.control.world().read().unwrap().pods[&Uid::from(pod)].clone();
    cluster.version += 1;
    view.version = cluster.version;
    cluster.take(Input::Pods(Change::Gone(view)));
}

#[test]
fn a_new_leader_does_not_take_back_what_it_has_not_heard_of_yet() {
    let mut other = successor(&told());
    assert_eq!(says_at_once(&mut other, "clinic/imaging"), None);
    let until = other.now.saturating_add(GRACE).unwrap();
    assert!(other.next.is_some_and(|next| next <= until));
    other.now = until;
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
}

#[test]
fn a_new_leader_that_hears_in_time_has_nothing_to_write() {
    let cluster = told();
    let mut other = successor(&cluster);
    other.settle();
    other.acknowledge("agent-0");
    assert_eq!(says_at_once(&mut other, "clinic/imaging"), None);
    other.now = other.now.saturating_add(GRACE).unwrap();
    assert_eq!(says_at_once(&mut other, "clinic/imaging"), None);
}

#[test]
fn what_was_said_stands_for_less_than_ten_seconds_and_longer_than_a_sidecar_takes_to_come_back() {
    // LONGEST_WAIT of the sidecar.
    assert!((SignedDuration::from_secs(7)..SignedDuration::from_secs(10)).contains(&GRACE));
}

#[test]
fn a_policy_that_was_changed_is_not_said_to_be_in_force_after_a_hand_over() {
    let mut cluster = told();
    cluster.policy_for("imaging", "imaging");
    assert_eq!(says_at_once(&mut successor(&cluster), "clinic/imaging").as_deref(), Some("Reconciling"));
}

#[test]
fn a_new_leader_that_sees_other_pods_than_the_status_is_of_says_so_at_once() {
    let mut cluster = told();
    cluster.pod("agent-1", "imaging");
    let mut other = successor(&cluster);
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
    assert_eq!(other.policies["clinic/imaging"].matched_pods, 2);
}

#[test]
fn a_pod_that_took_the_place_of_another_is_not_said_to_be_governed_after_a_hand_over() {
    let mut cluster = told();
    gone(&mut cluster, "agent-0");
    cluster.pass(1);
    cluster.pod("agent-1", "imaging");
    let mut other = successor(&cluster);
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
    assert_eq!(other.policies["clinic/imaging"].matched_pods, 1);
}

#[test]
fn a_pod_whose_labels_were_changed_since_is_not_said_to_be_governed_after_a_hand_over() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    for (pod, app) in [("agent-0", "imaging"), ("agent-1", "other")] {
        cluster.pod(pod, app);
    }
    cluster.pass(1);
    cluster.converge();
    let created = cluster.control.world().read().unwrap().pods[&Uid::from("agent-1")].created;
    let mut other = follower(&cluster);
    other.pass(1);
    for (pod, app) in [("agent-0", "other"), ("agent-1", "imaging")] {
        other.pod_with(pod, app, |pod| pod["metadata"]["creationTimestamp"] = created.to_string().into());
    }
    other.settle();
    other.take(Input::Leading(true));
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
}

#[test]
fn a_baseline_is_said_to_be_in_force_after_a_hand_over_only_once_its_sidecars_were_heard_of() {
    let mut cluster = Cluster::new();
    cluster.cluster_policy("floor", json!({"tier": "Baseline", "rules": []}));
    cluster.pod("agent-0", "imaging");
    cluster.pass(1);
    cluster.converge();
    assert_eq!(cluster.programmed("floor").1, "Programmed");
    // What it yields to may have been deleted, which nobody can see any more.
    assert_eq!(says_at_once(&mut successor(&cluster), "floor").as_deref(), Some("Reconciling"));
}

#[test]
fn a_new_leader_does_not_say_that_a_sidecar_was_long_away_of_which_it_could_not_hear() {
    let cluster = told();
    let mut other = follower(&cluster);
    other.pass(60);
    other.take(Input::Leading(true));
    other.settle();
    other.now = other.now.saturating_add(GRACE).unwrap();
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
    other.pass(30);
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("NotConnected"));
}

#[test]
fn a_clock_that_is_set_back_prolongs_nothing_and_is_what_statuses_have() {
    let cluster = told();
    let mut other = successor(&cluster);
    other.settle();
    other.set_back = SignedDuration::from_hours(1);
    other.now = other.now.saturating_add(GRACE).unwrap();
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("Reconciling"));
    let conditions = &other.policies["clinic/imaging"].conditions;
    let programmed = conditions.iter().find(|condition| condition.kind == "Programmed").unwrap();
    assert_eq!(programmed.last_transition_time, other.moment().wall.to_string());

    other.acknowledge("agent-0");
    other.take(Input::ReplicaGone("replica-1".into()));
    other.policy_for("imaging", "imaging");
    other.settle();
    let lost = other.moment().wall;
    other.pass(30);
    assert_eq!(says_at_once(&mut other, "clinic/imaging").as_deref(), Some("NotConnected"));
    let message = other.programmed("clinic/imaging").2;
    assert!(message.contains(&format!("is not connected since {lost}")), "{message}");
}

/// A pod of which the server's Secret is mounted.
fn pod_with_secret(cluster: &mut Cluster, pod: &str) {
    let server = cluster.control.world().read().unwrap().servers.values().next().unwrap().spec.clone().unwrap();
    let word = format!("aws={}", reeve_wire::document::Mounts::of(&server).as_str());
    cluster.pod_with(pod, "imaging", |pod| pod["metadata"]["annotations"]["reeve.dev/mounts"] = word.into());
}

/// One of which it is said that its sidecar has the Secret of server aws.
fn resolved() -> Cluster {
    let mut cluster = Cluster::new();
    let secret = json!({"secretRef": {"name": "aws", "key": "token"}});
    cluster.server("aws", json!({"url": "https://aws.internal/mcp", "credentials": secret}));
    pod_with_secret(&mut cluster, "agent-0");
    cluster.pass(1);
    cluster.converge();
    say(&mut cluster, "agent-0");
    assert_eq!(resolves_at_once(&mut cluster).as_deref(), Some("True"));
    cluster
}

fn say(cluster: &mut Cluster, pod: &str) {
    let (uid, generation) = ("McpServer clinic/aws".into(), 2);
    let state = ServerState { uid, generation, reason: ServerReason::Resolved, message: String::new() };
    let running = cluster.running(pod);
    cluster.report(pod, true, Some(running), vec![state]);
}

/// What it says of server aws: nothing if what was said stands.
fn resolves_at_once(other: &mut Cluster) -> Option<String> {
    other.settle();
    let conditions = &other.servers.get("aws")?.conditions;
    let resolved = conditions.iter().find(|condition| condition.kind == "ResolvedRefs");
    resolved.map(|condition| format!("{:?}", condition.status))
}

#[test]
fn a_new_leader_lets_stand_of_a_server_what_the_same_pods_have_said() {
    let mut other = successor(&resolved());
    assert_eq!(resolves_at_once(&mut other), None);
    other.now = other.now.saturating_add(GRACE).unwrap();
    assert_eq!(resolves_at_once(&mut other).as_deref(), Some("Unknown"));
}

#[test]
fn a_pod_that_nobody_has_heard_of_is_not_said_to_have_a_servers_secret_after_a_hand_over() {
    let mut cluster = resolved();
    cluster.pass(1);
    pod_with_secret(&mut cluster, "agent-1");
    assert_eq!(resolves_at_once(&mut successor(&cluster)).as_deref(), Some("Unknown"), "it came beside the others");
    gone(&mut cluster, "agent-0");
    assert_eq!(resolves_at_once(&mut successor(&cluster)).as_deref(), Some("Unknown"), "it took the place of another");
}

#[test]
fn a_sidecar_that_says_nothing_of_a_server_is_not_said_to_have_its_secret_after_a_hand_over() {
    let mut other = follower(&resolved());
    other.acknowledge("agent-0");
    other.take(Input::Leading(true));
    assert_eq!(resolves_at_once(&mut other).as_deref(), Some("Unknown"));
}
