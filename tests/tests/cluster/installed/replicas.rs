//! Sidecars hang on any replica, and what they say reaches the one that leads. Needs two nodes.

use reeve_tests::cluster::clinic::{self, agent, call, policy, programmed};
use reeve_tests::cluster::workload::{deployment, pods, rolled_out};
use reeve_tests::cluster::{Alone, installed};
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::{ENABLED, lists};

/// How many sidecars each replica holds, the leader first.
fn held() -> Vec<f64> {
    let leader = installed::leader();
    let mut replicas = installed::replicas();
    replicas.sort_by_key(|replica| *replica != leader);
    replicas.iter().map(|replica| installed::metric(replica, "reeve_sidecars")).collect()
}

/// An agent of which there are several, on both nodes.
fn spread(alone: &Alone) -> Value {
    let mut pod = agent(alone, "agent");
    pod["spec"]["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "agent"}}}]);
    pod
}

#[test]
fn what_sidecars_acknowledge_to_a_follower_is_in_the_status_that_the_leader_writes() {
    let alone = Alone::new(&[ENABLED]);
    installed::reeve();
    installed::await_replicas();
    clinic::server(&alone);
    lists(&alone);
    eventually("the sidecars of other tests are gone", || (held().iter().sum::<f64>() == 0.0).then_some(()));
    // Which replica a sidecar comes to is chance: so many that both have some.
    let replicas = [6, 10, 14].into_iter().find(|replicas| {
        alone.apply(deployment(&spread(&alone), *replicas));
        rolled_out(&alone, "deployment/agent");
        let all = u32::try_from(*replicas).map(f64::from).unwrap();
        let held =
            eventually("every sidecar is connected", || Some(held()).filter(|held| held.iter().sum::<f64>() == all));
        held.len() == 2 && held.iter().all(|count| *count > 0.0)
    });
    let replicas = replicas.expect("both replicas hold sidecars");
    let agents = pods(&alone, "agent");
    let mut nodes: Vec<_> = agents.iter().map(|agent| agent.now()["spec"]["nodeName"].to_string()).collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(nodes.len(), 2, "they are on both nodes: {nodes:?}");
    let is_counted = |status: &Value| status["programmedPods"] == replicas && status["matchedPods"] == replicas;
    alone.wait("all are counted", "mcppolicy/imaging", |policy| is_counted(&policy["status"]).then_some(()));
    alone.apply(policy("imaging", "agent", &json!([{"name": "gets", "tools": ["get_*"], "action": "Allow"}])));
    let status = programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    assert!(is_counted(&status), "{status:#}");
    for agent in &agents {
        let (get, list) = (call(agent, "get_datastore"), call(agent, "list_datastores"));
        assert!(get.starts_with("allow: ") && list.starts_with("deny: "), "{}: {get}\n{list}", agent.name);
    }
    assert!(held().iter().all(|count| *count > 0.0), "they hang where they hung: {:?}", held());
}
