//! Workloads, which make the pods that people do not make one by one.

use serde_json::{Value, json};

use super::Namespace;
use super::pod::Pod;

/// What a workload makes pods of that are like this one.
pub fn template(pod: &Value) -> Value {
    json!({"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]})
}

/// A Deployment of pods like this one, of the pod's own name.
pub fn deployment(pod: &Value, replicas: usize) -> Value {
    of_kind("Deployment", pod, replicas)
}

/// A StatefulSet of one pod like this one, of the pod's own name.
pub fn stateful_set(pod: &Value) -> Value {
    of_kind("StatefulSet", pod, 1)
}

fn of_kind(kind: &str, pod: &Value, replicas: usize) -> Value {
    let labels = json!({"app": pod["metadata"]["labels"]["app"]});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": pod["metadata"]["name"]}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": template(pod)}})
}

/// Waits until a workload such as `deployment/agent` has all of its pods.
pub fn rolled_out(namespace: &Namespace, workload: &str) {
    namespace.told(&["rollout", "status", workload, "--timeout=90s"]);
}

/// The pods of an app that are not being deleted, in the order of their names.
pub fn pods<'n>(namespace: &'n Namespace, app: &str) -> Vec<Pod<'n>> {
    let all = namespace.list("pods");
    let stays =
        |pod: &&Value| pod["metadata"]["labels"]["app"] == app && pod["metadata"]["deletionTimestamp"].is_null();
    let mut names: Vec<_> = all.iter().filter(stays).filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    names.sort_unstable();
    names.into_iter().map(|name| Pod::named(namespace, name)).collect()
}
