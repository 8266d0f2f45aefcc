//! Pods are given their sidecars, and keep them.

use reeve_tests::cluster::clinic::{agent, call, programmed, url, variable};
use reeve_tests::cluster::pod::{Pod, status};
use reeve_tests::cluster::{Namespace, kubectl};
use serde_json::{Value, json};

use super::{ENABLED, REQUIRED, RESTRICTED, clinic, lists, watched};

#[test]
fn a_pod_in_a_restricted_namespace_is_given_a_sidecar() {
    let namespace = clinic(&[ENABLED, RESTRICTED]);
    lists(&namespace);
    let agent = namespace.pod(agent(&namespace, "agent"));
    let now = agent.now();
    let first = &now["spec"]["initContainers"][0];
    assert_eq!((&first["name"], &first["restartPolicy"]), (&json!("reeve-sidecar"), &json!("Always")), "{now:#}");
    assert_eq!(now["metadata"]["labels"]["reeve.dev/injected"], "true");
    let url = variable(&now, "IMAGING_URL").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "the agent is pointed at its sidecar: {url}");
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let (list, delete) = (call(&agent, "list_datastores"), call(&agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}

#[test]
fn a_job_completes_with_its_sidecar() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let mut pod = agent(&namespace, "agent");
    pod["spec"]["restartPolicy"] = json!("Never");
    pod["spec"]["containers"][0]["args"] = json!(["call", "$(IMAGING_URL)", "list_datastores", "--expect", "allow"]);
    let template = json!({"metadata": {"labels": {"app": "agent"}}, "spec": pod["spec"]});
    namespace.apply(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "agent"}, "spec": {
        "backoffLimit": 0, "template": template}}));
    namespace.wait("the Job is complete", "job/agent", |job| (job["status"]["succeeded"] == 1).then_some(()));
    let pods = namespace.list("pods");
    let job = pods.iter().find(|pod| pod["metadata"]["labels"]["job-name"] == "agent").expect("the Job's pod");
    let sidecar = status(job, "reeve-sidecar").expect("the pod has a sidecar");
    assert_eq!(sidecar["state"]["terminated"]["exitCode"], 0, "{sidecar:#}");
}

#[test]
fn a_pod_that_declines_has_none() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let mut declining = agent(&namespace, "agent");
    declining["metadata"]["labels"]["reeve.dev/inject"] = json!("false");
    let now = namespace.pod(declining).now();
    assert!(now["spec"]["initContainers"].is_null(), "{now:#}");
    assert_eq!(variable(&now, "IMAGING_URL").unwrap(), url(&namespace));
    let status = programmed(&namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    assert_eq!(status["unprotectedPods"].as_i64().unwrap_or_default(), 0, "none was expected: {status:#}");
}

/// The agent's manifest, altered.
fn altered(namespace: &Namespace, alter: impl FnOnce(&mut Value)) -> Value {
    let mut pod = agent(namespace, "altered");
    alter(&mut pod);
    pod
}

#[test]
fn what_a_required_namespace_forbids_is_refused_by_name() {
    let namespace = watched(&[REQUIRED]);
    let token = json!([{"name": "mine", "projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "audience": "reeve-operator"}}]}}]);
    for (manifest, words) in [
        (
            altered(&namespace, |pod| pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = json!(7338)),
            "container main: securityContext.runAsUser is 7338, the user that the sidecar runs as",
        ),
        (
            altered(&namespace, |pod| pod["spec"]["shareProcessNamespace"] = json!(true)),
            "spec.shareProcessNamespace: the agent would see the sidecar's process",
        ),
        (
            altered(&namespace, |pod| pod["spec"]["hostPID"] = json!(true)),
            "spec.hostPID: the agent would see the node's processes",
        ),
        (
            altered(&namespace, |pod| pod["spec"]["volumes"] = token),
            "volume mine has a token for reeve-operator, by which only the sidecar may identify itself",
        ),
        (
            altered(&namespace, |pod| pod["spec"]["hostNetwork"] = json!(true)),
            "the pod uses the node's network (spec.hostNetwork)",
        ),
    ] {
        let refused = namespace.refused(&manifest);
        assert!(refused.contains(words), "{words}\nis not in\n{refused}");
    }
    namespace.apply(altered(&namespace, |pod| pod["metadata"]["labels"]["reeve.dev/inject"] = json!("false")));
    let declining = Pod::named(&namespace, "altered").now();
    assert_eq!(declining["spec"]["initContainers"][0]["name"], "reeve-sidecar", "no pod declines here: {declining:#}");
}

#[test]
fn a_running_pod_of_a_required_namespace_keeps_its_sidecar_as_it_is() {
    let namespace = watched(&[REQUIRED]);
    namespace.pod(agent(&namespace, "agent"));
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "look", "image": "reeve.test/busybox:1",
        "targetContainerName": "reeve-sidecar", "command": ["sh"]}]}})
    .to_string();
    for (command, words) in [
        (
            &["patch", "pod", "agent", "--subresource", "ephemeralcontainers", "--patch", &debug][..],
            "an ephemeral container may not target Reeve's sidecar",
        ),
        (
            &["set", "image", "pod/agent", "reeve-sidecar=reeve.test/busybox:1"],
            "requires Reeve's sidecar with the image ghcr.io/reeve-dev/reeve-sidecar:0.1.0: no other may take its place",
        ),
        (
            &["label", "pod", "agent", "reeve.dev/injected-"],
            "the label reeve.dev/injected of a pod is Reeve's, and cannot be removed",
        ),
    ] {
        let refused = namespace.kubectl(command).expect_err("it is refused");
        assert!(refused.contains(words), "{words}\nis not in\n{refused}");
    }
}

#[test]
fn a_required_namespace_is_released_only_by_who_may() {
    let namespace = watched(&[REQUIRED]);
    let name = &namespace.name;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [name], "verbs": ["get", "patch"]}]});
    let bound = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "eve"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]});
    namespace.apply(role);
    namespace.apply(bound);
    let label = |label: &str| kubectl::kubectl(&["--as", "eve", "label", "--overwrite", "namespace", name, label]);
    for wanted in ["reeve.dev/inject-", "reeve.dev/inject=enabled"] {
        let refused = label(wanted).expect_err("it is refused");
        assert!(refused.contains("may be changed only by who has the verb setinjection"), "{wanted}: {refused}");
    }
    let other = label("team=imaging");
    assert!(other.is_ok(), "what is not Reeve's may be changed: {other:?}");
    kubectl::told(&["delete", "clusterrole", name]);
}
