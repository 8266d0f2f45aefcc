//! A server's certificate and the authority that proxies trust.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name in the certificate.
pub const NAME: &str = "localhost";

/// Makes an authority, writes its certificate to `file` as PEM, and gives what a server with a certificate of it accepts
/// connections with.
///
/// # Panics
/// If the file cannot be written.
pub fn issue(file: &Path) -> TlsAcceptor {
    let mut params = CertificateParams::default();
    // Unlike its certificates' name: some take a certificate that names itself as its issuer for one that signs itself.
    params.distinguished_name.push(DnType::CommonName, "authority of the benchmarks");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself");
    std::fs::write(file, authority.pem()).expect("a temporary file can be written");
    let key = key();
    let params = CertificateParams::new([NAME.to_owned()]).expect("a valid name");
    let certificate = params.signed_by(&key, &authority).expect("an authority signs");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config =
        config.with_single_cert(vec![certificate.der().clone()], private).expect("a key of its certificate");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

/// Connects to servers that this authority knows.
///
/// # Panics
/// If the file holds no certificate.
pub fn connector(authority: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(authority).expect("the authority's certificate can be read");
    roots.add(certificate).expect("the authority's certificate is one");
    TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// The server's name, as TLS knows it.
///
/// # Panics
/// Never: [`NAME`] is one.
pub fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("a valid name")
}
