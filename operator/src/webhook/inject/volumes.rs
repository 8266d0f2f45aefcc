//! The sidecar's volumes: its token, its cache, and for each server the Secrets and ConfigMaps that it names.
//!
//! Nothing of them needs a right of the operator's: the kubelet reads them, and brings their changes. What does not exist is
//! left out instead of holding the pod up; the sidecar tells of it, and it comes as soon as it is there.

use reeve_crds::v1alpha1::{KeyRef, KeyRefKind, McpServerSpec};
use reeve_wire::AUDIENCE;
use reeve_wire::document::Hash;
use reeve_wire::pod::{
    CA_FILE, CACHE_VOLUME, CERTIFICATE_FILE, CREDENTIAL_FILE, KEY_FILE, SERVER_VOLUME_PREFIX, TOKEN_VOLUME,
};
use serde_json::{Value, json};

use super::{Context, Server, pod};

/// How long a token is good for, in seconds; the kubelet renews it after four fifths of that.
const TOKEN_SECONDS: u32 = 3_600;
/// The most that a sidecar keeps: more than two configurations of the largest size and what its limits have counted. A pod that
/// has more is evicted.
const CACHE_SIZE: &str = "256Mi";
/// Readable by whatever user the sidecar has, and by nobody else, as no other container mounts it.
const READABLE: u32 = 0o644;

/// The servers that name Secrets or ConfigMaps.
pub(super) fn servers<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Server> {
    context.servers.iter().filter(|server| !sources(&server.spec).is_empty())
}

/// The name of a server's volume: a server's own name may be too long for one.
pub(super) fn name(server: &str) -> String {
    let digest = Hash::of(server.as_bytes()).to_hex();
    format!("{SERVER_VOLUME_PREFIX}{}", digest.chars().take(16).collect::<String>())
}

/// Adds the volumes.
pub(super) fn add(pod: &mut Value, context: &Context<'_>) {
    let token =
        json!({"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}});
    let mut added =
        vec![projected(TOKEN_VOLUME, &[token]), json!({"name": CACHE_VOLUME, "emptyDir": {"sizeLimit": CACHE_SIZE}})];
    added.extend(servers(context).map(|server| projected(&name(&server.name), &sources(&server.spec))));
    if let Some(volumes) = pod::object_made(pod, "spec").and_then(|spec| pod::list_made(spec, "volumes")) {
        volumes.extend(added);
    }
}

fn projected(name: &str, sources: &[Value]) -> Value {
    json!({"name": name, "projected": {"defaultMode": READABLE, "sources": sources}})
}

fn sources(spec: &McpServerSpec) -> Vec<Value> {
    let mut sources = Vec::new();
    let tls = spec.tls.as_ref();
    if let Some(KeyRef { kind, name, key }) = tls.and_then(|tls| tls.ca_bundle.as_ref()) {
        let kind = match kind {
            KeyRefKind::ConfigMap => "configMap",
            KeyRefKind::Secret => "secret",
        };
        sources.push(source(kind, name, &[(key, CA_FILE)]));
    }
    if let Some(secret) = tls.and_then(|tls| tls.client_certificate.as_ref()) {
        sources.push(source("secret", &secret.name, &[("tls.crt", CERTIFICATE_FILE), ("tls.key", KEY_FILE)]));
    }
    if let Some(credentials) = &spec.credentials {
        let secret = &credentials.secret_ref;
        sources.push(source("secret", &secret.name, &[(&secret.key, CREDENTIAL_FILE)]));
    }
    sources
}

fn source(kind: &str, name: &str, keys: &[(&str, &str)]) -> Value {
    let items: Vec<_> = keys.iter().map(|(key, path)| json!({"key": key, "path": path})).collect();
    json!({kind: {"name": name, "items": items, "optional": true}})
}
