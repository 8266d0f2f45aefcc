//! What sidecars are given, and how far a policy is said to be in force.

use super::*;

#[test]
fn nothing_follows_before_every_watch_has_told_all_it_has() {
    let mut cluster = Cluster::unsynced();
    cluster.take(Input::Leading(true));
    cluster.namespace("clinic", json!({}));
    cluster.server("aws", json!({"url": "https://aws.internal/mcp"}));
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    assert_eq!((cluster.settle(), cluster.control.is_synced()), (Output::default(), false));
    cluster.sync();
    assert!(cluster.control.is_synced());
    cluster.settle();
    assert!(cluster.given.contains_key("agent-0") && cluster.policies.contains_key("clinic/imaging"));
}

#[test]
fn a_pod_is_given_its_namespaces_servers_and_the_policies_that_govern_each() {
    let mut cluster = Cluster::new();
    cluster.server("github", json!({"url": "https://github.internal/mcp"}));
    cluster.server("wrong", json!({"url": "ftp://x.internal/mcp"}));
    cluster.policy_for("imaging", "imaging");
    cluster.policy_for("other", "other");
    cluster.policy("undeclared", json!({"serverRefs": [{"name": "nobody"}]}));
    cluster.cluster_policy("floor", json!({"tier": "Boundary", "serverURLs": ["https://github.internal/*"]}));
    cluster
        .cluster_policy("elsewhere", json!({"tier": "Boundary", "namespaceSelector": {"matchLabels": {"env": "dev"}}}));
    cluster.pod("agent-0", "imaging");
    cluster.settle();

    let document = cluster.document("agent-0");
    let policies: Vec<_> = document.policies.iter().map(|policy| policy.uid.as_str()).collect();
    assert_eq!(policies, ["ClusterMcpPolicy /floor", "McpPolicy clinic/imaging"]);
    let servers: Vec<_> =
        document.servers.iter().map(|server| (server.name.as_str(), server.policies.clone())).collect();
    assert_eq!(servers, [("aws", vec![1]), ("github", vec![0])]);
    let assignment = &cluster.given["agent-0"];
    assert_eq!((assignment.identity.pod.as_str(), assignment.identity.labels["app"].as_str()), ("agent-0", "imaging"));
    let reeve_wire::World { policies, cluster_policies, servers, namespace, pod, .. } = assignment.world;
    assert_eq!([policies, cluster_policies, servers, namespace, pod], [7, 9, 4, 1, 10]);
}

#[test]
fn pods_alike_share_their_bytes() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.pod("agent-1", "imaging");
    cluster.pod_with("agent-2", "imaging", |pod| pod["metadata"]["labels"]["index"] = "2".into());
    cluster.settle();
    let bytes = |pod: &str| cluster.given[pod].document.as_ref().unwrap().as_ptr();
    assert!(bytes("agent-0") == bytes("agent-1") && bytes("agent-1") == bytes("agent-2"));
    assert_eq!(cluster.control.planned(), 2);
}

#[test]
fn a_change_that_touches_one_pod_plans_one_profile_and_gives_to_that_pod_alone() {
    let mut cluster = Cluster::new();
    cluster.policy("everyone", json!({"serverRefs": [{"name": "*"}]}));
    for number in 0..50 {
        cluster.pod(&format!("agent-{number}"), &format!("app-{number}"));
        cluster.policy_for(&format!("p{number}"), &format!("app-{number}"));
    }
    cluster.converge();
    let planned = cluster.control.planned();

    cluster.policy_for("p7", "app-7");
    let output = cluster.settle();
    assert_eq!(output.assignments.iter().map(|(pod, _)| pod.as_str()).collect::<Vec<_>>(), ["agent-7"]);
    assert_eq!(output.policies.iter().map(|write| &*write.name).collect::<Vec<_>>(), ["p7"]);
    cluster.acknowledge("agent-7");
    let output = cluster.settle();
    assert_eq!(output.policies.iter().map(|write| &*write.name).collect::<Vec<_>>(), ["p7"]);
    assert_eq!((cluster.control.planned() - planned, output.assignments.len()), (1, 0));
}

