//! `McpPolicy`: what the agents of one namespace may call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LabelSelector;
#[cfg(feature = "kube")]
use super::{PolicyStatus, validation};

/// Which calls the selected pods may make to the named servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(
    feature = "kube",
    derive(kube::CustomResource, kube::KubeSchema),
    kube(
        group = "reeve.dev",
        version = "v1alpha1",
        kind = "McpPolicy",
        plural = "mcppolicies",
        namespaced,
        status = "PolicyStatus",
        shortname = "rpol",
        category = "reeve",
        doc = "Which calls the selected pods of this namespace may make to the named MCP servers.",
        selectable = ".spec.mode",
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
    x_kube(validation = validation::AUDIT_ENFORCES_NO_RULE, validation = validation::ACCOUNTS_OF_THE_NAMESPACE)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpPolicySpec {
    /// The pods that this policy governs, by their labels. Empty or unset: every pod of the namespace.
    #[serde(default, skip_serializing_if = "LabelSelector::is_empty")]
    pub pod_selector: LabelSelector,
    /// Narrows the policy to pods that run as one of these ServiceAccounts, each by its name alone. Unset: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub service_accounts: Option<Vec<String>>,
    /// The McpServers that this policy governs. The name `*` stands for every server of the namespace.
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["name".into()])))]
    #[schemars(length(min = 1, max = 64))]
    pub server_refs: Vec<ServerRef>,
    /// Enforce: refuse what is not permitted. Audit: decide and record, change nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Mode,
    /// What happens to a call that no rule selects: Deny or Allow.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Deny"))]
    pub default: DefaultAction,
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
}

/// Names one McpServer, or with `*` all of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(feature = "kube", derive(kube::KubeSchema), x_kube(validation = validation::SERVER_CAN_BE))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerRef {
    /// The McpServer's name, or `*`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Whether a policy or rule changes outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "kube", schemars(transform = crate::definition::left_to_fields))]
pub enum Mode {
    /// Refuses what is not permitted.
    #[default]
    Enforce,
    /// Decides and records what it would have done, and changes nothing.
    Audit,
}

impl Mode {
    /// The word that stands for it everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "Enforce",
            Self::Audit => "Audit",
        }
    }
}

/// What an `McpPolicy` says of calls that none of its rules selects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DefaultAction {
    /// Refused.
    #[default]
    Deny,
    /// Permitted, if every other policy that governs agrees.
    Allow,
}

/// Which requests a server may send to the agent (MCP's sampling, elicitation and roots). Unset follows `default`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerRequests {
    /// `sampling/createMessage`: the server asks the agent's model to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Permission>,
    /// `elicitation/create`: the server asks the agent's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elicitation: Option<Permission>,
    /// `roots/list`: the server asks for the agent's folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<Permission>,
}

/// Allow or Deny, where nothing else can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "kube", schemars(transform = crate::definition::left_to_fields))]
pub enum Permission {
    /// Permitted.
    Allow,
    /// Refused; wins over any Allow.
    Deny,
}

/// What the audit log may hold beyond the names of arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditSettings {
    /// Top-level arguments whose values are written to the audit log. By default none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128)))]
    pub argument_values: Vec<String>,
}

/// Leaves a field that has its default out of what is written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
