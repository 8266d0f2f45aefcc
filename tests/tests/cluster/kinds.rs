//! The API server takes Reeve's kinds, explains them, and refuses what is wrong in words that help. Nothing of Reeve runs here:
//! what is refused is refused even while all of it is down.

use std::path::PathBuf;
use std::sync::OnceLock;

use reeve_tests::cluster::{Namespace, kubectl};
use reeve_tests::process::root;
use serde_json::{Value, json};

const PLURALS: [&str; 3] = ["mcppolicies", "clustermcppolicies", "mcpservers"];

fn definitions() -> PathBuf {
    root().join("crds")
}

/// Installs the definitions, once, and waits until objects of them can be made.
fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = definitions();
        let folder = folder.to_str().unwrap();
        kubectl::told(&["apply", "--server-side", "--force-conflicts", "--filename", folder]);
        kubectl::told(&["wait", "--for=condition=Established", "--timeout=60s", "--filename", folder]);
    });
}

fn policy(spec: &Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": "imaging"}, "spec": spec})
}

fn with_rule(rule: &Value) -> Value {
    policy(&json!({"serverRefs": [{"name": "aws"}], "rules": [rule]}))
}

fn server(spec: &Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "aws"}, "spec": spec})
}

fn cluster_policy(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn the_definitions_are_taken_without_a_warning() {
    installed();
    let folder = definitions();
    // Sent in any case: what is unchanged is checked again.
    let said = kubectl::kubectl(&[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--filename",
        folder.to_str().unwrap(),
    ]);
    assert_eq!(said.unwrap().warnings, "");
    for plural in PLURALS {
        let definition = kubectl::json(&["get", "crd", &format!("{plural}.reeve.dev")]);
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let holding: Vec<_> = conditions.iter().filter(|one| one["status"] == "True").map(|one| &one["type"]).collect();
        assert_eq!(holding, ["NamesAccepted", "Established"], "{plural}: {conditions:#?}");
    }
}

#[test]
fn explain_describes_every_field_of_a_policy() {
    installed();
    for (path, words) in [
        ("mcppolicy", "Which calls the selected pods of this namespace may make to the named MCP servers."),
        ("mcppolicy.spec.serverRefs", "The name `*` stands for every server of the namespace."),
        ("mcppolicy.spec.rules.action", "Constrain: grants nothing, only adds limits"),
        ("mcppolicy.spec.rules.limits", "How much may be called in a sliding window."),
        ("clustermcppolicy.spec.tier", "Boundary: cannot grant"),
        ("mcppolicy.spec.rules.mode", "Audit: try this one rule in an enforcing policy"),
        ("mcpserver.spec.credentials", "A credential that the sidecar adds to every request"),
        ("mcppolicy.status.conditions", "Accepted: the policy compiles."),
    ] {
        let explained = kubectl::told(&["explain", path]);
        let text = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{path}: {explained}");
        assert!(!text.contains("<no description>"), "{path}: {explained}");
    }
}

#[test]
fn what_is_good_is_admitted_without_a_warning_and_shown_in_columns() {
    installed();
    let namespace = Namespace::new(&[]);
    let said = namespace.apply(server(&json!({"url": "https://aws.internal/mcp", "tls": {},
        "credentials": {"secretRef": {"name": "token", "key": "token"}}})));
    assert_eq!(said.warnings, "");
    let said = namespace.apply(policy(&json!({
        "podSelector": {"matchLabels": {"app": "agent"}}, "serverRefs": [{"name": "aws"}],
        "rules": [
            {"name": "export-rate", "tools": ["start_dicom_export_job"], "action": "Allow",
             "limits": [{"counter": "export_rate", "window": "1m", "max": 10}]},
            {"name": "no-deletes", "tools": ["delete_*"], "action": "Deny", "message": "No."}]})));
    assert_eq!(said.warnings, "");
    let columns = |kind: &str| {
        let table = namespace.told(&["get", kind]);
        table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let policies = columns("mcppolicy");
    assert_eq!(policies[0], ["NAME", "MODE", "PODS", "PROGRAMMED", "AGE"]);
    assert_eq!(policies[1][..2], ["imaging", "Enforce"], "what is unset has its default");
    let servers = columns("rsrv");
    assert_eq!(servers[0], ["NAME", "URL", "PODS", "ACCEPTED", "RESOLVED", "AGE"]);
    assert_eq!(servers[1][..2], ["aws", "https://aws.internal/mcp"]);
    let all = namespace.told(&["get", "reeve", "--output", "name"]);
    // Policies of the cluster belong to no namespace: other tests have some.
    let own: Vec<_> = all.lines().filter(|name| !name.starts_with("clustermcppolicy.")).collect();
    assert_eq!(own, ["mcppolicy.reeve.dev/imaging", "mcpserver.reeve.dev/aws"]);
}

#[test]
fn policies_are_selected_by_mode_and_tier() {
    installed();
    let namespace = Namespace::new(&[]);
    namespace.apply(policy(&json!({"serverRefs": [{"name": "aws"}], "mode": "Audit"})));
    let named = |mode: &str| namespace.told(&["get", "mcppolicies", "--field-selector", mode, "--output", "name"]);
    assert_eq!(named("spec.mode=Audit"), "mcppolicy.reeve.dev/imaging\n");
    assert_eq!(named("spec.mode=Enforce"), "");
    let name = namespace.name.as_str();
    namespace
        .apply(cluster_policy(name, &json!({"tier": "Boundary", "podSelector": {"matchLabels": {"app": "none"}}})));
    let boundaries = kubectl::told(&["get", "rcpol", "--field-selector", "spec.tier=Boundary", "--output", "name"]);
    kubectl::told(&["delete", "clustermcppolicy", name]);
    assert!(boundaries.contains(name), "{boundaries}");
}

#[test]
fn every_example_is_admitted() {
    installed();
    let namespace = Namespace::new(&[]);
    let files = root().join("examples").read_dir().unwrap().map(|file| file.unwrap().path());
    let manifests: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")).collect();
    assert!(!manifests.is_empty());
    for file in manifests {
        let said = namespace.apply(std::fs::read_to_string(&file).unwrap());
        assert_eq!(said.warnings, "", "{}", file.display());
    }
}

#[test]
fn a_status_says_each_condition_once() {
    installed();
    let namespace = Namespace::new(&[]);
    namespace.apply(policy(&json!({"serverRefs": [{"name": "aws"}]})));
    let condition = json!({"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1});
    let patch = |conditions: &Value| {
        let patch = json!({"status": {"conditions": conditions}}).to_string();
        namespace.kubectl(&["patch", "mcppolicy", "imaging", "--subresource=status", "--type=merge", "--patch", &patch])
    };
    let words = patch(&json!([condition, condition])).unwrap_err();
    assert!(words.contains(r#"status.conditions[1]: Duplicate value: {"type":"Accepted"}"#), "{words}");
    patch(&json!([condition])).unwrap();
    let stored = namespace.get("mcppolicy/imaging").unwrap();
    assert_eq!(stored["status"]["conditions"], json!([condition]));
}

#[test]
fn what_is_wrong_is_refused_with_the_field_and_what_to_do() {
    installed();
    let namespace = Namespace::new(&[]);
    let rule = |more: Value| {
        let mut rule = json!({"name": "r", "tools": ["x"], "action": "Allow"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with_rule(&rule)
    };
    for (manifest, words) in [
        (rule(json!({"tols": ["x"]})), "unknown field \"spec.rules[0].tols\""),
        (policy(&json!({})), "spec.serverRefs: Required value"),
        (policy(&json!({"serverRefs": []})), "spec.serverRefs in body should have at least 1 items"),
        (
            rule(json!({"action": "Permit"})),
            "spec.rules[0].action: Unsupported value: \"Permit\": supported values: \"Allow\", \"Deny\", ",
        ),
        (rule(json!({"name": "My Rule"})), "spec.rules[0].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'"),
        (
            policy(&json!({"serverRefs": [{"name": "aws"}], "rules": [
                {"name": "r", "tools": ["x"], "action": "Allow"}, {"name": "r", "tools": ["y"], "action": "Deny"}]})),
            "spec.rules[1]: Duplicate value: {\"name\":\"r\"}",
        ),
        (
            with_rule(&json!({"name": "r", "action": "Allow"})),
            "spec.rules[0]: Invalid value: the rule selects nothing: name tools, resources or prompts (`*` for every tool)",
        ),
        (
            rule(json!({"action": "Deny", "limits": [{"counter": "c", "window": "1m", "max": 1}]})),
            "spec.rules[0].limits: Invalid value: a Deny rule refuses every call to which it applies, so `limits` means nothing: remove it, or use `when`",
        ),
        (
            rule(json!({"limits": [{"counter": "c", "window": "1m", "max": 1, "scope": "Key"}]})),
            "spec.rules[0].limits[0].key: Invalid value: scope: Key needs a `key`: an expression whose values are counted apart",
        ),
        (
            cluster_policy("wide", &json!({"tier": "Boundary", "default": "Allow"})),
            "spec.default: Invalid value: a Boundary cannot grant: write Pass or Deny",
        ),
        (
            json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "a".repeat(64)},
                "spec": {"url": "https://aws.internal/mcp"}}),
            "metadata.name: Invalid value: a server's name may have at most 63 characters: agents find it at the path /NAME",
        ),
        (server(&json!({"url": "ftp://aws.internal/"})), "spec.url in body should match '^https?://'"),
        (
            server(&json!({"url": "http://aws.internal/mcp", "credentials": {"secretRef": {"name": "t", "key": "t"}}})),
            "spec.credentials: Invalid value: a credential is sent over TLS only, and the url is not https: \
             change the url, or remove the credentials",
        ),
    ] {
        let refused = namespace.refused(&manifest);
        assert!(refused.contains(words), "{words}\nis not in\n{refused}");
    }
}
