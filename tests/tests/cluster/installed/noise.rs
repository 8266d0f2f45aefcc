//! Whatever bytes come to a port of the operator: it goes on, in bounded memory, and does what it is for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use reeve_tests::cluster::clinic::{agent, call, policy, programmed};
use reeve_tests::cluster::operator::Operator;
use reeve_tests::cluster::{kubectl, token};
use reeve_tests::noise::Noise;
use reeve_wire::message::{FromSidecar, Hello};
use reeve_wire::{AUDIENCE, PATH, PROTOCOL, lines};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ENABLED, clinic};

/// How often each kind of noise is made.
const ROUNDS: u64 = 500;
/// Of what takes megabytes.
const LARGE_ROUNDS: u64 = 8;
/// How long what is left open is listened to.
const MOMENT: Duration = Duration::from_millis(500);
/// The most that the operator may use afterwards: half of what the chart permits it.
const MOST_MEMORY: u64 = 256 << 20;

/// What noise is made with.
struct Scene {
    replicas: Vec<Operator>,
    /// Of a pod with a sidecar.
    token: String,
}

impl Scene {
    fn replica(&self, noise: &mut Noise) -> &Operator {
        &self.replicas[noise.below(self.replicas.len())]
    }
}

/// Sends bytes, says that there are no more, and listens for a moment.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = timeout(MOMENT, async {
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut answer).await;
    })
    .await;
    answer
}

/// Bytes instead of TLS, and instead of HTTP at the port without TLS.
async fn plain(scene: Arc<Scene>, mut noise: Noise) {
    let replica = scene.replica(&mut noise);
    // The beginning of a TLS handshake, which is the longest that is believed without a key.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise.bytes(600)[..]].concat();
    let bytes = if noise.once_in(2) { hello } else { noise.bytes(4_000) };
    let address = if noise.once_in(2) { &replica.address } else { replica.admin.as_ref().unwrap() };
    let Ok(stream) = TcpStream::connect(address).await else { return };
    exchange(stream, &bytes).await;
}

/// A request in HTTP/1.1 that may be none.
fn request(noise: &mut Noise, body: &[u8]) -> Vec<u8> {
    let method = *noise.one_of(&["POST", "GET", "PUT", "OPTIONS", "CONNECT", "PRI", "P\0ST"]);
    let path =
        *noise.one_of(&["/inject", "/validate", PATH, "/metrics", "/live", "/../inject", "*", "http://x/inject"]);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n");
    let most = if noise.once_in(20) { 4_000 } else { 10 };
    for number in 0..noise.below(most) {
        head += &format!("x-{number}: {}\r\n", noise.text().replace(['\r', '\n'], " "));
    }
    head += &match noise.below(4) {
        0 => "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_owned(),
        1 => format!("content-length: {}\r\n\r\n", noise.number()),
        2 => format!("content-length: {0}\r\ncontent-length: {0}1\r\n\r\n", body.len()),
        _ => format!("content-length: {}\r\n\r\n", body.len()),
    };
    [head.as_bytes(), body].concat()
}

async fn http1(scene: Arc<Scene>, mut noise: Noise) {
    let body = noise.bytes(2_000);
    let request = request(&mut noise, &body);
    let bytes = if noise.once_in(2) { noise.damaged(&request) } else { request };
    let replica = scene.replica(&mut noise);
    if noise.once_in(3) {
        let Ok(stream) = TcpStream::connect(replica.admin.as_ref().unwrap()).await else { return };
        exchange(stream, &bytes).await;
    } else if let Ok(stream) = replica.connect("http/1.1").await {
        exchange(stream, &bytes).await;
    }
}

/// Frames of HTTP/2, each of them whole and few of them sensible.
async fn http2(scene: Arc<Scene>, mut noise: Noise) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let most = if noise.once_in(20) { 2_000 } else { 20 };
    for _ in 0..noise.below(most) {
        let payload = noise.bytes(64);
        let length = if noise.once_in(10) { noise.below(1 << 24) } else { payload.len() };
        bytes.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
        bytes.extend([noise.below(11) as u8, noise.number() as u8]);
        bytes.extend_from_slice(&(noise.below(8) as u32).to_be_bytes());
        bytes.extend(payload);
    }
    if let Ok(stream) = scene.replica(&mut noise).connect("h2").await {
        exchange(stream, &bytes).await;
    }
}