#[test]
fn programmed_says_who_still_runs_what() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    for pod in ["agent-0", "agent-1", "agent-2"] {
        cluster.pod(pod, "imaging");
    }
    cluster.settle();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/Reconciling: 0 of 3 sidecars run generation 1; agent-0 has not reported yet, agent-1 has not reported yet, \
         agent-2 has not reported yet"
    );
    cluster.converge();
    assert_eq!(cluster.says("clinic/imaging"), "True/Programmed: 3 of 3 sidecars run generation 1");

    cluster.policy_for("imaging", "imaging");
    cluster.settle();
    cluster.acknowledge("agent-0");
    cluster.acknowledge("agent-2");
    cluster.settle();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/Reconciling: 2 of 3 sidecars run generation 2; agent-1 still runs 1"
    );
    let status = &cluster.policies["clinic/imaging"];
    assert_eq!((status.observed_generation, status.matched_pods, status.programmed_pods), (Some(2), 3, 2));
    cluster.acknowledge("agent-1");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").0, ConditionStatus::True);
}

#[test]
fn a_pod_that_should_have_a_sidecar_and_has_none_is_named() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.without_sidecar("agent-1", "imaging");
    cluster.converge();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/UnprotectedPods: 1 of 1 sidecar runs generation 1; without a sidecar: agent-1; restart them, and see Events of \
         their workload if they get none"
    );
    assert_eq!(cluster.policies["clinic/imaging"].unprotected_pods, 1);
    assert!(!cluster.given.contains_key("agent-1"));
    // It may decline, and then does not count.
    cluster.pod_with("agent-1", "imaging", |pod| {
        pod["spec"]["initContainers"] = json!([]);
        pod["metadata"]["labels"]["reeve.dev/inject"] = "false".into();
    });
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").0, ConditionStatus::True);
}

#[test]
fn a_namespace_that_begins_to_ask_for_sidecars_has_pods_without() {
    let mut cluster = Cluster::new();
    cluster.namespace("clinic", json!({}));
    cluster.policy_for("imaging", "imaging");
    cluster.without_sidecar("agent-0", "imaging");
    cluster.settle();
    assert!(cluster.says("clinic/imaging").starts_with("Unknown/NoPods: it governs no pod"));
    cluster.namespace("clinic", json!({"reeve.dev/inject": "required"}));
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "UnprotectedPods");
}

#[test]
fn a_sidecar_that_is_away_and_behind_is_told_of_and_one_that_is_only_away_enforces() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    let running = cluster.running("agent-0");
    cluster.report("agent-0", false, Some(running), Vec::new());
    cluster.pass(300);
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").0, ConditionStatus::True);

    cluster.policy_for("imaging", "imaging");
    cluster.settle();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/NotConnected: 0 of 1 sidecar runs generation 2; agent-0 still runs 1 and is not connected since \
         2026-01-01T00:01:00Z; see the log of its sidecar"
    );
    let seen = cluster.running("agent-0");
    cluster.report("agent-0", true, Some(seen), Vec::new());
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").0, ConditionStatus::True);
}

#[test]
fn a_sidecar_that_never_comes_is_told_of_after_a_while() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "Reconciling");
    let due = cluster.now.saturating_add(SignedDuration::from_secs(30)).unwrap();
    while let Some(next) = cluster.next.filter(|next| *next <= due) {
        cluster.now = next;
        cluster.settle();
    }
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/NotConnected: 0 of 1 sidecar runs generation 1; agent-0 has never connected; see the log of its sidecar"
    );
}

