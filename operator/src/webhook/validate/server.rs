//! An McpServer.

use std::collections::BTreeSet;

use http::header::{HeaderName, HeaderValue};
use reeve_crds::v1alpha1::{KeyRefKind, McpServerSpec, ServerCredentials, ServerTimeouts};
use reeve_policy::time::parse_duration;
use serde_json::Value;
use url::{Host, Url};

use super::Findings;
use crate::webhook::cluster::Named;
use crate::world::World;

/// Headers that belong to the connection or to the protocol, so that no credential can be sent in them.
const NOT_FOR_CREDENTIALS: [&str; 13] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "mcp-session-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks a server of a namespace.
pub fn server(object: &Value, namespace: &str, world: &World) -> Findings {
    let mut findings = Findings::default();
    let spec: McpServerSpec = match serde_json::from_value(object.get("spec").cloned().unwrap_or_default()) {
        Ok(spec) => spec,
        Err(error) => {
            findings.fault("spec", error.to_string());
            return findings;
        }
    };
    url(&spec.url, &mut findings);
    if let Some(credentials) = &spec.credentials {
        header(credentials, &mut findings);
    }
    if let Some(timeouts) = &spec.timeouts {
        deadlines(timeouts, &mut findings);
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    others(name, &spec, namespace, world, &mut findings);
    findings
}

fn url(text: &str, findings: &mut Findings) {
    const FIELD: &str = "spec.url";
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) => return findings.fault(FIELD, "write a URL that begins with http:// or https://"),
        Err(error) => return findings.fault(FIELD, format!("{text:?} is no URL: {error}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        findings
            .fault(FIELD, "holds a user or password, which whoever may read this object can see: use spec.credentials");
    }
    if url.fragment().is_some() {
        findings.fault(FIELD, "has a fragment (#…), which is never sent: remove it");
    }
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    if is_loopback {
        findings.warn(FIELD, "means the agent's own pod: its containers can then reach the server without the sidecar");
    }
}

fn header(credentials: &ServerCredentials, findings: &mut Findings) {
    if let Some(header) = &credentials.header {
        const FIELD: &str = "spec.credentials.header";
        match HeaderName::try_from(header.as_str()) {
            Err(_) => findings.fault(FIELD, format!("{header:?} is no name of a header: write one such as X-Api-Key")),
            Ok(name) if NOT_FOR_CREDENTIALS.contains(&name.as_str()) => {
                findings.fault(
                    FIELD,
                    format!("{header} is the connection's or the protocol's: write another, such as X-Api-Key"),
                );
            }
            Ok(_) => {}
        }
    }
    let prefix = credentials.prefix.as_deref().unwrap_or_default();
    if HeaderValue::try_from(prefix).is_err() || !prefix.is_ascii() {
        findings.fault(
            "spec.credentials.prefix",
            "holds characters that no header may hold: write one such as \"Bearer \"",
        );
    }
}

fn deadlines(timeouts: &ServerTimeouts, findings: &mut Findings) {
    let fields =
        [("connect", &timeouts.connect), ("response", &timeouts.response), ("streamIdle", &timeouts.stream_idle)];
    for (field, text) in fields {
        let Some(text) = text else { continue };
        match parse_duration(text) {
            Ok(duration) if duration.is_zero() => {
                findings
                    .fault(format!("spec.timeouts.{field}"), format!("{text:?} is no time at all: write 1s or more"));
            }
            Ok(_) => {}
            Err(message) => findings.fault(format!("spec.timeouts.{field}"), message),
        }
    }
}

/// Compares a server with the others of its namespace.
fn others(name: &str, spec: &McpServerSpec, namespace: &str, world: &World, findings: &mut Findings) {
    for other in world.servers_of(namespace).filter(|other| &*other.name != name) {
        if other.spec.as_ref().is_ok_and(|other| other.url == spec.url) {
            findings.warn(
                "spec.url",
                format!(
                    "is that of the McpServer {} too: agents that use it are given the first of both by name",
                    other.name
                ),
            );
        }
        if name.replace('.', "-") == other.name.replace('.', "-") {
            findings.warn(
                "metadata.name",
                format!(
                    "differs from {} in a dot alone, so that neither has a variable REEVE_SERVER_<NAME>_URL",
                    other.name
                ),
            );
        }
    }
}

/// A Secret or ConfigMap that a server names, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    /// The object.
    pub object: Named,
    /// The path of the field.
    pub field: &'static str,
}

/// What a server names that its requester must be allowed to read; nothing, if an update leaves it as it is and sends it where it
/// went before.
pub fn names(object: &Value, stored: &Value) -> BTreeSet<Names> {
    let concerns = ["url", "tls", "credentials"];
    let part = |of: &Value, field: &str| of.get("spec").and_then(|spec| spec.get(field)).cloned();
    if !stored.is_null() && concerns.iter().all(|field| part(object, field) == part(stored, field)) {
        return BTreeSet::new();
    }
    let Ok(spec) = serde_json::from_value::<McpServerSpec>(object.get("spec").cloned().unwrap_or_default()) else {
        return BTreeSet::new();
    };
    let mut names = BTreeSet::new();
    let mut add =
        |resource, name: &str, field| names.insert(Names { object: Named { resource, name: name.to_owned() }, field });
    if let Some(bundle) = spec.tls.as_ref().and_then(|tls| tls.ca_bundle.as_ref()) {
        let resource = match bundle.kind {
            KeyRefKind::ConfigMap => "configmaps",
            KeyRefKind::Secret => "secrets",
        };
        add(resource, &bundle.name, "spec.tls.caBundle");
    }
    if let Some(certificate) = spec.tls.as_ref().and_then(|tls| tls.client_certificate.as_ref()) {
        add("secrets", &certificate.name, "spec.tls.clientCertificate");
    }
    if let Some(credentials) = &spec.credentials {
        add("secrets", &credentials.secret_ref.name, "spec.credentials.secretRef");
    }
    names
}
