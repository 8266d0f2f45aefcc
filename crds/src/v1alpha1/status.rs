//! What the operator writes into objects: how far what they ask for is in force.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a policy is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(feature = "kube", derive(kube::KubeSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted: the policy compiles. Programmed: every pod that it governs enforces this generation. LimitsExact: no limit
    /// is counted apart in several pods.
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 16))]
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How many pods the policy governs.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub matched_pods: i32,
    /// How many of them have acknowledged this generation.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub programmed_pods: i32,
    /// How many of them should have a sidecar and have none.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub unprotected_pods: i32,
    /// How many of them started before a server that they are given was declared, and so do not reach it through their
    /// sidecar.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub unrouted_pods: i32,
    /// The limits that are counted apart in several pods, and what can really pass.
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["pointer".into()])))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub limits: Vec<LimitReach>,
}

/// How far a server can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(feature = "kube", derive(kube::KubeSchema))]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted: the server can be given to sidecars. ResolvedRefs: the sidecars have the Secrets and ConfigMaps that it
    /// names.
    #[cfg_attr(feature = "kube", x_kube(merge_strategy = ListMerge::Map(vec!["type".into()])))]
    #[schemars(length(max = 16))]
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How many pods are given this server.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub pods: i32,
    /// How many of them lack what this server names, and get it when they are restarted.
    #[schemars(range(min = 0))]
    #[serde(default)]
    pub stale_pods: i32,
}

/// One aspect of an object's state, in the form of Kubernetes' `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub kind: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// The generation of the object that this condition speaks of.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// When the status last changed, in RFC 3339.
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one CamelCase word.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Why, for a person, and what to do.
    #[schemars(length(max = 32_768))]
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nothing can be said yet.
    Unknown,
}

/// A limit that is counted in several pods apart, because no store is shared between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitReach {
    /// The rule's pointer and the counter, as refusals name them.
    #[schemars(length(min = 1, max = 512))]
    pub pointer: String,
    /// The most units in the window, in each pod.
    #[schemars(range(min = 0))]
    pub max: i64,
    /// The length of the window.
    #[schemars(length(min = 2, max = 16))]
    pub window: String,
    /// How many pods count apart.
    #[schemars(range(min = 0))]
    pub pods: i32,
    /// The most units that can pass in the window through all of them.
    #[schemars(range(min = 0))]
    pub can_pass: i64,
}
