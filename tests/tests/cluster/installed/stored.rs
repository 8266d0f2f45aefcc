//! A policy that is stored and does not compile, as one may be that another version let in: it refuses, and says so.

use reeve_tests::cluster::clinic::{self, agent, call, message, policy, programmed, recorded};
use reeve_tests::cluster::pod::{Pod, condition};
use reeve_tests::cluster::{Alone, Namespace, events, installed};
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::{ENABLED, lists};

/// The agent of a namespace that has the server and a policy in force.
fn governed(namespace: &Namespace) -> Pod<'_> {
    clinic::server(namespace);
    lists(namespace);
    let agent = namespace.pod(agent(namespace, "agent"));
    programmed(namespace, "mcppolicy/imaging", "True", "Programmed");
    let list = call(&agent, "list_datastores");
    assert!(list.starts_with("allow: "), "{list}");
    agent
}

fn gets_when(condition: &str) -> Value {
    let rule = json!({"name": "gets", "tools": ["get_*"], "action": "Allow", "when": condition});
    policy("old", "agent", &json!([rule]))
}

const WRONG: &str = "args.datastore_id = 'ds-1'";

#[test]
fn a_stored_policy_that_does_not_compile_refuses_every_call_of_its_pods_and_of_no_others() {
    let alone = Alone::new(&[ENABLED]);
    installed::reeve();
    let other = alone.another(&[ENABLED]);
    let (agent, bystander) = (governed(&alone), governed(&other));
    let unwatched = installed::unvalidated(&alone, &alone.name);
    // The API server needs a moment to ask about this namespace no more.
    eventually("the policy is stored", || alone.try_apply(gets_when(WRONG)).ok());
    drop(unwatched);
    let status = programmed(&alone, "mcppolicy/old", "False", "PolicyInvalid");
    let accepted = message(&status, "Accepted");
    assert!(accepted.starts_with("/spec/rules/0/when: column 19: `=` compares nothing: write =="), "{accepted}");
    let consequence = "every call of the pods that it governs is refused until it is corrected or deleted";
    assert!(accepted.ends_with(consequence), "{accepted}");
    assert_eq!(condition(&alone.get("mcppolicy/old").unwrap(), "Accepted"), Some("False"));
    let told = events::told(&alone, "McpPolicy/old", "Invalid");
    assert_eq!(told, accepted, "the Event has the words of the condition");
    let record = eventually("what another policy permits is refused", || {
        let list = call(&agent, "list_datastores");
        list.starts_with("deny: ").then(|| recorded(&agent, "list_datastores", "PolicyInvalid"))
    });
    assert_eq!(record["rule"], format!("{}/old", alone.name), "{record:#}");
    // Of another namespace nothing is touched.
    let list = call(&bystander, "list_datastores");
    assert!(list.starts_with("allow: "), "{list}");
    programmed(&other, "mcppolicy/imaging", "True", "Programmed");
    // It may be given a label as it is, and stays wrong; it may not be changed to what is wrong as well.
    alone.told(&["label", "mcppolicy/old", "team=imaging"]);
    let refused =
        eventually("the webhook is asked again", || alone.try_apply(gets_when("args.datastore_id = 'ds-2'")).err());
    assert!(refused.contains("spec.rules[0].when: column 19: `=` compares nothing: write =="), "{refused}");
    alone.apply(gets_when("args.datastore_id == 'ds-1'"));
    for name in ["old", "imaging"] {
        programmed(&alone, &format!("mcppolicy/{name}"), "True", "Programmed");
    }
    for tool in ["list_datastores", "get_datastore"] {
        let line = call(&agent, tool);
        assert!(line.starts_with("allow: "), "{line}");
    }
}
