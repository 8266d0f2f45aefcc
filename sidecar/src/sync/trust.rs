//! By which authorities the operator is known.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why authorities cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is no PEM.
    #[error("its authorities are not valid PEM: {0}")]
    Pem(String),
    /// Nothing is in it.
    #[error("there is no authority: give a block that begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// One of the certificates is none of an authority.
    #[error("certificate {0} cannot be an authority: {1}")]
    Certificate(usize, String),
    /// The system lacks what TLS needs.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Authorities, ready to connect with. No others are trusted, not those of the system either.
#[derive(Clone)]
pub(super) struct Trust {
    pub(super) connector: TlsConnector,
    /// As they were given.
    pub(super) bundle: Arc<str>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Reads certificates in PEM.
    pub(super) fn parse(bundle: &str) -> Result<Self, TrustError> {
        let found = CertificateDer::pem_slice_iter(bundle.as_bytes()).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| TrustError::Pem(error.to_string()))?;
        if found.is_empty() {
            return Err(TrustError::Empty);
        }
        let mut roots = RootCertStore::empty();
        for (index, certificate) in found.into_iter().enumerate() {
            roots.add(certificate).map_err(|error| TrustError::Certificate(index + 1, error.to_string()))?;
        }
        // The provider is named here, so that none need be installed for the process.
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder =
            builder.with_safe_default_protocol_versions().map_err(|error| TrustError::Tls(error.to_string()))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), bundle: bundle.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_authority_is_told() {
        assert_eq!(Trust::parse("nothing").unwrap_err(), TrustError::Empty);
        let told = Trust::parse("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap_err();
        assert!(matches!(told, TrustError::Certificate(1, _)), "{told}");
    }
}
