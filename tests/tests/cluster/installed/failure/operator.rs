//! The operator is gone, killed or cut off.

use std::time::Instant;

use reeve_tests::cluster::clinic::{agent, call, message, programmed};
use reeve_tests::cluster::installed;
use reeve_tests::cluster::pod::{shell, status};

use super::super::REQUIRED;
use super::{Calling, alone, is_governed, reads_and};

#[test]
fn an_operator_that_is_gone_loosens_nothing() {
    let alone = alone();
    let calling = Calling::start(&alone);
    let running = &calling.caller.pod;
    let (plain, required) = (alone.another(&[]), alone.another(&[REQUIRED]));
    let gone = installed::operator_gone(&alone);
    is_governed(running);
    for (namespace, webhook) in [(&*alone, "namespace.inject.reeve.dev"), (&required, "required.inject.reeve.dev")] {
        let refused = namespace.refused(agent(namespace, "second"));
        assert!(refused.contains(&format!("failed calling webhook \"{webhook}\"")), "{refused}");
    }
    plain.pod(shell("other", "exec sleep 600"));
    let refused = alone.refused(reads_and(&["delete_*"]));
    assert!(refused.contains("failed calling webhook \"validate.reeve.dev\""), "{refused}");
    calling.nothing_was_loosened("the operator was gone");
    drop(gone);
    calling.catches_up("an operator that was gone", Instant::now(), &["create_*"]);
    alone.pod(agent(&alone, "second"));
}

#[test]
fn a_sidecar_that_is_started_again_without_an_operator_has_what_it_was_last_given() {
    let alone = alone();
    let calling = Calling::start(&alone);
    calling.nothing_was_loosened("before the sidecar was killed");
    let _gone = installed::operator_gone(&alone);
    calling.caller.pod.container("reeve-sidecar").kill();
    calling.caller.pod.wait("the sidecar is started again", |pod| {
        let sidecar = status(pod, "reeve-sidecar")?;
        (sidecar["restartCount"] == 1 && sidecar["started"] == true).then_some(())
    });
    is_governed(&calling.caller.pod);
}

#[test]
fn a_policy_can_be_deleted_while_the_operator_is_gone() {
    let alone = alone();
    alone.apply(reads_and(&[]));
    let gone = installed::operator_gone(&alone);
    alone.told(&["delete", "mcppolicy/imaging"]);
    drop(gone);
}

#[test]
fn while_the_operator_is_gone_a_policy_can_be_labelled_and_deleted_in_the_foreground_but_not_changed() {
    let alone = alone();
    alone.apply(reads_and(&[]));
    let gone = installed::operator_gone(&alone);
    alone.told(&["label", "mcppolicy/imaging", "team=imaging"]);
    let refused = alone.refused(reads_and(&["delete_*"]));
    assert!(refused.contains("failed calling webhook \"validate.reeve.dev\""), "{refused}");
    // The API server takes a finalizer away at the end: an update.
    alone.told(&["delete", "mcppolicy/imaging", "--cascade=foreground", "--timeout=60s"]);
    drop(gone);
}

#[test]
fn a_killed_leader_loses_nothing() {
    let alone = alone();
    let calling = Calling::start(&alone);
    for more in [&["create_*"][..], &[]] {
        installed::await_replicas();
        let leader = installed::leader();
        installed::kill_replica(&alone, &leader);
        calling.catches_up("a leader that was killed", Instant::now(), more);
    }
    installed::await_replicas();
    calling.nothing_was_loosened("the leader was killed");
}

#[test]
fn replicas_that_are_killed_all_at_once_lose_nothing() {
    let alone = alone();
    let calling = Calling::start(&alone);
    let replicas = installed::pods();
    assert!(replicas.len() > 1, "{replicas:#?}");
    for replica in &replicas {
        installed::kill_replica(&alone, installed::name(replica));
    }
    for replica in &replicas {
        installed::await_restart(replica);
    }
    calling.catches_up("replicas that were all killed", Instant::now(), &["create_*"]);
    calling.nothing_was_loosened("every replica was killed");
}

#[test]
fn a_pod_that_is_cut_off_from_the_operator_goes_on_as_it_was_and_the_status_says_so() {
    let alone = alone();
    let calling = Calling::start(&alone);
    let cut = installed::cut_off(&alone, &calling.caller.pod.now());
    alone.apply(reads_and(&["create_*"]));
    let status = programmed(&alone, "mcppolicy/imaging", "False", "NotConnected");
    let words = message(&status, "Programmed");
    assert!(words.contains("agent still runs 2"), "the pod is named, with what it runs: {words}");
    let create = call(&calling.caller.pod, "create_datastore");
    assert!(create.starts_with("deny: "), "what it has never heard of does not bind it: {create}");
    drop(cut);
    calling.catches_up("a pod that was cut off", Instant::now(), &["create_*"]);
    calling.nothing_was_loosened("the pod was cut off from the operator");
}
