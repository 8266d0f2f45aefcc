//! What the webhook writes into an agent's pod, and the sidecar finds there: names, ports, paths and variables.
//!
//! Both ends read them here, so that one cannot move without the other. The sidecar of an older operator must find what it
//! looks for: a name, once released, stays.

/// The sidecar's container.
pub const CONTAINER: &str = "reeve-sidecar";
/// What begins a name, of a container or a volume, that no one else may use in a pod.
pub const RESERVED_PREFIX: &str = "reeve-";
/// The user and group that the sidecar runs as, and nothing else in a pod may.
pub const UID: i64 = 7_338;

/// Where agents connect, on loopback.
pub const AGENT_PORT: u16 = 14_001;
/// Where probes and metrics are.
pub const ADMIN_PORT: u16 = 14_020;
/// Where the effective policy and the limits are, on loopback.
pub const INSPECT_PORT: u16 = 14_021;

/// The label, of a namespace or a pod, that asks for a sidecar: see [`Inject`].
pub const INJECT_LABEL: &str = "reeve.dev/inject";
/// The label of a pod that was given a sidecar: what monitors select by.
pub const INJECTED_LABEL: &str = "reeve.dev/injected";
/// The annotation that names the servers whose URL was put in place of the agent's, separated by commas.
pub const ROUTED_ANNOTATION: &str = "reeve.dev/routed-servers";
/// The annotation with what was mounted for each server: `NAME=WORD` separated by commas, each word a
/// [`crate::document::Mounts`].
pub const MOUNTS_ANNOTATION: &str = "reeve.dev/mounts";

/// The sidecar's volume with the token that proves which pod it is in, and where it is mounted.
pub const TOKEN_VOLUME: &str = "reeve-token";
/// The folder of that volume.
pub const TOKEN_FOLDER: &str = "/var/run/reeve/token";
/// The token itself.
pub const TOKEN_FILE: &str = "/var/run/reeve/token/token";
/// The sidecar's volume for what it keeps over a restart of its container.
pub const CACHE_VOLUME: &str = "reeve-cache";
/// The folder of that volume.
pub const CACHE_FOLDER: &str = "/var/lib/reeve";
/// What begins the name of a volume with the Secrets and ConfigMaps that a server names; a digest of the server's name follows.
pub const SERVER_VOLUME_PREFIX: &str = "reeve-server-";
/// The folder with a folder for each server that names any, called as the server is.
pub const SERVERS_FOLDER: &str = "/var/run/reeve/servers";
/// In a server's folder: the authorities that vouch for it.
pub const CA_FILE: &str = "ca.crt";
/// In a server's folder: the certificate that the sidecar shows.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// In a server's folder: its key.
pub const KEY_FILE: &str = "tls.key";
/// In a server's folder: the credential.
pub const CREDENTIAL_FILE: &str = "credential";

/// The sidecar's variable with the operator's URL.
pub const OPERATOR_VARIABLE: &str = "REEVE_OPERATOR";
/// The sidecar's variable with the authorities, PEM, by which it knows the operator at first.
pub const OPERATOR_CA_VARIABLE: &str = "REEVE_OPERATOR_CA";
/// The sidecar's variable with what [`MOUNTS_ANNOTATION`] says.
pub const MOUNTS_VARIABLE: &str = "REEVE_MOUNTS";

/// What a value of [`INJECT_LABEL`] asks for. A word that is none of these asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inject {
    /// `enabled` (namespace) or `true` (pod): a sidecar.
    Wanted,
    /// `required` (namespace): a sidecar, whatever the pod says.
    Required,
    /// `false` (pod): none.
    Declined,
}

impl Inject {
    /// What a namespace's label says.
    pub fn of_namespace(value: Option<&str>) -> Option<Self> {
        match value? {
            "enabled" => Some(Self::Wanted),
            "required" => Some(Self::Required),
            _ => None,
        }
    }

    /// What a pod's label says.
    pub fn of_pod(value: Option<&str>) -> Option<Self> {
        match value? {
            "true" => Some(Self::Wanted),
            "false" => Some(Self::Declined),
            _ => None,
        }
    }
}

/// Whether a pod should have a sidecar, by its namespace's label and its own.
pub fn is_expected(namespace: Option<&str>, pod: Option<&str>) -> bool {
    match (Inject::of_namespace(namespace), Inject::of_pod(pod)) {
        (Some(Inject::Required), _) | (_, Some(Inject::Wanted)) => true,
        (Some(Inject::Wanted), own) => own != Some(Inject::Declined),
        _ => false,
    }
}

/// The URL at which an agent finds a server in its pod.
pub fn agent_url(server: &str) -> String {
    format!("http://127.0.0.1:{AGENT_PORT}/{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_can_decline_unless_its_namespace_requires() {
        for (namespace, pod, expected) in [
            (None, None, false),
            (None, Some("true"), true),
            (None, Some("false"), false),
            (Some("enabled"), None, true),
            (Some("enabled"), Some("true"), true),
            (Some("enabled"), Some("false"), false),
            (Some("required"), None, true),
            (Some("required"), Some("false"), true),
            (Some("disabled"), Some("true"), true),
            (Some("enabled"), Some("no"), true),
        ] {
            assert_eq!(is_expected(namespace, pod), expected, "{namespace:?} {pod:?}");
        }
    }
}
