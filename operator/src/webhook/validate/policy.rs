//! A policy of either kind.

use reeve_crds::v1alpha1::Policy;
use reeve_policy::compile::{self, Problem, Severity, Source};
use reeve_policy::load;
use serde_json::Value;

use super::around::Around;
use super::{Findings, moot, observed, path};
use crate::world::SharedWorld;

/// Checks a policy. `namespace` is the one it is created in, which the object may not say; empty for a cluster-wide one.
///
/// Takes as long as it takes to compile the policy: not for a thread that serves.
pub fn policy(object: &Value, namespace: &str, world: &SharedWorld) -> Findings {
    let mut findings = Findings::default();
    let mut object = object.clone();
    if !namespace.is_empty()
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.insert("namespace".into(), namespace.into());
    }
    // One that the API server is to name has no name yet.
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && !metadata.contains_key("name")
    {
        let name = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
        metadata.insert("name".into(), name.trim_end_matches(['-', '.']).into());
    }
    let policy = match load::stored(&object).source {
        Source::Readable(policy) => policy,
        Source::Unreadable { error, .. } => {
            findings.fault("spec", error);
            return findings;
        }
    };
    for Problem { pointer, message, severity } in compile::check(&policy, None) {
        match severity {
            Severity::Error => findings.fault(path(&pointer), message),
            Severity::Warning => findings.warn(&path(&pointer), message),
        }
    }
    if findings.faults.is_empty() {
        compare(&policy, world, &mut findings);
    }
    findings
}

/// Compares a policy that compiles with what is in the cluster. The world is locked only while that is copied.
fn compare(policy: &Policy, world: &SharedWorld, findings: &mut Findings) {
    let seen = || world.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    match policy {
        Policy::McpPolicy(object) => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            let around = Around::namespace(&seen(), namespace);
            observed::namespaced(policy, object, &around, findings);
            moot::in_policy(object, &around, findings);
        }
        Policy::ClusterMcpPolicy(object) => {
            let around = Around::cluster(&seen());
            observed::cluster_wide(policy, object, &around, findings);
        }
    }
}
