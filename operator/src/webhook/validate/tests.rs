//! What is refused, with which words and where, and what is warned of.
#![expect(clippy::needless_pass_by_value, reason = "what is given is written where it is given")]

use std::sync::{Arc, RwLock};

use reeve_policy::compile::Drafts;
use reeve_policy::load;
use serde_json::{Value, json};

use super::*;
use crate::webhook::cluster::Named;
use crate::webhook::tests::world::{namespace_view, pod_view, policy_view, server_view};
use crate::world::{SharedWorld, World};

/// A cluster with an agent, a server and, if given, policies.
fn world(policies: &[Value]) -> SharedWorld {
    let mut world = World::default();
    let namespace = namespace_view("clinic", &[("env", "prod"), ("reeve.dev/inject", "enabled")]);
    world.namespaces.insert(namespace.name.clone(), namespace);
    let pod = pod_view("clinic", "agent-0", &[("app", "agent")]);
    world.pods.insert(pod.uid.clone(), pod);
    let server = server_view("clinic", "aws", "https://imaging.internal/mcp");
    world.servers.insert((server.namespace.clone(), server.name.clone()), server);
    for policy in policies {
        let view = policy_view(policy);
        let of_kind = if view.namespace.is_some() { &mut world.policies } else { &mut world.cluster_policies };
        of_kind.insert(view.key.clone(), view);
    }
    Arc::new(RwLock::new(world))
}

fn mcp_policy(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": "p", "namespace": "clinic"},
        "spec": {"podSelector": {"matchLabels": {"app": "agent"}}, "serverRefs": [{"name": "aws"}]},
    });
    json_patch::merge(&mut object["spec"], &spec);
    object
}

fn boundary(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "no-deletes"},
        "spec": {"tier": "Boundary"},
    });
    json_patch::merge(&mut object["spec"], &spec);
    object
}

fn checked(object: &Value, policies: &[Value]) -> Findings {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    policy(object, namespace, &world(policies))
}

fn faults(object: &Value) -> Vec<(String, String)> {
    checked(object, &[]).faults.into_iter().map(|fault| (fault.field, fault.message)).collect()
}

fn warnings(object: &Value, policies: &[Value]) -> Vec<String> {
    let findings = checked(object, policies);
    assert_eq!(findings.faults, []);
    findings.warnings
}

#[test]
fn a_pointer_becomes_the_path_that_kubernetes_writes() {
    for (pointer, written) in [
        ("/spec/rules/2/require/0/expression", "spec.rules[2].require[0].expression"),
        ("/spec/default", "spec.default"),
        ("/spec/a~1b", "spec.a/b"),
        ("", "object"),
    ] {
        assert_eq!(path(pointer), written);
    }
}

#[test]
fn a_sound_policy_is_accepted_without_a_word() {
    let rules = json!({"rules": [{"name": "reads", "tools": ["get_*"], "action": "Allow"}]});
    assert_eq!(checked(&mcp_policy(rules), &[]), Findings::default());
}

#[test]
fn every_mistake_is_told_at_its_field() {
    let rules = json!({"rules": [
        {"name": "a", "tools": ["x"], "action": "Allow", "when": "args.a >"},
        {"name": "b", "tools": ["y"], "action": "Allow", "limits": [{"counter": "c", "window": "1m", "max": 1}]},
        {"name": "d", "resources": ["s3://b/../c"], "action": "Allow", "limits": [{"counter": "c", "window": "2m", "max": 1}]},
    ]});
    let faults = faults(&mcp_policy(rules));
    let fields: Vec<_> = faults.iter().map(|(field, _)| field.as_str()).collect();
    assert!(fields.contains(&"spec.rules[0].when"), "{faults:?}");
    assert!(fields.iter().any(|field| field.starts_with("spec.rules[2].limits[0]")), "{faults:?}");
    assert!(fields.contains(&"spec.rules[2].resources[0]"), "{faults:?}");

    let answer = checked(
        &mcp_policy(json!({"rules": [{"name": "a", "tools": ["x"], "action": "Allow", "when": "args.a >"}]})),
        &[],
    )
    .answer("McpPolicy", "p");
    let refusal = answer.refusal.unwrap();
    assert_eq!((refusal.code, refusal.reason), (422, "Invalid"));
    assert!(refusal.message.starts_with("McpPolicy p is refused: spec.rules[0].when: "), "{}", refusal.message);
    assert_eq!(refusal.causes[0].field, "spec.rules[0].when");
}

