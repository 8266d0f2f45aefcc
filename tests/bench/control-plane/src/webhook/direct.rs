//! Asks the operator what the API server asks, as it does: over one connection with TLS and HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An open connection. A copy is the same one.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    url: String,
}

impl Connection {
    /// Connects to the operator, known by these authorities (PEM).
    pub(super) async fn open(operator: SocketAddr, authorities: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(certificate.expect("authorities are PEM")).expect("an authority has a certificate");
        }
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(operator).await.expect("the operator accepts connections");
        stream.set_nodelay(true).expect("an open socket takes options");
        let name = ServerName::IpAddress(operator.ip().into());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("the operator is known");
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("the operator speaks HTTP/2");
        tokio::spawn(connection);
        Self { sender, url: format!("https://{operator}/inject") }
    }

    /// Asks; says how long the answer took.
    pub(super) async fn ask(&mut self, question: Bytes) -> Duration {
        self.sender.ready().await.expect("the connection is open");
        let request = Request::post(&self.url).header("content-type", "application/json");
        let request = request.body(Full::new(question)).expect("a request");
        let began = Instant::now();
        let response = self.sender.send_request(request).await.expect("the operator answers");
        assert_eq!(response.status(), StatusCode::OK);
        let answer = response.into_body().collect().await.expect("the operator answers").to_bytes();
        let taken = began.elapsed();
        assert!(answer.windows(7).any(|bytes| bytes == b"\"patch\""), "{}", String::from_utf8_lossy(&answer));
        taken
    }

    /// The same with a copy of the connection.
    pub(super) async fn ask_once(mut self, question: Bytes) -> Duration {
        self.ask(question).await
    }
}
