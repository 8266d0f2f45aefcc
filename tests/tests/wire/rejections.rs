//! Requests that are refused for what they are: each cause of the table in `docs/refusals.md` is provoked by one change to a
//! call that is permitted.

use std::collections::{BTreeMap, BTreeSet};

use reeve_tests::agent::{LEGACY, MODERN};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::process::root;
use reeve_tests::request::Request;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::json;

/// A change to a call that is permitted.
type Change = fn(&mut Request);

/// What provokes each cause.
const CHANGES: &[(&str, Change)] = &[
    ("host", |call| call.set("Host", "evil.example")),
    ("origin", |call| call.set("Origin", "https://evil.example")),
    ("path", |call| call.target = "/other".into()),
    ("http_method", |call| call.method = "PUT".into()),
    ("transport", |call| call.set("Upgrade", "websocket")),
    ("headers_too_large", |call| call.set("X-Large", &"x".repeat(33_000))),
    ("media_type", |call| call.set("Content-Type", "text/plain")),
    ("charset", |call| call.set("Content-Type", "application/json; charset=utf-16le")),
    ("content_encoding", |call| call.set("Content-Encoding", "gzip")),
    ("too_large", |call| call.set("Content-Length", "4194305")),
    ("body_incomplete", |call| {
        call.set("Transfer-Encoding", "chunked");
        call.body = b"2\r\n{}\r\nno length\r\n".into();
    }),
    ("empty", |call| call.body.clear()),
    ("bom", |call| call.insert(0, "\u{feff}")),
    ("malformed", |call| call.insert(1, ",")),
    ("utf8", |call| call.body.insert(2, 0xFF)),
    ("surrogate", |call| call.argue(r#""\ud800""#)),
    ("number", |call| call.argue("1e999")),
    ("trailing_data", |call| call.body.extend(b"{}")),
    ("duplicate_key", |call| call.replace(r#""id":1"#, r#""id":1,"id":1"#)),
    ("too_deep", |call| call.argue(&("[".repeat(126) + &"]".repeat(126)))),
    ("too_many_values", |call| call.argue(&format!("[{}1]", "1,".repeat(131_072)))),
    ("batch", |call| {
        call.body.insert(0, b'[');
        call.body.push(b']');
    }),
    ("case_variant_key", |call| call.replace(r#""name":"echo""#, r#""name":"echo","Name":"other""#)),
    ("not_jsonrpc", |call| call.replace(r#""jsonrpc":"2.0""#, r#""jsonrpc":"1.0""#)),
    ("invalid_id", |call| call.replace(r#""id":1"#, r#""id":1.5"#)),
    ("missing_id", |call| call.replace(r#""id":1,"#, "")),
    ("invalid_params", |call| call.replace(r#""arguments":{}"#, r#""arguments":[]"#)),
    ("duplicate_header", |call| call.add("Mcp-Name", "echo")),
    ("invalid_header", |call| call.set("Mcp-Name", "=?base64?!?=")),
    ("missing_header", |call| call.remove("Mcp-Method")),
    ("header_mismatch", |call| call.set("Mcp-Name", "other")),
    ("era_mismatch", |call| call.set("MCP-Protocol-Version", LEGACY)),
    ("unsupported_version", |call| {
        call.set("MCP-Protocol-Version", "2030-01-01");
        call.replace(MODERN, "2030-01-01");
    }),
    ("method_unknown", |call| call.ask("tools/execute", json!({}))),
    ("unknown_session", |call| {
        call.say_in_legacy(json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
        call.set("Mcp-Session-Id", "guessed");
    }),
    ("unknown_task", |call| call.ask("subscriptions/listen", json!({"notifications": {"taskIds": ["guessed"]}}))),
    ("too_many_subscriptions", |call| {
        call.ask("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": vec!["docs://a"; 257]}}));
    }),
    ("unmatched_response", |call| call.say_in_legacy(json!({"jsonrpc": "2.0", "id": 1, "result": {}}))),
];

/// Causes that take time, or another request or server, and have tests of their own.
const APART: [&str; 5] = ["body_timeout", "busy", "duplicate_id", "no_metadata", "too_many_requests"];

/// Causes that no agent can provoke: a mistake in the sidecar itself; and that no configuration has come, because a sidecar
/// that is started with a file serves only when it has read it.
const OUT_OF_REACH: [&str; 2] = ["internal", "not_configured"];

/// A sidecar in front of a server, which listens to agents within these bounds.
struct Scene {
    upstream: Upstream,
    sidecar: Sidecar,
}

impl Scene {
    fn with(listener: &str) -> Self {
        let upstream = Upstream::start();
        let server = format!("{{name: s, path: /mcp, url: '{}'}}", upstream.url);
        let config = format!("servers: [{server}]\npolicyFiles: [policy.yaml]\nlistener: {listener}\n");
        let setup = Setup::config(&config);
        setup.write("policy.yaml", ALLOW_ALL);
        Self { sidecar: setup.start(), upstream }
    }

    fn send(&self, request: &Request) -> Exchange {
        request.send_to(&self.sidecar.agents)
    }

    fn permits(&self, request: &Request) {
        let exchange = self.send(request);
        self.upstream.next().text("hello");
        assert_eq!(exchange.rest().status, 200);
    }

    /// Asserts that a request is answered as the documentation says of this cause, counted as that and nothing else, and
    /// that nothing of it reaches the server.
    fn rejects(&self, cause: &str, request: &Request) {
        let mut counted = self.counted();
        let answer = self.send(request).rest();
        let error = answer.json();
        let told = (answer.status, error["error"]["code"].as_i64().unwrap_or_default());
        assert_eq!(told, documented()[cause], "{cause}: {answer:?}");
        assert!(
            error.get("id").is_none_or(|id| *id == 1),
            "{cause}: the id is that of the request or left out: {error}"
        );
        self.upstream.saw_nothing();
        *counted.entry(cause.to_owned()).or_default() += 1.0;
        assert_eq!(self.counted(), counted, "{cause} is counted once, and nothing else");
    }

    /// The causes that have been counted so far.
    fn counted(&self) -> BTreeMap<String, f64> {
        let metrics = self.sidecar.metrics();
        let series = metrics.lines().filter_map(|line| line.strip_prefix("reeve_rejected_requests_total{cause=\""));
        let counts = series.filter_map(|rest| rest.split_once("\"} "));
        counts.map(|(cause, count)| (cause.to_owned(), count.parse().unwrap())).collect()
    }
}

/// The table of the documentation: the HTTP status and JSON-RPC code of each cause.
fn documented() -> BTreeMap<String, (u16, i64)> {
    let page = std::fs::read_to_string(root().join("docs/refusals.md")).unwrap();
    let (_, table) = page.split_once("<!-- generated: rejections -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let mut cells = row.split(" | ");
        let mut cell = || cells.next().unwrap();
        (cell().trim_end_matches('`').to_owned(), (cell().parse().unwrap(), cell().parse().unwrap()))
    });
    rows.collect()
}

#[test]
fn each_cause_is_answered_as_documented_and_counted_and_reaches_no_server() {
    let scene = Scene::with("{}");
    scene.permits(&Request::permitted());
    for (cause, change) in CHANGES {
        let mut request = Request::permitted();
        change(&mut request);
        scene.rejects(cause, &request);
    }
}

#[test]
fn a_body_that_does_not_come_in_time_is_refused() {
    let scene = Scene::with("{bodyTimeout: 1s}");
    let mut request = Request::permitted();
    let more = request.body.len() + 1;
    request.set("Content-Length", &more.to_string());
    scene.rejects("body_timeout", &request);
}

#[test]
fn a_body_for_which_there_is_no_memory_is_refused_until_there_is() {
    let scene = Scene::with("{maxBodyBytes: 65536, maxTotalBodyBytes: 65536}");
    let mut large = Request::permitted();
    large.argue(&format!("\"{}\"", "a".repeat(64_700)));
    let more = large.body.len() + 1;
    large.set("Content-Length", &more.to_string());
    let holding = scene.send(&large);
    // That what came first has been read shows only in another being refused.
    let refused = eventually("there is no memory left", || {
        let exchange = scene.send(&Request::permitted());
        let passed = scene.upstream.serves(&exchange, |request| request.text("there was"));
        (!passed).then(|| exchange.rest())
    });
    assert_eq!((refused.status, scene.counted()["busy"]), (503, 1.0), "{refused:?}");
    holding.hang_up();
    eventually("there is memory again", || {
        let exchange = scene.send(&Request::permitted());
        let passed = scene.upstream.serves(&exchange, |request| request.text("hello"));
        (passed && exchange.rest().status == 200).then_some(())
    });
}

#[test]
fn a_promise_of_large_bodies_keeps_nobody_out() {
    let scene = Scene::with("{maxBodyBytes: 65536, maxTotalBodyBytes: 131072}");
    let mut promising = Request::permitted();
    promising.set("Content-Length", "65536");
    let _promised: Vec<Exchange> = (0..16).map(|_| scene.send(&promising)).collect();
    scene.permits(&Request::permitted());
}

#[test]
fn large_bodies_that_are_held_back_keep_out_no_usual_call() {
    let scene = Scene::with("{maxBodyBytes: 1048576, maxTotalBodyBytes: 2097152}");
    let mut large = Request::permitted();
    large.argue(&format!("\"{}\"", "a".repeat(800_000)));
    let more = large.body.len() + 1;
    large.set("Content-Length", &more.to_string());
    let _held_back: Vec<Exchange> = (0..4).map(|_| scene.send(&large)).collect();
    // Those that find no room any more are told so: then the first hold all that they may.
    eventually("large bodies wait in vain", || {
        scene.counted().get("busy").is_some_and(|count| *count > 0.0).then_some(())
    });
    scene.permits(&Request::permitted());
}

#[test]
fn a_body_whose_length_is_not_stated_is_bounded_alike() {
    let scene = Scene::with("{maxBodyBytes: 1024}");
    let mut request = Request::permitted();
    request.chunk();
    scene.permits(&request);
    let mut request = Request::permitted();
    request.argue(&format!("\"{}\"", "a".repeat(1_024)));
    request.chunk();
    scene.rejects("too_large", &request);
}

#[test]
fn an_unknown_method_is_not_answered_404_where_that_would_end_a_session() {
    let scene = Scene::with("{}");
    for (message, status) in [
        (json!({"jsonrpc": "2.0", "id": 1, "method": "tools/execute"}), 200),
        (json!({"jsonrpc": "2.0", "method": "notifications/execute"}), 400),
    ] {
        let mut request = Request::permitted();
        request.say_in_legacy(message);
        let answer = scene.send(&request).rest();
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(-32601)), "{answer:?}");
    }
    scene.upstream.saw_nothing();
}

#[test]
fn every_cause_of_the_table_is_provoked_or_out_of_reach() {
    let provoked = CHANGES.iter().map(|(cause, _)| *cause);
    let listed: Vec<&str> = provoked.chain(APART).chain(OUT_OF_REACH).collect();
    let documented = documented();
    assert_eq!(BTreeSet::from_iter(listed.iter().copied()), documented.keys().map(String::as_str).collect());
    assert_eq!(listed.len(), documented.len(), "each stands in one list");
}
