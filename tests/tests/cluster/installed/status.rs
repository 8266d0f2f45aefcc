//! A policy's status is the truth about its pods.

use reeve_tests::cluster::clinic::{agent, message, policy, programmed};
use serde_json::json;

use super::{ENABLED, clinic};

#[test]
fn a_policy_that_governs_no_pod_says_so() {
    let namespace = clinic(&[ENABLED]);
    let reads = json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}]);
    let said = namespace.apply(policy("imaging", "agent", &reads));
    let words = format!("spec.podSelector: matches no pod of namespace {} now", namespace.name);
    assert!(said.warnings.contains(&words), "{}", said.warnings);
    let status = programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    assert_eq!(status["matchedPods"].as_i64().unwrap_or_default(), 0, "{status:#}");
    assert!(message(&status, "Programmed").starts_with("it governs no pod"), "{status:#}");
    namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    namespace.told(&["delete", "pod/agent"]);
    programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
}

#[test]
fn a_pod_without_its_sidecar_is_counted_as_unprotected() {
    let namespace = clinic(&[]);
    namespace.apply(policy("imaging", "agent", &json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}])));
    namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    namespace.told(&["label", "namespace", &namespace.name, "reeve.dev/inject=enabled"]);
    let status = programmed(&namespace, "mcppolicy/imaging", "False", "UnprotectedPods");
    assert_eq!((&status["matchedPods"], &status["unprotectedPods"]), (&json!(1), &json!(1)), "{status:#}");
    let words = message(&status, "Programmed");
    assert!(words.contains("without a sidecar: agent") && words.contains("restart"), "{words}");
    namespace.told(&["delete", "pod/agent"]);
    namespace.pod(agent(&namespace, "agent"));
    let status = programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!(status["programmedPods"], 1, "{status:#}");
}
