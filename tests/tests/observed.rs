//! What a sidecar shows of itself: metrics, the audit log, its own log, the policy and the limits in force.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use reeve_tests::agent::Agent;
use reeve_tests::eventually::eventually;
use reeve_tests::http::{self, Exchange};
use reeve_tests::process::root;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

/// Permits `echo` three times an hour, and asks more of `add`.
const POLICY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: seen}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - name: echo
    tools: [echo]
    action: Allow
    limits: [{counter: echoes, window: 1h, max: 3}]
  - name: small
    tools: [add]
    action: Allow
    require: [{expression: 'args.a < 10', message: only small numbers}]
  - {name: watched, tools: [echo], action: Deny, mode: Audit}
";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// A value of arguments, which is never told.
const SECRET: &str = "patient-0815";

/// Some of everything: permitted, limited, denied, malformed.
fn traffic(url: &str) {
    let agent = Agent::modern(url).with("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    for _ in 0..4 {
        agent.call("echo", json!({"message": SECRET}));
    }
    agent.call("add", json!({"a": 100, "b": 1, "ward": SECRET}));
    agent.call("delete_everything", json!({"why": SECRET}));
    agent.ask("tools/list", json!({}));
    agent.ask("resources/read", json!({"uri": "docs://a"}));
    agent.post("[]");
}

#[test]
fn the_metrics_pass_promtool_and_say_what_happened() {
    let server = Server::start(Kind::TypeScript);
    let sidecar = Sidecar::start(POLICY, &server.url);
    traffic(&sidecar.url);
    let metrics = sidecar.metrics();
    let promtool = root().join("target/tools/promtool");
    assert!(promtool.exists(), "promtool is missing: run `tests/install promtool`");
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let found = check.wait_with_output().unwrap();
    let remarks = format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success() && remarks.is_empty(), "{remarks}");
    for (labels, count) in [
        (["tool=\"echo\"", "decision=\"allow\"", "mode=\"Enforce\""], 3),
        (["tool=\"echo\"", "decision=\"limited\"", "reason=\"LimitExceeded\""], 1),
        (["tool=\"add\"", "decision=\"deny\"", "rule=\"small\""], 1),
        (["tool=\"echo\"", "decision=\"deny\"", "mode=\"Audit\""], 4),
    ] {
        let counts =
            |line: &&str| line.starts_with("reeve_calls_total{") && labels.iter().all(|label| line.contains(label));
        let line = metrics.lines().find(counts).unwrap_or_else(|| panic!("{labels:?}: {metrics}"));
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }
    assert_eq!(sidecar.metric("reeve_rejected_requests_total{cause=\"batch\"}"), 1.0);
    assert!(!metrics.contains(SECRET), "no value of an argument is a label");
}

#[test]
fn the_audit_log_records_each_decision_and_no_value_of_an_argument() {
    let server = Server::start(Kind::TypeScript);
    let sidecar = Sidecar::start(POLICY, &server.url);
    traffic(&sidecar.url);
    // Four echoes, one sum, one deletion, one resource.
    let decisions = sidecar.decisions(7);
    let output = sidecar.process.output();
    assert!(!output.contains(SECRET), "{output}");

    let numbers: Vec<u64> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .map(|line| line["seq"].as_u64().unwrap_or_else(|| panic!("a number for each line: {line}")))
        .collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "{numbers:?}");
    assert_eq!(distinct.last().copied(), Some(numbers.len() as u64), "without a gap: {numbers:?}");

    let of = |tool: &str| decisions.iter().filter(|line| line["tool"] == tool).cloned().collect::<Vec<Value>>();
    let echoes: Vec<Value> = of("echo").iter().map(|line| line["decision"].clone()).collect();
    assert_eq!(echoes, ["allow", "allow", "allow", "limited"]);
    let limited = &of("echo")[3];
    for (field, value) in [
        ("event", json!("call")),
        ("method", json!("tools/call")),
        ("server", json!("upstream")),
        ("grant", json!("default/default")),
        ("reason", json!("LimitExceeded")),
        ("rule", json!("default/seen#echo/limits/echoes")),
        ("mode", json!("Enforce")),
        ("argumentKeys", json!(["message"])),
        ("traceId", json!(TRACE)),
    ] {
        assert_eq!(limited[field], value, "{field}: {limited}");
    }
    assert_eq!(limited["argumentsSha256"].as_str().map(str::len), Some(64), "{limited}");
    assert_eq!(of("echo")[0]["argumentsSha256"], limited["argumentsSha256"], "equal arguments have equal hashes");
    assert!(limited["latencyMs"].is_number() && limited["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert_eq!(limited["shadow"][0]["rule"], "default/seen#watched", "what the Audit rule would have done: {limited}");
    assert_eq!(of("add")[0]["reason"], "RequirementFailed");
    assert_eq!(of("add")[0]["argumentKeys"], json!(["a", "b", "ward"]), "names are told");
    assert_eq!(of("delete_everything")[0]["reason"], "NoRule");
}

#[test]
fn a_listener_that_is_refused_for_one_resource_is_recorded_as_refused_for_each() {
    let policy = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: docs}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: open, resources: ['docs://open/*'], action: Allow, limits: [{counter: reads, window: 1h, max: 2}]}
  - {name: shut, resources: ['docs://shut/*'], action: Deny}
