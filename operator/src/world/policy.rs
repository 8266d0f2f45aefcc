//! A policy of either kind, as far as it is compiled and told of.

use std::sync::Arc;

use reeve_crds::v1alpha1::{Policy, PolicyStatus};
use reeve_policy::compile::{Problem, Source};
use reeve_wire::Uid;
use serde_json::value::RawValue;

/// What is kept of a policy.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// The object.
    pub uid: Uid,
    /// `namespace/name`, or the name alone of a cluster-wide one.
    pub key: Arc<str>,
    /// Its namespace; none of a cluster-wide one.
    pub namespace: Option<Arc<str>>,
    /// Counts the changes of its `spec`.
    pub generation: i64,
    /// The version of the object.
    pub version: u64,
    /// What it says, or what can be read of it.
    pub source: Source,
    /// What the compiler finds in it. Empty if it could not be read.
    pub problems: Vec<Problem>,
    /// The object as sidecars are given it: `apiVersion`, `kind`, `metadata` of name, namespace, UID and generation, and `spec`.
    pub object: Arc<RawValue>,
    /// What was last written of it.
    pub status: PolicyStatus,
}

impl PolicyView {
    /// The policy, or what could be read of it: whom it governs, its mode and tier.
    pub fn policy(&self) -> &Arc<Policy> {
        self.source.policy()
    }
}
