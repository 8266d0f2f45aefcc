//! An McpServer.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use reeve_crds::v1alpha1::{KeyRefKind, McpServerSpec};
use serde_json::Value;
use url::{Host, Url};

use super::{Findings, path};
use crate::webhook::cluster::Named;
use crate::world::server::faults::{self, Fault};
use crate::world::{SharedWorld, World};

/// Checks a server of a namespace.
pub fn server(object: &Value, namespace: &str, world: &SharedWorld) -> Findings {
    let mut findings = Findings::default();
    let spec: McpServerSpec = match serde_json::from_value(object.get("spec").cloned().unwrap_or_default()) {
        Ok(spec) => spec,
        Err(error) => {
            findings.fault("spec", error.to_string());
            return findings;
        }
    };
    for Fault { pointer, message } in faults::of(&spec) {
        findings.fault(path(&pointer), message);
    }
    if is_loopback(&spec.url) {
        findings.warn(
            "spec.url",
            "means the agent's own pod: its containers can then reach the server without the sidecar",
        );
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    // Locked only for this: what is large is read before.
    let world = world.read().unwrap_or_else(PoisonError::into_inner);
    others(name, &spec, namespace, &world, &mut findings);
    findings
}

fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
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
