//! One server of the configuration: where it is, how it is trusted, and what is permitted to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    #[schemars(length(max = 1_000))]
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
    /// The header's name; the agent's own header of this name is dropped. None of the connection's or the protocol's, such as `Host` or `Mcp-*`.
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
    /// How long an answer may be silent in its middle. Unset: a stream for ever (servers need not send keep-alives), any other
    /// answer as long as `responseTimeout`.
    pub stream_idle_timeout: Option<String>,
    /// How long an unused connection is kept. A server may say that it leaves it open for less long (`Keep-Alive: timeout=5`); then it is
    /// given no call in the last second of that, or in the second half of less than two.
    pub pool_idle_timeout: String,
    /// How long a connection is given calls. Then another is made, and the server's name resolved again.
    pub max_connection_age: String,
    /// The largest answer that is not a stream, in bytes, that is read where it must be filtered or governed.
    #[schemars(range(min = 1))]
    pub max_response_bytes: usize,
    /// The largest event of a stream, in bytes.
    #[schemars(range(min = 1))]
    pub max_event_bytes: usize,
    /// The most calls in flight at once; further ones wait, at most `connectTimeout`. With HTTP/1.1 each has a connection of
    /// its own.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_concurrent_calls: usize,
    /// The most streams open at once that do not end by themselves: those of sessions (GET) and of `subscriptions/listen`.
    /// They do not count as calls in flight.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_streams: usize,
    /// The most connections kept open and idle; more of them for a second at most. 0: none at all.
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
            max_concurrent_calls: 1_024,
            max_streams: 1_024,
            max_idle_connections: 64,
        }
    }
}
