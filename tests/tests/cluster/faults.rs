//! Parts of the cluster fail when a test makes them, and recover when it mends them. What these show of Kubernetes, tests of
//! Reeve build on: while its control plane is gone, what runs goes on.

use reeve_tests::cluster::pod::{Pod, condition, shell, shell_container, status};
use reeve_tests::cluster::{Alone, Namespace, kubectl};
use reeve_tests::eventually::eventually;
use serde_json::json;

fn sleeper(name: &str) -> serde_json::Value {
    shell(name, "exec sleep 600")
}

/// Whether the API server answers within a second.
fn api_server_answers() -> bool {
    kubectl::kubectl(&["get", "--raw", "/readyz", "--request-timeout", "1s"]).is_ok()
}

fn await_api_server() {
    eventually("the API server answers", || api_server_answers().then_some(()));
}

#[test]
fn a_frozen_api_server_answers_when_it_goes_on() {
    let alone = Alone::new(&[]);
    let frozen = alone.freeze("kube-apiserver");
    assert!(!api_server_answers());
    frozen.mend();
    await_api_server();
}

#[test]
fn an_api_server_that_is_killed_comes_back_and_pods_run_on() {
    let alone = Alone::new(&[]);
    let pod = alone.pod(sleeper("before"));
    let killed = alone.kill("kube-apiserver");
    assert!(!api_server_answers());
    killed.mend();
    await_api_server();
    assert_eq!(status(&pod.now(), "main").unwrap()["restartCount"], 0);
    alone.pod(sleeper("after"));
}

#[test]
fn a_kubelet_that_is_killed_leaves_its_pods_alone_and_starts_new_ones_when_it_is_back() {
    let alone = Alone::new(&[]);
    let on_node1 = |name: &str| {
        let mut pod = sleeper(name);
        pod["spec"]["nodeName"] = json!("node1");
        pod
    };
    let before = alone.pod(on_node1("before"));
    let killed = alone.kill("kubelet-node1");
    alone.apply(on_node1("after"));
    killed.mend();
    Pod::named(&alone, "after").ready();
    assert_eq!(status(&before.now(), "main").unwrap()["restartCount"], 0);
}

#[test]
fn a_container_that_is_killed_is_started_again() {
    let namespace = Namespace::new(&[]);
    let pod = namespace.pod(sleeper("one"));
    pod.container("main").kill();
    pod.wait("the container runs again", |pod| {
        let main = status(pod, "main")?;
        (main["restartCount"] == 1 && main["ready"] == true).then_some(())
    });
}

#[test]
fn a_frozen_container_stands_still_until_it_goes_on() {
    let namespace = Namespace::new(&[]);
    let clock = |name: &str| namespace.pod(shell(name, "while :; do echo tick; sleep 0.1; done"));
    let (pod, witness) = (clock("frozen"), clock("witness"));
    let container = pod.container("main");
    let frozen = container.freeze();
    let (still, then) = (pod.logs("main"), witness.logs("main"));
    eventually("half a second has passed", || {
        (witness.logs("main").lines().count() > then.lines().count() + 5).then_some(())
    });
    assert_eq!(pod.logs("main"), still);
    drop(frozen);
    eventually("it ticks again", || (pod.logs("main").len() > still.len()).then_some(()));
}

#[test]
fn a_pod_that_is_cut_off_is_not_ready_until_it_is_joined_again() {
    let alone = Alone::new(&[]);
    let mut web = shell("web", "mkdir /tmp/www && exec httpd -f -p 8080 -h /tmp/www");
    web["spec"]["containers"][0]["readinessProbe"] =
        json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1});
    let pod = alone.pod(web);
    let cut = alone.cut(&pod);
    pod.wait("the pod is not ready", |pod| (condition(pod, "Ready") == Some("False")).then_some(()));
    cut.mend();
    pod.ready();
}

#[test]
fn a_node_that_is_cut_off_is_not_ready_until_it_is_joined_again() {
    let alone = Alone::new(&[]);
    let cut = alone.cut_node("node2");
    // Its lease has to run out, which takes 40 to 50 s.
    alone.wait("node2 is not ready", "node/node2", |node| (condition(node, "Ready") == Some("Unknown")).then_some(()));
    cut.mend();
    alone.wait("node2 is ready", "node/node2", |node| (condition(node, "Ready") == Some("True")).then_some(()));
}

#[test]
fn controllers_that_are_killed_catch_up() {
    let alone = Alone::new(&[]);
    let killed = alone.kill("kube-controller-manager");
    alone.apply(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "agents"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "agents"}}, "template": {
            "metadata": {"labels": {"app": "agents"}},
            "spec": {"containers": [shell_container("main", "exec sleep 600")]}}}}));
    killed.mend();
    alone.wait("both pods are ready", "deployment/agents", |all| (all["status"]["readyReplicas"] == 2).then_some(()));
}