#[test]
fn a_policy_that_does_not_compile_is_not_programmed_and_says_what_follows() {
    let mut cluster = Cluster::new();
    let wrong = json!({"serverRefs": [{"name": "aws"}],
                       "rules": [{"name": "r", "tools": ["t"], "action": "Allow", "when": "args."}]});
    cluster.policy("wrong", wrong);
    cluster.policy("older", json!({"serverRefs": [{"name": "aws"}], "mode": "Audit", "colour": "red"}));
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    let (status, reason, message) = cluster.condition("clinic/wrong", "Accepted");
    assert_eq!((status, reason.as_str()), (ConditionStatus::False, "Invalid"));
    assert!(
        message.starts_with("/spec/rules/0/when: ") && message.ends_with("until it is corrected or deleted"),
        "{message}"
    );
    assert_eq!(cluster.programmed("clinic/wrong").1, "PolicyInvalid");
    let (_, reason, message) = cluster.condition("clinic/older", "Accepted");
    assert!(
        reason == "Unreadable"
            && message.contains("colour")
            && message.ends_with("it observes nothing until it is corrected")
    );
    // Sidecars are given both: the one that enforces refuses every call.
    assert_eq!(cluster.document("agent-0").policies.len(), 2);
    assert_eq!(
        (cluster.policies["clinic/wrong"].matched_pods, cluster.policies["clinic/wrong"].programmed_pods),
        (1, 0)
    );
}

#[test]
fn a_sidecar_that_cannot_enforce_a_policy_is_named_with_its_words() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.settle();
    let mut running = cluster.running("agent-0");
    let message = "/spec/rules/0/novelty: unknown field".to_owned();
    running.problems.push(PolicyProblem { uid: "McpPolicy clinic/imaging".into(), message });
    cluster.report("agent-0", true, Some(running), Vec::new());
    cluster.settle();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/SidecarRefused: 0 of 1 sidecar runs generation 1; agent-0 cannot enforce it: /spec/rules/0/novelty: unknown \
         field; a sidecar older than the operator is renewed by restarting its pod"
    );
}

#[test]
fn a_configuration_that_is_too_large_to_be_sent_is_told_with_its_size_and_what_to_do() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    let most = cluster.length("agent-0");
    cluster.control.configurations.plans.largest = most;
    cluster.policy_for("more", "imaging");
    cluster.settle();
    let Some(Excess::Bytes { has: bytes, .. }) = cluster.excess("agent-0") else { panic!("it fits") };
    assert_eq!(
        cluster.says("clinic/more"),
        format!(
            "False/ConfigurationTooLarge: 0 of 1 sidecar runs generation 1; agent-0 would have to be sent {bytes} bytes of \
             servers and policies, and at most {most} can be; what its sidecar runs stays in force until that is less: let \
             policies select fewer pods, or move servers to another namespace"
        )
    );
    cluster.policy_for("more", "other");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/more").1, "NoPods");
    assert_eq!(cluster.says("clinic/imaging"), "True/Programmed: 1 of 1 sidecar runs generation 1");
}

#[test]
fn more_policies_or_servers_than_a_sidecar_can_speak_of_are_not_sent_and_told() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    cluster.control.configurations.plans.most_objects = 1;
    cluster.policy_for("more", "imaging");
    cluster.settle();
    assert_eq!(cluster.given["agent-0"].document, None);
    let said = cluster.says("clinic/more");
    assert!(said.starts_with("False/ConfigurationTooLarge: "), "{said}");
    assert!(said.contains("agent-0 would have to be sent 2 policies, and at most 1 can be;"), "{said}");
    cluster.policy_for("more", "other");
    cluster.settle();
    assert!(cluster.given["agent-0"].document.is_some());
    assert_eq!(cluster.says("clinic/imaging"), "True/Programmed: 1 of 1 sidecar runs generation 1");
}

#[test]
fn no_policy_is_programmed_while_a_pod_cannot_be_sent_its_servers_and_what_runs_of_it_is_said() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.policy_for("other", "other");
    cluster.pod("agent-1", "other");
    cluster.converge();
    let most = cluster.length("agent-0");
    cluster.control.configurations.plans.largest = most;
    let server = cluster.object("McpServer", Some("clinic"), "beside", json!({"url": "https://beside.internal/mcp"}));
    let server = ServerView::of(&server).unwrap();
    cluster.take(Input::Servers(Change::Set(server.clone())));
    cluster.settle();
    let Some(Excess::Bytes { has: bytes, .. }) = cluster.excess("agent-0") else { panic!("it fits") };
    let said = |pod: &str| {
        format!(
            "False/ConfigurationTooLarge: 0 of 1 sidecar runs generation 1; {pod} still runs it beside what has changed since, \
             and would have to be sent {bytes} bytes of servers and policies, and at most {most} can be; what its sidecar runs \
             stays in force until that is less: let policies select fewer pods, or move servers to another namespace"
        )
    };
    assert_eq!(cluster.says("clinic/imaging"), said("agent-0"));
    assert_eq!(cluster.programmed("clinic/other").1, "ConfigurationTooLarge", "it is every pod's");
    assert_eq!(cluster.policies["clinic/imaging"].programmed_pods, 0);

    cluster.take(Input::Servers(Change::Gone(server)));
    cluster.settle();
    for policy in ["clinic/imaging", "clinic/other"] {
        assert_eq!(cluster.says(policy), "True/Programmed: 1 of 1 sidecar runs generation 1");
    }
}

