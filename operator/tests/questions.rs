//! What strangers can have the webhooks hold, measured at the real server on loopback. Alone in a process, whose memory is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reeve_operator::http::server::{Bounds, PATIENCE, Server};
use reeve_operator::metrics::Metrics;
use reeve_operator::webhook::cluster::{Cluster, Named};
use reeve_operator::webhook::inject::{Platform, Resources, Settings};
use reeve_operator::webhook::review::UserInfo;
use reeve_operator::webhook::{INJECT_PATH, MOST_HELD, Webhook};
use reeve_operator::world::SharedWorld;
use reeve_process::drain::{DrainTrigger, drain};
use reeve_process::places::Overflow;
use reeve_process::port::listen;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// What connections, threads and this test's own end of it all may take beside what the webhooks hold.
const BESIDE: usize = 32 << 20;
/// What of what the webhooks hold is bodies, and what has come of those that wait.
const BODIES: usize = 56 << 20;
const LONGEST: usize = 10 << 20;
/// How long a question about a pod may take while strangers ask theirs: the API server waits 5 s.
const GENUINE_WITHIN: Duration = Duration::from_secs(4);

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// Namespaces that all ask for sidecars.
struct Everywhere;

impl Cluster for Everywhere {
    fn may_read<'a>(&'a self, _: &'a UserInfo, _: &'a str, _: &'a Named) -> BoxFuture<'a, Result<bool, String>> {
        async { Ok(false) }.boxed()
    }

    fn namespace_labels<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        async { Ok([("reeve.dev/inject".to_owned(), "enabled".to_owned())].into()) }.boxed()
    }
}

/// The webhooks at a port of loopback, without TLS.
async fn serve() -> (SocketAddr, DrainTrigger) {
    let settings = Settings {
        image: "sidecar:1".into(),
        pull_policy: "IfNotPresent".into(),
        operator: "https://operator".into(),
        resources: Resources::default(),
        log_level: "info".into(),
        platform: Platform::Kubernetes,
        open_telemetry: BTreeMap::new(),
    };
    let webhook = Webhook::with(SharedWorld::default(), settings, Arc::new(Everywhere));
    webhook.trust("pem".into());
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let bounds = Bounds { connections: 20_000, overflow: Overflow::TurnAway, streams: 256, patience: PATIENCE };
    let (trigger, drain) = drain();
    let server = Server::plain(listener, bounds, Metrics::new().unwrap(), drain);
    tokio::spawn(server.run(move |request| {
        let webhook = webhook.clone();
        async move { webhook.respond(request).await }
    }));
    (address, trigger)
}

async fn connect(address: SocketAddr) -> SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn post(body: Body, length: usize) -> Request<Body> {
    let request = Request::post(format!("http://reeve{INJECT_PATH}")).header(CONTENT_LENGTH, length);
    request.body(body).unwrap()
}

/// The beginning of a body of the longest, which never ends.
fn half_sent() -> Request<Body> {
    let piece = || Ok(Frame::data(Bytes::from_static(&[b' '; 64 << 10])));
    let body = StreamBody::new(stream::iter(std::iter::repeat_with(piece).take(80)).chain(stream::pending()));
    post(body.boxed_unsync(), LONGEST)
}

fn about_a_pod(spec: &Value) -> String {
    let request = json!({
        "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": "clinic",
        "object": {"metadata": {"generateName": "agent-"}, "spec": spec},
    });
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string()
}

/// A whole question about a pod with a list of so many bytes in it.
fn zeros(bytes: usize) -> Request<Body> {
    let whole = about_a_pod(&json!({"containers": [{"name": "a"}], "x": ["ZEROS"]}));
    let (begin, end) = whole.split_once("\"ZEROS\"").unwrap();
    let (begin, end) = (Bytes::from(begin.to_owned()), Bytes::from(format!("0{end}")));
    let piece = Bytes::from("0,".repeat(32 << 10));
    let pieces = bytes / piece.len();
    let length = begin.len() + pieces * piece.len() + end.len();
    let frames = std::iter::once(begin).chain(std::iter::repeat_n(piece, pieces)).chain([end]);
    post(StreamBody::new(stream::iter(frames.map(|piece| Ok(Frame::data(piece))))).boxed_unsync(), length)
}

/// Asks about a small pod as the API server does; how many are answered with a sidecar for it, each in time.
async fn genuine(sender: &SendRequest<Body>, count: usize) {
    let question = about_a_pod(&json!({"containers": [{"name": "agent"}]}));
    let asked = (0..count).map(|_| async {
        let request = post(Full::new(Bytes::from(question.clone())).boxed_unsync(), question.len());
        let response = sender.clone().send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer["response"]["patch"].is_string(), "{answer}");
    });
    tokio::time::timeout(GENUINE_WITHIN, join_all(asked)).await.expect("small questions wait for strangers' ones");
}

/// The most memory that this process has had at once, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_send_takes_no_more_memory_than_is_said_and_genuine_questions_are_answered_meanwhile() {
    let (address, _trigger) = serve().await;
    let api_server = connect(address).await;
    genuine(&api_server, 50).await;
    let before = peak();

    let mut held = Vec::new();
    for connection in 1..=300 {
        let mut sender = connect(address).await;
        let streams = if connection <= 250 { 1 } else { 20 };
        held.extend((0..streams).map(|_| tokio::spawn(sender.send_request(half_sent()))));
        if connection % 50 == 0 {
            genuine(&api_server, 20).await;
        }
    }
    genuine(&api_server, 50).await;
    let half = peak() - before;
    assert!(half <= BODIES + BESIDE, "{} MiB", half >> 20);
    for question in held {
        question.abort();
    }

    let mut whole = Vec::new();
    for _ in 0..12 {
        let mut sender = connect(address).await;
        // One of the longest, of whose numbers a fraction finds room, and two that fit.
        for bytes in [LONGEST - 1_024, 1_500_000, 500_000] {
            whole.push((bytes, tokio::spawn(sender.send_request(zeros(bytes)))));
        }
    }
    genuine(&api_server, 50).await;
    let mut answered = BTreeMap::<(usize, u16), usize>::new();
    for (bytes, question) in whole {
        let status = question.await.unwrap().unwrap().status();
        assert!(bytes < 2_000_000 || status != StatusCode::OK, "there is room for {bytes} bytes of zeros");
        *answered.entry((bytes, status.as_u16())).or_default() += 1;
    }
    genuine(&api_server, 50).await;
    let most = peak() - before;
    println!("half-sent bodies: {} MiB; whole ones too: {} MiB of {}", half >> 20, most >> 20, MOST_HELD >> 20);
    println!("answers by length and status: {answered:?}");
    assert!(most <= MOST_HELD + BESIDE, "{} MiB", most >> 20);
}