";
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(policy, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    let listen =
        |uris: &[&str]| agent.begin("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": uris}}));
    for uris in [&["docs://open/a", "docs://shut/b", "docs://other/c"][..], &["docs://open/a"; 3]] {
        assert!(listen(uris).rest().body.contains("\"error\""), "{uris:?}");
        upstream.saw_nothing();
    }
    let exchange = listen(&["docs://open/a", "docs://open/b"]);
    upstream.next().end();
    exchange.rest();
    let reasons = sidecar.decisions(8).into_iter().map(|line| [&line["decision"], &line["reason"]].map(Value::clone));
    let expected = [["deny", "DeniedByRule"], ["deny", "DeniedByRule"], ["deny", "NoRule"]].into_iter();
    let expected = expected.chain([["limited", "LimitExceeded"]; 3]).chain([["allow", "AllowedByRule"]; 2]);
    assert_eq!(reasons.collect::<Vec<_>>(), expected.map(|words| words.map(Value::from)).collect::<Vec<_>>());
    let refused = listen(&vec!["docs://open/a"; 257]).rest();
    assert!(refused.status == 400 && refused.body.contains("at most 256"), "{refused:?}");
    assert_eq!(sidecar.metric("reeve_rejected_requests_total{cause=\"too_many_subscriptions\"}"), 1.0);
}

#[test]
fn a_stream_of_subscriptions_is_decided_as_calls_and_is_no_call_in_flight_and_has_no_duration() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    let wanted = json!({"notifications": {"resourceSubscriptions": ["docs://a"]}});
    let mut listening = agent.begin("subscriptions/listen", wanted);
    let mut stream = upstream.next();
    stream.begin_events();
    listening.until("\r\n\r\n");
    let in_flight = || sum(&sidecar.metrics(), "reeve_inflight_calls", "");
    assert_eq!(in_flight(), 0.0);
    let call = agent.begin_call("echo");
    let request = upstream.next();
    assert_eq!(in_flight(), 1.0, "a call is");
    stream.end();
    listening.rest();
    request.text("done");
    call.rest();
    let durations = |tool: &str| sum(&sidecar.metrics(), "reeve_call_duration_seconds_count", tool);
    eventually("the call that has ended has a duration", || (durations("tool=\"_other\"") == 1.0).then_some(()));
    assert_eq!(durations(""), 1.0, "and nothing else has one");
    assert_eq!(sum(&sidecar.metrics(), "reeve_calls_total", "tool=\"subscriptions/listen\""), 1.0);
}

