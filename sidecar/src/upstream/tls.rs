//! TLS towards a server: whom to trust, and who the sidecar is.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

use crate::config;

use super::environment::Environment;
use super::error::BuildError;
use super::target::{Place, Target};

/// Everything needed to speak TLS with one server.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
    /// Of all files that went into it, so that a changed certificate is noticed.
    pub(super) digest: [u8; 32],
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The files of one server, as they were read.
#[derive(Default)]
struct Material {
    digest: Sha256,
}

impl Material {
    fn read(&mut self, pointer: &'static str, path: &str) -> Result<Vec<u8>, BuildError> {
        let bytes = std::fs::read(path)
            .map_err(|error| BuildError { pointer, message: format!("{path} cannot be read: {error}") })?;
        self.digest.update((bytes.len() as u64).to_be_bytes());
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn certificates(&mut self, pointer: &'static str, path: &str) -> Result<Vec<CertificateDer<'static>>, BuildError> {
        let bytes = self.read(pointer, path)?;
        let wrong = |what: String| BuildError { pointer, message: format!("{path} {what}") };
        let found = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(format!("is not valid PEM: {error}")))?;
        if found.is_empty() {
            return Err(wrong("holds no certificate (a block that begins with -----BEGIN CERTIFICATE-----)".into()));
        }
        Ok(found)
    }
}

impl Tls {
    /// Reads the files that the configuration names.
    pub(super) fn new(
        target: &Target,
        tls: Option<&config::Tls>,
        environment: &Environment,
    ) -> Result<Self, BuildError> {
        let Place::Host(host, _) = target.place() else {
            return Err(BuildError { pointer: "/tls", message: "a Unix socket is reached without TLS".into() });
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| BuildError {
            pointer: "/url",
            message: format!("{host:?} is neither a DNS name nor an IP address, so no certificate can name it"),
        })?;
        let tls = tls.cloned().unwrap_or_default();
        let mut material = Material::default();
        let roots = match &tls.ca_bundle {
            Some(path) => bundle(path, &mut material)?,
            None => system(environment)?,
        };
        // The provider is named here, so that none need be installed for the process.
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError { pointer: "/tls", message: error.to_string() })?
            .with_root_certificates(roots);
        let mut config = match (&tls.client_certificate, &tls.client_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = material.certificates("/tls/clientCertificate", certificate)?;
                let key_bytes = material.read("/tls/clientKey", key)?;
                let wrong = |error: String| BuildError { pointer: "/tls/clientKey", message: format!("{key} {error}") };
                let key = PrivateKeyDer::from_pem_slice(&key_bytes)
                    .map_err(|error| wrong(format!("holds no usable private key: {error}")))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| wrong(format!("does not fit the certificate {certificate}: {error}")))?
            }
            (Some(_), None) => {
                return Err(BuildError {
                    pointer: "/tls/clientCertificate",
                    message: "a client certificate needs its private key: name the key's file in `clientKey`".into(),
                });
            }
            (None, Some(_)) => {
                return Err(BuildError {
                    pointer: "/tls/clientKey",
                    message: "a client key needs its certificate: name the certificate's file in `clientCertificate`"
                        .into(),
                });
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name, digest: material.digest.finalize().into() })
    }
}

fn bundle(path: &str, material: &mut Material) -> Result<Arc<RootCertStore>, BuildError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in material.certificates("/tls/caBundle", path)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| BuildError {
            pointer: "/tls/caBundle",
            message: format!("certificate {} of {path} cannot be an authority: {error}", index + 1),
        })?;
    }
    Ok(Arc::new(roots))
}

fn system(environment: &Environment) -> Result<Arc<RootCertStore>, BuildError> {
    let roots = environment.authorities();
    if roots.is_empty() {
        return Err(BuildError {
            pointer: "/tls",
            message: "this system has no certificate authorities to trust: name a file of them in `tls.caBundle`"
                .into(),
        });
    }
    Ok(roots)
}
