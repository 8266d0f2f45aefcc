//! A policy as an object: what `kubectl apply`, a policy file and the operator's stream all carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClusterMcpPolicySpec, McpPolicySpec};

/// A Kubernetes object with the metadata that Reeve reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object<Spec> {
    /// Always `reeve.dev/v1alpha1`.
    #[schemars(extend("const" = super::API_VERSION))]
    pub api_version: String,
    /// Name, namespace and version of the object.
    pub metadata: Metadata,
    /// What the object asks for.
    pub spec: Spec,
}

/// The part of Kubernetes' object metadata that Reeve reads. Other fields are ignored, as `kubectl get -o yaml` writes
/// many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The object's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The object's namespace. Unset for cluster-wide objects, and `default` for others in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// The API server's identifier of this object, unique over time. Unset in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Counts the changes of `spec`. Unset in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// Either kind of policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum Policy {
    /// A policy of one namespace.
    McpPolicy(Object<McpPolicySpec>),
    /// A policy of the whole cluster.
    ClusterMcpPolicy(Object<ClusterMcpPolicySpec>),
}

impl Policy {
    /// The object's metadata.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::McpPolicy(object) => &object.metadata,
            Self::ClusterMcpPolicy(object) => &object.metadata,
        }
    }

    /// `namespace/name`, or the name alone for a cluster-wide policy: the first part of a rule pointer.
    pub fn key(&self) -> String {
        match self {
            Self::McpPolicy(object) => {
                let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
                format!("{namespace}/{}", object.metadata.name)
            }
            Self::ClusterMcpPolicy(object) => object.metadata.name.clone(),
        }
    }
}
