//! The life of the release: it is installed, tested, upgraded, changed, uninstalled and installed again, and all the while agents
//! that run are governed.

mod certificate;
mod uninstall;
mod upgrade;
mod values;
mod webhooks;

use std::time::Instant;

use reeve_tests::cluster::caller::Caller;
use reeve_tests::cluster::clinic::{self, call, policy, programmed};
use reeve_tests::cluster::installed::{self, NAMESPACE};
use reeve_tests::cluster::{Alone, Namespace, helm};
use serde_json::{Value, json};

use super::{ENABLED, REQUIRED, watched};

/// A policy that permits what only reads, and these.
fn reads_and(more: &[&str]) -> Value {
    let tools = [&["list_*"], more].concat();
    policy("imaging", "agent", &json!([{"name": "reads", "tools": tools, "action": "Allow"}]))
}

/// The server, the policy and an agent that calls all the time, governed from its first call on.
fn calling(namespace: &Namespace) -> Caller<'_> {
    clinic::server(namespace);
    namespace.apply(reads_and(&[]));
    programmed(namespace, "mcppolicy/imaging", "Unknown", "NoPods");
    let caller = Caller::start(namespace, "agent");
    programmed(namespace, "mcppolicy/imaging", "True", "Programmed");
    caller
}

/// A policy that is changed now is in force in the pod that ran before, and said to be.
fn is_followed(namespace: &Namespace, caller: &Caller<'_>, more: &[&str]) {
    let begun = Instant::now();
    namespace.apply(reads_and(more));
    programmed(namespace, "mcppolicy/imaging", "True", "Programmed");
    println!("a changed policy was in force, and said so, after {} ms", begun.elapsed().as_millis());
    let (create, decision) =
        (call(&caller.pod, "create_datastore"), if more.is_empty() { "deny: " } else { "allow: " });
    assert!(create.starts_with(decision), "the status says that the policy is in force: {create}");
    println!("{}", caller.calls());
}

#[test]
fn the_charts_own_test_makes_a_call_that_is_refused() {
    let _namespace = watched(&[]);
    let said = helm::told(&["test", "reeve", "--namespace", NAMESPACE]);
    assert!(said.contains("reeve-test-denied-call") && said.contains("Succeeded"), "{said}");
}
