//! A limit: how much may be called in a sliding window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::is_default;
#[cfg(feature = "kube")]
use super::validation;

/// At most `max` units in any interval of length `window`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(
    feature = "kube",
    derive(kube::KubeSchema),
    x_kube(validation = validation::KEY_IS_GIVEN, validation = validation::KEY_HAS_ITS_SCOPE)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Names the counter. Rules of one policy that name the same counter share it; it must have the same window, scope
    /// and key in all of them.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$"))]
    pub counter: String,
    /// The length of the sliding window, from `1s` to `31d`: whole numbers with `s`, `m`, `h`, `d`, such as `90s` or `1h30m`.
    #[schemars(length(min = 2, max = 16))]
    pub window: String,
    /// The most units in any interval of that length. Zero refuses every call.
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    pub max: i64,
    /// What is counted together: Grant (the agent's identity), Session, Pod, Policy (everything the policy governs), or
    /// Key (each value of `key` apart).
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Scope,
    /// With `scope: Key`, a CEL expression whose value is counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub key: Option<String>,
    /// A CEL expression for the units that one call takes. Unset: 1. At most six decimal places count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub cost: Option<String>,
    /// What happens to a call whose limit is kept in a shared store that cannot be reached. Unset: Deny.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_store_failure: Option<OnStoreFailure>,
}

/// What a limit counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// The identity that calls are charged to: the pod's ServiceAccount.
    #[default]
    Grant,
    /// One MCP session; calls without one count as their pod.
    Session,
    /// One pod.
    Pod,
    /// All that the policy governs.
    Policy,
    /// Each value of `key`.
    Key,
}

/// What to do when the shared store of a limit cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnStoreFailure {
    /// Refuse.
    Deny,
    /// Count in this pod alone.
    Local,
    /// Permit.
    Allow,
}
