//! Whatever makes an agent's pod, and whatever else is in it, its calls are governed.

use reeve_tests::cluster::clinic::{
    ARGUMENTS, SIDECAR, agent, call, caller, calls_at, policy, programmed, value, variable,
};
use reeve_tests::cluster::events;
use reeve_tests::cluster::pod::{Pod, status};
use reeve_tests::cluster::workload::{deployment, pods, rolled_out, stateful_set, template};
use serde_json::{Value, json};

use super::{ENABLED, RESTRICTED, clinic, lists};

const SERVED: &str = "a pod was given a sidecar; its calls to imaging go through it";

fn is_governed(agent: &Pod<'_>) {
    let (list, delete) = (call(agent, "list_datastores"), call(agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{}: {list}\n{delete}", agent.name);
}

#[test]
fn a_deployments_pods_are_governed_and_the_deployment_is_told() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    namespace.apply(deployment(&agent(&namespace, "agent"), 2));
    rolled_out(&namespace, "deployment/agent");
    let status = programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!((&status["matchedPods"], &status["programmedPods"]), (&json!(2), &json!(2)), "{status:#}");
    let agents = pods(&namespace, "agent");
    assert_eq!(agents.len(), 2);
    agents.iter().for_each(is_governed);
    assert_eq!(events::told(&namespace, "Deployment/agent", "Injected"), SERVED);
    let replicas = &namespace.list("replicasets")[0]["metadata"]["name"];
    let of_replicas = events::all(&namespace, &format!("ReplicaSet/{}", replicas.as_str().unwrap()), "Injected");
    assert!(of_replicas.is_empty(), "nobody looks there: {of_replicas:?}");
}

#[test]
fn a_stateful_sets_pod_is_governed_also_when_it_is_made_anew() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    namespace.apply(stateful_set(&agent(&namespace, "agent")));
    rolled_out(&namespace, "statefulset/agent");
    let agent = Pod::named(&namespace, "agent-0");
    is_governed(&agent);
    let first = agent.now()["metadata"]["uid"].clone();
    namespace.told(&["delete", &agent.object()]);
    agent.wait("there is another pod of the name", |pod| (pod["metadata"]["uid"] != first).then_some(()));
    agent.ready();
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    is_governed(&agent);
    assert_eq!(events::told(&namespace, "StatefulSet/agent", "Injected"), SERVED);
}

#[test]
fn a_cron_jobs_job_completes_and_the_cron_job_is_told() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let mut pod = agent(&namespace, "agent");
    pod["spec"]["restartPolicy"] = json!("Never");
    pod["spec"]["containers"] = json!([caller(&namespace, "main", &["list_datastores", "--expect", "allow"])]);
    // Not by the clock, which would take up to a minute: the Job is the CronJob's all the same.
    namespace.apply(json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "agent"}, "spec": {
        "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"backoffLimit": 0, "template": template(&pod)}}}}));
    namespace.told(&["create", "job", "agent-now", "--from", "cronjob/agent"]);
    namespace.wait("the Job is complete", "job/agent-now", |job| (job["status"]["succeeded"] == 1).then_some(()));
    let all = namespace.list("pods");
    let made = all.iter().find(|pod| pod["metadata"]["labels"]["job-name"] == "agent-now").expect("the Job's pod");
    let sidecar = status(made, SIDECAR).expect("the pod has a sidecar");
    assert_eq!(sidecar["state"]["terminated"]["exitCode"], 0, "{sidecar:#}");
    assert_eq!(events::told(&namespace, "CronJob/agent", "Injected"), SERVED);
}

#[test]
fn init_containers_that_call_before_the_agent_starts_are_governed_too() {
    let namespace = clinic(&[ENABLED, RESTRICTED]);
    lists(&namespace);
    let mut pod = agent(&namespace, "agent");
    pod["spec"]["restartPolicy"] = json!("Never");
    pod["spec"]["initContainers"] = json!([
        caller(&namespace, "reads", &["list_datastores", "--expect", "allow"]),
        caller(&namespace, "deletes", &["delete_datastore", "--expect", "deny"]),
    ]);
    let agent = namespace.pod(pod);
    let now = agent.now();
    let first = now["spec"]["initContainers"].as_array().unwrap();
    let names: Vec<_> = first.iter().map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names, [SIDECAR, "reads", "deletes"]);
    for container in &first[1..] {
        assert_eq!(value(container, "IMAGING_URL").unwrap(), "http://127.0.0.1:14001/imaging");
    }
    is_governed(&agent);
}

