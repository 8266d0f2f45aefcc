//! The operator's certificates and its authority come to their end, under load, or are given up.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reeve_tests::cluster::clinic::{self, agent, call, message, programmed};
use reeve_tests::cluster::{Alone, installed, kubectl};
use serde_json::{Value, json};

use super::{Calling, alone, is_governed, reads_and};

/// An operator whose authority lasts two minutes and whose certificates last half of one, until the value is dropped.
struct ShortLived<'a>(&'a Alone);

/// Starts the operator with these variables and a new authority, and has the former forgotten, as docs/kubernetes.md says.
fn made_anew(alone: &Alone, variables: &[&str]) {
    let gone = installed::operator_gone(alone);
    kubectl::told(&["-n", installed::NAMESPACE, "delete", installed::AUTHORITY]);
    for (kind, webhooks) in [("validating", 0..1), ("mutating", 0..3)] {
        let path = |number: usize| format!("/webhooks/{number}/clientConfig/caBundle");
        let removals: Vec<_> = webhooks.map(|number| json!({"op": "remove", "path": path(number)})).collect();
        let removals = json!(removals).to_string();
        kubectl::told(&["patch", &webhook_configuration(kind), "--type", "json", "--patch", &removals]);
    }
    let set = ["-n", installed::NAMESPACE, "set", "env", &format!("deployment/{}", installed::OPERATOR)];
    kubectl::told(&[&set[..], variables].concat());
    drop(gone);
}

/// Certificates live as long as the chart says.
const AS_INSTALLED: [&str; 2] = ["REEVE_CA_LIFETIME-", "REEVE_CERTIFICATE_LIFETIME-"];

impl<'a> ShortLived<'a> {
    fn new(alone: &'a Alone) -> Self {
        made_anew(alone, &["REEVE_CA_LIFETIME=2m", "REEVE_CERTIFICATE_LIFETIME=30s"]);
        Self(alone)
    }
}

impl Drop for ShortLived<'_> {
    fn drop(&mut self) {
        made_anew(self.0, &AS_INSTALLED);
    }
}

fn webhook_configuration(kind: &str) -> String {
    format!("{kind}webhookconfiguration/{}", installed::OPERATOR)
}

fn entry<'s>(secret: &'s Value, name: &str) -> &'s str {
    secret["data"][name].as_str().unwrap_or_default()
}

#[test]
fn certificates_and_their_authority_are_replaced_under_load_and_every_sidecar_follows() {
    let alone = alone();
    let _short = ShortLived::new(&alone);
    let calling = Calling::start(&alone);
    let signing = installed::wait("there is an authority", installed::AUTHORITY, |secret| {
        Some(entry(secret, "tls.crt").to_owned()).filter(|signing| !signing.is_empty())
    });
    let next = installed::wait("the next authority is trusted", installed::AUTHORITY, |secret| {
        Some(entry(secret, "next.crt").to_owned()).filter(|next| !next.is_empty())
    });
    installed::wait("the next authority signs", installed::AUTHORITY, |secret| {
        (entry(secret, "tls.crt") == next).then_some(())
    });
    assert_ne!(signing, next);
    // Each replica shows one of the new authority once the former has expired, and none but those who know it reach it.
    let trusted = |secret: &Value| entry(secret, "ca.crt").len();
    let both = installed::wait("both are trusted", installed::AUTHORITY, |secret| Some(trusted(secret)));
    installed::wait("the former is not trusted any more", installed::AUTHORITY, |secret| {
        (trusted(secret) < both).then_some(())
    });
    for (what, more) in [("a new authority", &["create_*"][..]), ("a new authority, once more", &[])] {
        let leader = installed::leader();
        // Whoever was connected has to connect anew.
        installed::kill_replica(&alone, &leader);
        calling.catches_up(what, Instant::now(), more);
        installed::await_replicas();
    }
    alone.pod(agent(&alone, "second"));
    calling.nothing_was_loosened("certificates and the authority were replaced");
}

#[test]
fn an_authority_that_is_given_up_is_followed_by_pods_that_are_made_anew_and_by_no_other() {
    let alone = alone();
    clinic::server(&alone);
    alone.apply(reads_and(&[]));
    let old = alone.pod(agent(&alone, "agent"));
    programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    let former = kubectl::json(&["-n", installed::NAMESPACE, "get", installed::AUTHORITY]);
    let former = STANDARD.decode(entry(&former, "tls.crt")).unwrap();
    made_anew(&alone, &AS_INSTALLED);
    installed::await_replicas();
    installed::await_webhooks();
    for kind in ["validating", "mutating"] {
        let configuration = kubectl::json(&["get", &webhook_configuration(kind)]);
        for webhook in configuration["webhooks"].as_array().unwrap() {
            let bundle = STANDARD.decode(webhook["clientConfig"]["caBundle"].as_str().unwrap()).unwrap();
            assert!(!bundle.is_empty() && !bundle.windows(former.len()).any(|part| part == former), "{webhook:#}");
        }
    }

    alone.apply(reads_and(&["create_*"]));
    let status = programmed(&alone, "mcppolicy/imaging", "False", "NotConnected");
    let why = message(&status, "Programmed");
    assert!(why.contains("agent"), "the pod is named: {why}");
    is_governed(&old);
    let create = call(&old, "create_datastore");
    assert!(create.starts_with("deny: "), "whoever holds the former authority is not believed: {create}");

    alone.told(&["delete", "pod/agent", "--wait"]);
    let new = alone.pod(agent(&alone, "agent"));
    programmed(&alone, "mcppolicy/imaging", "True", "Programmed");
    let create = call(&new, "create_datastore");
    assert!(create.starts_with("allow: "), "{create}");
}
