use std::net::SocketAddr;

use super::*;
use crate::http::whole;
use crate::tls::{Authority, Leaf, Lifetimes};
use http_body_util::{BodyExt as _, Empty};
use jiff::Timestamp;
use reeve_process::drain::{DrainTrigger, Phase, drain};
use reeve_process::port::listen;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const LIFETIMES: Lifetimes =
    Lifetimes { authority: Duration::from_secs(86_400), certificate: Duration::from_secs(3_600) };

/// A server with TLS that answers after `answer` was notified, or at once for `/now`.
struct Fixture {
    address: SocketAddr,
    trigger: DrainTrigger,
    served: tokio::task::JoinHandle<()>,
    answer: Arc<Notify>,
    asked: Arc<Notify>,
    authority: Authority,
    resolver: Arc<Resolver>,
}

fn leaf(authority: &Authority) -> Leaf {
    Leaf::issue(authority, &["operator".into()], Timestamp::now(), LIFETIMES.certificate).unwrap()
}

async fn serve(connections: usize) -> Fixture {
    serve_within(connections, PATIENCE).await
}

async fn serve_within(connections: usize, patience: Duration) -> Fixture {
    let (trigger, drain) = drain();
    let authority = Authority::create(Timestamp::now(), &LIFETIMES).unwrap();
    let resolver = Arc::new(Resolver::default());
    resolver.show(leaf(&authority).key);
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let bounds = Bounds { connections, overflow: Overflow::TurnAway, streams: 8, patience };
    let server = Server::tls(listener, Arc::clone(&resolver), bounds, Metrics::new().unwrap(), drain).unwrap();
    let (answer, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let respond = {
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        move |request: Request<Incoming>| {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            async move {
                if request.uri().path() != "/now" {
                    asked.notify_one();
                    answer.notified().await;
                }
                Response::new(whole("done"))
            }
        }
    };
    let served = tokio::spawn(server.run(respond));
    Fixture { address, trigger, served, answer, asked, authority, resolver }
}

async fn connect(fixture: &Fixture, trusted: &str, protocol: &[u8]) -> io::Result<TlsStream<TcpStream>> {
    shake(TcpStream::connect(fixture.address).await?, trusted, protocol).await
}

async fn shake(stream: TcpStream, trusted: &str, protocol: &[u8]) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("operator").unwrap(), stream).await
}

async fn get(fixture: &Fixture, path: &str) -> String {
    ask(connect(fixture, &fixture.authority.bundle(), b"h2").await.unwrap(), path).await
}

async fn ask(stream: TlsStream<TcpStream>, path: &str) -> String {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("https://operator{path}");
    let response = sender.send_request(Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let fixture = serve(8).await;
    assert_eq!(get(&fixture, "/now").await, "done");
    let mut stream = connect(&fixture, &fixture.authority.bundle(), b"http/1.1").await.unwrap();
    stream.write_all(b"GET /now HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_the_next_connection() {
    let fixture = serve(8).await;
    let other = Authority::create(Timestamp::now(), &LIFETIMES).unwrap();
    assert!(connect(&fixture, &other.bundle(), b"h2").await.is_err());
    fixture.resolver.show(leaf(&other).key);
    assert!(connect(&fixture, &other.bundle(), b"h2").await.is_ok());
}

#[tokio::test]
async fn a_request_in_flight_is_answered_while_the_process_drains_and_the_port_closes_once_nobody_comes() {
    let fixture = Arc::new(serve(8).await);
    let slow = tokio::spawn({
        let fixture = Arc::clone(&fixture);
        async move { get(&fixture, "/slow").await }
    });
    fixture.asked.notified().await;
    fixture.trigger.advance(Phase::Draining);
    let closed = async {
        while TcpStream::connect(fixture.address).await.is_ok() {
            tokio::time::sleep(UNVISITED + Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
    fixture.answer.notify_one();
    assert_eq!(slow.await.unwrap(), "done");
    let fixture = Arc::try_unwrap(fixture).unwrap_or_else(|_| panic!("still used"));
    tokio::time::timeout(Duration::from_secs(10), fixture.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_was_sent_here_before_the_cluster_heard_of_the_end_is_answered() {
    let fixture = serve(8).await;
    let connected = TcpStream::connect(fixture.address).await.unwrap();
    let shaken = connect(&fixture, &fixture.authority.bundle(), b"h2").await.unwrap();
    fixture.trigger.advance(Phase::Draining);
    assert_eq!(get(&fixture, "/now").await, "done", "who comes now");
    assert_eq!(
        ask(shake(connected, &fixture.authority.bundle(), b"h2").await.unwrap(), "/now").await,
        "done",
        "who had connected"
    );
    assert_eq!(ask(shaken, "/now").await, "done", "who had said nothing yet");
    tokio::time::timeout(Duration::from_secs(10), fixture.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_still_open_when_the_grace_period_is_over_is_cut_off() {
    let fixture = serve(8).await;
    let mut stream = connect(&fixture, &fixture.authority.bundle(), b"http/1.1").await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: operator\r\n\r\n").await.unwrap();
    fixture.asked.notified().await;
    fixture.trigger.advance(Phase::Ending);
    tokio::time::timeout(Duration::from_secs(10), fixture.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_the_others_are_served() {
    let fixture = serve(1).await;
    let held = connect(&fixture, &fixture.authority.bundle(), b"h2").await.unwrap();
    assert!(connect(&fixture, &fixture.authority.bundle(), b"h2").await.is_err());
    drop(held);
    let again = async { while connect(&fixture, &fixture.authority.bundle(), b"h2").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();
}

#[tokio::test]
async fn where_the_oldest_makes_room_whoever_holds_connections_keeps_nobody_out() {
    let (_trigger, drain) = drain();
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let bounds = Bounds { connections: 2, overflow: Overflow::EndOldest, streams: 8, patience: PATIENCE };
    let server = Server::plain(listener, bounds, Metrics::new().unwrap(), drain);
    tokio::spawn(server.run(|_: Request<Incoming>| async { Response::new(whole("done")) }));
    let mut held = Vec::new();
    for number in 0..20 {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://operator/live").body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap_or_else(|error| panic!("connection {number}: {error}"));
        assert_eq!(answer.status(), 200);
        held.push((sender, connection));
    }
    // All but the last two have been ended.
    held.truncate(18);
    let ended = async {
        for (_sender, connection) in held {
            let _ = connection.await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the oldest were ended");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let fixture = serve_within(8, Duration::from_millis(50)).await;
    let mut silent = connect(&fixture, &fixture.authority.bundle(), b"h2").await.unwrap();
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), silent.read_to_end(&mut heard));
    // Whether it is closed in order or cut is of no matter.
    let _ = closed.await.expect("it is closed");
}
