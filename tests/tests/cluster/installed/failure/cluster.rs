//! A part of Kubernetes fails.

use std::time::Instant;

use reeve_tests::cluster::clinic::{agent, programmed};
use reeve_tests::cluster::installed;
use reeve_tests::cluster::pod::Pod;
use serde_json::json;

use super::{Calling, alone, pause};

/// Waits until the API server answers; gives when that was.
fn await_api_server() -> Instant {
    installed::wait("the API server answers", &format!("deployment/{}", installed::OPERATOR), |_| Some(()));
    Instant::now()
}

#[test]
fn an_api_server_that_is_frozen_or_killed_stops_no_call_and_is_caught_up_with() {
    let alone = alone();
    let calling = Calling::start(&alone);
    let frozen = alone.freeze("kube-apiserver");
    // Longer than the Lease holds.
    pause(30);
    frozen.mend();
    calling.catches_up("an API server that was frozen", await_api_server(), &["create_*"]);
    let killed = alone.kill("kube-apiserver");
    pause(5);
    killed.mend();
    calling.catches_up("an API server that was killed", await_api_server(), &[]);
    calling.nothing_was_loosened("the API server was frozen, then killed");
}

#[test]
fn a_kubelet_that_is_killed_stops_no_call_and_its_new_pods_are_governed_when_it_is_back() {
    let alone = alone();
    let calling = Calling::start(&alone);
    let mut second = agent(&alone, "second");
    second["metadata"]["labels"]["app"] = json!("agent");
    second["spec"]["nodeName"] = json!("node1");
    let killed = alone.kill("kubelet-node1");
    alone.apply(second);
    let status = programmed(&alone, "mcppolicy/imaging", "False", "Reconciling");
    assert_eq!((&status["matchedPods"], &status["programmedPods"]), (&json!(2), &json!(1)), "{status:#}");
    killed.mend();
    Pod::named(&alone, "second").ready();
    calling.catches_up("a kubelet that was killed", Instant::now(), &["create_*"]);
    let status = programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    assert_eq!(status["programmedPods"], 2, "{status:#}");
    calling.nothing_was_loosened("the kubelet was killed");
}
