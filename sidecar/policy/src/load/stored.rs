//! What the API server stores, or the operator's stream brings → what the compiler takes.
//!
//! The operator, its webhook and the sidecar read objects here, and files end in the same checks, so that all agree on what a
//! policy says. Nothing fails: a policy that cannot be read governs, and is enforced, as far as nobody can tell otherwise.

use std::sync::Arc;

use reeve_crds::v1alpha1::{
    API_VERSION, ClusterMcpPolicySpec, LabelSelector, McpPolicySpec, Metadata, Mode, Object, Policy, ServerRef, Tier,
};
use serde_json::Value;

use super::node::{Mark, Node};
use super::salvage::{self, Wrong};
use super::{Finding, MAX_MISTAKES, Positions, manifest};
use crate::compile::Source;

/// How many mistakes of one object are told.
const MOST_TOLD: usize = 3;

/// A policy as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The policy, or what is left of it.
    pub source: Source,
    /// The API server's identifier of the object; empty if it has none.
    pub uid: String,
    /// Counts the changes of `spec`; zero if the object has none.
    pub generation: i64,
}

/// Reads a policy as the API server stores it.
pub fn stored(object: &Value) -> Stored {
    let metadata = metadata(object);
    Stored {
        uid: metadata.uid.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        source: source(object, metadata),
    }
}

fn source(object: &Value, metadata: Metadata) -> Source {
    let Some(mut node) = Node::of_json(object) else {
        let finding = Finding::new(Mark::START, String::new(), "the object nests too deeply".into());
        return unreadable(widest(object, metadata), &[finding]);
    };
    manifest::leave_status_out(&mut node);
    let findings = match manifest::read(&node) {
        Ok(policy) if has_its_namespace(&policy) => return Source::Readable(Arc::new(policy)),
        Ok(policy) => {
            let message = "the McpPolicy has no namespace, so that nobody can tell whom it governs: the API server gives \
                           every McpPolicy one";
            let finding = Finding::new(Mark::START, "/metadata/namespace".into(), message.into());
            return unreadable(without_rules(policy), &[finding]);
        }
        Err(findings) => findings,
    };
    unreadable(scope(object, node, metadata), &findings)
}

/// Whom a policy governs, its mode and tier, as far as they can be read. What is wrong in rules says nothing of them, and may be
/// so much that nothing else would be told.
fn scope(object: &Value, mut node: Node, metadata: Metadata) -> Policy {
    node.leave_out(&["spec", "rules"]);
    let findings = manifest::check(&node);
    let wrong = Wrong::of(&findings);
    let mended = (findings.len() <= MAX_MISTAKES).then(|| manifest::mended(&node, &wrong)).flatten();
    let Some(mut policy) = mended else { return widest(object, metadata) };
    salvage::settle(&mut policy, &wrong, &Positions::default());
    widen(&mut policy, &wrong);
    with_metadata(policy, metadata)
}

fn has_its_namespace(policy: &Policy) -> bool {
    matches!(policy, Policy::ClusterMcpPolicy(_)) || policy.metadata().namespace.is_some()
}

fn without_rules(mut policy: Policy) -> Policy {
    match &mut policy {
        Policy::McpPolicy(object) => object.spec.rules.clear(),
        Policy::ClusterMcpPolicy(object) => object.spec.rules.clear(),
    }
    policy
}

fn unreadable(scope: Policy, findings: &[Finding]) -> Source {
    let told = findings.iter().take(MOST_TOLD).map(|finding| match finding.pointer.as_str() {
        "" => finding.message.clone(),
        pointer => format!("{pointer}: {}", finding.message),
    });
    let mut error = told.collect::<Vec<_>>().join("; ");
    if let Some(more) = findings.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        error.push_str(&format!("; and {more} more"));
    }
    Source::Unreadable { scope: Arc::new(scope), error }
}

/// What can be read of the metadata. The API server vouches for it, so that only a damaged object has less than all.
fn metadata(object: &Value) -> Metadata {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().map(str::to_owned);
    Metadata {
        name: text("name").unwrap_or_default(),
        namespace: text("namespace"),
        uid: text("uid"),
        generation: metadata["generation"].as_i64(),
    }
}

fn with_metadata(mut policy: Policy, metadata: Metadata) -> Policy {
    match &mut policy {
        Policy::McpPolicy(object) => object.metadata = metadata,
        Policy::ClusterMcpPolicy(object) => object.metadata = metadata,
    }
    policy
}

/// Lets every selector of which anything is wrong select everything. A policy in Audit mode with such a
/// selector selects nobody instead: where no other policy governs, being observed is being permitted.
fn widen(policy: &mut Policy, wrong: &Wrong) {
    let selector = |selector: &mut LabelSelector, at: &str| {
        if wrong.touches(at) {
            *selector = LabelSelector::default();
        }
    };
    let any_is_wrong = |selectors: &[&str]| selectors.iter().any(|at| wrong.touches(at));
    match policy {
        Policy::McpPolicy(Object { spec, .. }) => {
            selector(&mut spec.pod_selector, "/spec/podSelector");
            spec.service_accounts = spec.service_accounts.take().filter(|_| !wrong.touches("/spec/serviceAccounts"));
            let servers_unknown = wrong.touches("/spec/serverRefs") || spec.server_refs.is_empty();
            if servers_unknown {
                spec.server_refs = every_server();
            }
            let widened = servers_unknown || any_is_wrong(&["/spec/podSelector", "/spec/serviceAccounts"]);
            if widened && spec.mode == Mode::Audit {
                spec.service_accounts = Some(Vec::new());
            }
        }
        Policy::ClusterMcpPolicy(Object { spec, .. }) => {
            selector(&mut spec.namespace_selector, "/spec/namespaceSelector");
            selector(&mut spec.pod_selector, "/spec/podSelector");
            spec.service_accounts = spec.service_accounts.take().filter(|_| !wrong.touches("/spec/serviceAccounts"));
            spec.server_urls = spec.server_urls.take().filter(|_| !wrong.touches("/spec/serverURLs"));
            let selectors =
                ["/spec/namespaceSelector", "/spec/podSelector", "/spec/serviceAccounts", "/spec/serverURLs"];
            if any_is_wrong(&selectors) && spec.mode == Mode::Audit {
                spec.service_accounts = Some(Vec::new());
            }
        }
    }
}

/// A policy of which nothing is known but its kind and name.
fn widest(object: &Value, metadata: Metadata) -> Policy {
    let api_version = API_VERSION.to_owned();
    // Only the cluster's policies have no namespace, should the kind be lost.
    if object["kind"] == "McpPolicy" || metadata.namespace.is_some() {
        let spec = McpPolicySpec { server_refs: every_server(), ..McpPolicySpec::default() };
        return Policy::McpPolicy(Object { api_version, metadata, spec });
    }
    let spec = ClusterMcpPolicySpec {
        tier: Tier::Boundary,
        namespace_selector: LabelSelector::default(),
        pod_selector: LabelSelector::default(),
        service_accounts: None,
        server_urls: None,
        mode: Mode::Enforce,
        default: None,
        rules: Vec::new(),
        server_requests: None,
        audit: None,
        config_max_age: None,
    };
    Policy::ClusterMcpPolicy(Object { api_version, metadata, spec })
}

fn every_server() -> Vec<ServerRef> {
    vec![ServerRef { name: "*".into() }]
}

#[cfg(test)]
mod tests;
