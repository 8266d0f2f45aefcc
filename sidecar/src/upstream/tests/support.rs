//! Servers that follow a script, and what tests say to upstreams.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Server;

use super::super::{Body, BuildError, Environment, Outgoing, Progress, Traffic, Upstream, UpstreamError};

/// The longest that anything may take before a test fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn server(url: &str) -> Server {
    serde_json::from_value(serde_json::json!({"name": "imaging", "url": url})).unwrap()
}

pub(super) fn upstream(url: &str) -> Upstream {
    build(&server(url)).unwrap()
}

pub(super) fn build(server: &Server) -> Result<Upstream, Vec<BuildError>> {
    Upstream::new(server, &Environment::default())
}

pub(super) fn post(body: &str) -> Request<Bytes> {
    Request::post("/ignored").header("host", "agent.example").body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

pub(super) fn outgoing(request: &Request<Bytes>) -> Outgoing<'_> {
    Outgoing { method: request.method(), headers: request.headers(), body: request.body() }
}

pub(super) async fn call(upstream: &Upstream, body: &str) -> Result<Response<Body>, UpstreamError> {
    within(upstream.send(outgoing(&post(body)), Traffic::Call, &Progress::new())).await
}

/// A request larger than what may be on its way unread, that tells whether anybody still has it.
pub(super) struct Large(Arc<()>);

struct Held(Vec<u8>, #[allow(dead_code, reason = "held")] Arc<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Large {
    pub(super) fn new() -> Self {
        Self(Arc::new(()))
    }

    pub(super) async fn post(&self, upstream: &Upstream) -> Result<Response<Body>, UpstreamError> {
        self.post_bytes(upstream, 32 << 20).await
    }

    /// Where less may be on its way, such as a Unix socket, less is enough.
    pub(super) async fn post_bytes(&self, upstream: &Upstream, length: usize) -> Result<Response<Body>, UpstreamError> {
        let bytes = Bytes::from_owner(Held(vec![b'x'; length], Arc::clone(&self.0)));
        let request = post("").map(|_| bytes);
        within(upstream.send(outgoing(&request), Traffic::Call, &Progress::new())).await
    }

    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// The whole answer.
pub(super) async fn text(response: Response<Body>) -> String {
    let bytes = within(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("this takes too long")
}

/// A TCP server that runs a script on each connection, with the number of the connection.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Scripted {
    pub(super) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(TcpStream, usize) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(script(stream, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self { address, connections }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one HTTP/1.1 request, whole. Nothing if the client hangs up first.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Answers one HTTP/1.1 request with a text.
pub(super) async fn answer(stream: &mut (impl AsyncWrite + Unpin), body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).await.unwrap();
}

/// Answers every request of a connection with the request itself.
pub(super) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some(request) = read_request(&mut stream).await {
        answer(&mut stream, &request).await;
    }
}

/// Waits until something holds.
pub(super) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
