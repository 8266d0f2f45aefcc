//! Pods that bring what is the sidecar's, and pods that get none.

use super::*;

#[test]
fn what_a_pod_brings_under_reserved_names_is_replaced() {
    let forged = pod(|pod| {
        pod["metadata"]["annotations"] =
            json!({"reeve.dev/routed-servers": "everything", "reeve.dev/mounts": "aws=none"});
        pod["spec"]["initContainers"] =
            json!([{"name": "first"}, {"name": "reeve-sidecar", "image": "evil"}, {"name": "reeve-x"}]);
        pod["spec"]["volumes"] = json!([{"name": "reeve-token", "emptyDir": {}}, {"name": "reeve-y", "emptyDir": {}}, {"name": "own", "emptyDir": {}}]);
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "reeve-token", "mountPath": "/t"}, {"name": "own", "mountPath": "/o"}]);
    });
    let injected = injected(&forged);
    let spec = &injected.pod["spec"];
    let names: Vec<_> = spec["initContainers"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["reeve-sidecar", "first"]);
    assert_eq!(spec["initContainers"][0]["image"], settings().image);
    assert_eq!(spec["containers"][0]["volumeMounts"], json!([{"name": "own", "mountPath": "/o"}]));
    let volumes: Vec<_> = spec["volumes"].as_array().unwrap().iter().map(|volume| volume["name"].clone()).collect();
    assert_eq!(volumes, ["own", "reeve-token", "reeve-cache", volumes::name("aws").as_str()]);
    assert_eq!(injected.pod["metadata"]["annotations"]["reeve.dev/routed-servers"], "aws");
    assert_ne!(injected.pod["metadata"]["annotations"]["reeve.dev/mounts"], "aws=none");
    for told in [
        "container reeve-x was taken out",
        "volume reeve-y was taken out",
        "container agent no longer mounts reeve-token",
    ] {
        assert!(injected.warnings.iter().any(|warning| warning.contains(told)), "{told}: {:?}", injected.warnings);
    }
}

#[test]
fn a_pod_of_reserved_names_alone_is_refused() {
    let (reason, message) =
        refused_in("enabled", &pod(|pod| pod["spec"]["containers"][0]["name"] = "reeve-agent".into()));
    assert_eq!(reason, RefusalReason::ReservedNames);
    assert!(message.contains("rename them"), "{message}");
}