#[test]
fn what_this_version_cannot_read_is_refused() {
    let faults = faults(&mcp_policy(json!({"rules": [{"name": "a", "tools": ["x"], "action": "Permit"}]})));
    assert!(faults.len() == 1 && faults[0].1.contains("/spec/rules/0/action"), "{faults:?}");
}

#[test]
fn the_webhook_and_the_compiler_agree() {
    for rules in [
        json!([{"name": "a", "tools": ["x"], "action": "Allow", "when": "nobody > 1"}]),
        json!([{"name": "a", "tools": ["x"], "action": "Deny"}]),
        json!([{"name": "a", "tools": ["*"], "action": "Allow"}]),
    ] {
        let object = mcp_policy(json!({"rules": rules}));
        let source = load::stored(&object).source;
        let problems = Drafts::default().check(source.policy(), None);
        let findings = checked(&object, &[]);
        assert_eq!(problems.len(), findings.faults.len() + findings.warnings.len(), "{rules}");
    }
}

#[test]
fn what_is_legal_but_likely_wrong_is_warned_of() {
    for (spec, told) in [
        (
            json!({"podSelector": {"matchLabels": {"app": "other"}}}),
            "spec.podSelector: matches no pod of namespace clinic now",
        ),
        (json!({"podSelector": null}), "spec.podSelector: empty, so the policy governs every pod of namespace clinic"),
        (json!({"serviceAccounts": ["nobody"]}), "spec.podSelector: matches no pod of namespace clinic now"),
        (
            json!({"serverRefs": [{"name": "gcp"}]}),
            "spec.serverRefs[0].name: namespace clinic has no McpServer \"gcp\" now: it has aws",
        ),
        (json!({"mode": "Audit"}), "spec.mode: Audit: the policy records what it would do, and refuses nothing"),
        (
            json!({"rules": [{"name": "all", "tools": ["*"], "action": "Allow"}]}),
            "spec.rules[0].tools: this allows every tool",
        ),
    ] {
        let warnings = warnings(&mcp_policy(spec), &[]);
        assert!(warnings.len() == 1 && warnings[0].starts_with(told), "{told}: {warnings:?}");
    }
}

#[test]
fn selected_pods_without_a_sidecar_are_warned_of() {
    let shared = world(&[]);
    shared.write().unwrap().namespaces.clear();
    let findings = policy(&mcp_policy(json!({})), "clinic", &shared);
    assert!(
        findings
            .warnings
            .iter()
            .any(|warning| warning.contains("matches 1 pod of namespace clinic, none with a sidecar")),
        "{findings:?}"
    );
}

#[test]
fn a_cluster_policy_that_selects_everything_or_nothing_is_warned_of() {
    let deny = json!([{"name": "d", "tools": ["delete_*"], "action": "Deny"}]);
    assert_eq!(
        warnings(&boundary(json!({"rules": deny})), &[]),
        ["spec: no selector, so the policy governs every pod with a sidecar of the whole cluster"]
    );
    let selector = json!({"rules": deny, "namespaceSelector": {"matchLabels": {"env": "dev"}}});
    assert_eq!(warnings(&boundary(selector), &[]), ["spec: the selectors match no pod of the cluster now"]);
    let selector = json!({"rules": deny, "namespaceSelector": {"matchLabels": {"env": "prod"}}});
    assert_eq!(warnings(&boundary(selector), &[]), [""; 0]);
}

