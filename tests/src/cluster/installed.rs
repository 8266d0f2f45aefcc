//! Reeve in the cluster: its chart, installed once for all tests of a run, and its operator, to be ended by a test.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::container::Container;
use super::{Alone, kubectl};
use crate::eventually::eventually;
use crate::process::root;

/// The namespace of the release.
pub const NAMESPACE: &str = "reeve-system";
/// The operator's Deployment, and its Lease.
pub const OPERATOR: &str = "reeve-operator";
const SELECTOR: &str = "app.kubernetes.io/component=operator";
const REPLICAS: usize = 2;

/// Installs the chart as its users do, once, and waits until the API server reaches the webhooks.
///
/// # Panics
/// If it cannot be installed, with what helm said.
pub fn reeve() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let chart = root().join("charts/reeve");
        let chart = chart.to_str().expect("the repository's path is text");
        let words = ["upgrade", "--install", "reeve", chart, "--namespace", NAMESPACE, "--create-namespace", "--wait"];
        let helm = Command::new("helm").args(words).output().expect("helm is on the PATH");
        assert!(helm.status.success(), "helm {}: {}", words.join(" "), String::from_utf8_lossy(&helm.stderr));
        await_webhooks();
    });
}

/// Waits until the API server reaches the webhooks: a node needs a moment to learn where a new Service is.
pub fn await_webhooks() {
    let policy = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "dry-run"},
        "spec": {"tier": "Boundary", "podSelector": {"matchLabels": {"app": "none"}}}});
    let apply = ["apply", "--dry-run=server", "--filename", "-"];
    eventually("the API server reaches the webhooks", || kubectl::fed(&apply, &policy).ok());
}

/// The operator without a replica until the value is dropped.
#[derive(Debug)]
pub struct Gone<'a>(#[expect(dead_code, reason = "no other test may run meanwhile")] &'a Alone);

/// Ends every replica of the operator, and waits until none is left.
pub fn operator_gone(alone: &Alone) -> Gone<'_> {
    scale(0);
    kubectl::told(&["-n", NAMESPACE, "wait", "--for=delete", "pod", "--selector", SELECTOR, "--timeout=90s"]);
    Gone(alone)
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        scale(REPLICAS);
        kubectl::told(&["-n", NAMESPACE, "rollout", "status", &format!("deployment/{OPERATOR}"), "--timeout=90s"]);
        await_webhooks();
    }
}

fn scale(replicas: usize) {
    let replicas = format!("--replicas={replicas}");
    kubectl::told(&["-n", NAMESPACE, "scale", &format!("deployment/{OPERATOR}"), &replicas]);
}

/// The webhook that refuses wrong policies, which is not asked about one namespace until the value is dropped.
#[derive(Debug)]
pub struct Unvalidated<'a>(#[expect(dead_code, reason = "no other test may run meanwhile")] &'a Alone);

/// Lets the API server store in this namespace what is wrong, as another version may have let it in.
pub fn unvalidated<'a>(alone: &'a Alone, namespace: &str) -> Unvalidated<'a> {
    ask_of_all_but(&json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [namespace]}]}));
    Unvalidated(alone)
}

impl Drop for Unvalidated<'_> {
    fn drop(&mut self) {
        ask_of_all_but(&json!({}));
    }
}

fn ask_of_all_but(selector: &Value) {
    let patch = json!([{"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": selector}]).to_string();
    kubectl::told(&["patch", "validatingwebhookconfiguration", OPERATOR, "--type=json", "--patch", &patch]);
}

/// The names of the replicas' pods.
pub fn replicas() -> Vec<String> {
    let pods = kubectl::json(&["-n", NAMESPACE, "get", "pods", "--selector", SELECTOR]);
    let pods = pods["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).map(str::to_owned).collect()
}

/// What a replica's metrics of this name come to together, whatever their labels are.
///
/// # Panics
/// If the replica cannot be asked, or says what is no number.
pub fn metric(replica: &str, name: &str) -> f64 {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{replica}:9090/proxy/metrics");
    let text = kubectl::told(&["get", "--raw", &path]);
    let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    samples.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")).sum()
}

/// The name of the pod that leads.
///
/// # Panics
/// If none has led within a minute.
pub fn leader() -> String {
    eventually("a replica leads", || {
        let lease = kubectl::json(&["-n", NAMESPACE, "get", "lease", OPERATOR]);
        lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned)
    })
}

/// Kills the process of a replica, by its pod's name, as the kernel would.
///
/// # Panics
/// If it does not run.
pub fn kill_replica(_alone: &Alone, pod: &str) {
    let now = kubectl::json(&["-n", NAMESPACE, "get", "pod", pod]);
    Container::of(&now, "operator").unwrap_or_else(|| panic!("{pod} runs no operator: {}", now["status"])).kill();
}

/// Waits until all replicas are ready.
pub fn await_replicas() {
    eventually("every replica of the operator is ready", || {
        let operator = kubectl::json(&["-n", NAMESPACE, "get", "deployment", OPERATOR]);
        (operator["status"]["readyReplicas"] == REPLICAS).then_some(())
    });
}
