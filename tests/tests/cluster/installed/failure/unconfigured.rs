//! A pod that starts without an operator.

use std::time::Instant;

use reeve_tests::cluster::clinic::{self, agent, call};
use reeve_tests::cluster::clock::{second_of_day, seconds_between};
use reeve_tests::cluster::installed;
use reeve_tests::cluster::pod::{Pod, held, status};
use serde_json::Value;

use super::{alone, is_in_force, reads_and};

/// The second of the day at which a container was started.
fn started(pod: &Value, container: &str) -> f64 {
    let state = status(pod, container).unwrap_or_else(|| panic!("{container} has no status: {pod:#}"));
    second_of_day(state["state"]["running"]["startedAt"].as_str().unwrap_or_default())
}

#[test]
fn a_pod_that_starts_without_an_operator_denies_after_ten_seconds_and_says_why() {
    let alone = alone();
    clinic::server(&alone);
    alone.apply(reads_and(&[]));
    // Admitted while the operator is there, started when it is not.
    alone.apply(held(agent(&alone, "agent")));
    let gone = installed::operator_gone(&alone);
    let agent = Pod::named(&alone, "agent");
    let now = agent.released();
    let waited = seconds_between(started(&now, "reeve-sidecar"), started(&now, "main"));
    println!("the agent's container was started {waited} s after its sidecar");
    assert!((9.0..30.0).contains(&waited), "the sidecar waits 10 s for a configuration: {waited} s");

    let list = call(&agent, "list_datastores");
    assert!(list.starts_with("deny: ") && list.contains("configuration"), "{list}");
    let log = agent.logs("reeve-sidecar");
    for words in [r#""reason":"NoConfiguration""#, "the operator is not reached, and tried again"] {
        assert!(log.contains(words), "{words}\nis not in\n{log}");
    }
    drop(gone);
    is_in_force(&alone, Instant::now(), &["create_*"]);
    let (list, now) = (call(&agent, "list_datastores"), agent.now());
    assert!(list.starts_with("allow: "), "{list}");
    assert_eq!(status(&now, "reeve-sidecar").unwrap()["restartCount"], 0);
}