#[test]
fn a_pod_that_cannot_be_freed_of_a_policy_is_told_of_by_that_policy() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    cluster.control.configurations.plans.largest = 0;
    cluster.policy_for("imaging", "other");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "ConfigurationTooLarge");
}

#[test]
fn only_of_a_sidecar_that_was_heard_of_is_it_known_that_it_lacks_what_cannot_be_sent() {
    let mut cluster = Cluster::new();
    cluster.control.configurations.plans.largest = 0;
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "Reconciling");
    cluster.report("agent-0", true, None, Vec::new());
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").1, "ConfigurationTooLarge");
}

#[test]
fn a_pod_that_still_runs_what_does_not_govern_it_any_more_counts_as_reconciling() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.pod("agent-1", "other");
    cluster.converge();
    cluster.policy_for("imaging", "other");
    cluster.settle();
    cluster.acknowledge("agent-1");
    cluster.settle();
    assert_eq!(
        cluster.says("clinic/imaging"),
        "False/Reconciling: 1 of 1 sidecar runs generation 2; agent-0 still runs 1, though it is not governed any more"
    );
    cluster.acknowledge("agent-0");
    cluster.settle();
    assert_eq!(cluster.programmed("clinic/imaging").0, ConditionStatus::True);
}

#[test]
fn a_terminating_pod_is_given_its_configuration_and_does_not_count() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.pod_with("agent-1", "imaging", |pod| pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into());
    cluster.settle();
    cluster.acknowledge("agent-0");
    cluster.settle();
    assert_eq!(cluster.says("clinic/imaging"), "True/Programmed: 1 of 1 sidecar runs generation 1");
    assert!(cluster.given.contains_key("agent-1"));
    let gone = cluster.pod_view("agent-1", "imaging", |_| {});
    cluster.take(Input::Pods(Change::Gone(gone)));
    assert_eq!(cluster.settle().assignments, [("agent-1".into(), None)]);
}

#[test]
fn a_baseline_counts_the_pods_that_no_enforcing_policy_governs() {
    let mut cluster = Cluster::new();
    cluster.cluster_policy("fallback", json!({"tier": "Baseline"}));
    cluster.pod("agent-0", "imaging");
    cluster.pod("agent-1", "other");
    cluster.converge();
    assert_eq!(cluster.says("fallback"), "True/Programmed: 2 of 2 sidecars run generation 1");
    cluster.policy_for("imaging", "imaging");
    cluster.converge();
    assert_eq!(cluster.says("fallback"), "True/Programmed: 1 of 1 sidecar runs generation 1");
    // Until the sidecar has put the policy away to which it yielded, the Baseline is not in force there.
    let view = cluster.policy_view("imaging", json!({"serverRefs": [{"name": "aws"}]}));
    cluster.take(Input::Policies(Change::Gone(view)));
    cluster.settle();
    assert_eq!(
        cluster.says("fallback"),
        "False/Reconciling: 1 of 2 sidecars run generation 1; clinic/agent-0 still runs it beside what has changed since"
    );
    cluster.converge();
    assert_eq!(cluster.programmed("fallback").0, ConditionStatus::True);
}