/// Where a container's volumes are mounted.
fn mounts(pod: &Value, list: &str) -> Vec<String> {
    let mounts = pod["spec"][list][0]["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pod_without_a_token_of_its_own_has_one_in_its_sidecar_alone() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    let pod = agent(&namespace, "agent");
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    let agent = namespace.pod(pod);
    let now = agent.now();
    assert_eq!(mounts(&now, "containers"), [""; 0]);
    assert_eq!(mounts(&now, "initContainers"), ["/var/run/reeve/token", "/var/lib/reeve"]);
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    is_governed(&agent);
}

#[test]
fn two_agents_of_one_pod_are_both_routed_and_share_its_grant() {
    let namespace = clinic(&[ENABLED]);
    let three = json!([{"name": "exports", "tools": ["start_*"], "action": "Allow",
        "limits": [{"counter": "exports", "window": "1m", "max": 3}]}]);
    namespace.apply(policy("imaging", "agent", &three));
    let mut pod = agent(&namespace, "agent");
    let second = caller(&namespace, "second", &["list_datastores", "--every", "3600"]);
    pod["spec"]["containers"].as_array_mut().unwrap().push(second);
    let agent = namespace.pod(pod);
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let now = agent.now();
    let urls = [0, 1].map(|place| value(&now["spec"]["containers"][place], "IMAGING_URL").unwrap());
    assert_eq!(urls, ["http://127.0.0.1:14001/imaging"; 2]);
    let mut lines = Vec::new();
    for container in ["main", "second"] {
        lines.extend(calls_at(&agent, (container, &urls[0]), "start_dicom_export_job", 2).unwrap());
    }
    let decisions: Vec<_> = lines.iter().filter_map(|line| line.split_once(": ")).map(|(first, _)| first).collect();
    assert_eq!(decisions, ["allow", "allow", "allow", "limited"], "{lines:#?}");
}

#[test]
fn an_agent_whose_url_comes_from_a_config_map_is_told_which_variable_to_use() {
    let namespace = clinic(&[ENABLED]);
    lists(&namespace);
    namespace.told(&["create", "configmap", "urls", &format!("--from-literal=imaging={}", clinic::url(&namespace))]);
    let mut pod = agent(&namespace, "agent");
    let from = json!({"configMapKeyRef": {"name": "urls", "key": "imaging"}});
    pod["spec"]["containers"][0]["env"] = json!([{"name": "IMAGING_URL", "valueFrom": from}]);
    let said = namespace.apply(&pod);
    let words = "container main: values from ConfigMaps and Secrets are not seen: if one is a server's URL, use \
                 REEVE_SERVER_IMAGING_URL instead";
    assert!(said.warnings.contains(words), "{}", said.warnings);
    let agent = Pod::named(&namespace, "agent");
    let now = agent.ready();
    assert_eq!(now["metadata"]["annotations"]["reeve.dev/routed-servers"], "");
    assert_eq!(variable(&now, "IMAGING_URL"), None, "it is left as it was");
    let url = variable(&now, "REEVE_SERVER_IMAGING_URL").unwrap();
    let delete = calls_at(&agent, ("main", &url), "delete_datastore", 1).unwrap();
    assert!(delete[0].starts_with("deny: "), "{delete:?}");
    assert!(events::told(&namespace, "Pod/agent", "Injected").contains(words));
    // What the page on injection advises: the variable, by reference.
    let container = &mut pod["spec"]["containers"][0];
    container["env"] = json!([{"name": "IMAGING_URL", "value": "$(REEVE_SERVER_IMAGING_URL)"}]);
    container["args"] = json!(["call", "$(IMAGING_URL)", "delete_datastore", "--args", ARGUMENTS, "--expect", "deny"]);
    pod["spec"]["restartPolicy"] = json!("Never");
    pod["metadata"]["name"] = json!("referring");
    namespace.apply(&pod);
    let referring = Pod::named(&namespace, "referring");
    assert_eq!(referring.ended(), "Succeeded", "{}", referring.logs("main"));
}
