//! Agents that share one HTTP/2 connection.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Call, PATH, Taken};

/// The agents.
#[derive(Debug)]
pub struct Shared {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    call: Call,
    body: Bytes,
}

impl Shared {
    /// Connects, without TLS and with prior knowledge.
    ///
    /// # Panics
    /// If that fails.
    pub async fn connect(address: SocketAddr, call: Call) -> Self {
        let stream = TcpStream::connect(address).await.expect("the proxy accepts connections");
        stream.set_nodelay(true).expect("an open socket takes options");
        let connected = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, driver) = connected.expect("the proxy speaks HTTP/2");
        tokio::spawn(driver);
        Self { address, sender, call, body: call.body().into() }
    }

    /// Makes at least this many calls, `at_once` of them side by side.
    ///
    /// # Panics
    /// If one is answered otherwise than expected.
    pub async fn call(&mut self, calls: usize, at_once: usize) -> Taken {
        let share = calls.div_ceil(at_once);
        let began = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..at_once {
            let (mut sender, body) = (self.sender.clone(), self.body.clone());
            let (address, shape) = (self.address, self.call);
            running.spawn(async move {
                let mut each = Vec::with_capacity(share);
                for _ in 0..share {
                    let began = Instant::now();
                    call(&mut sender, address, body.clone(), &shape).await;
                    each.push(began.elapsed());
                }
                each
            });
        }
        let each = running.join_all().await.concat();
        Taken::new(began.elapsed(), each)
    }
}

async fn call(sender: &mut SendRequest<Full<Bytes>>, address: SocketAddr, body: Bytes, shape: &Call) {
    let mut request = Request::builder().method(Method::POST).uri(format!("http://{address}{PATH}"));
    for (name, value) in shape.headers() {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body)).expect("a well-formed request");
    sender.ready().await.expect("the connection stays open");
    let answer = sender.send_request(request).await.expect("the proxy answers");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("the answer ends").to_bytes();
    let expected = shape.expected;
    let as_expected = status == expected.status && memchr::memmem::find(&body, expected.part.as_bytes()).is_some();
    assert!(as_expected, "expected {expected:?}: {status} {}", String::from_utf8_lossy(&body));
}
