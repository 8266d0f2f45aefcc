//! How far a server is said to be usable.

use reeve_wire::message::ServerReason;

use super::*;

const SECRET: &str =
    r#"{"url": "https://aws.internal/mcp", "credentials": {"secretRef": {"name": "aws", "key": "token"}}}"#;

/// Server aws names a Secret, and two pods were given it.
fn with_secret() -> Cluster {
    let mut cluster = Cluster::new();
    let spec: Value = serde_json::from_str(SECRET).unwrap();
    let mounts = reeve_wire::document::Mounts::of(&serde_json::from_value(spec.clone()).unwrap());
    cluster.server("aws", spec);
    for pod in ["agent-0", "agent-1"] {
        let word = format!("aws={}", mounts.as_str());
        cluster.pod_with(pod, "imaging", |pod| pod["metadata"]["annotations"]["reeve.dev/mounts"] = word.into());
    }
    cluster.converge();
    cluster
}

fn say(cluster: &mut Cluster, pod: &str, reason: ServerReason, message: &str) {
    let state = ServerState { uid: "McpServer clinic/aws".into(), generation: 2, reason, message: message.into() };
    let running = cluster.running(pod);
    cluster.report(pod, true, Some(running), vec![state]);
    cluster.settle();
}

fn resolved(cluster: &Cluster) -> String {
    let condition =
        cluster.servers["aws"].conditions.iter().find(|condition| condition.kind == "ResolvedRefs").unwrap();
    format!("{:?}/{}: {}", condition.status, condition.reason, condition.message)
}

#[test]
fn what_a_server_names_is_resolved_only_when_every_sidecar_has_found_it() {
    let mut cluster = with_secret();
    assert_eq!(resolved(&cluster), "Unknown/NotReported: 2 of 2 sidecars have not reported on this generation yet");
    say(&mut cluster, "agent-0", ServerReason::Resolved, "");
    assert_eq!(resolved(&cluster), "Unknown/NotReported: 1 of 2 sidecars have not reported on this generation yet");
    say(&mut cluster, "agent-1", ServerReason::SecretMissing, "the Secret of credentials.secretRef is not there");
    assert_eq!(
        resolved(&cluster),
        "False/SecretMissing: agent-1: the Secret of credentials.secretRef is not there. The server names Secret aws \
         (key token) as credentials.secretRef"
    );
    say(&mut cluster, "agent-1", ServerReason::Resolved, "");
    assert_eq!(resolved(&cluster), "True/Resolved: 2 sidecars found what it names");
    assert_eq!((cluster.servers["aws"].pods, cluster.servers["aws"].stale_pods), (2, 0));
}

#[test]
fn a_running_pod_without_the_mount_of_a_server_is_named_with_the_fix() {
    let mut cluster = with_secret();
    cluster.pod("agent-2", "imaging");
    say(&mut cluster, "agent-0", ServerReason::Resolved, "");
    assert_eq!(
        resolved(&cluster),
        "False/RestartNeeded: 1 pod started before this server named what it names now, and reach it only once they are \
         restarted: agent-2"
    );
    assert_eq!((cluster.servers["aws"].pods, cluster.servers["aws"].stale_pods), (3, 1));
}

#[test]
fn a_server_that_cannot_be_used_is_not_accepted_and_given_to_nobody() {
    let mut cluster = Cluster::new();
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    let accepted = |cluster: &Cluster| cluster.servers["aws"].conditions[0].clone();
    assert_eq!((accepted(&cluster).status, cluster.servers["aws"].pods), (ConditionStatus::True, 1));
    assert_eq!(resolved(&cluster), "True/Resolved: it names no Secret and no ConfigMap");
    cluster.server("aws", json!({"url": "http://aws.internal/mcp", "tls": {}}));
    cluster.settle();
    assert_eq!((accepted(&cluster).status, accepted(&cluster).reason.as_str()), (ConditionStatus::False, "Invalid"));
    assert_eq!(cluster.servers["aws"].conditions.len(), 1);
    assert!(cluster.document("agent-0").servers.is_empty());
}

#[test]
fn what_a_sidecar_misses_is_told_in_its_present_words() {
    let mut cluster = with_secret();
    for word in ["the key is not there", "the key is empty"] {
        say(&mut cluster, "agent-0", ServerReason::KeyMissing, word);
        assert!(
            resolved(&cluster).starts_with(&format!("False/KeyMissing: agent-0: {word}. ")),
            "{}",
            resolved(&cluster)
        );
    }
}

#[test]
fn pods_that_come_after_others_have_gone_are_counted_in_their_stead() {
    let mut cluster = with_secret();
    say(&mut cluster, "agent-0", ServerReason::SecretMissing, "it is not there");
    let gone = cluster.pod_view("agent-0", "imaging", |_| {});
    cluster.take(Input::Pods(Change::Gone(gone)));
    cluster.settle();
    assert_eq!(resolved(&cluster), "Unknown/NotReported: 1 of 1 sidecar have not reported on this generation yet");
    cluster.pod("agent-2", "imaging");
    cluster.pod("agent-3", "imaging");
    cluster.settle();
    assert!(resolved(&cluster).starts_with("False/RestartNeeded: 2 pods started before"), "{}", resolved(&cluster));
    assert_eq!((cluster.servers["aws"].pods, cluster.servers["aws"].stale_pods), (3, 2));
}
