//! What reaches the server of what an agent sends.

use reeve_tests::agent::{Agent, told};
use reeve_tests::http::{self, Exchange, request};
use reeve_tests::sidecar::{ALLOW_ALL, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::ECHO_ONLY;

#[test]
fn the_bytes_that_were_decided_on_are_the_bytes_that_are_forwarded() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    // What a parser that writes again would not write alike: white space, escapes, numbers, the order of keys.
    let body = "\n{ \"params\" : {\"arguments\":{\"n\":123456789012345678901234567890,\"x\":1e2,\"y\":-0.10,\
                \"s\":\"\\u00e9 \\/ \\ud83d\\ude00 é\",\"deep\":[[],{},[null,true]]},\t\"name\":\"e\\u0063ho\"},\r\n\
                \"method\":\"tools\\/call\" ,\"id\":\"\\u0031\",\"jsonrpc\":\"2.0\" }\n";
    let exchange = Agent::legacy(&sidecar.url).begin_raw("tools/call", None, body);
    let seen = upstream.next();
    assert_eq!(String::from_utf8_lossy(&seen.body), body);
    seen.answer("200 OK", &["Content-Type: application/json"], "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
    assert_eq!(exchange.rest().body, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
}

#[test]
fn headers_for_the_server_arrive_and_those_for_this_hop_do_not() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let agent = Agent::modern(&sidecar.url)
        .with("Authorization", "Bearer agent")
        .with("X-Tenant", "clinic")
        .with("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .with("Accept-Encoding", "gzip, deflate")
        .with("Connection", "X-Only-Here")
        .with("X-Only-Here", "1")
        .with("Keep-Alive", "timeout=5")
        .with("TE", "trailers")
        .with("Proxy-Authorization", "Basic agent")
        .with("X-Forwarded-For", "10.0.0.1")
        .with("True-Client-IP", "10.0.0.1")
        .with("X-Envoy-Internal", "true")
        .with("Cookie", "a=1")
        .with("Cookie", "b=2")
        .with("Origin", &sidecar.agents);
    let exchange = agent.begin("tools/call", json!({"name": "echo", "arguments": {}}));
    let seen = upstream.next();
    for (name, value) in [
        ("Host", http::split(&upstream.url).0),
        ("Authorization", "Bearer agent"),
        ("X-Tenant", "clinic"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "echo"),
        ("Content-Type", "application/json"),
        ("Cookie", "a=1; b=2"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name} arrives: {}", seen.head);
    }
    for name in [
        "Accept-Encoding",
        "X-Only-Here",
        "Keep-Alive",
        "TE",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "True-Client-IP",
        "X-Envoy-Internal",
        "Origin",
        "Transfer-Encoding",
    ] {
        assert_eq!(seen.header(name), None, "{name} ends here: {}", seen.head);
    }
    seen.text("hello");
    assert_eq!(told(&exchange.rest()), ("result".into(), "hello".into()));
}

#[test]
fn headers_of_the_other_era_do_not_reach_the_server() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let legacy = Agent::legacy(&sidecar.url).with("Mcp-Method", "tools/list").with("Mcp-Name", "x").begin_call("echo");
    let seen = upstream.next();
    assert_eq!((seen.header("Mcp-Method"), seen.header("Mcp-Name")), (None, None));
    seen.text("legacy");
    assert_eq!(told(&legacy.rest()).1, "legacy");
    let modern = Agent::modern(&sidecar.url).in_session("abc").with("Last-Event-ID", "7").begin_call("echo");
    let seen = upstream.next();
    assert_eq!((seen.header("Mcp-Session-Id"), seen.header("Last-Event-ID")), (None, None));
    seen.text("modern");
    assert_eq!(told(&modern.rest()).1, "modern");
}

#[test]
fn both_eras_are_governed_on_one_port() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    for agent in [Agent::legacy(&sidecar.url), Agent::modern(&sidecar.url)] {
        let refused = agent.call("delete_everything", json!({}));
        assert_eq!(refused.status, 200, "{refused:?}");
        assert_eq!(told(&refused).0, "isError", "{refused:?}");
        upstream.saw_nothing();
        let exchange = agent.begin_call("echo");
        upstream.next().text("hello");
        assert_eq!(told(&exchange.rest()), ("result".into(), "hello".into()));
    }
}

#[test]
fn a_foreign_host_or_origin_is_refused() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    for (name, value, cause) in [
        ("Host", "evil.example.com", "host"),
        ("Host", "localhost.evil.example.com", "host"),
        ("Host", "127.0.0.1", "host"),
        ("Origin", "http://evil.example.com", "origin"),
        ("Origin", "null", "origin"),
    ] {
        let answer = agent.clone().with(name, value).call("echo", json!({}));
        assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
        assert!(
            sidecar.metric(&format!("reeve_rejected_requests_total{{cause=\"{cause}\"}}")) > 0.0,
            "{name}: {value}"
        );
        upstream.saw_nothing();
    }
    let port = sidecar.agents.rsplit(':').next().unwrap();
    let by_name = agent.clone().with("Host", &format!("localhost:{port}")).begin_call("echo");
    upstream.next().text("hello");
    assert_eq!(told(&by_name.rest()).1, "hello", "its own name is no foreign one");
}

