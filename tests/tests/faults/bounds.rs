//! Each bound of the listener and of answers: set in the configuration, told in a clear error, counted, and no longer in the
//! way once there is room again. Bounds of bodies are in the test `wire`, those of connections and of time beside this file.

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Answer;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::json;

/// A server, and a sidecar with these bounds of the server and of the listener.
pub(super) fn bounded(limits: &str, listener: &str) -> (Upstream, Sidecar, Agent) {
    bounded_by(ALLOW_ALL, limits, listener)
}

/// The same with another policy than one that permits everything.
fn bounded_by(policy: &str, limits: &str, listener: &str) -> (Upstream, Sidecar, Agent) {
    let upstream = Upstream::start();
    let server = format!("{{name: upstream, path: /mcp, url: '{}', limits: {limits}}}", upstream.url);
    let setup = Setup::config(&format!("servers: [{server}]\npolicyFiles: [policy.yaml]\nlistener: {listener}\n"));
    setup.write("policy.yaml", policy);
    let sidecar = setup.start();
    let agent = Agent::modern(&format!("{}/mcp", sidecar.agents));
    (upstream, sidecar, agent)
}

fn rejected(sidecar: &Sidecar, cause: &str) -> f64 {
    sidecar.metric(&format!("reeve_rejected_requests_total{{cause=\"{cause}\"}}"))
}

fn failed(sidecar: &Sidecar, cause: &str) -> f64 {
    sidecar.metric(&format!("reeve_upstream_errors_total{{cause=\"{cause}\",server=\"upstream\"}}"))
}

/// Asserts that the agent was told this status, and which setting it met.
fn names(answer: &Answer, status: u16, setting: &str) {
    assert!(answer.status == status && told(answer).1.contains(setting), "{answer:?}");
}

#[test]
fn one_request_too_many_is_told_and_counted_and_the_next_after_a_free_place_passes() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxRequests: 2}");
    let (first, second) = (agent.begin_call("echo"), agent.begin_call("echo"));
    let (one, two) = (upstream.next(), upstream.next());
    names(&agent.call("echo", json!({})), 503, "listener.maxRequests");
    upstream.saw_nothing();
    assert_eq!(rejected(&sidecar, "too_many_requests"), 1.0);
    one.text("done");
    two.text("done");
    assert_eq!((told(&first.rest()).1, told(&second.rest()).1), ("done".into(), "done".into()));
    assert!(agent.passes("echo", &upstream));
}

#[test]
fn an_open_stream_keeps_its_place_among_requests_until_its_agent_hangs_up() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxRequests: 1}");
    let mut stream = Agent::legacy(&format!("{}/mcp", sidecar.agents)).stream();
    let mut request = upstream.next();
    request.begin_events();
    request.write(": open\n\n");
    stream.until(": open");
    names(&agent.call("echo", json!({})), 503, "listener.maxRequests");
    stream.hang_up();
    request.closed();
    assert!(agent.passes("echo", &upstream));
}

#[test]
fn a_large_event_is_not_counted_any_more_once_it_has_left_though_its_stream_stays_open() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxTotalAnswerBytes: 5242880}");
    let large = "x".repeat(3 << 20);
    let mut stream = Agent::legacy(&format!("{}/mcp", sidecar.agents)).stream();
    let mut request = upstream.next();
    request.begin_events();
    let event = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": large}});
    request.write(format!("data: {event}\n\n"));
    stream.until("data:");
    let call = agent.begin_call("echo");
    upstream.next().text(&large);
    assert_eq!(told(&call.rest()).1.len(), large.len());
}

#[test]
fn an_answer_that_its_agent_does_not_read_keeps_its_place_among_requests_until_the_agent_hangs_up() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxRequests: 1}");
    let mut unread = agent.begin_call("echo");
    upstream.next().text(&"x".repeat(12 << 20));
    unread.until("HTTP/1.1 200 OK");
    names(&agent.call("echo", json!({})), 503, "listener.maxRequests");
    assert_eq!(rejected(&sidecar, "too_many_requests"), 1.0);
    unread.hang_up();
    eventually("there is a place again", || agent.passes("echo", &upstream).then_some(()));
}