/// What the API server would ask, but for a part of it or some bytes.
async fn reviews(scene: Arc<Scene>, mut noise: Noise) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"app": "a"}, "annotations":
        {"reeve.dev/log-level": "debug"}}, "spec": {"containers": [{"name": "a", "image": "a", "env": [{"name": "URL",
        "value": "http://imaging.clinic.svc/mcp"}], "ports": [{"containerPort": 80}]}], "initContainers": []}});
    let rules = json!([{"name": "a", "tools": ["list_*"], "action": "Allow", "when": "args.size() < 3",
        "limits": [{"counter": "a", "window": "1m", "max": 3}]}]);
    let server = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": "a"}, "spec":
        {"url": "https://a/mcp", "credentials": {"secretRef": {"name": "a", "key": "a"}}}});
    let (path, kind, object) = match noise.below(3) {
        0 => ("inject", "Pod", pod),
        1 => ("validate", "McpPolicy", policy("a", "a", &rules)),
        _ => ("validate", "McpServer", server),
    };
    let group = if kind == "Pod" { "" } else { "reeve.dev" };
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1",
        "kind": {"group": group, "version": "v1", "kind": kind}, "name": "a", "namespace": "default", "dryRun": true,
        "operation": "CREATE", "userInfo": {"username": "a"}, "object": object, "oldObject": null}});
    let body = match noise.below(5) {
        0 => noise.damaged(review.to_string().as_bytes()),
        1 => noise.json(12).to_string().into_bytes(),
        2 => "[".repeat(noise.below(200_000)).into_bytes(),
        _ => noise.altered(&review).to_string().into_bytes(),
    };
    let head = format!("POST /{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    if let Ok(stream) = scene.replica(&mut noise).connect("http/1.1").await {
        exchange(stream, &[head.as_bytes(), &body].concat()).await;
    }
}

/// Some lines of a stream, by who may begin one.
fn said(noise: &mut Noise) -> Vec<u8> {
    let hello = Hello { protocol: PROTOCOL, version: "0.1.0".into(), running: None, servers: Vec::new() };
    let hello = lines::write(&FromSidecar::Hello(hello)).unwrap().to_vec();
    let mut said = if noise.once_in(4) { Vec::new() } else { hello.clone() };
    let words = [
        json!({"ack": {"hash": "0".repeat(64), "world": {"epoch": 1}, "outcome": {"applied": 3}}}),
        json!({"servers": [{"uid": "a", "generation": 1, "reason": "Resolved"}]}),
        json!({"pong": 7}),
        json!({"reports": [{"pod": "a", "connected": true}]}),
    ];
    for _ in 0..noise.below(20) {
        let word = noise.one_of(&words).clone();
        let line = match noise.below(6) {
            0 => noise.bytes(2_000),
            1 => noise.json(8).to_string().into_bytes(),
            2 => noise.damaged(&hello),
            3 => "[".repeat(noise.below(100_000)).into_bytes(),
            _ => noise.altered(&word).to_string().into_bytes(),
        };
        said.extend(line);
        said.push(b'\n');
    }
    said
}

async fn streams(scene: Arc<Scene>, mut noise: Noise) {
    let Ok(stream) = scene.replica(&mut noise).connect("h2").await else { return };
    let Ok((mut sender, connection)) = h2::client::handshake(stream).await else { return };
    tokio::spawn(connection);
    let request = Request::post(format!("https://x{PATH}")).header("authorization", format!("Bearer {}", scene.token));
    let Ok((answer, mut out)) = sender.send_request(request.body(()).unwrap(), false) else { return };
    let _ = out.send_data(Bytes::from(said(&mut noise)), noise.once_in(2));
    let _ = timeout(MOMENT, async {
        let mut body = answer.await.ok()?.into_body();
        while let Some(Ok(piece)) = body.data().await {
            body.flow_control().release_capacity(piece.len()).ok()?;
        }
        Some(())
    })
    .await;
}

