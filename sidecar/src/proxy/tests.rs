//! What agents are told before any configuration has come.

use std::net::{Ipv4Addr, SocketAddr};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reeve_policy::limit::Capacity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::audit::{Destination, Log, Settings};
use crate::config::OnFull;
use crate::lifecycle;
use crate::state::{Cache, Sources};

fn unconfigured() -> Proxy {
    let clock = Clock::system();
    let settings = Settings { on_full: OnFull::Deny, queue_bytes: 0 };
    let sources =
        Sources { limits: Box::new(|_| Vec::new()), bindings: Box::new(String::new), catalogues: Box::new(Vec::new) };
    let parts = Parts {
        live: Arc::default(),
        gate: Gate::new(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 14_001))], &[], &[]),
        limiter: Arc::new(Limiter::new(Capacity::default())),
        audit: Log::open(Destination::Off, settings, clock.clone()).unwrap(),
        metrics: Metrics::new(clock.clone()).unwrap(),
        drain: lifecycle::drain().1,
        keeper: Keeper::start(&Cache::none(), sources, clock.clone()).unwrap(),
        bindings: Arc::new(Mutex::new(Bindings::new(REMEMBERED))),
        clock,
    };
    Proxy::new(parts, &Listener::default()).unwrap()
}

/// The whole answer to a request with this line and these further headers.
async fn told(line: &str, headers: &str, body: &str) -> String {
    let (mut agent, sidecar) = tokio::io::duplex(64 << 10);
    let proxy = unconfigured();
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