#[test]
fn a_list_that_is_read_anew_gives_every_sidecar_what_is_known_to_be_new() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    let before = Arc::clone(&cluster.given["agent-0"]);
    let pods = cluster.control.world().read().unwrap().pods().cloned().collect();
    cluster.take(Input::Pods(Change::All { objects: pods, version: 90 }));
    let policies = cluster.control.world().read().unwrap().policies_of("clinic").cloned().collect();
    cluster.take(Input::Policies(Change::All { objects: policies, version: 91 }));
    assert_eq!(cluster.settle().assignments.len(), 1);
    let after = &cluster.given["agent-0"];
    assert_eq!((after.world.policies, after.hash), (91, before.hash));
    assert!(cluster.settle().assignments.is_empty());
}

#[test]
fn what_has_not_changed_is_not_given_again() {
    let mut cluster = Cluster::new();
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    cluster.pod("agent-0", "imaging");
    cluster.acknowledge("agent-0");
    cluster.namespace("clinic", json!({"reeve.dev/inject": "enabled"}));
    let output = cluster.settle();
    assert!(output.assignments.is_empty() && output.policies.is_empty() && output.servers.is_empty(), "{output:?}");
}

#[test]
fn a_pod_started_before_a_server_was_declared_is_unrouted() {
    let mut cluster = Cluster::new();
    cluster.policy("everything", json!({"serverRefs": [{"name": "*"}]}));
    cluster.policy_for("imaging", "imaging");
    cluster.pod("agent-0", "imaging");
    cluster.pass(10);
    cluster.server("github", json!({"url": "https://github.internal/mcp"}));
    cluster.pass(10);
    cluster.pod("agent-1", "imaging");
    cluster.converge();
    let unrouted = |policy: &str| cluster.policies[policy].unrouted_pods;
    assert_eq!((unrouted("clinic/everything"), unrouted("clinic/imaging")), (1, 0));
}

#[test]
fn a_limit_that_pods_count_apart_says_what_can_really_pass() {
    let mut cluster = Cluster::new();
    let limit = |scope: &str| json!({"counter": scope.to_lowercase(), "window": "1m", "max": 10, "scope": scope});
    let limits = ["Grant", "Policy", "Pod", "Session"].map(limit);
    let rule = json!({"name": "r", "tools": ["t"], "action": "Allow", "limits": limits});
    cluster.policy("imaging", json!({"serverRefs": [{"name": "aws"}], "rules": [rule]}));
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    assert_eq!(cluster.condition("clinic/imaging", "LimitsExact").1, "Exact");
    cluster.pod("agent-1", "imaging");
    cluster.pod_with("agent-2", "imaging", |pod| pod["spec"]["serviceAccountName"] = "other".into());
    cluster.converge();
    let (status, reason, message) = cluster.condition("clinic/imaging", "LimitsExact");
    assert_eq!((status, reason.as_str()), (ConditionStatus::False, "CountedPerPod"));
    assert!(
        message.contains("clinic/imaging#r/limits/grant lets 10 pass in 1m in each of 2 pods, 20 in all"),
        "{message}"
    );
    let limits = &cluster.policies["clinic/imaging"].limits;
    let reach: Vec<_> = limits.iter().map(|limit| (limit.pointer.as_str(), limit.pods, limit.can_pass)).collect();
    assert_eq!(reach, [("clinic/imaging#r/limits/grant", 2, 20), ("clinic/imaging#r/limits/policy", 3, 30)]);
}

#[test]
fn a_policy_whose_selector_means_nobody_by_mistake_reaches_every_pod_at_once() {
    let mut cluster = Cluster::new();
    cluster.pod("agent-0", "imaging");
    cluster.converge();
    cluster.policy_for("own", "no label!");
    let wrong = json!({"matchLabels": {"env": "no label!"}});
    cluster.cluster_policy("pods", json!({"tier": "Boundary", "podSelector": wrong}));
    cluster.cluster_policy("namespaces", json!({"tier": "Boundary", "namespaceSelector": wrong}));
    cluster.settle();
    assert_eq!(cluster.document("agent-0").policies.len(), 3);
    assert_eq!(
        (cluster.programmed("namespaces").1.as_str(), cluster.policies["clinic/own"].matched_pods),
        ("PolicyInvalid", 1)
    );
    // Put right, they are taken away again.
    cluster.policy_for("own", "other");
    cluster.settle();
    assert_eq!(cluster.document("agent-0").policies.len(), 2);
}
