//! What a status says is true at each instant: of policies, of servers, and in Events.

use std::time::{Duration, Instant};

use reeve_tests::cluster::clinic::{SIDECAR, agent, call, calls, message, policy, programmed, server};
use reeve_tests::cluster::pod::condition;
use reeve_tests::cluster::workload::{deployment, pods, rolled_out};
use reeve_tests::cluster::{Alone, Namespace, events, installed};
use serde_json::{Value, json};

use super::{ENABLED, clinic, lists, watched};

fn rule(name: &str, tools: &str, action: &str) -> Value {
    json!({"name": name, "tools": [tools], "action": action})
}

/// The manifest of a pod of the app `agent`, by another name.
fn one_agent(namespace: &Namespace, name: &str) -> Value {
    let mut pod = agent(namespace, name);
    pod["metadata"]["labels"]["app"] = json!("agent");
    pod
}

/// Whether a policy says that generation `generation` of it is in force.
fn claims(policy: &Value, generation: i64) -> bool {
    policy["status"]["observedGeneration"] == generation && condition(policy, "Programmed") == Some("True")
}

#[test]
fn while_one_sidecar_stands_still_programmed_is_false_and_names_its_pod() {
    let alone = Alone::new(&[ENABLED]);
    installed::reeve();
    server(&alone);
    lists(&alone);
    let agents = [("first", "node1"), ("second", "node1"), ("third", "node2")].map(|(name, node)| {
        let mut pod = one_agent(&alone, name);
        pod["spec"]["nodeName"] = json!(node);
        alone.pod(pod)
    });
    let status = programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!(status["programmedPods"], 3, "{status:#}");
    // Else the kubelet, whose probes are not answered, would start the sidecar anew after a while.
    let kubelet = alone.freeze("kubelet-node2");
    let container = agents[2].container(SIDECAR);
    let frozen = container.freeze();
    alone.apply(policy("imaging", "agent", &json!([rule("gets", "get_*", "Allow")])));
    let status = alone.wait("two of three enforce the new policy", "mcppolicy/imaging", |policy| {
        assert!(!claims(policy, 2), "it is not in force in every pod: {:#}", policy["status"]);
        let status = &policy["status"];
        (status["observedGeneration"] == 2 && status["programmedPods"] == 2).then(|| status.clone())
    });
    assert_eq!(message(&status, "Programmed"), "2 of 3 sidecars run generation 2; third still runs 1");
    for agent in &agents[..2] {
        let (get, list) = (call(agent, "get_datastore"), call(agent, "list_datastores"));
        assert!(get.starts_with("allow: ") && list.starts_with("deny: "), "{}: {get}\n{list}", agent.name);
    }
    assert!(!claims(&alone.get("mcppolicy/imaging").unwrap(), 2), "the third stands still as before");
    let thawed = Instant::now();
    drop(frozen);
    let status = programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    assert!(thawed.elapsed() < Duration::from_secs(10), "it took {:?}", thawed.elapsed());
    assert_eq!(status["programmedPods"], 3, "{status:#}");
    kubelet.mend();
    let list = call(&agents[2], "list_datastores");
    assert!(list.starts_with("deny: "), "{list}");
}

#[test]
fn when_kubectl_wait_ends_the_next_call_of_every_pod_meets_the_changed_policy() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let agents = ["first", "second"].map(|name| namespace.pod(one_agent(&namespace, name)));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    for round in 0..4 {
        let (action, decision) = if round % 2 == 0 { ("Deny", "deny: ") } else { ("Allow", "allow: ") };
        namespace.apply(policy("imaging", "agent", &json!([rule("lists", "list_*", action)])));
        namespace.told(&["wait", "--for=condition=Programmed", "mcppolicy/imaging", "--timeout=30s"]);
        for agent in &agents {
            let list = call(agent, "list_datastores");
            assert!(list.starts_with(decision), "round {round}, {}: {list}", agent.name);
        }
    }
}

