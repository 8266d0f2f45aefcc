//! What a pod brings with it: followed, replaced, refused in a sentence, or left alone with a reason. Other injectors are beside
//! Reeve's.

use reeve_tests::cluster::clinic::{SIDECAR, agent, call, message, policy, programmed};
use reeve_tests::cluster::pod::{Pod, shell, shell_container};
use reeve_tests::cluster::workload::{deployment, rolled_out};
use reeve_tests::cluster::{Namespace, events, kubectl};
use reeve_tests::eventually::eventually;
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
            "512Mi",
            "is \"512Mi\", more than the memory-limit, which is \"256Mi\": lower it, or raise the limit",
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
fn where_a_quota_counts_limits_of_cpu_a_pod_comes_once_its_sidecar_is_given_one() {
    let namespace = watched(&[ENABLED]);
    let quota = json!({"hard": {"limits.cpu": "4"}});
    namespace.apply(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "cpu"}, "spec": quota}));
    let limited = |mut pod: Value| {
        pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "100m".into();
        pod
    };
    // Until it is known what is used, other words are said.
    eventually("the sidecar's lack of a limit is named", || {
        let refused = namespace.refused(limited(agent(&namespace, "agent")));
        refused.contains("must specify limits.cpu for: reeve-sidecar").then_some(())
    });
    namespace.apply(limited(annotated(&namespace, "reeve.dev/sidecar-cpu-limit", "500m")));
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

/// Another injector, as meshes have them: it changes the pods of one namespace. It is gone with this value.
struct Injector(String);

impl Injector {
    /// One that does this to pods of which that is true, both written in CEL. It is asked again if others change a pod.
    fn new(namespace: &Namespace, word: &str, when: &str, patch: &str) -> Self {
        let name = format!("{}-{word}", namespace.name);
        let pods = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
        // Not as a condition to match: who does not match at first is not asked again.
        let patch = json!({"patchType": "JSONPatch", "jsonPatch": {"expression": format!("{when} ? [{patch}] : []")}});
        let there = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace.name}});
        let injects = json!({"failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {"resourceRules": pods}, "mutations": [patch]});
        let binds = json!({"policyName": name, "matchResources": {"namespaceSelector": there}});
        for (kind, spec) in [("MutatingAdmissionPolicy", injects), ("MutatingAdmissionPolicyBinding", binds)] {
            namespace.apply(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": name}, "spec": spec}));
        }
        Self(name)
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
            let _ = kubectl::kubectl(&["delete", kind, &self.0]);
        }
    }
}

/// The names of a pod's containers in a list.
fn names(pod: &Value, list: &str) -> Vec<String> {
    let containers = pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default();
    containers.iter().map(|container| container["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn beside_other_injectors_each_pod_has_everything_once_and_the_sidecar_first() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    // One that adds a native sidecar of its own to a pod that has none.
    let _mesh = Injector::new(
        &namespace,
        "mesh",
        "!has(object.spec.initContainers)",
        "JSONPatch{op: 'add', path: '/spec/initContainers', value: [Object.spec.initContainers{name: 'mesh', \
         image: 'reeve.test/busybox:1', command: ['sleep', '600'], restartPolicy: 'Always'}]}",
    );
    // One that puts itself before whatever another has put first, once it sees it.
    let _first = Injector::new(
        &namespace,
        "first",
        "object.spec.?initContainers[?0].?name.orValue('') == 'reeve-sidecar' && \
         !object.spec.initContainers.exists(c, c.name == 'first')",
        "JSONPatch{op: 'add', path: '/spec/initContainers/0', value: Object.spec.initContainers{name: 'first', \
         image: 'reeve.test/busybox:1', command: ['true']}}",
    );
    let probe = agent(&namespace, "probe");
    eventually("the other injectors are at work", || {
        let made = kubectl::fed(
            &["--namespace", &namespace.name, "create", "--dry-run=server", "-o", "json", "-f", "-"],
            &probe,
        );
        let made: Value = serde_json::from_str(&made.ok()?.output).ok()?;
        let there = names(&made, "initContainers");
        ["mesh", "first"].iter().all(|name| there.iter().any(|one| one == name)).then_some(())
    });
    let agent = namespace.pod(agent(&namespace, "agent"));
    let now = agent.now();
    let mut there = names(&now, "initContainers");
    assert_eq!(there[0], SIDECAR, "{there:?}");
    there.sort();
    assert_eq!(there, ["first", "mesh", SIDECAR]);
    assert_eq!(names(&now, "containers"), ["main"]);
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let (list, delete) = (call(&agent, "list_datastores"), call(&agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}
