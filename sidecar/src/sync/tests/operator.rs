//! A small operator: TLS, HTTP/2 and the lines of the protocol, led by the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use reeve_wire::message::{Ack, Configuration, FromSidecar, Hello, ServerState, ToSidecar, Welcome};
use reeve_wire::{LONGEST_TO_OPERATOR, Lines, lines};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::super::link::Outgoing;
use super::offers::Offer;

/// Longer than anything takes, on the slowest machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// Who vouches for an operator.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority of operators");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An operator on a port of its own.
pub(super) struct Operator {
    address: SocketAddr,
    authority: Authority,
    streams: mpsc::UnboundedReceiver<Stream>,
    /// Connections on which TLS failed.
    refused: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Operator {
    pub(super) async fn start() -> Self {
        let (_, streams) = mpsc::unbounded_channel();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut operator =
            Self { address, authority: Authority::new(), streams, refused: Arc::default(), serving: None };
        operator.up().await;
        operator
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(super) fn pem(&self) -> String {
        self.authority.pem()
    }

    /// Serves, at the address that it has had before.
    pub(super) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (sender, streams) = mpsc::unbounded_channel();
        self.streams = streams;
        self.serving =
            Some(tokio::spawn(serve(listener, self.authority.acceptor(), sender, Arc::clone(&self.refused))));
    }

    /// Is gone, with every connection.
    pub(super) async fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Has certificates of another authority from now on.
    pub(super) async fn renew(&mut self, authority: Authority) {
        self.down().await;
        self.authority = authority;
        self.up().await;
    }

    /// The next stream of a sidecar.
    pub(super) async fn stream(&mut self) -> Stream {
        tokio::time::timeout(DEADLINE, self.streams.recv()).await.expect("a sidecar connects").unwrap()
    }

    /// How many connections failed in TLS.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    pub(super) fn has_no_stream(&mut self) -> bool {
        self.streams.try_recv().is_err()
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    streams: mpsc::UnboundedSender<Stream>,
    refused: Arc<AtomicUsize>,
) {
    // Its connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, streams, refused) = (acceptor.clone(), streams.clone(), Arc::clone(&refused));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                refused.fetch_add(1, Ordering::SeqCst);
                return;
            };
            let service = service_fn(move |request: Request<Incoming>| {
                assert_eq!(request.uri().path(), reeve_wire::PATH);
                let (say, waiting) = mpsc::channel(16);
                let (head, body) = request.into_parts();
                let lines = Lines::new(LONGEST_TO_OPERATOR);
                let _ = streams.send(Stream { headers: head.headers, body, lines, say });
                std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(Outgoing(waiting))))
            });
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The operator's end of a stream. Dropped, the stream ends.
pub(super) struct Stream {
    headers: HeaderMap,
    body: Incoming,
    lines: Lines,
    say: mpsc::Sender<Bytes>,
}

impl Stream {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) async fn says(&self, message: &ToSidecar) {
        self.say.send(lines::write(message).unwrap()).await.unwrap();
    }

    pub(super) async fn hears(&mut self) -> FromSidecar {
        let next = async {
            loop {
                if let Some(line) = self.lines.next_line().unwrap() {
                    return lines::read(&line).unwrap();
                }
                let frame = self.body.frame().await.expect("the sidecar is there").unwrap();
                self.lines.push(frame.data_ref().unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("the sidecar says something")
    }

    pub(super) async fn hello(&mut self) -> Hello {
        match self.hears().await {
            FromSidecar::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn welcomes(&self) {
        let welcome =
            Welcome { protocol: 1, version: "0.0.0".into(), replica: "operator-0".into(), ping_every_seconds: 5 };
        self.says(&ToSidecar::Welcome(welcome)).await;
    }

    pub(super) async fn offers(&mut self, offer: &Offer) -> Ack {
        self.configures(offer.configuration()).await
    }

    /// Sends a configuration, and waits for what becomes of it.
    pub(super) async fn configures(&mut self, configuration: Configuration) -> Ack {
        self.says(&ToSidecar::Configuration(configuration)).await;
        loop {
            if let FromSidecar::Ack(ack) = self.hears().await {
                return ack;
            }
        }
    }

    /// What the sidecar says next of its servers.
    pub(super) async fn servers(&mut self) -> Vec<ServerState> {
        loop {
            if let FromSidecar::Servers(servers) = self.hears().await {
                return servers;
            }
        }
    }

    /// Sends a ping, and waits for its answer.
    pub(super) async fn pings(&mut self, number: u64) -> u64 {
        self.says(&ToSidecar::Ping(number)).await;
        loop {
            if let FromSidecar::Pong(number) = self.hears().await {
                return number;
            }
        }
    }
}
