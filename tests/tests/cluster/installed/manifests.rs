//! What people read who apply a manifest that is wrong, word by word, and one that is legal but likely not what they mean.

use std::fs;

use reeve_tests::cluster::clinic::{agent, policy, programmed};
use reeve_tests::cluster::cluster_policy::ClusterPolicy;
use reeve_tests::cluster::{Namespace, kubectl};
use reeve_tests::process::root;
use serde_json::{Value, json};

use super::{ENABLED, clinic, watched};

/// The line after which a manifest's comment says what it is refused with.
const SAYS: &str = "# kubectl says:";

/// The words on one line, however they were broken into lines.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words that a manifest's comment expects.
fn expected(manifest: &str) -> String {
    let lines = manifest.lines().skip_while(|line| *line != SAYS).skip(1);
    let lines = lines.map_while(|line| line.strip_prefix('#')).collect::<Vec<_>>();
    on_one_line(&lines.join(" "))
}

#[test]
fn ten_bad_manifests_are_refused_in_these_words() {
    let namespace = watched(&[ENABLED]);
    let folder = root().join("tests/tests/cluster/manifests");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 10);
    let mut others = Vec::new();
    for file in files {
        let manifest = fs::read_to_string(&file).unwrap();
        let refused = on_one_line(&namespace.refused(&manifest));
        let expected = expected(&manifest).replace("NAMESPACE", &namespace.name);
        if refused != expected || expected.is_empty() {
            others.push(format!("{}\n  is refused with\n{refused}\n  and not with\n{expected}", file.display()));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n\n"));
}

fn rule(tools: &str, action: &str) -> Value {
    json!([{"name": "one", "tools": [tools], "action": action}])
}

/// A policy that is as it should be, but for this.
fn but_for(alter: impl FnOnce(&mut Value)) -> Value {
    let mut policy = policy("imaging", "agent", &rule("list_*", "Allow"));
    alter(&mut policy["spec"]);
    policy
}

/// What is warned of when a manifest is applied, without storing it.
fn warnings(namespace: &Namespace, manifest: &Value) -> String {
    let apply = ["--namespace", &namespace.name, "apply", "--dry-run=server", "--filename", "-"];
    kubectl::fed(&apply, manifest).unwrap_or_else(|error| panic!("{manifest}: {error}")).warnings
}

#[test]
fn what_is_legal_but_likely_not_meant_is_warned_of() {
    let namespace = clinic(&[ENABLED]);
    let name = &namespace.name;
    let denies = json!({"rules": [{"name": "no-deletes", "tools": ["delete_*"], "action": "Deny"}]});
    let boundary = ClusterPolicy::new(&namespace, "Boundary", denies);
    namespace.apply(but_for(|_| ()));
    namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    for (policy, words) in [
        (
            but_for(|spec| spec["podSelector"]["matchLabels"]["app"] = json!("agnet")),
            format!("spec.podSelector: matches no pod of namespace {name} now"),
        ),
        (
            but_for(|spec| spec["podSelector"] = json!({})),
            format!("spec.podSelector: empty, so the policy governs every pod of namespace {name}"),
        ),
        (
            but_for(|spec| spec["serverRefs"] = json!([{"name": "imagign"}])),
            format!("spec.serverRefs[0].name: namespace {name} has no McpServer \"imagign\" now: it has imaging"),
        ),
        (
            but_for(|spec| spec["mode"] = json!("Audit")),
            "spec.mode: Audit: the policy records what it would do, and refuses nothing".to_owned(),
        ),
        (
            but_for(|spec| spec["rules"] = rule("*", "Allow")),
            "spec.rules[0].tools: this allows every tool, also those that the server adds later".to_owned(),
        ),
        (
            but_for(|spec| spec["rules"] = rule("delete_datastore", "Allow")),
            format!(
                "spec.rules[0]: rule one grants nothing: the Boundary {} refuses it, by its rule no-deletes",
                boundary.name
            ),
        ),
    ] {
        let warned = warnings(&namespace, &policy);
        assert!(warned.contains(&format!("Warning: {words}\n")), "{words}\nis not in\n{warned}");
    }
    let sound = warnings(&namespace, &but_for(|spec| spec["rules"] = rule("get_*", "Allow")));
    assert_eq!(sound, "", "what is as it should be is not warned of");
}