#[test]
fn a_rule_that_a_boundary_makes_moot_is_warned_of_where_it_is_written_alone() {
    let denies = boundary(
        json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}, "rules": [{"name": "deletes", "tools": ["delete_*"], "action": "Deny"}]}),
    );
    let allows = |tools: Value| mcp_policy(json!({"rules": [{"name": "mine", "tools": tools, "action": "Allow"}]}));
    let told = ["spec.rules[0]: rule mine grants nothing: the Boundary no-deletes refuses it, by its rule deletes"];
    assert_eq!(warnings(&allows(json!(["delete_datastore"])), std::slice::from_ref(&denies)), told);
    assert_eq!(warnings(&allows(json!(["delete_*_now"])), std::slice::from_ref(&denies)), told);
    assert_eq!(warnings(&allows(json!(["delete_x", "get_x"])), std::slice::from_ref(&denies)), [""; 0]);
    assert_eq!(
        warnings(&denies, &[allows(json!(["delete_datastore"]))]),
        [""; 0],
        "whoever asks about a Boundary is told of no policy"
    );
}

#[test]
fn a_boundary_that_denies_the_rest_makes_moot_what_it_does_not_name() {
    let strict =
        boundary(json!({"default": "Deny", "rules": [{"name": "reads", "tools": ["get_*"], "action": "Allow"}]}));
    let allows = |tool: &str| mcp_policy(json!({"rules": [{"name": "mine", "tools": [tool], "action": "Allow"}]}));
    assert_eq!(
        warnings(&allows("put_x"), std::slice::from_ref(&strict)),
        [
            "spec.rules[0]: rule mine grants nothing: the Boundary no-deletes refuses it, as it has default: Deny and no rule for it"
        ]
    );
    for met in ["get_x", "get_*", "*_x"] {
        assert_eq!(warnings(&allows(met), std::slice::from_ref(&strict)), [""; 0], "{met}");
    }
}

#[test]
fn a_boundary_that_may_not_bind_makes_nothing_moot() {
    let deny = json!([{"name": "d", "tools": ["*"], "action": "Deny"}]);
    for narrowed in [
        json!({"namespaceSelector": {"matchLabels": {"env": "dev"}}}),
        json!({"podSelector": {"matchLabels": {"app": "agent"}}}),
        json!({"serverURLs": ["https://**"]}),
        json!({"mode": "Audit"}),
        json!({"rules": [{"name": "d", "tools": ["*"], "action": "Deny", "when": "args.a > 1"}]}),
    ] {
        let mut spec = json!({"rules": deny});
        json_patch::merge(&mut spec, &narrowed);
        let allows = mcp_policy(json!({"rules": [{"name": "mine", "tools": ["x"], "action": "Allow"}]}));
        assert_eq!(warnings(&allows, &[boundary(spec)]), [""; 0], "{narrowed}");
    }
}

#[test]
fn a_large_policy_is_compared_with_large_boundaries_within_a_bound_and_says_so() {
    let rules = |kind: &str, action: &str, named: usize| {
        let rule = |rule: usize| {
            let tools: Vec<_> = (0..64).map(|tool| format!("{kind}_{rule}_{tool}")).collect();
            json!({"name": format!("r{rule}"), "tools": tools, "action": action})
        };
        json!({"rules": (0..named).map(rule).collect::<Vec<_>>()})
    };
    let boundaries: Vec<_> = (0..50).map(|_| boundary(rules("a", "Deny", 64))).collect();
    let world = world(&[]);
    for (number, policy) in boundaries.iter().enumerate() {
        let mut view = policy_view(policy);
        view.key = format!("b{number}").as_str().into();
        world.write().unwrap().cluster_policies.insert(view.key.clone(), view);
    }
    let begun = std::time::Instant::now();
    let findings = policy(&mcp_policy(rules("b", "Allow", 64)), "clinic", &world);
    assert_eq!(findings.faults, []);
    let told = "spec.rules: have too many patterns for all to be compared with those of the cluster's Boundaries";
    assert!(findings.warnings.iter().any(|warning| warning == told), "{:?}", findings.warnings);
    // Without a bound there are 800 million pairs.
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn pods_that_are_alike_are_counted_together() {
    let world = world(&[]);
    let mut state = world.write().unwrap();
    state.namespaces.clear();
    for number in 0..5 {
        let pod = pod_view("clinic", &format!("agent-x{number}"), &[("app", "agent")]);
        state.pods.insert(pod.uid.clone(), pod);
    }
    drop(state);
    let rules = json!({"rules": [{"name": "reads", "tools": ["get_*"], "action": "Allow"}]});
    let findings = policy(&mcp_policy(rules), "clinic", &world);
    assert!(
        findings.warnings[0].starts_with("spec.podSelector: matches 6 pods of namespace clinic, none with a sidecar"),
        "{:?}",
        findings.warnings
    );
}

fn mcp_server(spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "github", "namespace": "clinic"},
        "spec": {"url": "https://github.internal/mcp"},
    });
    json_patch::merge(&mut object["spec"], &spec);
    object
}

