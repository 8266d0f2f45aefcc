//! A rule: which calls it selects, when it applies, and what then holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::is_default;
#[cfg(feature = "kube")]
use super::validation;
use super::{Limit, Mode};

/// One rule of a policy. It *selects* calls by tool, resource or prompt, and *applies* to those for which `when` is true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(
    feature = "kube",
    derive(kube::KubeSchema),
    x_kube(
        validation = validation::RULE_SELECTS,
        validation = validation::RISK_NEEDS_TOOLS,
        validation = validation::ARGUMENTS_NEED_TOOLS,
        validation = validation::DENY_WITHOUT_LIMITS,
        validation = validation::DENY_WITHOUT_REQUIRE,
        validation = validation::DENY_WITHOUT_CONCURRENCY,
        validation = validation::DENY_WITHOUT_ARGUMENTS,
        validation = validation::DENY_WITHOUT_APPROVAL,
        validation = validation::APPROVAL_IS_ASKED_FOR
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Names the rule in refusals, metrics and the audit log; unique within the policy.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Tools that the rule selects: exact names, or globs in which `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub tools: Vec<String>,
    /// Resources that the rule selects, by URI: exact, or globs in which `*` stops at `/` and `**` crosses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 2048)))]
    pub resources: Vec<String>,
    /// Prompts that the rule selects: exact names, or globs in which `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub prompts: Vec<String>,
    /// Narrows `tools` to those of a risk. A tool of unknown risk is selected by every action but Allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskSelector>,
    /// A CEL expression: the rule applies to a selected call only if it is true. Unset: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// Allow: grants the call. Deny: refuses it, whatever another rule grants. RequireApproval: grants it once a person
    /// has approved. Constrain: grants nothing, only adds limits and requirements.
    pub action: Action,
    /// What the agent reads when this rule refuses a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub message: Option<String>,
    /// Expressions that must all be true of a call to which the rule applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub require: Vec<Requirement>,
    /// Whether the arguments must match the tool's own `inputSchema`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub validate_arguments: bool,
    /// How much may be called in a sliding window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["counter".into()])))]
    #[schemars(length(max = 16))]
    pub limits: Vec<Limit>,
    /// How many calls may be in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How an approval is held; only with `action: RequireApproval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Auto: a tool of which every call would be refused is left out of lists. Always: it is listed all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub listing: Listing,
    /// Audit: try this one rule in an enforcing policy without changing an outcome. Unset: the policy's own mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// What a rule does with a call to which it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Grants the call.
    Allow,
    /// Refuses the call, whatever another rule grants.
    Deny,
    /// Grants the call once a person has approved it.
    RequireApproval,
    /// Grants nothing; its limits and requirements bind.
    Constrain,
}

/// An expression that must be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requirement {
    /// A CEL expression over `args`, `tool`, `server`, `grant`, `pod`, `session` and `now`.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: String,
    /// What the agent reads when the expression is not true. Say what would pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub message: Option<String>,
}

/// A bound on the calls in flight, for each pod and rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concurrency {
    /// The most calls in flight at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub max: i64,
    /// A call that takes longer stops counting after this time. A duration; unset: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub held_at_most: Option<String>,
}

/// How an approval is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// How long a request for approval, and an approval not yet used, stays open. A duration; unset: `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub expires_after: Option<String>,
}

/// Whether a tool of which every call would be refused appears in lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Listing {
    /// Left out.
    #[default]
    Auto,
    /// Listed, unless a Boundary denies it.
    Always,
}

/// Selects tools by risk; the two fields are ANDed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RiskSelector {
    /// The tool has at least one of these categories. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub categories: Vec<RiskCategory>,
    /// The tool's risk is at least this severe. Unset: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
}

/// What kind of harm a tool can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RiskCategory {
    /// Reads data.
    Read,
    /// Changes data.
    Write,
    /// Runs code or commands.
    Execute,
    /// Deletes or overwrites.
    Destructive,
    /// Moves money.
    Financial,
}

/// How bad the harm can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "kube", schemars(transform = crate::definition::left_to_fields))]
pub enum Severity {
    /// Reads.
    Low,
    /// Changes.
    Medium,
    /// Runs code.
    High,
    /// Destroys or pays.
    Critical,
}
