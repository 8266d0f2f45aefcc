//! What is applied is enforced; what is wrong is refused by the very command that applies it.

use reeve_tests::cluster::clinic::{agent, call, calls, policy, programmed};
use reeve_tests::cluster::cluster_policy::ClusterPolicy;
use reeve_tests::cluster::pod::status;
use serde_json::{Value, json};

use super::{ENABLED, clinic};

fn exports(most: i64) -> Value {
    json!({"name": "export-rate", "tools": ["start_dicom_export_job"], "action": "Allow",
        "limits": [{"counter": "export_rate", "window": "1m", "max": most}]})
}

fn rule(name: &str, tools: &str, action: &str) -> Value {
    json!({"name": name, "tools": [tools], "action": action})
}

/// How many of the calls were decided so.
fn decided(lines: &[String], decision: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(&format!("{decision}: "))).count()
}

#[test]
fn an_agents_eleventh_call_in_a_minute_is_refused_and_the_policy_says_programmed() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(policy("imaging", "agent", &json!([exports(10)])));
    let agent = namespace.pod(agent(&namespace, "agent"));
    let status = programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!((&status["matchedPods"], &status["programmedPods"]), (&json!(1), &json!(1)), "{status:#}");
    let lines = calls(&agent, "start_dicom_export_job", 11);
    assert_eq!((decided(&lines, "allow"), decided(&lines, "limited")), (10, 1), "{lines:#?}");
    let words = format!("policy {}/imaging, rule export-rate: at most 10 calls in any 1m", namespace.name);
    assert!(lines[10].starts_with("limited: ") && lines[10].contains(&words), "{lines:#?}");
    let other = call(&agent, "delete_datastore");
    assert!(other.starts_with("deny: "), "what no rule permits is refused: {other}");
}

#[test]
fn a_changed_policy_is_in_force_without_a_restart() {
    let namespace = clinic(&[ENABLED]);
    let reads = |action| policy("imaging", "agent", &json!([rule("lists", "list_*", action)]));
    namespace.apply(reads("Allow"));
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let before = call(&agent, "list_datastores");
    assert!(before.starts_with("allow: "), "{before}");
    let uid = agent.now()["metadata"]["uid"].clone();
    for (action, decision) in [("Deny", "deny: "), ("Allow", "allow: ")] {
        namespace.apply(reads(action));
        programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
        // At the first call after the status said so: else it lied.
        let then = call(&agent, "list_datastores");
        assert!(then.starts_with(decision), "{action}: {then}");
    }
    let now = agent.now();
    assert_eq!(now["metadata"]["uid"], uid);
    for container in ["main", "reeve-sidecar"] {
        assert_eq!(status(&now, container).unwrap()["restartCount"], 0, "{container}");
    }
}

#[test]
fn a_bad_policy_is_refused_by_kubectl_apply_with_field_and_fix() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(policy("imaging", "agent", &json!([rule("lists", "list_*", "Allow")])));
    let agent = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    for (by, rule, words) in [
        (
            "the schema",
            rule("lists", "*", "Permit"),
            "spec.rules[0].action: Unsupported value: \"Permit\": supported values: \"Allow\", \"Deny\", ",
        ),
        (
            "a rule of the definition",
            json!({"name": "lists", "action": "Allow"}),
            "spec.rules[0]: Invalid value: the rule selects nothing: name tools, resources or prompts",
        ),
        (
            "the webhook",
            json!({"name": "lists", "tools": ["*"], "action": "Allow", "when": "args.datastore = 'ds-1'"}),
            "spec.rules[0].when: column 16: `=` compares nothing: write ==",
        ),
    ] {
        let refused = namespace.refused(policy("imaging", "agent", &json!([rule])));
        assert!(refused.contains(words), "{by}: {words}\nis not in\n{refused}");
    }
    let good = namespace.get("mcppolicy/imaging").unwrap();
    assert_eq!(good["metadata"]["generation"], 1, "the good one stays");
    let (list, delete) = (call(&agent, "list_datastores"), call(&agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}

#[test]
fn two_policies_and_a_boundary_bind_together() {
    let namespace = clinic(&[ENABLED]);
    let no_deletes = json!({"rules": [rule("no-deletes", "delete_*", "Deny")]});
    let boundary = ClusterPolicy::new(&namespace, "Boundary", no_deletes);
    namespace.apply(policy("team", "agent", &json!([rule("all", "*", "Allow")])));
    let mut slower = exports(2);
    slower["action"] = json!("Constrain");
    namespace.apply(policy("slower", "agent", &json!([slower])));
    let agent = namespace.pod(agent(&namespace, "agent"));
    for object in ["mcppolicy/team", "mcppolicy/slower", &boundary.object()] {
        programmed(&namespace, object, "True", "Programmed");
    }
    let list = call(&agent, "list_datastores");
    assert!(list.starts_with("allow: "), "one policy grants, and nothing binds: {list}");
    let lines = calls(&agent, "start_dicom_export_job", 3);
    assert_eq!((decided(&lines, "allow"), decided(&lines, "limited")), (2, 1), "the other limits: {lines:#?}");
    let delete = call(&agent, "delete_datastore");
    let words = format!("policy {}, rule no-deletes", boundary.name);
    assert!(delete.starts_with("deny: ") && delete.contains(&words), "the Boundary forbids what both grant: {delete}");
}
