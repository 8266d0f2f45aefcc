//! The sidecar's configuration: one document, whatever brings it (a file, or later the operator's stream).
//!
//! ```yaml
//! servers:
//! - name: imaging
//!   url: https://imaging.internal/mcp
//!   tls: {caBundle: /etc/reeve/ca.pem}
//!   credentials: {header: Authorization, file: /etc/reeve/token, prefix: "Bearer "}
//! policies:
//! - {apiVersion: reeve.dev/v1alpha1, kind: McpPolicy, metadata: {name: imaging}, spec: {...}}
//! ```

mod check;
mod files;
pub mod source;
pub mod watch;

pub use files::Files;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reeve_crds::v1alpha1::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where agents connect, unless `--listen` says otherwise: loopback, in both families.
pub const AGENT_ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14_001),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 14_001),
];

/// Where probes and metrics are served, unless `--admin` says otherwise. In a pod the kubelet and Prometheus come from
/// outside, and `--admin` is then `0.0.0.0:14020`.
pub const ADMIN_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14_020);

/// Where the effective policy and the state of limits are served, unless `--inspect` says otherwise.
pub const INSPECT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14_021);

/// The JSON Schema (2020-12) of [`SidecarConfig`], for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(SidecarConfig);
    schema.insert("title".into(), "Reeve sidecar configuration".into());
    schema.to_value()
}

/// Everything that a sidecar needs to know. Durations are written as in policies (`30s`), sizes in bytes; paths of files are
/// relative to this document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarConfig {
    /// The MCP servers that agents reach through this sidecar.
    #[schemars(length(min = 1, max = 64))]
    pub servers: Vec<Server>,
    /// The policies, as `kubectl` would show them.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub policies: Vec<Policy>,
    /// Files of policies, in any accepted form.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1)))]
    pub policy_files: Vec<String>,
    /// Whom calls are charged to.
    #[serde(default)]
    pub identity: Identity,
    /// Where agents connect.
    #[serde(default)]
    pub listener: Listener,
    /// What is recorded of each decision.
    #[serde(default)]
    pub audit: Audit,
}

/// Whom calls are charged to: in a cluster the pod, standalone a name of the user's choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Identity {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's ServiceAccount, or the name of the grant.
    pub service_account: String,
    /// The pod's name; unset: the host's.
    pub pod: Option<String>,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { namespace: "default".into(), service_account: "default".into(), pod: None, labels: BTreeMap::new() }
    }
}

/// One MCP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Names the server in metrics, logs and messages: letters, digits, `-`, `_` and `.`.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Where it is: `http://`, `https://`, or `unix:///path/to/socket:/mcp`.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// The path at which agents find it here. Unset: `/NAME`; with `--upstream`: the URL's own path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The policies that govern it, by name (`name` or `namespace/name`). Unset: all of this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<String>>,
    /// How to trust and be trusted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// A credential that is added to every request, and that the agent never sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// How long to wait for it, and how much to take from it.
    #[serde(default)]
    pub limits: UpstreamLimits,
    /// Speak HTTP/2 without TLS to it (prior knowledge). With TLS, HTTP/2 is negotiated.
    #[serde(default)]
    pub http2: bool,
    /// The HTTP proxy to reach it through. Unset: `HTTPS_PROXY`/`HTTP_PROXY` and `NO_PROXY` of the environment; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

impl Server {
    /// A server with every setting at its default.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            path: None,
            policies: None,
            tls: None,
            credentials: None,
            limits: UpstreamLimits::default(),
            http2: false,
            proxy: None,
        }
    }

    /// The path at which agents find the server here.
    pub fn agent_path(&self) -> String {
        self.path.clone().unwrap_or_else(|| format!("/{}", self.name))
    }
}

/// TLS towards a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// A PEM file of authorities to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<String>,
    /// A PEM file with the client's certificate chain; needs `clientKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// A PEM file with the client's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
}

/// A header read from a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The header's name; the agent's own header of this name is dropped.
    #[serde(default = "authorization")]
    pub header: String,
    /// The file that holds the value; read again when it changes. White space at its ends is dropped.
    pub file: String,
    /// Written before the value, such as `Bearer `.
    #[serde(default)]
    pub prefix: String,
    /// Send the credential over plain HTTP to another host too, where everyone on the way can read it.
    #[serde(default)]
    pub insecure_plain_text: bool,
}

fn authorization() -> String {
    "Authorization".into()
}

/// Deadlines and sizes towards one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UpstreamLimits {
    /// How long a connection may take to be made.
    pub connect_timeout: String,
    /// How long a server may take to begin its answer.
    pub response_timeout: String,
    /// How long a stream may be silent. Unset: for ever (servers need not send keep-alives).
    pub stream_idle_timeout: Option<String>,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: String,
    /// How long a connection is given calls. Then another is made, and the server's name resolved again.
    pub max_connection_age: String,
    /// The largest answer that is not a stream, in bytes, that is read where it must be filtered or governed.
    #[schemars(range(min = 1))]
    pub max_response_bytes: usize,
    /// The largest event of a stream, in bytes.
    #[schemars(range(min = 1))]
    pub max_event_bytes: usize,
    /// The most connections kept open and idle.
    pub max_idle_connections: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect_timeout: "5s".into(),
            response_timeout: "5m".into(),
            stream_idle_timeout: None,
            pool_idle_timeout: "90s".into(),
            max_connection_age: "10m".into(),
            max_response_bytes: 16 << 20,
            max_event_bytes: 16 << 20,
            max_idle_connections: 64,
        }
    }
}

/// Where and how agents connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Listener {
    /// The largest request body, in bytes.
    #[schemars(range(min = 1, max = 134_217_728))]
    pub max_body_bytes: usize,
    /// The most memory that request bodies may take together, in bytes.
    #[schemars(range(min = 1))]
    pub max_total_body_bytes: usize,
    /// The most connections at once.
    #[schemars(range(min = 1))]
    pub max_connections: usize,
    /// How long a request's headers may take to arrive.
    pub header_timeout: String,
    /// How long a request's body may take to arrive.
    pub body_timeout: String,
    /// The most bytes of headers.
    #[schemars(range(min = 8_192))]
    pub max_header_bytes: usize,
    /// Hosts by which agents may call this sidecar, beside its own addresses and `localhost` (each `host` or `host:port`).
    pub allowed_hosts: Vec<String>,
    /// Web origins that may call this sidecar, beside its own addresses.
    pub allowed_origins: Vec<String>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 << 20,
            max_total_body_bytes: 64 << 20,
            max_connections: 1_024,
            header_timeout: "10s".into(),
            body_timeout: "60s".into(),
            max_header_bytes: 32 << 10,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

/// What is recorded of each decision, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Audit {
    /// `stdout`, `off` (in YAML with quotes, as a bare off is a boolean), or a file's path.
    #[schemars(length(min = 1))]
    pub to: String,
    /// What happens to a call when the log cannot take its record.
    pub on_full: OnFull,
    /// The most memory that records may wait in, in bytes.
    #[schemars(range(min = 1))]
    pub queue_bytes: usize,
}

impl Audit {
    /// Whether the log goes to a file.
    pub fn is_file(&self) -> bool {
        self.to != "stdout" && self.to != "off"
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { to: "stdout".into(), on_full: OnFull::Deny, queue_bytes: 4 << 20 }
    }
}

/// What happens to a call when the audit log cannot take its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFull {
    /// Refused (`AuditUnavailable`).
    #[default]
    Deny,
    /// Permitted; the record is lost and counted.
    Drop,
}