#[test]
fn a_workload_the_policy_and_its_wide_columns_tell_of_a_pod_without_sidecar_by_the_same_word() {
    let namespace = watched(&[]);
    namespace.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "imaging"},
        "spec": {"url": "http://imaging.example/mcp"}}));
    namespace.apply(deployment(&agent(&namespace, "agent"), 1));
    rolled_out(&namespace, "deployment/agent");
    lists(&namespace);
    namespace.told(&["label", "namespace", &namespace.name, "reeve.dev/inject=enabled"]);
    let status = programmed(&namespace, "mcppolicy/imaging", "False", "UnprotectedPods");
    let told = events::told(&namespace, "McpPolicy/imaging", "UnprotectedPods");
    assert_eq!(told, message(&status, "Programmed"));
    let wide = namespace.told(&["get", "mcppolicy/imaging", "-o", "wide", "--no-headers"]);
    assert_eq!(wide.split_whitespace().last(), Some("UnprotectedPods"), "{wide}");
    let pod = &pods(&namespace, "agent")[0].name;
    let words = format!(
        "pod {pod} is governed by policy {}/imaging and has no sidecar: restart it, so that it is given one",
        namespace.name
    );
    assert_eq!(events::told(&namespace, "Deployment/agent", "UnprotectedPods"), words);
    // What it says to do helps.
    namespace.told(&["rollout", "restart", "deployment/agent"]);
    rolled_out(&namespace, "deployment/agent");
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    events::told(&namespace, "McpPolicy/imaging", "Programmed");
}

#[test]
fn get_shows_mode_pods_and_whether_it_is_programmed_and_a_server_how_many_pods_use_it() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let given = |pods: i64| {
        let what = format!("{pods} pods are given the server");
        namespace.wait(&what, "mcpserver/imaging", |server| (server["status"]["pods"] == pods).then_some(()))
    };
    given(0);
    for (name, pods) in [("first", 1), ("second", 2)] {
        namespace.pod(one_agent(&namespace, name));
        given(pods);
    }
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let words = |kind: &str| -> Vec<Vec<String>> {
        let table = namespace.told(&["get", kind]);
        table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    let policies = words("mcppolicy");
    assert_eq!(policies[0], ["NAME", "MODE", "PODS", "PROGRAMMED", "AGE"]);
    assert_eq!(policies[1][..4], ["imaging", "Enforce", "2", "True"]);
    let servers = words("mcpserver");
    assert_eq!(servers[0], ["NAME", "URL", "PODS", "ACCEPTED", "RESOLVED", "AGE"]);
    assert_eq!(servers[1][2..5], ["2", "True", "True"]);
    namespace.told(&["delete", "pod/second"]);
    given(1);
}

#[test]
fn a_limit_that_spans_pods_says_what_can_really_pass_and_that_passes() {
    let namespace = clinic(&[ENABLED]);
    let exports = json!([{"name": "exports", "tools": ["start_*"], "action": "Allow",
        "limits": [{"counter": "exports", "window": "10m", "max": 3}]}]);
    namespace.apply(policy("imaging", "agent", &exports));
    namespace.apply(deployment(&agent(&namespace, "agent"), 2));
    rolled_out(&namespace, "deployment/agent");
    let status = namespace.wait("two pods count apart", "mcppolicy/imaging", |policy| {
        (condition(policy, "LimitsExact") == Some("False")).then(|| policy["status"].clone())
    });
    let pointer = format!("{}/imaging#exports/limits/exports", namespace.name);
    let reach = json!([{"pointer": pointer, "max": 3, "window": "10m", "pods": 2, "canPass": 6}]);
    assert_eq!(status["limits"], reach, "{status:#}");
    let words = format!(
        "no store is shared, so each pod counts apart: {pointer} lets 3 pass in 10m in each of 2 pods, 6 in all; lower max or \
         run fewer pods if that is too much"
    );
    assert_eq!(message(&status, "LimitsExact"), words);
    assert_eq!(events::told(&namespace, "McpPolicy/imaging", "CountedPerPod"), words);
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let lines: Vec<_> =
        pods(&namespace, "agent").iter().flat_map(|agent| calls(agent, "start_dicom_export_job", 5)).collect();
    let passed = lines.iter().filter(|line| line.starts_with("allow: ")).count();
    assert_eq!((passed, lines.len()), (6, 10), "{lines:#?}");
    namespace.told(&["scale", "deployment/agent", "--replicas=1"]);
    let exact = |policy: &Value| (condition(policy, "LimitsExact") == Some("True")).then(|| policy["status"].clone());
    let status = namespace.wait("one pod counts exactly", "mcppolicy/imaging", exact);
    assert!(status["limits"].is_null(), "{status:#}");
}
