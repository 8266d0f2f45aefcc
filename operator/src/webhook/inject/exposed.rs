//! Secrets of servers that the agent's own containers are given: whoever has a server's credential needs no sidecar to use it.
//!
//! Looks at what is left once the reserved names are gone, so that only what the pod brings itself is seen.

use serde_json::Value;

use super::{Context, Server, pod};

/// Warns of each, once for each container.
pub(super) fn check(pod: &Value, context: &Context<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for server in context.servers {
        for secret in secrets(server) {
            for container in pod::containers(pod) {
                let Some(place) = place(pod, container, secret) else { continue };
                warnings.push(format!(
                    "container {}: {place} has the Secret {secret}, which is the sidecar's for server {}: with it the agent can call the server past every policy: take it out",
                    pod::name(container),
                    server.name,
                ));
            }
        }
    }
    warnings
}

/// The Secrets by which a sidecar identifies itself to a server.
fn secrets(server: &Server) -> impl Iterator<Item = &str> {
    let credential = server.spec.credentials.as_ref().map(|credentials| credentials.secret_ref.name.as_str());
    let tls = server.spec.tls.as_ref();
    let certificate = tls.and_then(|tls| tls.client_certificate.as_ref()).map(|secret| secret.name.as_str());
    credential.into_iter().chain(certificate)
}

/// Where a container is given a Secret.
fn place(pod: &Value, container: &Value, secret: &str) -> Option<String> {
    let is_it = |of: &Value, pointer: &str| pod::text(of, pointer) == Some(secret);
    if let Some(variable) =
        pod::list(container, "env").iter().find(|variable| is_it(variable, "/valueFrom/secretKeyRef/name"))
    {
        return Some(format!("the variable {}", pod::name(variable)));
    }
    if pod::list(container, "envFrom").iter().any(|source| is_it(source, "/secretRef/name")) {
        return Some("envFrom".into());
    }
    let mounts = |volume: &&str| pod::list(container, "volumeMounts").iter().any(|mount| pod::name(mount) == *volume);
    let volume = pod::list(pod::spec(pod), "volumes").iter().find(|volume| {
        let is_projected = || pod::projected(volume).iter().any(|source| is_it(source, "/secret/name"));
        (is_it(volume, "/secret/secretName") || is_projected()) && mounts(&pod::name(volume))
    });
    volume.map(|volume| format!("the volume {}", pod::name(volume)))
}
