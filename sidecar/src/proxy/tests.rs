//! What agents are told before any configuration has come, and what is left of one that is no longer in force.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reeve_policy::limit::Capacity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::audit::{Destination, Log, Settings};
use crate::config::OnFull;
use crate::config::source::{Inputs, Origin, load};
use crate::lifecycle;
use crate::live::{Builder, Catalogues, Live, Prepared};
use crate::state::{Cache, Sources};
use crate::upstream::Environment;

/// A server at this URL that an McpPolicy with these rules governs.
pub(super) fn live(upstream: &str, rules: &str) -> Live {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    let head =
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {name: agents}\nspec:\n  serverRefs: [{name: '*'}]";
    std::fs::write(&policy, format!("{head}\n  rules: [{rules}]\n")).unwrap();
    let origin = Origin::Flags { policies: vec![policy], upstream: upstream.into() };
    let inputs = Inputs { origin, grant: None, audit: None, audit_on_full: None };
    let loaded = load(&inputs, &Environment::default()).unwrap_or_else(|wrong| panic!("{:?}", wrong.diagnostics));
    let limiter = Arc::new(Limiter::new(Capacity::default()));
    let metrics = Metrics::new(Clock::system()).unwrap();
    Builder::new(limiter, Arc::new(Catalogues::default()), metrics).build(&Prepared::from(&loaded), None)
}

fn proxy(live: Arc<Current>, audit: Destination, metrics: &Arc<Metrics>, drain: Drain) -> Proxy {
    let clock = Clock::system();
    let settings = Settings { on_full: OnFull::Deny, queue_bytes: 0 };
    let sources =
        Sources { limits: Box::new(|_| Vec::new()), bindings: Box::new(String::new), catalogues: Box::new(Vec::new) };
    let parts = Parts {
        live,
        gate: Gate::new(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 14_001))], &[], &[]),
        limiter: Arc::new(Limiter::new(Capacity::default())),
        audit: Log::open(audit, settings, clock.clone()).unwrap(),
        metrics: Arc::clone(metrics),
        tracer: None,
        drain,
        keeper: Keeper::start(&Cache::none(), sources, clock.clone()).unwrap(),
        bindings: Arc::new(Mutex::new(Bindings::new(REMEMBERED))),
        clock,
    };
    Proxy::new(parts, &Listener::default()).unwrap()
}

/// The whole answer to a request with this line and these further headers.
async fn told(line: &str, headers: &str, body: &str) -> String {
    let metrics = Metrics::new(Clock::system()).unwrap();
    told_by(proxy(Arc::default(), Destination::Off, &metrics, lifecycle::drain().1), line, headers, body).await
}

/// The same of this proxy.
async fn told_by(proxy: Proxy, line: &str, headers: &str, body: &str) -> String {
    let (mut agent, sidecar) = tokio::io::duplex(64 << 10);
    let answer = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, std::convert::Infallible>(proxy.respond(request).await) }
    });
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(sidecar), answer));
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:14001\r\nConnection: close\r\nContent-Length: {length}\r\n");
    agent.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).await.unwrap();
    let mut text = String::new();
    agent.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn without_a_configuration_every_request_is_told_so() {
    for (line, headers) in [("GET /mcp", "Accept: text/event-stream\r\n"), ("DELETE /mcp", "Mcp-Session-Id: one\r\n")] {
        let text = told(line, headers, "").await;
        assert!(text.starts_with("HTTP/1.1 503") && text.contains("not received a configuration"), "{text}");
        assert!(text.contains(r#""jsonrpc":"2.0","error":{"code":503"#), "{text}");
    }
    let json = "Content-Type: application/json\r\n";
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    let text = told("POST /anywhere", json, call).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(r#""isError":true"#), "{text}");
    assert!(text.contains("NoConfiguration"), "{text}");
    let text = told("POST /mcp", json, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
}

#[tokio::test]
async fn without_a_configuration_calls_are_recorded_and_counted_and_other_requests_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let metrics = Metrics::new(Clock::system()).unwrap();
    let proxy = proxy(Arc::default(), Destination::File(log.clone()), &metrics, lifecycle::drain().1);
    let json = "Content-Type: application/json\r\nMcp-Session-Id: one\r\n";
    for (method, params) in [
        ("tools/call", r#"{"name":"echo","arguments":{"text":"secret"}}"#),
        ("resources/read", r#"{"uri":"file:///a"}"#),
        ("prompts/get", r#"{"name":"greet"}"#),
        ("tools/list", "{}"),
        ("nobody/knows", "{}"),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let text = told_by(proxy.clone(), "POST /mcp", json, &body).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("NoConfiguration"), "{method}: {text}");
    }
    proxy.0.audit.close(Duration::from_secs(10)).unwrap();
    let lines = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<crate::audit::Line> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let calls: Vec<_> = lines.iter().filter(|line| line.event == "call").collect();
    assert!(
        calls
            .iter()
            .all(|line| (line.decision.as_deref(), line.reason.as_deref()) == (Some("deny"), Some("NoConfiguration"))
                && (&line.server, &line.grant) == (&None, &None)
                && line.session.is_some())
    );
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].tool.as_deref(), Some("echo"));
    assert_eq!(calls[0].argument_keys, Some(vec!["text".to_owned()]));
    assert_eq!(calls[1].resource.as_deref(), Some("file:///a"));
    assert_eq!(calls[2].prompt.as_deref(), Some("greet"));
    let told = String::from_utf8(metrics.encode().unwrap()).unwrap();
    for (tool, count) in [("_other", 1), ("resources/read", 1), ("prompts/get", 1)] {
        let series = format!(
            "reeve_calls_total{{decision=\"deny\",mode=\"Enforce\",policy=\"\",reason=\"NoConfiguration\",rule=\"\",\
             server=\"\",tool=\"{tool}\"}} {count}\n"
        );
        assert!(told.contains(&series), "{series}\n{told}");
    }
    assert!(told.contains("reeve_decision_duration_seconds_count 3\n"), "{told}");
    assert!(told.contains("reeve_rejected_requests_total{cause=\"not_configured\"} 2\n"), "{told}");
}

/// A server that answers each request with the beginning of an endless stream.
async fn streams() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: open\n\n").await.unwrap();
            open.push(stream);
        }
    });
    url
}