/// Calls are counted while they are in flight, and as many are permitted as any test makes.
const COUNTED: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: counted}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: echo, tools: [echo], action: Allow, concurrency: {max: 1000}}
";

#[test]
fn a_call_that_goes_on_though_its_agent_has_hung_up_keeps_its_place_among_requests() {
    let (upstream, sidecar, agent) = bounded_by(COUNTED, "{}", "{maxRequests: 1}");
    let legacy = Agent::legacy(&format!("{}/mcp", sidecar.agents));
    let hung_up = || eventually("that is seen", || (sidecar.metric("reeve_connections") == 0.0).then_some(()));
    let refused = || names(&agent.call("echo", json!({})), 503, "listener.maxRequests");
    let passes = || eventually("there is a place again", || agent.passes("echo", &upstream).then_some(()));

    let before_the_answer = legacy.begin_call("echo");
    let request = upstream.next();
    before_the_answer.hang_up();
    hung_up();
    refused();
    request.text("for nobody");
    passes();

    let mut in_the_middle = legacy.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(": begun\n\n");
    in_the_middle.until(": begun");
    in_the_middle.hang_up();
    hung_up();
    refused();
    request.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n");
    passes();

    let before_its_stream = legacy.begin_call("echo");
    let mut request = upstream.next();
    before_its_stream.hang_up();
    hung_up();
    request.begin_events();
    request.write(": for nobody yet\n\n");
    refused();
    request.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n");
    passes();
}

#[test]
fn headers_that_are_larger_than_permitted_are_told_and_counted() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxHeaderBytes: 8192}");
    let with = |bytes: usize| agent.clone().with("X-Large", &"x".repeat(bytes)).call("echo", json!({}));
    names(&with(8_192), 431, "listener.maxHeaderBytes");
    assert_eq!(rejected(&sidecar, "headers_too_large"), 1.0);
    // So large that not even their end is looked for.
    assert_eq!(with(32 << 10).status, 431);
    assert_eq!(sidecar.metric("reeve_refused_connections_total{cause=\"headers_too_large\"}"), 1.0);
    upstream.saw_nothing();
    let nearly = agent.clone().with("X-Large", &"x".repeat(7_000));
    assert!(nearly.passes("echo", &upstream));
}

#[test]
fn a_call_for_which_the_server_has_no_place_is_told_so_in_time_and_counted() {
    let (upstream, sidecar, agent) = bounded("{maxConcurrentCalls: 1, connectTimeout: 1s}", "{}");
    let first = agent.begin_call("echo");
    let request = upstream.next();
    names(&agent.call("echo", json!({})), 200, "as many calls");
    assert_eq!(failed(&sidecar, "busy"), 1.0);
    upstream.saw_nothing();
    request.text("done");
    assert_eq!(told(&first.rest()).1, "done");
    assert!(agent.passes("echo", &upstream));
}

#[test]
fn a_stream_for_which_the_server_has_no_place_is_told_so_in_time_and_counted_and_calls_pass() {
    let (upstream, sidecar, agent) = bounded("{maxStreams: 1, connectTimeout: 1s}", "{}");
    let legacy = Agent::legacy(&format!("{}/mcp", sidecar.agents));
    let first = legacy.stream();
    let mut request = upstream.next();
    request.begin_events();
    names(&legacy.stream().rest(), 502, "as many of its streams");
    assert_eq!(failed(&sidecar, "streams"), 1.0);
    assert!(agent.passes("echo", &upstream));
    first.hang_up();
    request.closed();
}

#[test]
fn an_answer_and_an_event_that_are_larger_than_permitted_are_told_and_counted() {
    let (upstream, sidecar, agent) = bounded("{maxResponseBytes: 1000, maxEventBytes: 1000}", "{}");
    let large = "x".repeat(2_000);
    let whole = agent.begin_call("echo");
    upstream.next().text(&large);
    names(&whole.rest(), 200, "larger than permitted");
    assert_eq!(failed(&sidecar, "too_large"), 1.0);
    let stream = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(format!("data: {large}"));
    names(&stream.rest(), 200, "larger than permitted");
    assert_eq!(failed(&sidecar, "too_large"), 2.0);
    assert!(agent.passes("echo", &upstream));
}
