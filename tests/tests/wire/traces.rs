//! Spans of calls: what a real collector is sent, what the server is told, and that nobody waits for a collector.

use std::time::{Duration, Instant};

use reeve_tests::agent::Agent;
use reeve_tests::collector::{Collector, attribute};
use reeve_tests::eventually::eventually;
use reeve_tests::sidecar::{Setup, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::{Value, json};

use super::{ECHO_ONLY, ONE_ECHO};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SECRET: &str = "patient-0815";

/// A sidecar whose environment says this of OpenTelemetry.
fn traced(policy: &str, upstream: &Upstream, variables: &[(&str, &str)]) -> Sidecar {
    Setup::policy(policy, &upstream.url).start_as(|command| command.envs(variables.iter().copied()))
}

/// The spans that reach a collector made of a socket are of no interest here.
fn sink() -> Upstream {
    Upstream::start()
}

fn endpoint(of: &Upstream) -> String {
    of.url.strip_suffix("/mcp").unwrap().to_owned()
}

/// The parts of a `traceparent`: trace, span, flags.
fn parts(request: &Request) -> [String; 3] {
    let value = request.header("traceparent").unwrap_or_else(|| panic!("no traceparent: {}", request.head));
    let parts: Vec<&str> = value.split('-').collect();
    let ["00", trace, span, flags] = parts[..] else { panic!("{value}") };
    [trace, span, flags].map(str::to_owned)
}

#[test]
fn a_real_collector_is_sent_a_span_of_each_call_that_joins_its_audit_line() {
    let Some(collector) = Collector::start() else {
        return eprintln!("LEFT OUT: the collector is not installed: see `tests/install collector`");
    };
    let upstream = Upstream::start();
    let mut sidecar = traced(
        ONE_ECHO,
        &upstream,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_SERVICE_NAME", "imaging-agent"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
            // What waits is sent at the end.
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ],
    );
    let agent = Agent::modern(&sidecar.url).with("traceparent", PARENT).with("tracestate", "vendor=1");
    let arguments = json!({"name": "echo", "arguments": {"message": SECRET}});
    let exchange = agent.begin("tools/call", arguments.clone());
    let request = upstream.next();
    let told = parts(&request);
    request.text("done");
    exchange.rest();
    agent.ask("tools/call", arguments);
    Agent::modern(&sidecar.url).call("delete_everything", json!({"why": SECRET}));
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);

    let spans = collector.spans(3);
    let lines = sidecar.decisions(3);
    let pairs: Vec<(&Value, &Value)> = spans.iter().zip(&lines).collect();
    assert_eq!(pairs.len(), 3, "one for each call");
    for (span, line) in &pairs {
        assert_eq!(span["traceId"], line["traceId"], "{span} {line}");
        let of_span = |key: &str| attribute(&span["attributes"], key);
        for (key, member) in [
            ("mcp.method.name", "method"),
            ("gen_ai.tool.name", "tool"),
            ("reeve.server", "server"),
            ("reeve.decision", "decision"),
            ("reeve.reason", "reason"),
            ("reeve.rule", "rule"),
        ] {
            assert_eq!(of_span(key), line[member].as_str(), "{key}: {span} {line}");
        }
        assert_eq!(of_span("mcp.protocol.version"), Some("2026-07-28"));
        assert_eq!(attribute(&span["resource"], "service.name"), Some("imaging-agent"));
        assert_eq!(attribute(&span["resource"], "deployment.environment.name"), Some("test"));
        assert_eq!(span["kind"], 2, "it serves the agent");
    }
    let [(allowed, _), (limited, _), (denied, _)] = pairs[..] else { unreachable!("there are three") };
    assert_eq!((&allowed["traceId"], &allowed["parentSpanId"]), (&json!(TRACE), &json!("00f067aa0ba902b7")));
    assert_eq!((&allowed["name"], &allowed["traceState"]), (&json!("tools/call echo"), &json!("vendor=1")));
    assert_eq!(told, [TRACE, allowed["spanId"].as_str().unwrap(), "01"], "the server's parent is the sidecar's span");
    assert_eq!((attribute(&allowed["attributes"], "error.type"), &allowed["status"]), (None, &json!({})));
    assert_eq!(attribute(&limited["attributes"], "error.type"), Some("LimitExceeded"));
    assert_eq!(limited["status"]["code"], 2);
    assert_eq!(attribute(&denied["attributes"], "error.type"), Some("NoRule"));
    assert_eq!(denied["name"], "tools/call", "a name that nobody knows names no span");
    assert!(denied["traceId"] != TRACE && denied.get("parentSpanId").is_none_or(|id| id == ""), "{denied}");
    assert!(!format!("{spans:?}").contains(SECRET), "no value of an argument is in a span");
}

/// How a server answers.
type Answer = fn(Request);

