//! In a namespace that says `required` nobody forges, alters, shares or looks into a sidecar: the webhook undoes it or says what to
//! change, and what never reaches a webhook, or finds none, the API server itself refuses.

mod altered;
mod bypassed;
mod entered;
mod mounted;
mod older;
mod running;
mod tokens;
mod words;

use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::pod::Pod;
use reeve_tests::cluster::{Namespace, installed, kubectl};
use serde_json::{Value, json};

use super::{ENABLED, REQUIRED, watched};

/// A change of a pod's manifest.
type Alter = fn(&mut Value);

/// The agent's manifest, altered.
fn altered(namespace: &Namespace, alter: Alter) -> Value {
    let mut pod = agent(namespace, "altered");
    alter(&mut pod);
    pod
}

/// A volume with a token for this audience.
fn token(audience: &str) -> Value {
    json!([{"name": "mine", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": audience}}]}}])
}

/// A container under the sidecar's name that is none.
fn forged() -> Value {
    json!({"name": "reeve-sidecar", "image": "reeve.test/busybox:1", "command": ["sh"], "restartPolicy": "Always"})
}

#[test]
fn the_webhook_refuses_by_name_what_would_share_or_be_the_sidecar() {
    let namespace = watched(&[REQUIRED]);
    for (alter, words) in [
        (
            (|pod| pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = json!(7338)) as Alter,
            "container main: securityContext.runAsUser is 7338, the user that the sidecar runs as",
        ),
        (
            |pod| pod["spec"]["securityContext"]["runAsUser"] = json!(7338),
            "spec.securityContext.runAsUser is 7338, the user that the sidecar runs as",
        ),
        (
            |pod| pod["spec"]["shareProcessNamespace"] = json!(true),
            "spec.shareProcessNamespace: the agent would see the sidecar's process",
        ),
        (|pod| pod["spec"]["hostPID"] = json!(true), "spec.hostPID: the agent would see the node's processes"),
        (
            |pod| pod["spec"]["volumes"] = token("reeve-operator"),
            "volume mine has a token for reeve-operator, by which only the sidecar may identify itself",
        ),
        (|pod| pod["spec"]["hostNetwork"] = json!(true), "the pod uses the node's network (spec.hostNetwork)"),
        (
            |pod| pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 14001}]),
            "container main: port 14001 is the sidecar's (14001, 14020 and 14021 are): choose another",
        ),
        (
            |pod| pod["metadata"]["annotations"] = json!({"reeve.dev/sidecar-image": "reeve.test/busybox:1"}),
            "annotation reeve.dev/sidecar-image is no annotation that Reeve knows",
        ),
        (
            |pod| pod["spec"]["containers"][0]["name"] = json!("reeve-sidecar"),
            "the pod has no container but under names that begin with reeve-, which are reserved: rename them",
        ),
    ] {
        let refused = namespace.refused(altered(&namespace, alter));
        assert!(refused.contains(words), "{words}\nis not in\n{refused}");
    }
    namespace.apply(altered(&namespace, |pod| pod["spec"]["volumes"] = token("vault")));
}

/// What the API server would store of a manifest.
fn admitted(namespace: &Namespace, manifest: &Value) -> Value {
    let said = kubectl::fed(
        &["--namespace", &namespace.name, "apply", "--dry-run=server", "--output", "json", "--filename", "-"],
        manifest,
    );
    let said = said.unwrap_or_else(|error| panic!("{manifest}\nis refused: {error}"));
    serde_json::from_str(&said.output).expect("kubectl writes JSON")
}

