//! The objects of the benchmarks: policies, servers, pods, webhook configurations. Pure.

use serde_json::{Value, json};

/// Where McpPolicies of a namespace are.
pub fn policies(namespace: &str) -> String {
    format!("/apis/reeve.dev/v1alpha1/namespaces/{namespace}/mcppolicies")
}

/// Where McpServers of a namespace are.
pub fn servers(namespace: &str) -> String {
    format!("/apis/reeve.dev/v1alpha1/namespaces/{namespace}/mcpservers")
}

/// Where pods of a namespace are.
pub fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// The server that every policy is for.
pub const SERVER: &str = "records";
/// The ServiceAccount that agents run as.
pub const ACCOUNT: &str = "agent";
/// The label that every agent has.
pub const APP: (&str, &str) = ("app", "agent");
/// How many seconds the API server waits for a webhook: the longest that it can, so that a machine that is busy is measured rather than
/// refused.
const TIMEOUT: u32 = 30;
/// How many teams agents are of. Agents of one team are governed alike.
pub const TEAMS: usize = 20;

/// A namespace; `inject` is the value of the label that asks for sidecars.
pub fn namespace(name: &str, inject: Option<&str>) -> Value {
    let labels = inject.map(|value| json!({reeve_wire::pod::INJECT_LABEL: value})).unwrap_or_default();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// A ServiceAccount.
pub fn account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
}

/// [`SERVER`].
pub fn server() -> Value {
    let spec = json!({"url": "https://records.example.internal/mcp"});
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": SERVER}, "spec": spec})
}

/// A policy of ten rules, one with an expression and one with a limit, for pods with a label. It names one tool that nothing
/// else names, by which its versions are told apart.
pub fn policy(name: &str, label: (&str, &str), tool: &str) -> Value {
    let mut rules = vec![
        json!({"name": "version", "tools": [tool], "action": "Allow"}),
        json!({
            "name": "reads", "tools": ["read_record"], "action": "Allow",
            "require": [{"expression": r#"args.path.startsWith("datasets/")"#, "message": "Records are read below datasets/ only."}],
        }),
        json!({
            "name": "exports", "tools": ["start_export"], "action": "Allow",
            "limits": [{"counter": "exports", "window": "1m", "max": 10}],
        }),
    ];
    rules.extend((rules.len()..10).map(|index| {
        let tools = [format!("{name}_list_{index}"), format!("{name}_get_{index}_*")];
        json!({"name": format!("rule-{index}"), "tools": tools, "action": "Allow"})
    }));
    json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": name},
        "spec": {
            "podSelector": {"matchLabels": {label.0: label.1}},
            "serverRefs": [{"name": SERVER}],
            "rules": rules,
        },
    })
}

/// The Boundary of the cluster.
pub fn boundary() -> Value {
    let rule = json!({"name": "no-deletes", "tools": ["delete_*"], "action": "Deny", "message": "Nothing is deleted."});
    json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "no-deletes"},
        "spec": {"tier": "Boundary", "rules": [rule]},
    })
}

/// The label with an agent's team.
pub fn team(number: usize) -> (&'static str, String) {
    ("team", format!("t{}", number % TEAMS))
}

/// An agent's pod, as its user writes it.
pub fn pod(name: &str, labels: &Value) -> Value {
    let restricted = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let resources = json!({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}});
    let agent = json!({
        "name": "agent", "image": "registry.example.internal/agent:1", "args": ["serve"],
        "env": [
            {"name": "RECORDS_URL", "value": "https://records.example.internal/mcp"},
            {"name": "LOG_LEVEL", "value": "info"},
        ],
        "resources": resources, "securityContext": restricted,
    });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        // There is no node, and nobody looks for one.
        "spec": {"serviceAccountName": ACCOUNT, "schedulerName": "none", "containers": [agent]},
    })
}

/// The status of a pod that runs.
pub fn running() -> Value {
    json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// The webhook that injects, as the chart has it, but for the way to the operator.
pub fn injecting(operator: &str, name: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": "namespace.inject.reeve.dev", "admissionReviewVersions": ["v1"], "sideEffects": "NoneOnDryRun",
            "failurePolicy": "Fail", "matchPolicy": "Equivalent", "reinvocationPolicy": "IfNeeded", "timeoutSeconds": TIMEOUT,
            "clientConfig": {"url": format!("{operator}/inject")},
            "namespaceSelector": {"matchExpressions": [
                {"key": reeve_wire::pod::INJECT_LABEL, "operator": "In", "values": ["enabled"]},
            ]},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                "scope": "Namespaced",
            }],
        }],
    })
}

/// The webhook that validates, likewise.
pub fn validating(operator: &str, name: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": "validate.reeve.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": TIMEOUT,
            "clientConfig": {"url": format!("{operator}/validate")},
            "rules": [{
                "apiGroups": ["reeve.dev"], "apiVersions": ["v1alpha1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["mcppolicies", "clustermcppolicies", "mcpservers"], "scope": "*",
            }],
        }],
    })
}

/// What the API server asks about a pod that is created.
pub fn review(namespace: &str, pod: &Value) -> Value {
    let mut pod = pod.clone();
    pod["metadata"]["namespace"] = namespace.into();
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "11111111-2222-3333-4444-555555555555", "kind": kind, "requestKind": kind,
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": pod["metadata"]["name"], "namespace": namespace, "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod, "oldObject": null, "dryRun": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_ten_rules_of_which_one_tells_its_version() {
        let policy = policy("changed", APP, "version_7");
        let rules = policy["spec"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 10);
        assert_eq!(policy.to_string().matches("version_7").count(), 1);
    }

    #[test]
    fn teams_come_round() {
        assert_eq!(team(3), team(3 + TEAMS));
    }
}
