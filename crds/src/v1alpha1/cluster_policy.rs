//! `ClusterMcpPolicy`: what holds across namespaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::is_default;
use super::{AuditSettings, LabelSelector, Mode, ServerRequests};
#[cfg(feature = "kube")]
use super::{PolicyStatus, validation};

/// A bound on (`Boundary`), or a fallback for (`Baseline`), the policies of namespaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(
    feature = "kube",
    derive(kube::CustomResource, kube::KubeSchema),
    kube(
        group = "reeve.dev",
        version = "v1alpha1",
        kind = "ClusterMcpPolicy",
        plural = "clustermcppolicies",
        status = "PolicyStatus",
        shortname = "rcpol",
        category = "reeve",
        doc = "What holds for MCP calls across namespaces: a bound on the policies of namespaces, or a fallback for pods without one.",
        selectable = ".spec.mode",
        selectable = ".spec.tier",
        printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
        printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
        printcolumn(name = "Pods", type_ = "integer", json_path = ".status.matchedPods"),
        printcolumn(
            name = "Programmed",
            type_ = "string",
            json_path = ".status.conditions[?(@.type=='Programmed')].status"
        ),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
        printcolumn(
            name = "Reason",
            type_ = "string",
            json_path = ".status.conditions[?(@.type=='Programmed')].reason",
            priority = 1
        )
    ),
    x_kube(
        validation = validation::AUDIT_ENFORCES_NO_RULE,
        validation = validation::ACCOUNTS_WITH_NAMESPACES,
        validation = validation::BOUNDARY_CANNOT_GRANT,
        validation = validation::BASELINE_DECIDES,
        validation = validation::AGE_IS_A_BOUND
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterMcpPolicySpec {
    /// Boundary: cannot grant, its denies and constraints bind whatever an McpPolicy allows. Baseline: governs only
    /// where no enforcing McpPolicy does.
    pub tier: Tier,
    /// The namespaces that this policy governs, by their labels. Empty or unset: all.
    #[serde(default, skip_serializing_if = "LabelSelector::is_empty")]
    pub namespace_selector: LabelSelector,
    /// The pods that this policy governs, by their labels. Empty or unset: all.
    #[serde(default, skip_serializing_if = "LabelSelector::is_empty")]
    pub pod_selector: LabelSelector,
    /// Narrows the policy to pods that run as one of these ServiceAccounts, each `namespace/name`. Unset: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 3, max = 320)))]
    pub service_accounts: Option<Vec<String>>,
    /// Narrows the policy to servers whose real URL matches one of these globs (`*` stops at `/`, `**` crosses it), however it is
    /// written: each name of a Service is the same, and neither query nor a slash at the end is another server. An IP address is.
    /// Unset: any.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "serverURLs")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 2048)))]
    pub server_urls: Option<Vec<String>>,
    /// Enforce: refuse what is not permitted. Audit: decide and record, change nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Mode,
    /// What happens to a call that no rule selects. Boundary: Pass (the default) or Deny. Baseline: Deny (the default)
    /// or Allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ClusterDefault>,
    /// The rules. Their order never matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["name".into()])))]
    #[schemars(length(max = 10_000))]
    pub rules: Vec<super::Rule>,
    /// Which requests a server may send to the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_requests: Option<ServerRequests>,
    /// What the audit log may hold beyond the names of arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditSettings>,
    /// Boundary only: a sidecar that has not heard from the operator for longer denies every call. A duration such as
    /// `12h`. Ignored standalone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub config_max_age: Option<String>,
}

/// How a cluster-wide policy relates to the policies of namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    /// Cannot grant; its denies win and its constraints apply.
    Boundary,
    /// Governs only where no enforcing McpPolicy does.
    Baseline,
}

/// What a `ClusterMcpPolicy` says of calls that none of its rules selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "kube", schemars(transform = crate::definition::left_to_fields))]
pub enum ClusterDefault {
    /// Boundary only: leaves the call to the other policies.
    Pass,
    /// Refused.
    Deny,
    /// Baseline only: permitted, if every other policy that decides agrees.
    Allow,
}
