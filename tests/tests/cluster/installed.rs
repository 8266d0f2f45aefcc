//! Reeve, installed from its chart, governs agents. These tests need a cluster in which `kinds` has not run: it gives the API
//! server the same definitions without the rest.

mod access;
mod brought;
mod failure;
mod injection;
mod manifests;
mod noise;
mod observed;
mod policy;
mod release;
mod replicas;
mod required;
mod servers;
mod status;
mod stored;
mod tiers;
mod truth;
mod workloads;

use reeve_tests::cluster::{Namespace, clinic, installed};
use serde_json::json;

const ENABLED: (&str, &str) = ("reeve.dev/inject", "enabled");
const REQUIRED: (&str, &str) = ("reeve.dev/inject", "required");
const RESTRICTED: (&str, &str) = ("pod-security.kubernetes.io/enforce", "restricted");

/// A namespace with these labels in a cluster that has Reeve.
fn watched(labels: &[(&str, &str)]) -> Namespace {
    let namespace = Namespace::new(labels);
    installed::reeve();
    namespace
}

/// The same with the server.
fn clinic(labels: &[(&str, &str)]) -> Namespace {
    let namespace = watched(labels);
    clinic::server(&namespace);
    namespace
}

/// The policy `imaging` for the agents called `agent`: it permits what lists.
fn lists(namespace: &Namespace) {
    let lists = json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}]);
    namespace.apply(clinic::policy("imaging", "agent", &lists));
}
