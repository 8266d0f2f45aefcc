//! Which policies decide, on a cluster: by tier, mode, selectors and labels, as they are at each moment.

use reeve_tests::cluster::Namespace;
use reeve_tests::cluster::clinic::{SIDECAR, agent, call, calls_at, policy, programmed, recorded};
use reeve_tests::cluster::cluster_policy::ClusterPolicy;
use reeve_tests::cluster::pod::{Pod, status};
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::{ENABLED, clinic, lists};

fn rule(name: &str, tools: &str, action: &str) -> Value {
    json!({"name": name, "tools": [tools], "action": action})
}

/// Whether the agent's calls of these tools are decided so.
fn decides(agent: &Pod<'_>, decisions: &[(&str, &str)]) {
    for (tool, decision) in decisions {
        let line = call(agent, tool);
        assert!(line.starts_with(&format!("{decision}: ")), "{tool} is to be {decision}: {line}");
    }
}

const NO_POLICY: &str = "deny: Denied: No policy governs this server.";

#[test]
fn a_baseline_governs_only_while_no_policy_of_the_namespace_does() {
    let namespace = clinic(&[ENABLED]);
    let baseline = ClusterPolicy::new(&namespace, "Baseline", json!({"rules": [rule("lists", "list_*", "Allow")]}));
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, &baseline.object(), "True", "Programmed");
    decides(&agent, &[("list_datastores", "allow"), ("get_datastore", "deny")]);
    namespace.apply(policy("imaging", "agent", &json!([rule("gets", "get_*", "Allow")])));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    programmed(&namespace, &baseline.object(), "Unknown", "NoPods");
    decides(&agent, &[("list_datastores", "deny"), ("get_datastore", "allow")]);
    namespace.told(&["delete", "mcppolicy/imaging"]);
    programmed(&namespace, &baseline.object(), "True", "Programmed");
    decides(&agent, &[("list_datastores", "allow"), ("get_datastore", "deny")]);
}

#[test]
fn a_boundary_grants_nothing_by_itself() {
    let namespace = clinic(&[ENABLED]);
    let boundary = ClusterPolicy::new(&namespace, "Boundary", json!({"rules": [rule("all", "*", "Allow")]}));
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, &boundary.object(), "True", "Programmed");
    let list = call(&agent, "list_datastores");
    assert!(list.starts_with(NO_POLICY), "{list}");
}

#[test]
fn a_boundary_that_denies_by_default_leaves_only_what_it_names() {
    let namespace = clinic(&[ENABLED]);
    let spec = json!({"default": "Deny", "rules": [rule("lists", "list_*", "Allow")]});
    let boundary = ClusterPolicy::new(&namespace, "Boundary", spec);
    namespace.apply(policy(
        "imaging",
        "agent",
        &json!([rule("gets", "get_*", "Allow"), rule("lists", "list_*", "Allow")]),
    ));
    let agent = namespace.pod(agent(&namespace, "agent"));
    for object in [boundary.object().as_str(), "mcppolicy/imaging"] {
        programmed(&namespace, object, "True", "Programmed");
    }
    decides(&agent, &[("list_datastores", "allow"), ("get_datastore", "deny")]);
    let record = recorded(&agent, "get_datastore", "DeniedByBoundary");
    assert_eq!(record["rule"], boundary.name, "{record:#}");
}

#[test]
fn where_only_audit_governs_calls_pass_and_are_recorded_with_what_would_have_been() {
    let namespace = clinic(&[ENABLED]);
    let mut observing = policy("imaging", "agent", &json!([rule("lists", "list_*", "Allow")]));
    observing["spec"]["mode"] = json!("Audit");
    let said = namespace.apply(observing);
    assert!(said.warnings.contains("spec.mode: Audit: the policy records what it would do, and refuses nothing"));
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    decides(&agent, &[("delete_datastore", "allow")]);
    let record = recorded(&agent, "delete_datastore", "AuditOnly");
    assert_eq!((&record["decision"], &record["mode"]), (&json!("allow"), &json!("Audit")), "{record:#}");
    let shadow = &record["shadow"][0];
    assert_eq!((&shadow["decision"], &shadow["reason"]), (&json!("deny"), &json!("NoRule")), "{record:#}");
    assert_eq!(shadow["rule"], format!("{}/imaging", namespace.name), "{record:#}");
}

#[test]
fn a_deny_of_any_enforcing_policy_wins_and_one_of_an_observing_policy_is_only_recorded() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(policy("granting", "agent", &json!([rule("all", "*", "Allow")])));
    namespace.apply(policy("denying", "agent", &json!([rule("no-deletes", "delete_*", "Deny")])));
    let mut observing = policy("observing", "agent", &json!([rule("no-lists", "list_*", "Deny")]));
    observing["spec"]["mode"] = json!("Audit");
    namespace.apply(observing);
    let agent = namespace.pod(agent(&namespace, "agent"));
    for name in ["granting", "denying", "observing"] {
        programmed(&namespace, &format!("mcppolicy/{name}"), "True", "Programmed");
    }
    decides(&agent, &[("delete_datastore", "deny"), ("list_datastores", "allow"), ("get_datastore", "allow")]);
    let denied = recorded(&agent, "delete_datastore", "DeniedByRule");
    assert_eq!(denied["rule"], format!("{}/denying#no-deletes", namespace.name), "{denied:#}");
    let allowed = recorded(&agent, "list_datastores", "AllowedByRule");
    let shadow = json!({"decision": "deny", "reason": "DeniedByRule",
        "rule": format!("{}/observing#no-lists", namespace.name)});
    assert_eq!(allowed["shadow"], json!([shadow]), "{allowed:#}");
}