#[test]
fn only_the_servers_own_path_leads_to_it() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    for path in ["", "/", "/mcp/", "/MCP", "/%6dcp", "/mcp?x=1", "/./mcp", "//mcp", "/sse", "/message", "/mcp/../mcp"] {
        let answer = Agent::modern(&format!("{}{path}", sidecar.agents)).call("echo", json!({}));
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        upstream.saw_nothing();
    }
}

#[test]
fn methods_that_the_sidecar_does_not_know_are_denied() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    for method in ["admin/reset", "Tools/Call", "tools/call ", "tools/execute", "sampling/createMessage"] {
        let agent = Agent::modern(&sidecar.url);
        let modern = agent.begin_raw(method, None, &agent.body(method, json!({"name": "echo"}))).rest();
        assert!((400..500).contains(&modern.status), "{method}: {modern:?}");
        let legacy = Agent::legacy(&sidecar.url).ask(method, json!({"name": "echo"}));
        assert_eq!(legacy.json()["error"]["code"], -32601, "{method}: {legacy:?}");
        upstream.saw_nothing();
    }
    assert!(sidecar.metric("reeve_rejected_requests_total{cause=\"method_unknown\"}") > 0.0);
}

#[test]
fn other_transports_and_http_methods_are_refused() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let address = http::split(&sidecar.url).0;
    for method in ["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE"] {
        let answer = Exchange::begin(address, &request(method, &sidecar.url, &[], "")).unwrap().rest();
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
        assert_eq!(answer.header("Allow"), Some("POST, GET, DELETE"));
    }
    let upgrade = [("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")];
    let answer = Exchange::begin(address, &request("GET", &sidecar.url, &upgrade, "")).unwrap().rest();
    assert_eq!(answer.status, 405, "{answer:?}");
    upstream.saw_nothing();
}

/// A policy that permits some documents and prompts.
const OPEN_ONLY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: open-only}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: open, resources: ['docs://open/*'], prompts: ['open*'], action: Allow}
";

/// Asserts that policy keeps one of these requests from the server, and lets the other through.
fn only_the_open_one_passes(method: &str, agent: &Agent, upstream: &Upstream, shut: Value, open: Value) {
    let refused = agent.ask(method, shut);
    assert_eq!(refused.json()["error"]["data"]["reeve.dev/decision"]["reason"], "NoRule", "{method}: {refused:?}");
    upstream.saw_nothing();
    let exchange = agent.begin(method, open);
    upstream.next().result(json!({"resultType": "complete", "completion": {"values": []}}));
    let passed = exchange.rest();
    assert!(passed.json()["result"].is_object(), "{method}: {passed:?}");
}

#[test]
fn a_completion_of_what_policy_denies_reaches_no_server_and_one_of_what_it_permits_does() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(OPEN_ONLY, &upstream.url);
    for agent in [Agent::legacy(&sidecar.url), Agent::modern(&sidecar.url)] {
        let of = |reference: Value| json!({"ref": reference, "argument": {"name": "x", "value": "y"}});
        let prompt = |name: &str| of(json!({"type": "ref/prompt", "name": name}));
        let resource = |uri: &str| of(json!({"type": "ref/resource", "uri": uri}));
        for (shut, open) in
            [(prompt("secret"), prompt("open")), (resource("docs://secret/{id}"), resource("docs://open/{id}"))]
        {
            only_the_open_one_passes("completion/complete", &agent, &upstream, shut, open);
        }
    }
}

#[test]
fn a_subscription_to_what_policy_denies_reaches_no_server_and_one_to_what_it_permits_does() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(OPEN_ONLY, &upstream.url);
    let agent = Agent::legacy(&sidecar.url);
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        let of = |uri: &str| json!({"uri": uri});
        only_the_open_one_passes(method, &agent, &upstream, of("docs://secret/a"), of("docs://open/a"));
    }
}

#[test]
fn a_header_that_contradicts_the_argument_which_it_repeats_is_refused() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    let region = json!({"region": {"type": "string", "x-mcp-header": "Region"}});
    let tools = json!([{"name": "echo", "inputSchema": {"type": "object", "properties": region}}]);
    let exchange = agent.begin("tools/list", json!({}));
    upstream.next().result(json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": tools}));
    assert_eq!(exchange.rest().status, 200);
    let arguments = json!({"region": "here"});
    let lying = agent.clone().with("Mcp-Param-Region", "there").call("echo", arguments.clone());
    assert_eq!((lying.status, told(&lying).0.as_str()), (400, "-32020"), "{lying:?}");
    upstream.saw_nothing();
    let honest = agent.with("Mcp-Param-Region", "here");
    let exchange = honest.begin("tools/call", json!({"name": "echo", "arguments": arguments}));
    upstream.next().text("hello");
    assert_eq!(told(&exchange.rest()).1, "hello");
}