/// Bodies, lines and heads without end, each until the operator has enough of it.
async fn endless(scene: Arc<Scene>, mut noise: Noise) {
    let Ok(mut stream) = scene.replica(&mut noise).connect("http/1.1").await else { return };
    let head = *noise.one_of(&[
        "POST /inject HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n",
        "POST /validate HTTP/1.1\r\nx: ",
    ]);
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let _ = stream.write_all(head.as_bytes()).await;
    // 64 MiB: more than is ever believed, and less than what would take long.
    let taken = timeout(Duration::from_secs(20), async {
        for _ in 0..1_024 {
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return true;
            }
        }
        false
    });
    assert_eq!(taken.await, Ok(true), "the operator ends what does not end by itself: {head}");
}

/// Makes so many rounds of one kind, each from a seed of its own, eight at a time.
async fn many<F>(scene: &Arc<Scene>, rounds: u64, make: impl Fn(Arc<Scene>, Noise) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for first in (0..rounds).step_by(8) {
        let round = (first..(first + 8).min(rounds)).map(|seed| tokio::spawn(make(Arc::clone(scene), Noise::of(seed))));
        for (seed, noise) in round.collect::<Vec<_>>().into_iter().enumerate() {
            noise.await.unwrap_or_else(|error| panic!("seed {}: {error}", first + seed as u64));
        }
    }
}

fn lists(tools: &str) -> Value {
    policy("imaging", "agent", &json!([{"name": "lists", "tools": [tools], "action": "Allow"}]))
}

#[test]
fn no_bytes_at_any_port_stop_the_operator_or_take_its_memory() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(lists("list_*"));
    let pod = namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let scene = Scene { replicas: Operator::replicas(), token: token::of_pod(&namespace, &pod, AUDIENCE) };
    assert_eq!(scene.replicas.len(), 2);
    let scene = Arc::new(scene);
    let before: Vec<_> = scene.replicas.iter().map(Operator::health).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        many(&scene, ROUNDS, plain).await;
        many(&scene, ROUNDS, http1).await;
        many(&scene, ROUNDS, http2).await;
        many(&scene, ROUNDS, reviews).await;
        many(&scene, ROUNDS, streams).await;
        many(&scene, LARGE_ROUNDS, endless).await;
    });
    for (replica, (restarts, memory)) in scene.replicas.iter().zip(before) {
        let (restarts_now, memory_now) = replica.health();
        let name = replica.pod.as_deref().unwrap();
        eprintln!("{name}: {} MiB before, {} MiB after", memory >> 20, memory_now >> 20);
        assert_eq!(restarts_now, restarts, "{name} was not started again");
        assert!(memory_now < MOST_MEMORY, "{name} uses {memory_now} bytes");
        let log = kubectl::told(&["-n", "reeve-system", "logs", name]);
        assert!(!log.contains("panicked"), "{name} panicked: {log}");
        kubectl::told(&["-n", "reeve-system", "wait", "--for=condition=Ready", "--timeout=0", &format!("pod/{name}")]);
    }
    namespace.apply(lists("get_*"));
    programmed(&namespace, "mcppolicy/imaging", "True", "Programmed");
    let (list, get) = (call(&pod, "list_datastores"), call(&pod, "get_datastore"));
    assert!(list.starts_with("deny: ") && get.starts_with("allow: "), "{list}\n{get}");
}

/// Gets a page without TLS, on a connection of its own.
async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[test]
fn held_connections_do_not_keep_probes_out() {
    let _namespace = super::watched(&[]);
    let replica = Operator::replicas().remove(0);
    let address = replica.admin.unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut held = Vec::new();
        for _ in 0..200 {
            let stream = TcpStream::connect(&address).await.unwrap();
            let Ok((mut sender, connection)) = h2::client::handshake(stream).await else { continue };
            tokio::spawn(connection);
            let request = Request::get("http://x/live").body(()).unwrap();
            if let Ok((answer, _)) = sender.send_request(request, true) {
                let _ = answer.await;
            }
            held.push(sender);
        }
        for probe in 0..20 {
            let answer = timeout(Duration::from_secs(10), get(&address, "/live")).await.expect("a probe is answered");
            let answer = answer.unwrap_or_else(|error| error.to_string());
            assert!(answer.starts_with("HTTP/1.1 200"), "probe {probe} beside {} connections: {answer:?}", held.len());
        }
    });
}