fn checked_server(spec: Value) -> Findings {
    server(&mcp_server(spec), "clinic", &world(&[]))
}

#[test]
fn a_servers_mistakes_are_told_at_their_fields() {
    assert_eq!(checked_server(json!({})), Findings::default());
    let secret = json!({"name": "s", "key": "k"});
    for (spec, field, told) in [
        (json!({"url": "https://a b/"}), "spec.url", "is no URL"),
        (json!({"url": "ftp://a"}), "spec.url", "write a URL that begins with http:// or https://"),
        (json!({"url": "https://me:pw@a/mcp"}), "spec.url", "holds a user or password"),
        (json!({"url": "https://a/mcp#x"}), "spec.url", "has a fragment"),
        (
            json!({"credentials": {"secretRef": secret, "header": "a b"}}),
            "spec.credentials.header",
            "is no name of a header",
        ),
        (
            json!({"credentials": {"secretRef": secret, "header": "Host"}}),
            "spec.credentials.header",
            "Host is the connection's",
        ),
        (
            json!({"credentials": {"secretRef": secret, "prefix": "a\n"}}),
            "spec.credentials.prefix",
            "no header may hold",
        ),
        (json!({"timeouts": {"connect": "soon"}}), "spec.timeouts.connect", ""),
        (json!({"timeouts": {"response": "0s"}}), "spec.timeouts.response", ""),
        (json!({"later": 1}), "spec", "unknown field"),
    ] {
        let faults = checked_server(spec.clone()).faults;
        assert!(
            faults.len() == 1 && faults[0].field == field && faults[0].message.contains(told),
            "{spec}: {faults:?}"
        );
    }
}

#[test]
fn a_server_that_looks_odd_is_warned_of() {
    for (spec, told) in [
        (json!({"url": "http://127.0.0.1:8080/mcp"}), "spec.url: means the agent's own pod"),
        (json!({"url": "https://imaging.internal/mcp"}), "spec.url: is that of the McpServer aws too"),
    ] {
        let findings = checked_server(spec);
        assert!(findings.faults.is_empty() && findings.warnings.len() == 1, "{findings:?}");
        assert!(findings.warnings[0].starts_with(told), "{findings:?}");
    }
}

#[test]
fn what_a_server_names_is_asked_about_when_it_is_named_or_sent_elsewhere() {
    let secret = |resource, name: &str| Named { resource, name: name.into() };
    let full = mcp_server(json!({
        "tls": {"caBundle": {"kind": "ConfigMap", "name": "ca", "key": "k"}, "clientCertificate": {"name": "cert"}},
        "credentials": {"secretRef": {"name": "token", "key": "k"}},
    }));
    let asked: Vec<_> = names(&full, &Value::Null).into_iter().map(|names| names.object).collect();
    assert_eq!(asked, [secret("configmaps", "ca"), secret("secrets", "cert"), secret("secrets", "token")]);

    let changed = |change: Value| {
        let mut changed = full.clone();
        json_patch::merge(&mut changed, &json!({"spec": change}));
        names(&changed, &full).len()
    };
    assert_eq!(changed(json!({"url": "https://evil.example/mcp"})), 3);
    assert_eq!(changed(json!({"tls": null})), 1);
    assert_eq!(changed(json!({"credentials": {"header": "X-Key"}})), 3);
    assert_eq!(changed(json!({"timeouts": {"connect": "1s"}})), 0);
}