#[test]
fn how_a_server_fails_is_told() {
    let Some(collector) = Collector::start() else {
        return eprintln!("LEFT OUT: the collector is not installed: see `tests/install collector`");
    };
    let upstream = Upstream::start();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let sidecar = traced(ECHO_ONLY, &upstream, &variables);
    let agent = Agent::modern(&sidecar.url);
    let answers: [(&str, Answer); 6] = [
        ("tool_error", |request| request.result(json!({"resultType": "complete", "isError": true, "content": []}))),
        ("-32602", |request| {
            let error =
                json!({"jsonrpc": "2.0", "id": request.json()["id"], "error": {"code": -32602, "message": "no"}});
            request.answer("200 OK", &["Content-Type: application/json"], &error.to_string());
        }),
        ("502", |request| request.answer("502 Bad Gateway", &["Content-Type: text/plain"], "no")),
        ("reset", drop),
        ("no_answer", |request| request.answer("200 OK", &["Content-Type: text/event-stream"], ": nothing\n\n")),
        ("unreadable", |request| request.answer("200 OK", &["Content-Type: application/json"], "no JSON")),
    ];
    for (number, (expected, answer)) in answers.into_iter().enumerate() {
        let exchange = agent.begin_call("echo");
        answer(upstream.next());
        exchange.rest();
        let spans = collector.spans(number + 1);
        let found = attribute(&spans[number]["attributes"], "error.type");
        assert_eq!(found, Some(expected), "{}", spans[number]);
    }
    let exchange = agent.begin_call("echo");
    let request = upstream.next();
    drop(exchange);
    request.closed();
    assert_eq!(attribute(&collector.spans(7)[6]["attributes"], "error.type"), Some("cancelled"));
}

#[test]
fn what_the_message_says_of_its_trace_holds_before_the_header_and_in_the_audit_log_too() {
    const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";
    let (upstream, sink) = (Upstream::start(), sink());
    let on = traced(ECHO_ONLY, &upstream, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&sink))]);
    let off = traced(ECHO_ONLY, &upstream, &[]);
    for (sidecar, is_on) in [(&on, true), (&off, false)] {
        let agent = Agent::legacy(&sidecar.url).with("traceparent", OTHER).with("tracestate", "vendor=1");
        let meta = json!({"traceparent": PARENT, "tracestate": "vendor=2"});
        let exchange = agent.begin("tools/call", json!({"name": "echo", "arguments": {}, "_meta": meta}));
        let request = upstream.next();
        assert_eq!(request.json()["params"]["_meta"], meta, "the body is not changed");
        let (traceparent, tracestate) = (request.header("traceparent").unwrap(), request.header("tracestate"));
        if is_on {
            assert!(traceparent.contains(TRACE) && tracestate == Some("vendor=2"), "{}", request.head);
        } else {
            assert_eq!((traceparent, tracestate), (OTHER, Some("vendor=1")), "what passes is not touched");
        }
        request.text("done");
        exchange.rest();
        assert_eq!(sidecar.decisions(1)[0]["traceId"], TRACE);
    }
}

#[test]
fn a_call_without_a_trace_begins_one_only_where_calls_are_recorded() {
    let (upstream, sink) = (Upstream::start(), sink());
    let url = endpoint(&sink);
    let of = |variables: &[(&str, &str)]| {
        let sidecar = traced(ECHO_ONLY, &upstream, variables);
        let exchange = Agent::modern(&sidecar.url).begin_call("echo");
        let request = upstream.next();
        let told = request.header("traceparent").is_some().then(|| parts(&request));
        request.text("done");
        exchange.rest();
        let recorded = sidecar.decisions(1)[0]["traceId"].as_str().map(str::to_owned);
        assert_eq!(told.as_ref().map(|[trace, ..]| trace), recorded.as_ref());
        told
    };
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url);
    assert_eq!(of(&[on]).unwrap()[2], "01");
    for off in [
        &[][..],
        &[on, ("OTEL_SDK_DISABLED", "true")],
        &[on, ("OTEL_TRACES_SAMPLER", "always_off")],
        &[on, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
    ] {
        assert_eq!(of(off), None, "{off:?}");
    }
}

#[test]
fn a_collector_that_is_not_there_is_told_of_once_and_costs_spans_and_no_call() {
    let upstream = Upstream::start();
    let mut sidecar = traced(
        ECHO_ONLY,
        &upstream,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2"),
        ],
    );
    let agent = Agent::modern(&sidecar.url);
    for _ in 0..20 {
        agent.call("delete_everything", json!({}));
    }
    eventually("every span is counted as lost", || {
        let lost = |outcome| sidecar.metric(&format!("reeve_spans_total{{outcome=\"{outcome}\"}}"));
        (lost("undelivered") + lost("queue_full") == 20.0).then_some(())
    });
    assert_eq!(sidecar.metric("reeve_spans_total{outcome=\"exported\"}"), 0.0);
    let begun = Instant::now();
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "nor does it hold up the end: {:?}", begun.elapsed());
    assert_eq!(sidecar.process.log().matches("spans are not delivered").count(), 1, "{}", sidecar.process.log());
}

#[test]
fn what_is_not_supported_is_told_by_the_name_of_its_variable_and_calls_are_served() {
    let upstream = Upstream::start();
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
    ] {
        let sidecar =
            traced(ECHO_ONLY, &upstream, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"), (name, value)]);
        assert!(Agent::modern(&sidecar.url).passes("echo", &upstream));
        let log = sidecar.process.log();
        assert!(log.lines().any(|line| line.contains("WARN") && line.contains(name) && line.contains(value)), "{log}");
    }
}
