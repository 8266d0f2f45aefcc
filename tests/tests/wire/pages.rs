//! Web pages as agents: what a browser asks before, and whether it shows the page what it is told.

use reeve_tests::agent::Agent;
use reeve_tests::http::{self, Answer, Exchange, request};
use reeve_tests::sidecar::{ECHO_ONLY, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::json;

const PAGE: &str = "https://console.example";

/// A sidecar that pages of [`PAGE`] may call.
fn before(upstream: &Upstream) -> Sidecar {
    let setup = Setup::config(&format!(
        "servers: [{{name: s, path: /mcp, url: '{}'}}]\npolicyFiles: [policy.yaml]\nlistener: {{allowedOrigins: ['{PAGE}']}}\n",
        upstream.url
    ));
    setup.write("policy.yaml", ECHO_ONLY);
    setup.start()
}

fn url(sidecar: &Sidecar) -> String {
    format!("{}/mcp", sidecar.agents)
}

/// What a browser asks before a page of this origin posts JSON.
fn preflight(sidecar: &Sidecar, origin: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type,mcp-param-region,mcp-protocol-version"),
    ];
    let bytes = request("OPTIONS", &url(sidecar), &headers, "");
    Exchange::begin(http::split(&sidecar.agents).0, &bytes).unwrap().rest()
}

/// Every value of a header.
fn all<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

/// That the browser shows this answer to the page, and to no other.
fn is_shown(answer: &Answer) {
    assert_eq!(all(answer, "Access-Control-Allow-Origin"), [PAGE], "{answer:?}");
    assert_eq!(all(answer, "Access-Control-Expose-Headers"), ["Mcp-Session-Id, WWW-Authenticate"], "{answer:?}");
    assert_eq!(all(answer, "Vary"), ["Origin"], "{answer:?}");
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), None, "{answer:?}");
}

#[test]
fn a_page_of_a_permitted_origin_may_call_and_read_what_it_is_told() {
    let upstream = Upstream::start();
    let sidecar = before(&upstream);
    let may = preflight(&sidecar, PAGE);
    assert_eq!(may.status, 204, "{may:?}");
    is_shown(&may);
    assert_eq!(may.header("Access-Control-Allow-Methods"), Some("POST, GET, DELETE"));
    let headers = may.header("Access-Control-Allow-Headers").unwrap().to_lowercase();
    for name in ["content-type", "mcp-protocol-version", "mcp-param-region", "authorization"] {
        assert!(headers.split(", ").any(|permitted| permitted == name), "{name}: {headers}");
    }
    upstream.saw_nothing();

    let page = Agent::legacy(&url(&sidecar)).with("Origin", PAGE);
    let exchange = page.begin("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    let own = [
        "Content-Type: application/json",
        "Mcp-Session-Id: one",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "Access-Control-Expose-Headers: X-Of-The-Server",
    ];
    let seen = upstream.next();
    assert_eq!(seen.header("Origin"), None);
    seen.answer(
        "200 OK",
        &own,
        r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#,
    );
    let begun = exchange.rest();
    is_shown(&begun);
    assert_eq!(begun.header("Mcp-Session-Id"), Some("one"));
    let page = page.in_session("one");
    let mut stream = page.stream();
    let mut open = upstream.next();
    open.begin_events();
    let head = stream.until("\r\n\r\n").to_lowercase();
    assert!(head.contains(&format!("access-control-allow-origin: {PAGE}")), "{head}");
    open.end();

    is_shown(&page.call("delete_everything", json!({})));
    let unread = page.with("Mcp-Name", "a").with("Mcp-Name", "b").call("echo", json!({}));
    assert_eq!(unread.status, 400, "{unread:?}");
    is_shown(&unread);
}

#[test]
fn no_other_page_is_told_anything() {
    let upstream = Upstream::start();
    let sidecar = before(&upstream);
    for origin in ["https://evil.example", "null", "https://console.example.evil.example", "http://console.example"] {
        let refused =
            [preflight(&sidecar, origin), Agent::legacy(&url(&sidecar)).with("Origin", origin).call("echo", json!({}))];
        for answer in refused {
            assert_eq!(answer.status, 403, "{origin}: {answer:?}");
            assert!(!answer.head.to_lowercase().contains("access-control-"), "{origin}: {answer:?}");
        }
    }
    upstream.saw_nothing();
}

#[test]
fn what_is_no_page_is_answered_as_if_there_were_none() {
    let upstream = Upstream::start();
    let sidecar = before(&upstream);
    let bytes = request("OPTIONS", &url(&sidecar), &[("Access-Control-Request-Method", "POST")], "");
    let refused = Exchange::begin(http::split(&sidecar.agents).0, &bytes).unwrap().rest();
    assert_eq!((refused.status, refused.header("Allow")), (405, Some("POST, GET, DELETE")));
    let exchange = Agent::legacy(&url(&sidecar)).begin_call("echo");
    upstream.next().text("hello");
    for answer in [refused, exchange.rest()] {
        assert!(!answer.head.to_lowercase().contains("access-control-"), "{answer:?}");
        assert_eq!(answer.header("Vary"), None);
    }
}

#[test]
fn a_page_that_names_loopback_otherwise_reads_no_metrics() {
    let sidecar = before(&Upstream::start());
    let metrics = format!("{}/metrics", sidecar.admin);
    let address = http::split(&metrics).0;
    let port = address.rsplit(':').next().unwrap();
    let under = |host: &str| {
        let bytes = request("GET", &metrics, &[("Host", host)], "");
        Exchange::begin(address, &bytes).unwrap().rest()
    };
    for host in ["evil.example", &format!("evil.example:{port}")] {
        let answer = under(host);
        assert!(answer.status == 403 && answer.body.contains("listener.allowedHosts"), "{host}: {answer:?}");
    }
    for host in [address, &format!("localhost:{port}")] {
        let answer = under(host);
        assert!(answer.status == 200 && answer.body.contains("reeve_build_info"), "{host}: {answer:?}");
    }
}
