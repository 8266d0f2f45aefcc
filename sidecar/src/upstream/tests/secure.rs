//! TLS: whom the sidecar trusts, and who it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::config;

use super::super::{Cause, Sent};
use super::support::{build, call, echo, server, text};

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// A certificate authority, with its certificate in a file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

pub(super) struct SecureServer {
    pub(super) address: SocketAddr,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Each its own name, as real authorities have.
        let name = format!("Authority {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Trusts this authority and no other.
    pub(super) fn trusted(&self) -> config::Tls {
        config::Tls { ca_bundle: Some(self.path("ca.pem")), ..Default::default() }
    }

    /// Trusts this authority, and shows a certificate of it.
    fn client(&self) -> config::Tls {
        let (certificate, key) = self.issue(&["sidecar"]);
        let certificate = pem("CERTIFICATE", &certificate);
        std::fs::write(self.path("client.pem"), certificate).unwrap();
        std::fs::write(self.path("client.key"), key.serialize_pem()).unwrap();
        config::Tls {
            client_certificate: Some(self.path("client.pem")),
            client_key: Some(self.path("client.key")),
            ..self.trusted()
        }
    }

    fn issue(&self, names: &[&str]) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key)
    }

    pub(super) fn acceptor(&self, protocols: &[&[u8]], clients: Option<&Self>) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (certificate, key) = self.issue(&["127.0.0.1", "imaging.invalid"]);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A server that echoes requests over TLS.
    pub(super) async fn serve(&self, protocols: &[&[u8]], clients: Option<&Self>) -> SecureServer {
        let acceptor = self.acceptor(protocols, clients);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        echo(stream).await;
                    }
                });
            }
        });
        SecureServer { address }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn secure(address: SocketAddr, tls: config::Tls) -> config::Server {
    let mut server = server(&format!("https://{address}/mcp"));
    server.tls = Some(tls);
    server
}

#[tokio::test]
async fn only_a_server_of_the_trusted_authority_is_called() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.serve(&[b"http/1.1"], None).await;
    let upstream = build(&secure(server.address, ours.trusted())).unwrap();
    assert!(text(call(&upstream, "call").await.unwrap()).await.ends_with("call"));
    let upstream = build(&secure(server.address, other.trusted())).unwrap();
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Tls, Sent::No));
    assert!(error.detail.contains("caBundle"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let address = authority.serve(&[], None).await.address;
    let mut server = secure(address, authority.trusted());
    server.url = format!("https://localhost:{}/mcp", address.port());
    let error = call(&build(&server).unwrap(), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Tls, Sent::No));
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_lack_is_a_tls_error() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let address = servers.serve(&[b"http/1.1"], Some(&clients)).await.address;
    let mut tls = clients.client();
    tls.ca_bundle = servers.trusted().ca_bundle;
    let upstream = build(&secure(address, tls)).unwrap();
    assert!(text(call(&upstream, "call").await.unwrap()).await.ends_with("call"));
    let error = call(&build(&secure(address, servers.trusted())).unwrap(), "call").await.unwrap_err();
    assert_eq!(error.cause, Cause::Tls, "{error}");
}

#[test]
fn tls_files_that_cannot_work_are_named_all_at_once() {
    let authority = Authority::new();
    let empty = authority.path("empty.pem");
    std::fs::write(&empty, "no PEM here").unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let client = authority.client();
    let bundle = |path: String| config::Tls { ca_bundle: Some(path), ..Default::default() };
    let other_key = Authority::new();
    let foreign = config::Tls { client_key: other_key.client().client_key, ..client.clone() };
    for (tls, pointer, told) in [
        (bundle("/none/ca.pem".into()), "/tls/caBundle", "/none/ca.pem cannot be read"),
        (bundle(empty), "/tls/caBundle", "BEGIN CERTIFICATE"),
        (config::Tls { client_key: None, ..client.clone() }, "/tls/clientCertificate", "clientKey"),
        (config::Tls { client_certificate: None, ..client }, "/tls/clientKey", "clientCertificate"),
        (foreign, "/tls/clientKey", "does not fit"),
    ] {
        let mut server = secure(address, tls);
        server.limits.connect_timeout = "soon".into();
        let errors = build(&server).unwrap_err();
        assert!(errors.iter().any(|error| error.pointer == "/limits/connectTimeout"), "{errors:?}");
        let error = errors.iter().find(|error| error.pointer == pointer).expect(pointer);
        assert!(error.message.contains(told), "{error}");
    }
}

#[test]
fn a_changed_certificate_makes_another_upstream() {
    let authority = Authority::new();
    let server = secure("127.0.0.1:1".parse().unwrap(), authority.client());
    let before = build(&server).unwrap();
    assert!(before.is_like(&build(&server).unwrap()));
    authority.client();
    assert!(!before.is_like(&build(&server).unwrap()));
}
