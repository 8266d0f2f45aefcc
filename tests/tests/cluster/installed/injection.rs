//! Pods are given their sidecars, and keep them.

use reeve_tests::cluster::clinic::{agent, call, programmed, url, variable};
use reeve_tests::cluster::pod::status;
use serde_json::json;

use super::{ENABLED, RESTRICTED, clinic, lists};

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

#[test]
fn a_pod_that_is_sized_as_a_whole_is_given_room_for_its_sidecar() {
    let namespace = clinic(&[ENABLED]);
    let mut sized = agent(&namespace, "agent");
    // What a part of another product called Reeve would be labelled: it is an agent as any other.
    sized["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("reeve");
    sized["spec"]["resources"] = json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "64Mi"}});
    sized["spec"]["containers"][0]["resources"] = json!({"requests": {"memory": "64Mi"}});
    let now = namespace.pod(sized).now();
    assert_eq!(now["spec"]["initContainers"][0]["name"], "reeve-sidecar", "{now:#}");
    let whole = &now["spec"]["resources"];
    assert_eq!((&whole["requests"]["memory"], &whole["limits"]["memory"]), (&json!("96Mi"), &json!("96Mi")));
}
