//! What tests of Reeve in the cluster govern: an MCP server that only says what it would have done, and agents that call it.

use serde_json::{Value, json};

use super::Namespace;
use super::pod::Pod;
use crate::eventually::eventually;

/// The sidecar's container.
pub const SIDECAR: &str = "reeve-sidecar";
/// The one image that both the server and the agents need: the sidecar's, which can also serve and call.
pub(super) const IMAGE: &str = "ghcr.io/reeve-dev/reeve-sidecar:0.1.0";
/// The program in it.
const PROGRAM: &str = "/usr/local/bin/reeve-sidecar";
/// The arguments that the server's tools want; each takes what it knows.
pub const ARGUMENTS: &str = r#"{"datastore_id": "ds-1", "output_s3_uri": "s3://clinic/"}"#;

/// Starts the server `imaging`, which has no sidecar, and declares it.
pub fn server(namespace: &Namespace) {
    let mut pod = pod("imaging", container("main", &["demo", "--serve", "0.0.0.0:8080"]));
    pod["metadata"]["labels"]["reeve.dev/inject"] = json!("false");
    pod["spec"]["containers"][0]["readinessProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
    namespace.apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "imaging"}, "spec": {
        "selector": {"app": "imaging"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    namespace.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "imaging"},
        "spec": {"url": url(namespace)}}));
    namespace.pod(pod);
}

/// The server's own URL.
pub fn url(namespace: &Namespace) -> String {
    format!("http://imaging.{}.svc/mcp", namespace.name)
}

/// The manifest of an agent: it has an image of its own and the server's URL in a variable, calls once, and stays.
pub fn agent(namespace: &Namespace, name: &str) -> Value {
    pod(name, caller(namespace, "main", &["list_datastores", "--every", "3600"]))
}

/// A container that has the server's URL in a variable, and calls a tool: its name, then what `reeve-sidecar call` is told.
pub fn caller(namespace: &Namespace, name: &str, tool: &[&str]) -> Value {
    let mut container = container(name, &[&["call", "$(IMAGING_URL)"], tool, &["--args", ARGUMENTS]].concat());
    container["env"] = json!([{"name": "IMAGING_URL", "value": url(namespace)}]);
    container
}

/// A pod of one container that any namespace admits.
fn pod(name: &str, container: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container]}})
}

fn container(name: &str, arguments: &[&str]) -> Value {
    json!({"name": name, "image": IMAGE, "args": arguments, "securityContext": {"runAsUser": 65532,
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}})
}

/// The manifest of an McpPolicy for all pods of its label `app`, with these rules.
pub fn policy(name: &str, app: &str, rules: &Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": name}, "spec": {
        "podSelector": {"matchLabels": {"app": app}}, "serverRefs": [{"name": "imaging"}], "rules": rules}})
}

/// What came of calls that a pod's container `main` made, one after the other, where its variable points: of each a line that
/// begins with the decision, as in `allow: Job 1 submitted`.
///
/// # Panics
/// If one had no answer.
pub fn calls(agent: &Pod<'_>, tool: &str, times: usize) -> Vec<String> {
    let url = variable(&agent.now(), "IMAGING_URL").expect("an agent has its variable");
    calls_at(agent, ("main", &url), tool, times).unwrap_or_else(|error| panic!("{tool} at {url}: {error}"))
}

/// What came of calls that a container of a pod made to a URL.
///
/// # Errors
/// If one had no answer.
pub fn calls_at(
    agent: &Pod<'_>,
    (container, url): (&str, &str),
    tool: &str,
    times: usize,
) -> Result<Vec<String>, String> {
    let command = [PROGRAM, "call", url, tool, "--args", ARGUMENTS, "--times", &times.to_string()];
    Ok(agent.exec(container, &command)?.lines().map(str::to_owned).collect())
}

/// What came of one call.
pub fn call(agent: &Pod<'_>, tool: &str) -> String {
    calls(agent, tool, 1).join("\n")
}

/// What an agent is told that cannot call: the server does not answer, or the sidecar in its stead.
///
/// # Panics
/// If the call was decided.
pub fn no_call(agent: &Pod<'_>, tool: &str) -> String {
    let url = variable(&agent.now(), "IMAGING_URL").expect("an agent has its variable");
    calls_at(agent, ("main", &url), tool, 1).expect_err("the server is out of reach")
}

/// The value of a variable of a pod's container `main`.
pub fn variable(pod: &Value, name: &str) -> Option<String> {
    let main = pod["spec"]["containers"].as_array()?.iter().find(|container| container["name"] == "main")?;
    value(main, name)
}

/// The value of a variable of a container.
pub fn value(container: &Value, name: &str) -> Option<String> {
    let variable = container["env"].as_array()?.iter().find(|variable| variable["name"] == name)?;
    variable["value"].as_str().map(str::to_owned)
}

/// What the sidecar's audit log says of a call of this tool that was decided for this reason. Waits for it.
pub fn recorded(agent: &Pod<'_>, tool: &str, reason: &str) -> Value {
    eventually(&format!("the audit log has a call of {tool} with {reason}"), || {
        let log = agent.logs(SIDECAR);
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.rfind(|line| line["event"] == "call" && line["tool"] == tool && line["reason"] == reason)
    })
}

/// Waits until the condition `Programmed` of the object, as it is written now, has this status and reason; gives the status.
pub fn programmed(namespace: &Namespace, object: &str, status: &str, reason: &str) -> Value {
    says(namespace, object, "Programmed", status, reason)
}

/// Waits until the condition `ResolvedRefs` of a server, as it is written now, has this status and reason; gives its message.
pub fn resolved(namespace: &Namespace, server: &str, status: &str, reason: &str) -> String {
    let said = says(namespace, &format!("mcpserver/{server}"), "ResolvedRefs", status, reason);
    message(&said, "ResolvedRefs").to_owned()
}

fn says(namespace: &Namespace, object: &str, condition: &str, status: &str, reason: &str) -> Value {
    namespace.wait(&format!("{object} says {condition} {status}, {reason}"), object, |object| {
        let conditions = object["status"]["conditions"].as_array()?;
        let found = conditions.iter().find(|found| found["type"] == condition)?;
        let is_current = found["observedGeneration"] == object["metadata"]["generation"];
        let is_so = found["status"] == status && found["reason"] == reason;
        (is_current && is_so).then(|| object["status"].clone())
    })
}

/// The message of a status' condition.
pub fn message<'s>(status: &'s Value, condition: &str) -> &'s str {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = conditions.iter().find(|one| one["type"] == condition);
    found.and_then(|one| one["message"].as_str()).unwrap_or_default()
}
