//! A part of Reeve that is gone loosens nothing, and is caught up with when it is back.

use reeve_tests::cluster::clinic::{self, agent, call, policy, programmed};
use reeve_tests::cluster::pod::{Pod, shell, status};
use reeve_tests::cluster::{Alone, installed};
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::{ENABLED, REQUIRED};

/// A policy that permits what only reads, and these.
fn reads_and(more: &[&str]) -> Value {
    let tools = [&["list_*", "get_*"], more].concat();
    policy("imaging", "agent", &json!([{"name": "reads", "tools": tools, "action": "Allow"}]))
}

/// A cluster with Reeve, the server, the policy and an agent that runs it, in which no other test runs.
fn governed() -> Alone {
    let alone = Alone::new(&[ENABLED]);
    installed::reeve();
    clinic::server(&alone);
    alone.apply(reads_and(&[]));
    alone.pod(agent(&alone, "agent"));
    programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    alone
}

fn is_governed(agent: &Pod<'_>) {
    let (list, delete) = (call(agent, "list_datastores"), call(agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}

#[test]
fn an_operator_that_is_gone_loosens_nothing() {
    let alone = governed();
    let running = Pod::named(&alone, "agent");
    let (plain, required) = (alone.another(&[]), alone.another(&[REQUIRED]));
    let gone = installed::operator_gone(&alone);
    is_governed(&running);
    for (namespace, webhook) in [(&*alone, "namespace.inject.reeve.dev"), (&required, "required.inject.reeve.dev")] {
        let refused = namespace.refused(agent(namespace, "second"));
        assert!(refused.contains(&format!("failed calling webhook \"{webhook}\"")), "{refused}");
    }
    plain.pod(shell("other", "exec sleep 600"));
    let refused = alone.refused(reads_and(&["delete_*"]));
    assert!(refused.contains("failed calling webhook \"validate.reeve.dev\""), "{refused}");
    // A sidecar that is started again has what it was last given.
    running.container("reeve-sidecar").kill();
    running.wait("the sidecar is started again", |pod| {
        let sidecar = status(pod, "reeve-sidecar")?;
        (sidecar["restartCount"] == 1 && sidecar["started"] == true).then_some(())
    });
    is_governed(&running);
    drop(gone);
    alone.apply(reads_and(&["create_*"]));
    programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    is_governed(&running);
    let create = call(&running, "create_datastore");
    assert!(create.starts_with("allow: "), "the new policy is in force: {create}");
    alone.pod(agent(&alone, "second"));
}

#[test]
fn a_killed_replica_loses_nothing() {
    let alone = governed();
    let agent = Pod::named(&alone, "agent");
    for (tools, decision) in [(&["create_*"][..], "allow: "), (&[], "deny: ")] {
        installed::await_replicas();
        let leader = installed::leader();
        installed::kill_replica(&alone, &leader);
        is_governed(&agent);
        // Until the Service knows that the replica is gone, the API server may ask it.
        eventually("the policy is applied", || alone.try_apply(reads_and(tools)).ok());
        programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
        is_governed(&agent);
        let create = call(&agent, "create_datastore");
        assert!(create.starts_with(decision), "{create}");
    }
    installed::await_replicas();
}