#[test]
fn the_sidecars_user_is_no_one_elses() {
    for (change, told) in [
        (json!({"spec": {"securityContext": {"runAsUser": 7338}}}), "spec.securityContext.runAsUser is 7338"),
        (
            json!({"spec": {"containers": [{"name": "agent", "securityContext": {"runAsUser": 7338}}]}}),
            "container agent: securityContext.runAsUser is 7338",
        ),
        (
            json!({"spec": {"initContainers": [{"name": "i", "securityContext": {"runAsUser": 7338}}]}}),
            "container i: securityContext.runAsUser is 7338",
        ),
    ] {
        let (reason, message) = refused_in("enabled", &pod(|pod| json_patch::merge(pod, &change)));
        assert_eq!(reason, RefusalReason::UserTaken);
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn the_sidecars_ports_are_no_one_elses() {
    for port in [14001, 14020, 14021] {
        let ports = json!([{"containerPort": 8080}, {"containerPort": port}]);
        let (reason, message) = refused_in("enabled", &pod(|pod| pod["spec"]["containers"][0]["ports"] = ports));
        assert_eq!(reason, RefusalReason::PortTaken);
        assert!(message.contains(&format!("container agent: port {port} is the sidecar's")), "{message}");
    }
}

#[test]
fn a_token_of_the_sidecars_audience_is_no_one_elses() {
    let source = |audience: &str| json!([{"name": "mine", "projected": {"sources": [{"configMap": {"name": "a"}}, {"serviceAccountToken": {"audience": audience, "path": "t"}}]}}]);
    let (reason, message) = refused_in("enabled", &pod(|pod| pod["spec"]["volumes"] = source("reeve-operator")));
    assert_eq!(reason, RefusalReason::TokenAudience);
    assert!(message.starts_with("volume mine has a token for reeve-operator"), "{message}");
    injected(&pod(|pod| pod["spec"]["volumes"] = source("vault")));
}

#[test]
fn a_pod_that_declines_or_is_not_asked_for_is_left_alone() {
    let declining = pod(|pod| pod["metadata"]["labels"]["reeve.dev/inject"] = "false".into());
    assert_eq!(skipped_in(Some("enabled"), &declining), SkipReason::OptedOut);
    assert_eq!(skipped_in(None, &plain()), SkipReason::NotSelected);
    injected_in("required", &declining);
    let asking = pod(|pod| pod["metadata"]["labels"]["reeve.dev/inject"] = "true".into());
    assert!(matches!(inject_in(None, &asking), Outcome::Injected(_)));
}

#[test]
fn the_nodes_network_is_skipped_and_where_a_sidecar_is_required_refused() {
    let host = pod(|pod| pod["spec"]["hostNetwork"] = true.into());
    assert_eq!(skipped_in(Some("enabled"), &host), SkipReason::HostNetwork);
    let (reason, message) = refused_in("required", &host);
    assert_eq!(reason, RefusalReason::Isolation);
    assert!(
        message.contains("the namespace clinic requires a sidecar in every pod: leave hostNetwork out"),
        "{message}"
    );
}

#[test]
fn what_lets_an_agent_see_the_sidecar_is_told_of_and_where_it_is_required_refused() {
    for field in ["hostPID", "shareProcessNamespace"] {
        let sharing = pod(|pod| pod["spec"][field] = true.into());
        assert!(injected(&sharing).warnings[0].starts_with(&format!("spec.{field}: ")));
        assert_eq!(refused_in("required", &sharing).0, RefusalReason::Isolation);
    }
}

#[test]
fn windows_and_static_pods_have_no_sidecar() {
    let windows = pod(|pod| pod["spec"]["os"] = json!({"name": "windows"}));
    assert_eq!(skipped_in(Some("enabled"), &windows), SkipReason::Windows);
    assert_eq!(refused_in("required", &windows).0, RefusalReason::Unsupported);
    let selected = pod(|pod| pod["spec"]["nodeSelector"] = json!({"kubernetes.io/os": "windows"}));
    assert_eq!(skipped_in(Some("enabled"), &selected), SkipReason::Windows);
    let mirror = pod(|pod| pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"}));
    assert_eq!(skipped_in(Some("required"), &mirror), SkipReason::MirrorPod);
}

#[test]
fn who_is_given_a_servers_credential_beside_the_sidecar_is_warned_of() {
    for (container, volumes, place) in [
        (
            json!({"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "aws", "key": "token"}}}]}),
            json!([]),
            "the variable TOKEN",
        ),
        (json!({"envFrom": [{"configMapRef": {"name": "aws"}}, {"secretRef": {"name": "aws"}}]}), json!([]), "envFrom"),
        (
            json!({"volumeMounts": [{"name": "own", "mountPath": "/own"}]}),
            json!([{"name": "own", "secret": {"secretName": "aws"}}]),
            "the volume own",
        ),
        (
            json!({"volumeMounts": [{"name": "own", "mountPath": "/own"}]}),
            json!([{"name": "own", "projected": {"sources": [{"configMap": {"name": "x"}}, {"secret": {"name": "client"}}]}}]),
            "the volume own",
        ),
    ] {
        let given = pod(|pod| {
            json_patch::merge(&mut pod["spec"]["containers"][0], &container);
            pod["spec"]["volumes"] = volumes;
        });
        let warnings = exposed(&given);
        let told = format!("container agent: {place} has the Secret ");
        assert!(warnings.len() == 1 && warnings[0].starts_with(&told), "{place}: {warnings:?}");
        assert!(warnings[0].contains("which is the sidecar's for server aws"), "{warnings:?}");
    }
}

#[test]
fn a_secret_of_the_agents_own_is_nobodys_concern() {
    let own = pod(|pod| {
        // Not mounted, of another name, and a ConfigMap of the same one.
        pod["spec"]["volumes"] = json!([{"name": "idle", "secret": {"secretName": "aws"}}]);
        pod["spec"]["containers"][0]["envFrom"] =
            json!([{"secretRef": {"name": "own"}}, {"configMapRef": {"name": "aws"}}]);
    });
    assert_eq!(exposed(&own), [""; 0]);
}

/// The warnings of Secrets of servers that the agent has itself.
fn exposed(pod: &Value) -> Vec<String> {
    injected(pod).warnings.into_iter().filter(|warning| warning.contains(" has the Secret ")).collect()
}
