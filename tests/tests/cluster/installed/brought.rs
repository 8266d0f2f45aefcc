//! What a pod brings with it: followed, replaced, refused in a sentence, or left alone with a reason.

use reeve_tests::cluster::clinic::{SIDECAR, agent, call, message, policy, programmed};
use reeve_tests::cluster::pod::{Pod, shell, shell_container};
use reeve_tests::cluster::workload::{deployment, rolled_out};
use reeve_tests::cluster::{Namespace, events};
use serde_json::{Value, json};

use super::{ENABLED, clinic, lists, watched};

fn annotated(namespace: &Namespace, annotation: &str, value: &str) -> Value {
    let mut pod = agent(namespace, "agent");
    pod["metadata"]["annotations"] = json!({annotation: value});
    pod
}

#[test]
fn what_a_pods_annotations_ask_of_its_sidecar_is_followed_or_refused_in_a_sentence() {
    let namespace = watched(&[ENABLED]);
    for (setting, value, words) in [
        ("memory-limit", "lots", "is \"lots\": write bytes from 1Mi to 64Gi, such as 64Mi or 1Gi"),
        ("memory-limit", "16Mi", "is \"16Mi\", and a sidecar needs at least 32Mi"),
        (
            "memory-request",
            "256Mi",
            "is \"256Mi\", more than the memory-limit, which is \"128Mi\": lower it, or raise the limit",
        ),
        ("cpu-request", "-1", "is \"-1\": write processors from 1m to 64, such as 50m or 1"),
        ("log-level", "loud", "is \"loud\": write error, warn, info, debug or trace"),
        (
            "image",
            "eve/sidecar",
            "is no annotation that Reeve knows: write reeve.dev/sidecar-cpu-request, reeve.dev/sidecar-cpu-limit, \
             reeve.dev/sidecar-memory-request, reeve.dev/sidecar-memory-limit or reeve.dev/sidecar-log-level",
        ),
    ] {
        let annotation = format!("reeve.dev/sidecar-{setting}");
        let refused = namespace.refused(annotated(&namespace, &annotation, value));
        let words = format!("denied the request: annotation {annotation} {words}");
        assert!(refused.contains(&words), "{words}\nis not in\n{refused}");
    }
    namespace.apply(annotated(&namespace, "reeve.dev/sidecar-memory-limit", "256Mi"));
    let sidecar = &Pod::named(&namespace, "agent").now()["spec"]["initContainers"][0];
    assert_eq!(sidecar["resources"]["limits"]["memory"], "256Mi", "{sidecar:#}");
}

#[test]
fn a_pod_that_declares_a_port_of_the_sidecars_is_refused_in_a_sentence() {
    let namespace = watched(&[ENABLED]);
    for port in [14_001, 14_020, 14_021] {
        let mut pod = agent(&namespace, "agent");
        pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": port}]);
        let refused = namespace.refused(pod);
        let words =
            format!("container main: port {port} is the sidecar's (14001, 14020 and 14021 are): choose another");
        assert!(refused.contains(&words), "{words}\nis not in\n{refused}");
    }
}

#[test]
fn what_a_pod_brings_under_a_reserved_name_is_replaced() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let mut pod = agent(&namespace, "agent");
    pod["spec"]["initContainers"] =
        json!([shell_container(SIDECAR, "exec sleep 600"), shell_container("reeve-spy", "exec sleep 600"),]);
    pod["spec"]["volumes"] = json!([{"name": "reeve-cache", "hostPath": {"path": "/"}}]);
    let spied = json!([{"name": "reeve-cache", "mountPath": "/seen"}, {"name": "reeve-token", "mountPath": "/token"}]);
    pod["spec"]["containers"][0]["volumeMounts"] = spied;
    let said = namespace.apply(&pod);
    for words in [
        "container reeve-spy was taken out of the pod: names that begin with reeve- are reserved, so give it another",
        "container main no longer mounts reeve-cache: names that begin with reeve- are reserved for the sidecar",
        "container main no longer mounts reeve-token: ",
    ] {
        assert!(said.warnings.contains(words), "{words}\nis not in\n{}", said.warnings);
    }
    let agent = Pod::named(&namespace, "agent");
    let now = agent.ready();
    let first = now["spec"]["initContainers"].as_array().unwrap();
    assert!(first.len() == 1 && first[0]["image"].as_str().unwrap().contains("/reeve-sidecar:"), "{first:#?}");
    let volumes = now["spec"]["volumes"].as_array().unwrap();
    let cache = volumes.iter().find(|volume| volume["name"] == "reeve-cache").unwrap();
    assert!(cache["hostPath"].is_null() && cache["emptyDir"].is_object(), "{cache}");
    let (list, delete) = (call(&agent, "list_datastores"), call(&agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}

#[test]
fn a_pod_on_the_nodes_network_is_left_alone_and_its_workload_and_policy_say_why() {
    let namespace = watched(&[ENABLED]);
    let skipped = "the pod uses the node's network (spec.hostNetwork), where a sidecar's ports would be open to the whole node: \
                   it has no sidecar, and its calls are not governed";
    let mut pod = shell("agent", "exec sleep 600");
    pod["spec"]["hostNetwork"] = json!(true);
    let said = namespace.apply(&pod);
    assert!(said.warnings.contains(skipped), "{}", said.warnings);
    namespace.apply(deployment(&pod, 1));
    rolled_out(&namespace, "deployment/agent");
    assert_eq!(events::told(&namespace, "Deployment/agent", "InjectionSkipped"), format!("HostNetwork: {skipped}"));
    namespace.told(&["delete", "pod/agent"]);
    // It should have a sidecar as its namespace says so, and is counted.
    let server = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "imaging"},
        "spec": {"url": "http://imaging.example/mcp"}});
    namespace.apply(server);
    namespace.apply(policy("imaging", "agent", &json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}])));
    let status = programmed(&namespace, "mcppolicy/imaging", "False", "UnprotectedPods");
    assert_eq!(status["unprotectedPods"], 1, "{status:#}");
    assert!(message(&status, "Programmed").contains("without a sidecar: agent-"), "{status:#}");
}
