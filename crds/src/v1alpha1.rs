//! Version `v1alpha1`: additive changes only until `v1`.

mod cluster_policy;
mod limit;
mod object;
mod policy;
mod rule;
mod selector;

pub use cluster_policy::{ClusterDefault, ClusterMcpPolicySpec, Tier};
pub use limit::{Limit, OnStoreFailure, Scope};
pub use object::{Metadata, Object, Policy};
pub use policy::{AuditSettings, DefaultAction, McpPolicySpec, Mode, Permission, ServerRef, ServerRequests};
pub use rule::{Action, Approval, Concurrency, Listing, Requirement, RiskCategory, RiskSelector, Rule, Severity};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};

/// The `apiVersion` of every object of this module.
pub const API_VERSION: &str = "reeve.dev/v1alpha1";
