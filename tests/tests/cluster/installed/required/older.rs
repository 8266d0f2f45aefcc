//! Pods that are older than their namespace's label: nothing gives them a sidecar, and nothing keeps them from going on.

use reeve_tests::cluster::pod::{Pod, shell};
use reeve_tests::cluster::workload::{pods, template};
use reeve_tests::cluster::{Namespace, kubectl};
use reeve_tests::eventually::eventually;
use serde_json::json;

use super::{ENABLED, REQUIRED, watched};

/// What the API server says of who changes the label by which monitors select pods with a sidecar.
const LABEL: &str = "the label reeve.dev/injected of a pod is Reeve's, and says whether the pod has its sidecar";

/// Has the namespace require a sidecar from now on, and waits until the API server holds this pod's label to it.
fn require(namespace: &Namespace, pod: &Pod<'_>) {
    let (key, value) = REQUIRED;
    kubectl::told(&["label", "--overwrite", "namespace", &namespace.name, &format!("{key}={value}")]);
    let claim = ["label", "--dry-run=server", "--overwrite", "pod", &pod.name, "reeve.dev/injected=yes"];
    eventually("the API server guards the pod's label", || {
        namespace.kubectl(&claim).err().filter(|said| said.contains(LABEL))
    });
}

#[test]
fn a_pod_that_is_older_than_required_is_labelled_and_finished_as_any_other_and_cannot_say_that_it_has_a_sidecar() {
    let namespace = watched(&[]);
    let script = "until [ -e /tmp/over ]; do sleep 0.1; done";
    let mut pod = shell("older", script);
    pod["spec"]["restartPolicy"] = json!("Never");
    namespace.apply(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "older"}, "spec": {
        "backoffLimit": 0, "template": template(&pod)}}));
    let older = eventually("the Job has a pod", || pods(&namespace, "older").pop());
    older.ready();
    require(&namespace, &older);
    namespace.told(&["label", "pod", &older.name, "team=imaging"]);
    let says = |value: &str, subresource: &[&str]| {
        let patch = json!({"metadata": {"labels": {"reeve.dev/injected": value}}}).to_string();
        namespace.kubectl(&[&["patch", "pod", &older.name, "--type=merge", "--patch", &patch], subresource].concat())
    };
    for subresource in [&[][..], &["--subresource", "status"]] {
        let refused = says("true", subresource).expect_err("the pod has no sidecar");
        assert!(refused.contains(LABEL), "{subresource:?}: {refused}");
    }
    older.exec("main", &["touch", "/tmp/over"]).unwrap();
    // The Job's controller counts a pod once it has taken its finalizer from it.
    namespace.wait("the Job is complete", "job/older", |job| (job["status"]["succeeded"] == 1).then_some(()));
    namespace.told(&["delete", &older.object(), "--timeout=60s"]);
}

#[test]
fn a_pod_with_a_sidecar_that_is_older_than_required_keeps_it_and_its_label() {
    let namespace = watched(&[ENABLED]);
    let older = namespace.pod(shell("older", "sleep 3600"));
    require(&namespace, &older);
    namespace.told(&["label", "pod", &older.name, "team=imaging"]);
    let refused = namespace.kubectl(&["label", "pod", &older.name, "reeve.dev/injected-"]).expect_err("it has one");
    assert!(refused.contains(LABEL), "{refused}");
    let image = namespace.kubectl(&["set", "image", &older.object(), "reeve-sidecar=reeve.test/busybox:1"]);
    let refused = image.expect_err("the sidecar is no other");
    assert!(refused.contains("the image of Reeve's sidecar cannot be changed in a running pod"), "{refused}");
}