#[test]
fn the_webhook_undoes_what_a_pod_brings_under_the_sidecars_names() {
    let namespace = watched(&[REQUIRED]);
    let honest = admitted(&namespace, &altered(&namespace, |_| ()));
    let ours = &honest["spec"]["initContainers"];
    assert_eq!(ours[0]["name"], "reeve-sidecar", "{honest:#}");
    for (what, alter) in [
        ("it declines", (|pod| pod["metadata"]["labels"]["reeve.dev/inject"] = json!("false")) as Alter),
        ("it says that it has none", |pod| pod["metadata"]["labels"]["reeve.dev/injected"] = json!("false")),
        ("an init container of the sidecar's name", |pod| pod["spec"]["initContainers"] = json!([forged()])),
        ("a container of the sidecar's name", |pod| {
            let mut second = pod["spec"]["containers"][0].clone();
            second["name"] = json!("reeve-sidecar");
            pod["spec"]["containers"].as_array_mut().unwrap().push(second);
        }),
        ("the sidecar's token mounted elsewhere", |pod| {
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "reeve-token", "mountPath": "/stolen"}]);
        }),
        ("volumes of its own under the sidecar's names", |pod| {
            let volumes =
                ["reeve-token", "reeve-cache"].map(|name| json!({"name": name, "emptyDir": {"medium": "Memory"}}));
            pod["spec"]["volumes"] = json!(volumes);
            pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "reeve-cache", "mountPath": "/shared"}]);
        }),
    ] {
        let pod = admitted(&namespace, &altered(&namespace, alter));
        assert_eq!(&pod["spec"], &honest["spec"], "{what}: as if it had not been tried");
        assert_eq!(pod["metadata"]["labels"]["reeve.dev/injected"], "true", "{what}");
    }
}

#[test]
fn a_pod_of_a_required_namespace_that_declines_has_a_sidecar_all_the_same() {
    let namespace = watched(&[REQUIRED]);
    let declining = namespace.pod(altered(&namespace, |pod| {
        pod["metadata"]["labels"]["reeve.dev/inject"] = json!("false");
    }));
    assert_eq!(declining.now()["spec"]["initContainers"][0]["name"], "reeve-sidecar");
}

#[test]
fn where_a_sidecar_is_required_it_has_no_token_for_the_api_server_though_every_other_container_is_given_one() {
    let namespace = watched(&[REQUIRED]);
    let pod =
        admitted(&namespace, &altered(&namespace, |pod| pod["spec"]["automountServiceAccountToken"] = json!(true)));
    let has_token = |container: &Value| {
        let mounts = container["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
        mounts.iter().any(|mount| mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount")
    };
    let (sidecar, agent) = (&pod["spec"]["initContainers"][0], &pod["spec"]["containers"][0]);
    assert_eq!((has_token(sidecar), has_token(agent)), (false, true), "{pod:#}");
}

#[test]
fn a_required_namespace_is_released_only_by_who_may() {
    let namespace = watched(&[REQUIRED]);
    let name = &namespace.name;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
            "resourceNames": [name], "verbs": ["get", "patch", "update"]}]});
    let bind = |kind: &str, binding: &str, role: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": binding},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]})
    };
    namespace.apply(role);
    namespace.apply(bind("RoleBinding", "eve", name));
    let label = |label: &str| kubectl::kubectl(&["--as", "eve", "label", "--overwrite", "namespace", name, label]);
    for wanted in ["reeve.dev/inject-", "reeve.dev/inject=enabled"] {
        let refused = label(wanted).expect_err("it is refused");
        assert!(refused.contains("may be changed only by who has the verb setinjection"), "{wanted}: {refused}");
    }
    for (way, tried) in [("status", by_status(name)), ("finalize", by_finalize(name))] {
        let refused = tried.expect_err("it is refused");
        assert!(refused.contains("may be changed only by who has the verb setinjection"), "{way}: {refused}");
    }
    let other = label("team=imaging");
    assert!(other.is_ok(), "what is not Reeve's may be changed: {other:?}");
    namespace.apply(bind("ClusterRoleBinding", name, "reeve-injection-admin"));
    let released = label("reeve.dev/inject=enabled");
    for object in ["clusterrolebinding", "clusterrole"] {
        kubectl::told(&["delete", object, name]);
    }
    assert!(released.is_ok(), "who has the verb may: {released:?}");
}

/// Takes the label from a namespace where only its status is written, as somebody who may not.
fn by_status(namespace: &str) -> Result<kubectl::Said, String> {
    let patch = r#"{"metadata": {"labels": {"reeve.dev/inject": null}}}"#;
    let status = ["patch", "namespace", namespace, "--subresource", "status", "--type=merge", "--patch", patch];
    kubectl::kubectl(&[&["--as", "eve"], &status[..]].concat())
}

/// The same where only its finalizers are.
fn by_finalize(namespace: &str) -> Result<kubectl::Said, String> {
    let mut now = kubectl::json(&["get", "namespace", namespace]);
    now["metadata"]["labels"].as_object_mut().unwrap().remove("reeve.dev/inject");
    let path = format!("/api/v1/namespaces/{namespace}/finalize");
    kubectl::fed(&["--as", "eve", "replace", "--raw", &path, "--filename", "-"], now)
}
