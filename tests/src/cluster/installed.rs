//! Reeve in the cluster: its chart, installed once for all tests of a run, and its operator, to be ended by a test.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::container::Container;
use super::pod::status;
use super::{Alone, admission, alone, helm, kubectl, watch};
use crate::eventually::eventually;

/// The namespace of the release.
pub const NAMESPACE: &str = "reeve-system";
/// The operator's Deployment, its Lease, and its webhook configurations.
pub const OPERATOR: &str = "reeve-operator";
/// The Secret with the operator's authority.
pub const AUTHORITY: &str = "secret/reeve-operator-ca";
/// By which its pods are found.
pub(super) const SELECTOR: &str = "app.kubernetes.io/component=operator";
const REPLICAS: usize = 2;
/// How long a condition may take to come true: generous, as the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(150);

/// Installs the chart as its users do, once, and waits until the API server reaches the webhooks.
///
/// # Panics
/// If it cannot be installed, with what helm said.
pub fn reeve() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        release(&helm::chart(), &[]).unwrap_or_else(|error| panic!("Reeve is not installed: {error}"));
        await_webhooks();
    });
}

/// Makes the release what a chart comes to with these flags, by the one command that installs and upgrades, and waits until its
/// replicas are ready.
///
/// # Errors
/// What helm said.
pub fn release(chart: &Path, flags: &[&str]) -> Result<String, String> {
    let words = ["upgrade", "--install", "reeve", helm::path(chart), "--namespace", NAMESPACE, "--create-namespace"];
    helm::helm(&[&words[..], &["--reset-values", "--wait"], flags].concat())
}

/// The release with what a test makes of it. When the value is dropped it is again what other tests know.
#[derive(Debug)]
pub struct Changed<'a>(&'a Alone);

/// A release that the test may change in any way.
pub fn changed(alone: &Alone) -> Changed<'_> {
    reeve();
    Changed(alone)
}

impl Changed<'_> {
    /// Takes the injecting webhooks out of the API server, as no helm does: what is left is what the API server holds by itself.
    pub fn forget_injection(&self) {
        kubectl::told(&["delete", "mutatingwebhookconfiguration", OPERATOR]);
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        let Self(_alone) = self;
        match release(&helm::chart(), &[]) {
            Ok(_) => {
                await_webhooks();
                await_ended();
            }
            Err(error) => eprintln!("the release is not what it was: {error}"),
        }
    }
}

/// Waits until the API server reaches the webhooks, and believes them: a node needs a moment to learn where a new Service is, and the
/// operator to write its authority into a configuration that was made anew.
pub fn await_webhooks() {
    eventually("the API server reaches the webhooks", || admission::would_admit().ok());
    eventually("the API server reaches the injecting webhooks", || admission::would_inject().ok());
}

/// Watches an object of the release until `condition` gives a value.
pub fn wait<T>(what: &str, object: &str, condition: impl FnMut(&Value) -> Option<T>) -> T {
    watch::until(NAMESPACE, object, what, DEADLINE, condition)
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
    pods().iter().map(|pod| name(pod).to_owned()).collect()
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

/// The replicas' pods, as they are now, without those that are being ended.
pub fn pods() -> Vec<Value> {
    all_pods().into_iter().filter(|pod| !is_ending(pod)).collect()
}

/// Waits until replicas that are being ended have ended: the API server may still ask them, and they answer by what they were told.
pub fn await_ended() {
    eventually("no former replica of the operator is left", || (!all_pods().iter().any(is_ending)).then_some(()));
}

fn all_pods() -> Vec<Value> {
    let pods = kubectl::json(&["-n", NAMESPACE, "get", "pods", "--selector", SELECTOR]);
    pods["items"].as_array().cloned().unwrap_or_default()
}

fn is_ending(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

/// A replica's name.
pub fn name(replica: &Value) -> &str {
    replica["metadata"]["name"].as_str().unwrap_or_default()
}

/// Kills the process of a replica, by its pod's name, as the kernel would.
///
/// # Panics
/// If it does not run.
pub fn kill_replica(_alone: &Alone, pod: &str) {
    let now = kubectl::json(&["-n", NAMESPACE, "get", "pod", pod]);
    Container::of(&now, "operator").unwrap_or_else(|| panic!("{pod} runs no operator: {}", now["status"])).kill();
}

/// Waits until a replica runs again and is ready, that was as given before its process was killed.
pub fn await_restart(before: &Value) {
    let restarts = |replica: &Value| status(replica, "operator").and_then(|operator| operator["restartCount"].as_i64());
    wait("the replica is ready again", &format!("pod/{}", name(before)), |now| {
        let is_ready = status(now, "operator").is_some_and(|operator| operator["ready"] == true);
        (restarts(now) > restarts(before) && is_ready).then_some(())
    });
}

/// Waits until all replicas are ready, and no others are left.
pub fn await_replicas() {
    eventually("every replica of the operator is ready", || {
        let operator = kubectl::json(&["-n", NAMESPACE, "get", "deployment", OPERATOR]);
        let status = &operator["status"];
        let is_seen = status["observedGeneration"] == operator["metadata"]["generation"];
        let are_all = ["replicas", "updatedReplicas", "readyReplicas"].iter().all(|count| status[count] == REPLICAS);
        (is_seen && are_all && pods().len() == REPLICAS).then_some(())
    });
}

/// Drops every packet between a pod and the replicas, until the values are dropped.
pub fn cut_off(alone: &Alone, pod: &Value) -> Vec<alone::Broken> {
    pods().iter().map(|replica| alone.cut_between(replica, pod)).collect()
}
