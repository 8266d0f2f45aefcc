//! The cluster is one: what any test builds on.

use reeve_tests::cluster::Namespace;
use reeve_tests::cluster::pod::{Pod, shell, shell_container, status};
use reeve_tests::eventually::eventually;
use serde_json::json;

const RESTRICTED: &[(&str, &str)] = &[("pod-security.kubernetes.io/enforce", "restricted")];

/// A pod that answers HTTP on port 8080 with a word.
fn web(name: &str, word: &str) -> serde_json::Value {
    shell(name, &format!("mkdir /tmp/www && echo {word} > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"))
}

/// What a pod gets from a URL within 5 s. (Its own `-T` makes Debian's wget of busybox crash.)
fn fetch(pod: &Pod<'_>, url: &str) -> Result<String, String> {
    pod.exec("main", &["timeout", "5", "wget", "-q", "-O", "-", url])
}

#[test]
fn a_pod_runs_logs_and_takes_commands() {
    let namespace = Namespace::new(&[]);
    let pod = namespace.pod(shell("one", "echo said; exec sleep 600"));
    assert_eq!(pod.logs("main"), "said\n");
    assert_eq!(pod.exec("main", &["id", "-u"]), Ok("65532\n".to_owned()));
    let refused = pod.exec("main", &["sh", "-c", "echo no >&2; exit 3"]).unwrap_err();
    assert!(refused.contains("no\n") && refused.contains("exit code 3"), "{refused}");
}

#[test]
fn a_service_is_reached_by_its_name_from_a_pod_and_from_a_test() {
    let namespace = Namespace::new(&[]);
    namespace.pod(web("server", "hello"));
    namespace.apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
        "selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
    let client = namespace.pod(shell("client", "exec sleep 600"));
    let get = || fetch(&client, "http://web").ok();
    assert_eq!(eventually("a pod reaches the Service", get), "hello\n");
    let url = format!("http://web.{}.svc.cluster.local/", namespace.name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let page = runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
    assert_eq!(page, "hello\n");
}

#[test]
fn pods_of_two_nodes_reach_each_other() {
    let namespace = Namespace::new(&[]);
    let on = |mut pod: serde_json::Value, node: &str| {
        pod["spec"]["nodeName"] = json!(node);
        pod
    };
    let server = namespace.pod(on(web("server", "across"), "node1"));
    let client = namespace.pod(on(shell("client", "exec sleep 600"), "node2"));
    let url = format!("http://{}:8080", server.address());
    assert_eq!(fetch(&client, &url), Ok("across\n".to_owned()));
}

/// A pod whose native sidecar is ready a second after it began, and tells when it is told to end.
fn with_sidecar(name: &str, main: &str) -> serde_json::Value {
    let mut pod = shell(name, main);
    let mut sidecar = shell_container(
        "sidecar",
        "trap 'echo ended > /shared/sidecar; exit' TERM; sleep 1; touch /shared/started; while :; do sleep 0.1; done",
    );
    sidecar["restartPolicy"] = json!("Always");
    sidecar["startupProbe"] = json!({"exec": {"command": ["test", "-e", "/shared/started"]}, "periodSeconds": 1});
    let mount = json!([{"name": "shared", "mountPath": "/shared"}]);
    sidecar["volumeMounts"] = mount.clone();
    pod["spec"]["containers"][0]["volumeMounts"] = mount;
    pod["spec"]["initContainers"] = json!([sidecar]);
    pod["spec"]["volumes"] = json!([{"name": "shared", "emptyDir": {}}]);
    pod["spec"]["restartPolicy"] = json!("Never");
    pod
}

#[test]
fn a_native_sidecar_is_up_before_the_main_container_and_does_not_keep_a_pod_from_succeeding() {
    let namespace = Namespace::new(&[]);
    namespace.apply(with_sidecar("job", "test -e /shared/started && echo after"));
    let pod = Pod::named(&namespace, "job");
    assert_eq!(pod.ended(), "Succeeded");
    assert_eq!(pod.logs("main"), "after\n");
    let code = pod
        .wait("the sidecar has ended too", |pod| status(pod, "sidecar")?["state"]["terminated"]["exitCode"].as_i64());
    assert_eq!(code, 0, "it was asked to end, and did");
}

#[test]
fn a_sidecar_that_crashes_is_started_again_and_the_main_container_is_left_alone() {
    let namespace = Namespace::new(&[]);
    let pod = namespace.pod(with_sidecar("agent", "exec sleep 600"));
    pod.container("sidecar").kill();
    pod.wait("the sidecar is started again", |pod| {
        let sidecar = status(pod, "sidecar")?;
        (sidecar["restartCount"] == 1 && sidecar["ready"] == true).then_some(())
    });
    assert_eq!(status(&pod.now(), "main").unwrap()["restartCount"], 0);
}

#[test]
fn a_restricted_namespace_admits_the_pods_of_these_tests_and_refuses_root() {
    let namespace = Namespace::new(RESTRICTED);
    namespace.pod(shell("good", "exec sleep 600"));
    let mut root = shell("root", "exec sleep 600");
    root["spec"]["containers"][0]["securityContext"] = json!({"runAsUser": 0});
    let words = namespace.refused(root);
    assert!(words.contains("violates PodSecurity \"restricted:latest\""), "{words}");
}

#[test]
fn a_job_completes() {
    let namespace = Namespace::new(&[]);
    let pod = with_sidecar("unused", "true");
    namespace.apply(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": {
        "template": {"spec": pod["spec"]}}}));
    namespace.wait("the Job is complete", "job/job", |job| (job["status"]["succeeded"] == 1).then_some(()));
}
