//! A sidecar, or a replica, as an operator sees it.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reeve_wire::message::{Ack, Configuration, FromSidecar, Hello, Outcome, Running, ToSidecar};
use reeve_wire::{LONGEST_TO_SIDECAR, Lines, Origin, PATH, PROTOCOL, lines};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::office::{LONGEST, Office};

pub(super) struct Peer {
    pub(super) out: Option<mpsc::Sender<Bytes>>,
    body: Incoming,
    lines: Lines,
}

/// An answer that is no stream.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

pub(super) fn hello(running: Option<Running>) -> FromSidecar {
    FromSidecar::Hello(Hello { protocol: PROTOCOL, version: "0.1.0".into(), running, servers: Vec::new() })
}

/// What runs of a configuration that was taken.
pub(super) fn running(given: &Configuration) -> Running {
    let origin = Origin { hash: given.hash, world: given.world, generations: [("u1".into(), 4)].into() };
    Running { origin, problems: Vec::new() }
}

/// Asks for a stream, with these credentials.
pub(super) async fn ask(address: SocketAddr, authorization: Option<&str>) -> Result<Peer, Refused> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let (out, mut pieces) = mpsc::channel::<Bytes>(16);
    let frames = stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    });
    let mut request = Request::post(format!("http://reeve{PATH}"));
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(StreamBody::new(frames)).unwrap();
    let response = timeout(LONGEST, sender.send_request(request)).await.expect("no answer").unwrap();
    let (head, body) = response.into_parts();
    if head.status == StatusCode::OK {
        return Ok(Peer { out: Some(out), body, lines: Lines::new(LONGEST_TO_SIDECAR) });
    }
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Err(Refused { status: head.status, headers: head.headers, text })
}

impl Peer {
    /// A pod's sidecar that has said hello.
    pub(super) async fn of(office: &Office, pod: &str, running: Option<Running>) -> Self {
        let peer = ask(office.address, Some(&format!("Bearer {}", office.token(pod)))).await.unwrap();
        peer.say(&hello(running)).await;
        peer
    }

    pub(super) async fn say(&self, message: &FromSidecar) {
        self.send(lines::write(message).unwrap()).await;
    }

    pub(super) async fn send(&self, bytes: Bytes) {
        let _ = self.out.as_ref().unwrap().send(bytes).await;
    }

    /// The next message; none when the stream has ended.
    pub(super) async fn hears(&mut self) -> Option<ToSidecar> {
        loop {
            if let Some(line) = self.lines.next_line().unwrap() {
                return Some(lines::read(&line).unwrap());
            }
            let frame = timeout(LONGEST, self.body.frame()).await.expect("nothing was said")?;
            if let Some(data) = frame.ok()?.data_ref() {
                self.lines.push(data);
            }
        }
    }

    /// The next configuration; pings are answered.
    pub(super) async fn is_given(&mut self) -> Configuration {
        loop {
            match self.hears().await.expect("the stream has ended") {
                ToSidecar::Configuration(given) => return given,
                ToSidecar::Ping(number) => self.say(&FromSidecar::Pong(number)).await,
                _ => {}
            }
        }
    }

    /// Takes the next configuration and says that it is in force.
    pub(super) async fn takes(&mut self) -> Configuration {
        let given = self.is_given().await;
        self.answer(&given, Outcome::Applied(1), Some(running(&given))).await;
        given
    }

    pub(super) async fn answer(&self, given: &Configuration, outcome: Outcome, running: Option<Running>) {
        self.say(&FromSidecar::Ack(Ack { hash: given.hash, world: given.world, outcome, running })).await;
    }

    /// Until the stream ends; what else was said.
    pub(super) async fn ends(&mut self) -> Vec<ToSidecar> {
        let mut said = Vec::new();
        while let Some(message) = self.hears().await {
            said.push(message);
        }
        said
    }
}
