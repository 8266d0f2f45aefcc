//! Version `v1alpha1`: additive changes only until `v1`.
#![cfg_attr(
    feature = "kube",
    expect(unreachable_pub, reason = "the derives of kube repeat each type inside a function"),
    expect(clippy::duplicated_attributes, reason = "each column of a kind has a type")
)]

mod cluster_policy;
mod limit;
mod object;
mod policy;
mod rule;
mod selector;
mod server;
mod status;
#[cfg(feature = "kube")]
mod validation;

#[cfg(feature = "kube")]
pub use cluster_policy::ClusterMcpPolicy;
pub use cluster_policy::{ClusterDefault, ClusterMcpPolicySpec, Tier};
pub use limit::{Limit, OnStoreFailure, Scope};
pub use object::{Metadata, Object, Policy};
#[cfg(feature = "kube")]
pub use policy::McpPolicy;
pub use policy::{AuditSettings, DefaultAction, McpPolicySpec, Mode, Permission, ServerRef, ServerRequests};
pub use rule::{Action, Approval, Concurrency, Listing, Requirement, RiskCategory, RiskSelector, Rule, Severity};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
#[cfg(feature = "kube")]
pub use server::McpServer;
pub use server::{
    KeyRef, KeyRefKind, McpServerSpec, SecretKeyRef, SecretRef, ServerCredentials, ServerTimeouts, ServerTls,
};
pub use status::{Condition, ConditionStatus, LimitReach, PolicyStatus, ServerStatus};

/// The `apiVersion` of every object of this module.
pub const API_VERSION: &str = "reeve.dev/v1alpha1";