/// Declares the server under another name, as it is written here, and gives the sidecar's URL for it.
fn declared(namespace: &Namespace, name: &str, url: &str) -> String {
    namespace.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": name},
        "spec": {"url": url}}));
    format!("http://127.0.0.1:14001/{name}")
}

#[test]
fn a_server_that_is_renamed_is_still_within_the_boundary_of_its_url() {
    let namespace = clinic(&[ENABLED]);
    let spec = json!({"serverURLs": [clinic::url(&namespace)], "rules": [rule("no-deletes", "delete_*", "Deny")]});
    let boundary = ClusterPolicy::new(&namespace, "Boundary", spec);
    let mut all = policy("imaging", "agent", &json!([rule("all", "*", "Allow")]));
    all["spec"]["serverRefs"] = json!([{"name": "*"}]);
    namespace.apply(all);
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, &boundary.object(), "True", "Programmed");
    decides(&agent, &[("delete_datastore", "deny")]);
    let name = &namespace.name;
    let spelled = [("renamed", clinic::url(&namespace)), ("respelled", format!("http://IMAGING.{name}.svc:80/./mcp"))];
    for (name, url) in spelled {
        let url = declared(&namespace, name, &url);
        // Until the sidecar offers the server, it answers that there is none.
        let list =
            eventually("the new server is called", || calls_at(&agent, ("main", &url), "list_datastores", 1).ok());
        assert!(list[0].starts_with("allow: "), "{name}: {list:?}");
        let delete = calls_at(&agent, ("main", &url), "delete_datastore", 1).unwrap();
        let words = format!("deny: Denied by policy {}, rule no-deletes: ", boundary.name);
        assert!(delete[0].starts_with(&words), "{name}: {delete:?}");
    }
    namespace.told(&["delete", "mcpserver/imaging"]);
    eventually("the old name is gone", || {
        calls_at(&agent, ("main", "http://127.0.0.1:14001/imaging"), "list_datastores", 1).err()
    });
    let delete = calls_at(&agent, ("main", "http://127.0.0.1:14001/renamed"), "delete_datastore", 1).unwrap();
    assert!(delete[0].starts_with("deny: "), "{delete:?}");
}

/// Whether neither of a pod's containers was started again.
fn is_the_same(agent: &Pod<'_>) {
    for container in ["main", SIDECAR] {
        assert_eq!(status(&agent.now(), container).unwrap()["restartCount"], 0, "{container}");
    }
}

#[test]
fn a_policy_whose_selector_changes_leaves_one_pod_and_governs_another() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let [first, second] = ["agent", "other"].map(|name| namespace.pod(agent(&namespace, name)));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    decides(&first, &[("list_datastores", "allow")]);
    decides(&second, &[("list_datastores", "deny")]);
    namespace.apply(policy("imaging", "other", &json!([rule("lists", "list_*", "Allow")])));
    let status = programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!(status["matchedPods"], 1, "{status:#}");
    // At the first call after the status said so: it is True only once the pod that it left has let go of it.
    let left = call(&first, "list_datastores");
    assert!(left.starts_with(NO_POLICY), "{left}");
    decides(&second, &[("list_datastores", "allow")]);
    is_the_same(&first);
    is_the_same(&second);
}

#[test]
fn a_label_that_a_running_pod_is_given_or_loses_is_in_force_without_a_restart() {
    let namespace = clinic(&[ENABLED]);
    let agent = namespace.pod(agent(&namespace, "agent"));
    let mut trusted = policy("imaging", "agent", &json!([rule("lists", "list_*", "Allow")]));
    trusted["spec"]["podSelector"] = json!({"matchLabels": {"trust": "high"}});
    namespace.apply(trusted);
    programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    decides(&agent, &[("list_datastores", "deny")]);
    namespace.told(&["label", "pod/agent", "trust=high"]);
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    decides(&agent, &[("list_datastores", "allow")]);
    namespace.told(&["label", "pod/agent", "trust-"]);
    eventually("the call is refused again", || call(&agent, "list_datastores").starts_with(NO_POLICY).then_some(()));
    programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    is_the_same(&agent);
}

#[test]
fn when_a_policy_is_deleted_what_it_permitted_is_refused_again() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    decides(&agent, &[("list_datastores", "allow")]);
    namespace.told(&["delete", "mcppolicy/imaging"]);
    eventually("the call is refused again", || call(&agent, "list_datastores").starts_with(NO_POLICY).then_some(()));
    let record = recorded(&agent, "list_datastores", "NoPolicy");
    assert_eq!((&record["decision"], &record["rule"]), (&json!("deny"), &Value::Null), "{record:#}");
    is_the_same(&agent);
}