/// The body of the answer to a request of the legacy era.
async fn begun(proxy: Proxy, method: &Method, body: &'static str) -> Incoming {
    let (agent, sidecar) = tokio::io::duplex(64 << 10);
    let answer = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, std::convert::Infallible>(proxy.respond(request).await) }
    });
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(sidecar), answer));
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(agent)).await.unwrap();
    tokio::spawn(driver);
    let request = Request::builder().method(method).uri("/mcp").header(header::HOST, "127.0.0.1:14001");
    let request = request.header(header::CONTENT_TYPE, "application/json").header(header::ACCEPT, "text/event-stream");
    let response = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200, "{method}: {response:?}");
    response.into_body()
}

/// A server that answers a request with this beginning of a stream, and then waits for the connection's end.
async fn stream_of(events: String) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let ended = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        stream.write_all(format!("{head}{events}").as_bytes()).await.unwrap();
        while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
    });
    (url, ended)
}

fn notification(text: &str) -> String {
    format!(
        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"level\":\"info\",\"data\":\"{text}\"}}}}\n\n"
    )
}

async fn next_text(stream: &mut Incoming) -> String {
    let data = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(data.to_vec()).unwrap()
}

#[tokio::test]
async fn while_a_large_event_waits_to_be_read_other_requests_are_answered_and_nothing_later_of_its_stream_passes() {
    let large = notification(&"x".repeat(2 * WORKER_BYTES));
    let (url, ended) = stream_of([notification("first"), large.clone(), notification("last")].concat()).await;
    let current = Arc::new(Current::default());
    current.swap(live(&url, "{name: all, tools: ['*'], action: Allow}"));
    let (_trigger, drain) = lifecycle::drain();
    let proxy = proxy(Arc::clone(&current), Destination::Off, &Metrics::new(Clock::system()).unwrap(), drain);
    let turns = Arc::clone(&proxy.0.reading).acquire_many_owned(READ_AT_ONCE.try_into().unwrap()).await.unwrap();
    let mut stream = begun(proxy.clone(), &Method::GET, "").await;
    assert_eq!(next_text(&mut stream).await, notification("first"));
    for _ in 0..20 {
        tokio::select! {
            biased;
            early = next_text(&mut stream) => panic!("{} bytes passed before the large event was read", early.len()),
            answer = told_by(proxy.clone(), "GET /nowhere", "", "") => assert!(answer.starts_with("HTTP/1.1 404"), "{answer}"),
        }
    }
    drop(turns);
    let mut rest = String::new();
    while rest.len() < large.len() + notification("last").len() {
        rest += &next_text(&mut stream).await;
    }
    assert!(rest == large + &notification("last"), "the events are what they were, in their order");
    drop(stream);
    ended.await.unwrap();
}

#[tokio::test]
async fn an_agent_that_hangs_up_while_a_large_event_waits_to_be_read_ends_the_stream_at_the_server() {
    let (url, ended) = stream_of(notification("first") + &notification(&"x".repeat(2 * WORKER_BYTES))).await;
    let current = Arc::new(Current::default());
    current.swap(live(&url, "{name: all, tools: ['*'], action: Allow}"));
    let (_trigger, drain) = lifecycle::drain();
    let proxy = proxy(Arc::clone(&current), Destination::Off, &Metrics::new(Clock::system()).unwrap(), drain);
    let _turns = Arc::clone(&proxy.0.reading).acquire_many_owned(READ_AT_ONCE.try_into().unwrap()).await.unwrap();
    let mut stream = begun(proxy.clone(), &Method::GET, "").await;
    assert_eq!(next_text(&mut stream).await, notification("first"));
    drop(stream);
    ended.await.unwrap();
}

#[tokio::test]
async fn an_open_stream_holds_nothing_of_its_configuration_but_the_server() {
    let url = streams().await;
    let rules = "{name: all, tools: ['*'], action: Allow}";
    let current = Arc::new(Current::default());
    current.swap(live(&url, rules));
    let (_trigger, drain) = lifecycle::drain();
    let proxy = proxy(Arc::clone(&current), Destination::Off, &Metrics::new(Clock::system()).unwrap(), drain);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    for (method, body) in [(Method::GET, ""), (Method::POST, call)] {
        let mut stream = begun(proxy.clone(), &method, body).await;
        assert_eq!(stream.frame().await.unwrap().unwrap().into_data().unwrap(), ": open\n", "{method}");
        let replaced = current.swap(live(&url, rules)).unwrap();
        assert!(replaced.is_alone(), "{method}");
    }
}
