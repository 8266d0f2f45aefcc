//! `McpServer`: an MCP server that the agents of a namespace may be permitted to call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "kube")]
use super::{ServerStatus, validation};

/// Where an MCP server is, and how sidecars reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(feature = "kube"), derive(JsonSchema))]
#[cfg_attr(
    feature = "kube",
    derive(kube::CustomResource, kube::KubeSchema),
    kube(
        group = "reeve.dev",
        version = "v1alpha1",
        kind = "McpServer",
        namespaced,
        status = "ServerStatus",
        shortname = "rsrv",
        category = "reeve",
        doc = "An MCP server that agents of this namespace may be permitted to call. Each agent's sidecar offers it at the path /NAME.",
        selectable = ".spec.url",
        printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
        printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods"),
        printcolumn(
            name = "Accepted",
            type_ = "string",
            json_path = ".status.conditions[?(@.type=='Accepted')].status"
        ),
        printcolumn(
            name = "Resolved",
            type_ = "string",
            json_path = ".status.conditions[?(@.type=='ResolvedRefs')].status"
        ),
        printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
        validation = validation::SERVER_NAME_IS_SHORT
    ),
    x_kube(validation = validation::CREDENTIALS_NEED_TLS, validation = validation::TLS_NEEDS_HTTPS)
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpServerSpec {
    /// The server's endpoint for Streamable HTTP, http:// or https://.
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://"))]
    pub url: String,
    /// How the server proves who it is, and the sidecar to it. Unset: by the public authorities that the sidecar's image
    /// trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// A credential that the sidecar adds to every request, and that agents never see. Needs an https url, and the right of
    /// whoever writes this to read the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<ServerCredentials>,
    /// How long to wait for the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<ServerTimeouts>,
}

/// TLS towards a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerTls {
    /// Where the authorities (PEM) are that may vouch for the server, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<KeyRef>,
    /// A Secret of type kubernetes.io/tls with the certificate and key that the sidecar shows to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<SecretRef>,
}

/// One key of a ConfigMap or Secret of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// ConfigMap or Secret.
    pub kind: KeyRefKind,
    /// The object's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What kind of object holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyRefKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// A Secret of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// One key of a Secret of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A header whose value comes from a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerCredentials {
    /// The Secret's key that holds the value; the sidecar follows its changes.
    pub secret_ref: SecretKeyRef,
    /// The header's name; an agent's own header of this name is dropped. Unset: Authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub header: Option<String>,
    /// Written before the value, such as "Bearer " with a blank at its end. Unset: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub prefix: Option<String>,
}

/// Deadlines towards a server. Durations are whole numbers with s, m, h or d.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerTimeouts {
    /// How long a connection may take to be made. Unset: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub connect: Option<String>,
    /// How long the server may take to begin its answer. Unset: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub response: Option<String>,
    /// How long a stream may be silent. Unset: for ever, as servers need not send keep-alives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub stream_idle: Option<String>,
}
