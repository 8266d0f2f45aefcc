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
mod server;
pub mod source;
pub mod watch;

pub(crate) use check::audit_fault;
pub use files::{Files, unreadable};
pub use server::{Credentials, Server, Tls, UpstreamLimits};

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reeve_crds::v1alpha1::Policy;
use reeve_process::memory_limit::memory_limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where agents connect, unless `--listen` says otherwise: loopback, in both families.
pub const AGENT_ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14_001),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 14_001),
];

/// Where probes and metrics are served, unless `--admin` says otherwise. In a pod the kubelet and Prometheus come from
/// outside, and `--admin` is then `[::]:14020`.
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

/// Where and how agents connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Listener {
    /// The largest request body, in bytes.
    #[schemars(range(min = 1, max = 134_217_728))]
    pub max_body_bytes: usize,
    /// The most memory that request bodies may take together, in bytes. Default: an eighth of the memory that the process may take
    /// (the limit of its container), at most 64 MiB, at least `maxBodyBytes`.
    #[schemars(range(min = 1))]
    pub max_total_body_bytes: Option<usize>,
    /// The most memory that servers' answers may take together while they are read or wait for their agent, in bytes. Where there
    /// are several servers, those of one may take half of it, and one answer or event of the largest size in any case. An
    /// answer of up to 16 KiB does not count, nor do 64 KiB of each stream. Default: a quarter of the memory that the process may
    /// take, at most 64 MiB.
    #[schemars(range(min = 1))]
    pub max_total_answer_bytes: Option<usize>,
    /// The most connections at once.
    #[schemars(range(min = 1))]
    pub max_connections: usize,
    /// The most requests at once, over all connections: streams included, and those with which the server goes on though their
    /// agent has hung up, which take half at most.
    #[schemars(range(min = 1))]
    pub max_requests: usize,
    /// How long a request's headers may take to arrive.
    pub header_timeout: String,
    /// How long a request's body may take to arrive.
    pub body_timeout: String,
    /// The most bytes of headers.
    #[schemars(range(min = 8_192))]
    pub max_header_bytes: usize,
    /// Hosts by which agents may call this sidecar, beside its own addresses and `localhost` (each `host` or `host:port`).
    pub allowed_hosts: Vec<String>,
    /// Web origins whose pages may call this sidecar, beside its own addresses (each `scheme://host` or `scheme://host:port`).
    pub allowed_origins: Vec<String>,
}

impl Listener {
    /// The most memory that request bodies may take together, in bytes.
    pub fn total_body_bytes(&self) -> usize {
        self.max_total_body_bytes.unwrap_or_else(|| share(memory_limit(), 8)).max(self.max_body_bytes)
    }

    /// The most memory that answers may take together, in bytes.
    pub fn total_answer_bytes(&self) -> usize {
        self.max_total_answer_bytes.unwrap_or_else(|| share(memory_limit(), 4))
    }
}

/// What one purpose has of the memory that a process may take: a `part`th of it.
fn share(limit: Option<u64>, part: u64) -> usize {
    limit.map_or(MOST, |limit| usize::try_from(limit / part).unwrap_or(MOST).min(MOST))
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 << 20,
            max_total_body_bytes: None,
            max_total_answer_bytes: None,
            max_connections: 1_024,
            max_requests: 4_096,
            header_timeout: "10s".into(),
            body_timeout: "60s".into(),
            max_header_bytes: 32 << 10,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

/// What one purpose takes of memory at the most, unless more is asked for.
const MOST: usize = 64 << 20;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_and_answers_leave_more_than_half_of_a_containers_memory_to_everything_else() {
        for limit in [32 << 20, 128 << 20, 256 << 20] {
            assert!((share(Some(limit), 8) + share(Some(limit), 4)) as u64 * 2 < limit, "{limit}");
        }
        assert_eq!([share(Some(64 << 30), 4), share(None, 8)], [MOST; 2]);
    }

    #[test]
    fn what_is_asked_for_holds_and_one_body_always_has_room() {
        let asked =
            Listener { max_total_body_bytes: Some(5 << 20), max_total_answer_bytes: Some(1), ..Listener::default() };
        assert_eq!((asked.total_body_bytes(), asked.total_answer_bytes()), (5 << 20, 1));
        let large = Listener { max_body_bytes: MOST + 1, ..Listener::default() };
        assert_eq!(large.total_body_bytes(), MOST + 1);
    }
}