/// The values of a family's series with this label, added up.
fn sum(metrics: &str, family: &str, label: &str) -> f64 {
    let of_family = metrics.lines().filter(|line| line.starts_with(&format!("{family}{{")) && line.contains(label));
    of_family.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn the_audit_log_goes_where_it_is_sent() {
    let calls = |setup: &Setup| {
        let sidecar = setup.start();
        Agent::modern(&sidecar.url).call("other", json!({}));
        sidecar
    };
    let setup = Setup::policy(POLICY, "http://127.0.0.1:1/mcp");
    let file = setup.file("audit.jsonl");
    let setup = setup.flags(&["--audit", &file.display().to_string()]);
    let sidecar = calls(&setup);
    eventually("the file has the record", || {
        std::fs::read_to_string(&file).ok()?.contains("\"decision\":\"deny\"").then_some(())
    });
    assert_eq!(sidecar.process.output(), "");
    let mut sidecar = calls(&Setup::policy(POLICY, "http://127.0.0.1:1/mcp").flags(&["--audit", "off"]));
    sidecar.process.signal("TERM");
    sidecar.process.ended();
    assert_eq!(sidecar.process.output(), "");
}

#[test]
fn a_call_whose_record_has_no_room_is_refused_unless_records_may_be_dropped() {
    let upstream = Upstream::start();
    // The smallest queue that there is, before a disk that is full.
    let config = format!(
        "servers: [{{name: upstream, path: /mcp, url: '{}'}}]\npolicyFiles: [policy.yaml]\naudit: {{queueBytes: 1}}\n",
        upstream.url
    );
    let full = |on_full: &str| {
        let setup = Setup::config(&config).flags(&["--audit", "/dev/full", "--audit-on-full", on_full]);
        setup.write("policy.yaml", POLICY);
        let sidecar = setup.start();
        let agent = Agent::modern(&format!("{}/mcp", sidecar.agents));
        eventually("the log is full", || {
            agent.call("other", json!({}));
            (sidecar.metric("reeve_audit_dropped_total") > 0.0).then_some(())
        });
        (sidecar, agent)
    };
    let (_refusing, agent) = full("deny");
    let refused = agent.call("echo", json!({})).json();
    assert_eq!(refused["result"]["_meta"]["reeve.dev/decision"]["reason"], "AuditUnavailable", "{refused}");
    upstream.saw_nothing();

    let (_dropping, agent) = full("drop");
    assert!(agent.passes("echo", &upstream));
}

#[test]
fn how_much_is_logged_is_told_by_flag_or_environment() {
    // What is no HTTP is logged as detail.
    let has_detail = |flags: &[&str], level: Option<&str>| {
        let setup = Setup::policy(POLICY, "http://127.0.0.1:1/mcp").flags(flags);
        let mut sidecar = setup.start_as(|command| match level {
            Some(level) => command.env("REEVE_LOG", level),
            None => command,
        });
        Exchange::begin(http::split(&sidecar.url).0, b"nonsense\r\n\r\n").unwrap().rest();
        sidecar.process.signal("TERM");
        sidecar.process.ended();
        sidecar.process.log().contains("DEBUG")
    };
    assert!(!has_detail(&[], None));
    assert!(has_detail(&["--log-level", "debug"], None));
    assert!(has_detail(&[], Some("debug")));
    assert!(!has_detail(&["--log-level", "info"], Some("debug")), "the flag wins");
}

#[test]
fn the_log_can_be_read_by_programs() {
    let setup =
        Setup::policy(POLICY, "http://127.0.0.1:1/mcp").flags(&["--log-format", "json", "--log-level", "debug"]);
    let sidecar = setup.start();
    Agent::modern(&sidecar.url).call("echo", json!({"message": SECRET}));
    let log = sidecar.process.log();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    assert!(!log.contains(SECRET), "no value of an argument is in it: {log}");
}

#[test]
fn policy_and_limits_in_force_can_be_looked_at() {
    let server = Server::start(Kind::TypeScript);
    let sidecar = Sidecar::start(POLICY, &server.url);
    let get = |path: &str| http::get(&format!("{}{path}", sidecar.inspect)).unwrap().json();
    Agent::modern(&sidecar.url).call("echo", json!({"message": "1"}));
    let limit = &get("/limits")["limits"][0];
    assert_eq!((&limit["counter"], &limit["max"], &limit["window"]), (&json!("echoes"), &json!(3), &json!("1h")));
    assert_eq!(limit["keys"][0]["used"], 1, "{limit}");
    let policy = get("/policy");
    assert_eq!(policy["servers"][0]["policies"][0]["name"], "default/seen", "{policy}");
    assert_eq!(policy["servers"][0]["url"], json!(server.url), "{policy}");
}
