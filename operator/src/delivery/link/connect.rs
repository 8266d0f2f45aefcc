//! From an address to an open stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::{Leader, Link};
use crate::delivery::stream::{End, written_body};

/// How long it may take until the stream is open.
const LONGEST: Duration = Duration::from_secs(10);
/// How much of a refusal is read, in bytes.
const LONGEST_REFUSAL: usize = 1_024;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the token {0} cannot be read: {1}")]
    Token(String, io::Error),
    #[error("the token {0} is no token")]
    NoToken(String),
    #[error("the authorities by which to know it cannot be used: {0}")]
    Trust(String),
    #[error("its name cannot be used: {0}")]
    Name(#[from] InvalidDnsNameError),
    #[error("it cannot be reached; is there a NetworkPolicy between the replicas? {0}")]
    Connect(io::Error),
    #[error("it does not prove by TLS that it is a replica: {0}")]
    Tls(io::Error),
    #[error("it was not open within {} s", LONGEST.as_secs())]
    Slow,
    #[error("HTTP/2: {0}")]
    Http(#[from] hyper::Error),
    #[error("it answers {0}: {1}")]
    Refused(StatusCode, String),
    #[error("{0}")]
    Ended(End),
}

/// An open stream, and the task that moves its bytes.
pub(super) struct Connection {
    pub(super) body: Incoming,
    pub(super) out: mpsc::Sender<Bytes>,
    /// Ends the task when it is dropped.
    pub(super) driver: JoinSet<()>,
}

impl Connection {
    pub(super) async fn open(link: &Link, leader: &Leader) -> Result<Self, Error> {
        tokio::time::timeout(LONGEST, open(link, leader)).await.unwrap_or(Err(Error::Slow))
    }
}

async fn open(link: &Link, leader: &Leader) -> Result<Connection, Error> {
    let path = || link.token.display().to_string();
    let token = tokio::fs::read_to_string(&link.token).await.map_err(|error| Error::Token(path(), error))?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| Error::NoToken(path()))?;
    bearer.set_sensitive(true);
    let config = tls(&link.trust.borrow())?;
    let name = ServerName::try_from(leader.server_name.clone())?;

    let tcp = TcpStream::connect(&leader.address).await.map_err(Error::Connect)?;
    tcp.set_nodelay(true).map_err(Error::Connect)?;
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(Error::Tls)?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // What went wrong is seen by the stream.
        let _ = connection.await;
    });

    let (out, body) = written_body();
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("https://{}{}", leader.server_name, reeve_wire::PATH)
        .parse()
        .map_err(|error: http::uri::InvalidUri| Error::Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reeve_wire::CONTENT_TYPE));
    let response = sender.send_request(request).await?;
    let status = response.status();
    if status != StatusCode::OK {
        let text = Limited::new(response.into_body(), LONGEST_REFUSAL).collect().await;
        let text = text.map(|text| String::from_utf8_lossy(&text.to_bytes()).trim().to_owned());
        return Err(Error::Refused(status, text.unwrap_or_default()));
    }
    Ok(Connection { body: response.into_body(), out, driver })
}

fn tls(bundle: &str) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        let certificate = certificate.map_err(|error| Error::Trust(error.to_string()))?;
        roots.add(certificate).map_err(|error| Error::Trust(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(Error::Trust("there are none".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Trust(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
