//! What is tried with a pod that runs, of which no webhook is asked.

use reeve_tests::cluster::clinic::agent;
use serde_json::{Value, json};

use super::{REQUIRED, watched};

/// The arguments that add an ephemeral container to the agent.
fn debugging(more: &Value) -> String {
    let mut container = json!({"name": "look", "image": "reeve.test/busybox:1", "command": ["sh"]});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"spec": {"ephemeralContainers": [container]}}).to_string()
}

/// What takes the label from a pod.
const UNLABELLED: &str = r#"{"metadata": {"labels": {"reeve.dev/injected": null}}}"#;

#[test]
fn a_running_pod_of_a_required_namespace_keeps_its_sidecar_as_it_is() {
    let namespace = watched(&[REQUIRED]);
    namespace.pod(agent(&namespace, "agent"));
    let ephemeral = |more: Value| {
        let patch = debugging(&more);
        namespace.kubectl(&["patch", "pod", "agent", "--subresource", "ephemeralcontainers", "--patch", &patch])
    };
    for (tried, words) in [
        (
            ephemeral(json!({"targetContainerName": "reeve-sidecar"})),
            "an ephemeral container may not target Reeve's sidecar",
        ),
        (
            ephemeral(json!({"volumeMounts": [{"name": "reeve-token", "mountPath": "/stolen"}]})),
            "a container mounts a volume of Reeve's sidecar: volumes whose names begin with reeve- are the sidecar's alone",
        ),
        (
            ephemeral(json!({"securityContext": {"runAsUser": 7338}})),
            "user 7338 is Reeve's sidecar's: run the container as another user",
        ),
        (
            namespace.kubectl(&["set", "image", "pod/agent", "reeve-sidecar=reeve.test/busybox:1"]),
            "the image of Reeve's sidecar cannot be changed in a running pod: delete the pod, so that it is made anew",
        ),
        (
            namespace.kubectl(&["label", "pod", "agent", "reeve.dev/injected-"]),
            "the label reeve.dev/injected of a pod is Reeve's, and says whether the pod has its sidecar: it cannot be changed",
        ),
        (
            namespace.kubectl(&["label", "--overwrite", "pod", "agent", "reeve.dev/injected=false"]),
            "the label reeve.dev/injected of a pod is Reeve's, and says whether the pod has its sidecar: it cannot be changed",
        ),
        (
            namespace.kubectl(&[
                "patch",
                "pod",
                "agent",
                "--subresource",
                "status",
                "--type=merge",
                "--patch",
                UNLABELLED,
            ]),
            "the label reeve.dev/injected of a pod is Reeve's, and says whether the pod has its sidecar: it cannot be changed",
        ),
    ] {
        let refused = tried.expect_err("it is refused");
        assert!(refused.contains(words), "{words}\nis not in\n{refused}");
    }
    let looking = ephemeral(json!({"targetContainerName": "main"}));
    assert!(looking.is_ok(), "one's own container may be looked into: {looking:?}");
    namespace.told(&["label", "pod", "agent", "team=imaging"]);
}
