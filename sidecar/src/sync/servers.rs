//! Servers as the operator describes them → servers as this pod reaches them, and what is missing for that.
//!
//! What a server names of Secrets and ConfigMaps is mounted when the pod is made, in a folder of the server's own. A pod cannot
//! be given another one later, so that a server that names others since can be used only once the pod is made anew.

use std::path::Path;

use reeve_wire::document;
use reeve_wire::message::{ServerReason, ServerState};
use reeve_wire::pod::{CA_FILE, CERTIFICATE_FILE, CREDENTIAL_FILE, KEY_FILE};

use super::settings::Settings;
use crate::config::{Credentials, Files, Server, Tls, UpstreamLimits};
use crate::upstream::{BuildError, Environment, Upstream, header_value};

/// What a server that names no Secret or ConfigMap says of them.
const NOTHING_NAMED: &str = "none";

/// Why a server cannot be used.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    reason: ServerReason,
    message: String,
}

/// A server's description, and where the pod has what it names.
pub(super) fn server(server: &document::Server, folder: &Path) -> Server {
    let file = |name: &str| folder.join(&server.name).join(name).display().to_string();
    let tls = Tls {
        ca_bundle: server.ca_bundle.then(|| file(CA_FILE)),
        client_certificate: server.client_certificate.then(|| file(CERTIFICATE_FILE)),
        client_key: server.client_certificate.then(|| file(KEY_FILE)),
    };
    let credentials = server.credentials.as_ref().map(|credential| Credentials {
        header: credential.header.clone(),
        file: file(CREDENTIAL_FILE),
        prefix: credential.prefix.clone(),
        insecure_plain_text: false,
    });
    let (defaults, timeouts) = (UpstreamLimits::default(), &server.timeouts);
    let limits = UpstreamLimits {
        connect_timeout: timeouts.connect.clone().unwrap_or(defaults.connect_timeout),
        response_timeout: timeouts.response.clone().unwrap_or(defaults.response_timeout),
        stream_idle_timeout: timeouts.stream_idle.clone(),
        ..defaults
    };
    Server {
        path: Some(format!("/{}", server.name)),
        tls: Some(tls).filter(|tls| *tls != Tls::default()),
        credentials,
        limits,
        ..Server::new(&server.name, &server.url)
    }
}

/// The connections to a server, which may be none, and whether it can be used. Reads files, and notes them in `files`.
pub(super) fn upstream(
    described: &document::Server,
    server: &Server,
    settings: &Settings,
    environment: &Environment,
    files: &mut Files,
) -> (Upstream, ServerState) {
    let usable = if is_mounted(described, settings) {
        let missing = missing(server, files);
        let built = Upstream::new(server, environment).map_err(|errors| wrong(&errors));
        match missing {
            // Calls without the credential fail and say so; it may come at any moment, and is looked for at each call.
            Some(missing) => Err((built.ok(), missing)),
            None => built.map_err(|wrong| (None, wrong)),
        }
    } else {
        let message = "it names Secrets or ConfigMaps that this pod was not given when it was made: make the pod anew, as \
                       kubectl rollout restart does";
        Err((None, Wrong { reason: ServerReason::RestartNeeded, message: message.into() }))
    };
    let (upstream, wrong) = match usable {
        Ok(upstream) => (upstream, Wrong { reason: ServerReason::Resolved, message: String::new() }),
        Err((upstream, wrong)) => (upstream.unwrap_or_else(|| Upstream::unusable(server, &wrong.message)), wrong),
    };
    let Wrong { reason, message } = wrong;
    (upstream, ServerState { uid: described.uid.clone(), generation: described.generation, reason, message })
}

fn is_mounted(server: &document::Server, settings: &Settings) -> bool {
    let needed = server.mounts.as_str();
    needed == NOTHING_NAMED || settings.mounts.of(&server.name) == Some(needed)
}

/// The first thing that a server names and the pod does not have.
fn missing(server: &Server, files: &mut Files) -> Option<Wrong> {
    let tls = server.tls.clone().unwrap_or_default();
    let mut content = |path: &Option<String>| path.as_ref().map(|path| files.read(Path::new(path)).ok());
    let (ca, certificate, key) = (content(&tls.ca_bundle), content(&tls.client_certificate), content(&tls.client_key));
    let credential = content(&server.credentials.as_ref().map(|credentials| credentials.file.clone()));
    let secret_missing = |what: &str| Wrong {
        reason: ServerReason::SecretMissing,
        message: format!("{what} is not there, or lacks the key: create it, and it is taken up within a minute or two"),
    };
    let key_missing = |message: &str| Wrong { reason: ServerReason::KeyMissing, message: message.into() };
    if ca == Some(None) {
        return Some(secret_missing("what tls.caBundle names"));
    }
    match (certificate, key) {
        (Some(None), Some(None)) => return Some(secret_missing("the Secret of tls.clientCertificate")),
        (Some(None), _) => return Some(key_missing("the Secret of tls.clientCertificate lacks tls.crt")),
        (_, Some(None)) => return Some(key_missing("the Secret of tls.clientCertificate lacks tls.key")),
        _ => {}
    }
    let prefix = server.credentials.as_ref().map_or("", |credentials| &credentials.prefix);
    match credential? {
        None => Some(secret_missing("the Secret of credentials.secretRef")),
        // By what calls are sent with: what they would fail by is not resolved.
        Some(value) => header_value(&value, prefix)
            .err()
            .map(|what| key_missing(&format!("the key of credentials.secretRef {what}: put the credential into it"))),
    }
}

/// What is wrong with a server's definition, in one word and a sentence.
fn wrong(errors: &[BuildError]) -> Wrong {
    let reason = match errors.first().map_or("", |error| error.pointer) {
        "/url" | "/credentials" => ServerReason::UrlInvalid,
        pointer if pointer.starts_with("/tls") => ServerReason::CertificateInvalid,
        _ => ServerReason::Other,
    };
    let told: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    Wrong { reason, message: told.join("; ") }
}

#[cfg(test)]
mod tests;
