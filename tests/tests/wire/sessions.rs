//! Sessions of the legacy era, and what servers ask of agents in them.

use std::time::Duration;

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::{Value, json};

use super::{ONE_AT_A_TIME, ONE_ECHO};

/// Begins a session: the server mints this id.
pub(super) fn begin(upstream: &Upstream, url: &str, session: &str) -> Agent {
    begin_with(upstream, url, session, &json!({}))
}

/// The same of an agent with these capabilities.
fn begin_with(upstream: &Upstream, url: &str, session: &str, capabilities: &Value) -> Agent {
    let agent = Agent::legacy(url);
    let exchange = agent.begin("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": capabilities}));
    let header = format!("Mcp-Session-Id: {session}");
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {}}});
    upstream.next().answer("200 OK", &["Content-Type: application/json", &header], &body.to_string());
    assert_eq!(exchange.rest().header("Mcp-Session-Id"), Some(session), "the agent is given its session");
    agent.in_session(session)
}

/// A sidecar before the server, with these limits and this policy.
pub(super) fn limited(upstream: &Upstream, limits: &str, policy: &str) -> Setup {
    let setup = Setup::config(&format!(
        "servers: [{{name: s, path: /mcp, url: '{}', limits: {limits}}}]\npolicyFiles: [policy.yaml]\n",
        upstream.url
    ));
    setup.write("policy.yaml", policy);
    setup
}

/// The stream of an agent's session, open at both ends.
fn own_stream(upstream: &Upstream, agent: &Agent) -> (Exchange, Request) {
    let mut stream = agent.stream();
    let mut own = upstream.next();
    own.begin_events();
    own.write(": open\n\n");
    stream.until(": open");
    (stream, own)
}

pub(super) fn passes(upstream: &Upstream, agent: &Agent) {
    let exchange = agent.begin_call("echo");
    upstream.next().text("hello");
    assert_eq!(told(&exchange.rest()).1, "hello");
}

#[test]
fn a_sessions_own_stream_that_is_cut_is_no_fault_of_the_server() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let (stream, own) = own_stream(&upstream, &agent);
    own.end();
    stream.rest();
    let exchange = agent.begin_call("echo");
    upstream.next().end();
    exchange.rest();
    // Of both, the call alone.
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"reset\",server=\"upstream\"}"), 1.0);
}

#[test]
fn a_session_that_the_server_did_not_give_is_unknown() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = Agent::legacy(&sidecar.url).in_session("guessed");
    assert_eq!(agent.call("echo", json!({})).status, 404, "so that a client begins another");
    assert_eq!(agent.stream().rest().status, 404);
    assert_eq!(agent.end_session().status, 404);
    upstream.saw_nothing();
    passes(&upstream, &begin(&upstream, &sidecar.url, "given"));
}

#[test]
fn a_call_waits_until_the_stream_that_was_opened_before_it_is_open_but_not_for_ever() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let _stream = agent.stream();
    let mut opening = upstream.next();
    let call = agent.begin_call("echo");
    upstream.sees_nothing_for(Duration::from_millis(100));
    opening.begin_events();
    upstream.next().text("after the stream");
    assert_eq!(told(&call.rest()).1, "after the stream");

    let _silent = agent.stream();
    let _opening = upstream.next();
    let call = agent.begin_call("echo");
    upstream.next().text("though the stream says nothing");
    assert_eq!(told(&call.rest()).1, "though the stream says nothing");
}

/// Ends the handshake: the agent says that it is ready.
fn ready(upstream: &Upstream, agent: &Agent) {
    let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let exchange = agent.begin_raw("notifications/initialized", None, &body);
    upstream.next().answer("202 Accepted", &[], "");
    assert_eq!(exchange.rest().status, 202);
}

#[test]
fn a_call_that_overtakes_the_stream_of_its_new_session_waits_for_it() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin_with(&upstream, &sidecar.url, "one", &json!({"elicitation": {}}));
    ready(&upstream, &agent);
    let call = agent.begin_call("echo");
    let _stream = agent.stream();
    let mut opening = upstream.next();
    assert!(opening.head.starts_with("GET /mcp "), "the call overtook the stream: {}", opening.head);
    opening.begin_events();
    upstream.next().text("after the stream");
    assert_eq!(told(&call.rest()).1, "after the stream");
}

#[test]
fn an_agent_without_a_stream_waits_for_none_for_long() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin_with(&upstream, &sidecar.url, "one", &json!({"roots": {}}));
    ready(&upstream, &agent);
    passes(&upstream, &agent);
}

#[test]
fn that_a_session_has_ended_is_for_the_server_to_say() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let ending = std::thread::scope(|scope| {
        let ending = scope.spawn(|| agent.end_session());
        let request = upstream.next();
        assert!(request.head.starts_with("DELETE /mcp "), "{}", request.head);
        assert_eq!(request.header("Mcp-Session-Id"), Some("one"));
        request.answer("204 No Content", &[], "");
        ending.join().unwrap()
    });
    assert_eq!(ending.status, 204);
    let late = agent.begin_call("echo");
    upstream.next().answer("404 Not Found", &[], "");
    assert_eq!(late.rest().status, 404);
    assert_eq!(agent.call("echo", json!({})).status, 404);
    upstream.saw_nothing();
}

#[test]
fn a_session_that_the_server_has_forgotten_is_unknown_here_too() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let exchange = agent.begin_call("echo");
    upstream.next().answer("404 Not Found", &[], "");
    assert_eq!(exchange.rest().status, 404);
    assert_eq!(agent.call("echo", json!({})).status, 404);
    upstream.saw_nothing();
}

#[test]
fn a_session_id_may_be_as_long_as_requests_can_carry() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    passes(&upstream, &begin(&upstream, &sidecar.url, &"x".repeat(5_019)));
}

#[test]
fn a_session_that_could_not_come_back_is_an_error_of_the_server_that_says_why() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    for session in ["one two".to_owned(), "x".repeat(33_000)] {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let exchange = Agent::legacy(&sidecar.url).begin("initialize", params);
        let header = format!("Mcp-Session-Id: {session}");
        let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {}}});
        upstream.next().answer("200 OK", &["Content-Type: application/json", &header], &body.to_string());
        let answer = exchange.rest();
        assert_eq!(answer.header("Mcp-Session-Id"), None);
        assert!(told(&answer).1.contains("Mcp-Session-Id"), "{answer:?}");
    }
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"session\",server=\"upstream\"}"), 2.0);
}

#[test]
fn a_server_that_has_nothing_at_get_keeps_its_sessions() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let stream = agent.stream();
    let asked = upstream.next();
    assert!(asked.head.starts_with("GET /mcp "), "{}", asked.head);
    asked.answer("404 Not Found", &["Content-Type: text/html"], "Cannot GET /mcp");
    assert_eq!(stream.rest().status, 404, "the agent is told what the server says");
    passes(&upstream, &agent);
}

#[test]
fn a_session_of_one_server_is_none_of_another() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let servers = format!("servers:\n- {{name: one, url: '{}'}}\n- {{name: two, url: '{}'}}\n", one.url, two.url);
    let setup = Setup::config(&format!("{servers}policyFiles: [policy.yaml]"));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let agent = begin(&one, &format!("{}/one", sidecar.agents), "shared");
    passes(&one, &agent);
    let stolen = Agent::legacy(&format!("{}/two", sidecar.agents)).in_session("shared");
    assert_eq!(stolen.call("echo", json!({})).status, 404);
    two.saw_nothing();
}

#[test]
fn a_session_survives_a_restart_with_a_cache_directory() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ALLOW_ALL, &upstream.url);
    let cache = setup.file("cache").display().to_string();
    let setup = setup.flags(&["--cache-dir", &cache]);
    let mut sidecar = setup.start();
    begin(&upstream, &sidecar.url, "kept");
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);
    let sidecar = setup.start();
    passes(&upstream, &Agent::legacy(&sidecar.url).in_session("kept"));
}

/// Permits every call, and of what servers ask of agents only elicitation.
const ELICITATION_ONLY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: asks}
spec:
  serverRefs: [{name: '*'}]
  default: Allow
  serverRequests: {sampling: Deny, elicitation: Allow, roots: Deny}
";

#[test]
fn what_a_server_may_not_ask_is_answered_in_the_agents_stead() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ELICITATION_ONLY, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let mut exchange = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    for (id, method) in [("s-1", "sampling/createMessage"), ("s-2", "roots/list")] {
        let ask = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"messages": []}});
        request.write(format!("data: {ask}\n\n"));
        let answer = upstream.next();
        assert_eq!(answer.header("Mcp-Session-Id"), Some("one"));
        let refusal = answer.json();
        assert_eq!((&refusal["id"], refusal["error"].is_object()), (&json!(id), true), "{refusal}");
        answer.answer("202 Accepted", &[], "");
        request.write(format!(": after {id}\n\n"));
        let seen = exchange.until(&format!(": after {id}"));
        assert!(!seen.contains(method), "the agent never sees it: {seen}");
    }
    assert_eq!(asked(&sidecar, 3), ["sampling/createMessage deny", "roots/list deny"]);
}

/// What servers asked, and what was decided of it, among the first so many decisions of the audit log.
fn asked(sidecar: &Sidecar, decisions: usize) -> Vec<String> {
    let recorded = sidecar.decisions(decisions).into_iter().filter(|line| line["event"] == "server_request");
    recorded.map(|line| ["method", "decision"].map(|member| line[member].as_str().unwrap()).join(" ")).collect()
}

#[test]
fn what_a_server_may_ask_reaches_the_agent_and_only_its_answer_goes_back() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ELICITATION_ONLY, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let answer = |id: &str| json!({"jsonrpc": "2.0", "id": id, "result": {"action": "decline"}}).to_string();

    let unasked = agent.begin_raw("", None, &answer("e-1")).rest();
    assert_eq!(unasked.status, 400, "an answer to nothing: {unasked:?}");
    upstream.saw_nothing();

    let mut exchange = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    let ask = json!({"jsonrpc": "2.0", "id": "e-1", "method": "elicitation/create", "params": {"message": "?"}});
    request.write(format!("data: {ask}\n\n"));
    exchange.until("elicitation/create");
    let posted = agent.begin_raw("", None, &answer("e-1"));
    let seen = upstream.next();
    assert_eq!(String::from_utf8_lossy(&seen.body), answer("e-1"));
    seen.answer("202 Accepted", &[], "");
    assert_eq!(posted.rest().status, 202);
    assert_eq!(agent.begin_raw("", None, &answer("e-1")).rest().status, 400, "it is answered once");
    upstream.saw_nothing();
    assert_eq!(asked(&sidecar, 2), ["elicitation/create allow"]);
}

#[test]
fn an_answer_that_never_left_may_be_given_again() {
    let upstream = Upstream::start();
    let config = format!(
        "servers: [{{name: s, path: /mcp, url: '{}', credentials: {{file: token}}}}]\npolicyFiles: [policy.yaml]\n",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ELICITATION_ONLY);
    setup.write("token", "secret");
    let sidecar = setup.start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let mut exchange = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    let ask = json!({"jsonrpc": "2.0", "id": "e-1", "method": "elicitation/create", "params": {"message": "?"}});
    request.write(format!("data: {ask}\n\n"));
    exchange.until("elicitation/create");

    let answer = json!({"jsonrpc": "2.0", "id": "e-1", "result": {"action": "decline"}}).to_string();
    std::fs::remove_file(setup.file("token")).unwrap();
    let agent = agent.numbered(2);
    eventually("the credential is missed", || (!agent.passes("echo", &upstream)).then_some(()));
    let failed = agent.begin_raw("", None, &answer).rest();
    assert!(failed.body.contains("credential"), "{failed:?}");
    setup.write("token", "secret");
    eventually("the credential is found", || agent.passes("echo", &upstream).then_some(()));
    let posted = agent.begin_raw("", None, &answer);
    upstream.next().answer("202 Accepted", &[], "");
    assert_eq!(posted.rest().status, 202);
}

#[test]
fn open_streams_keep_no_call_out_and_calls_not_the_answers_that_they_wait_for() {
    let upstream = Upstream::start();
    let setup = limited(&upstream, "{maxConcurrentCalls: 1, maxStreams: 1, connectTimeout: 1s}", ELICITATION_ONLY);
    let sidecar = setup.start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (_stream, _own) = own_stream(&upstream, &agent);

    let mut exchange = agent.begin_call("echo");
    let mut call = upstream.next();
    call.begin_events();
    let ask = json!({"jsonrpc": "2.0", "id": "e-1", "method": "elicitation/create", "params": {"message": "?"}});
    call.write(format!("data: {ask}\n\n"));
    exchange.until("elicitation/create");
    for message in [
        json!({"jsonrpc": "2.0", "id": "e-1", "result": {"action": "decline"}}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}),
    ] {
        let posted = agent.begin_raw("", None, &message.to_string());
        upstream.next().answer("202 Accepted", &[], "");
        assert_eq!(posted.rest().status, 202, "{message}");
    }

    let agent = agent.numbered(2);
    assert!(told(&agent.call("echo", json!({}))).1.contains("as many calls to it are in flight as may be"));
    let another = agent.stream().rest();
    assert!(another.status == 502 && another.body.contains("as many of its streams are open as may be"), "{another:?}");
    upstream.saw_nothing();
}

#[test]
fn a_calls_duration_counts_from_its_last_byte_and_a_refused_call_has_none() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ONE_ECHO, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    // A stream that the server does not open: the call waits for it for a while.
    let stream = agent.stream();
    let unopened = upstream.next();
    assert!(agent.passes("echo", &upstream));
    assert!(!agent.passes("echo", &upstream));
    let seconds = |what: &str| {
        sidecar.metric(&format!("reeve_call_duration_seconds_{what}{{server=\"upstream\",tool=\"echo\"}}"))
    };
    assert_eq!(seconds("count"), 1.0);
    assert!(seconds("sum") >= 0.25, "{}", seconds("sum"));
    assert_eq!(sidecar.metric("reeve_decision_duration_seconds_count"), 2.0);
    let deciding = sidecar.metric("reeve_decision_duration_seconds_sum");
    assert!(deciding < 0.25, "waiting is no part of a decision: {deciding}");
    drop((stream, unopened));
}

#[test]
fn two_requests_of_a_session_that_wait_for_their_answers_have_two_ids() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let first = agent.begin_call("echo");
    let waiting = upstream.next();
    for id in [json!(1), json!("1")] {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string();
        let refused = agent.begin_raw("ping", None, &body).rest();
        assert_eq!((refused.status, told(&refused).0.as_str()), (400, "-32600"), "{refused:?}");
    }
    upstream.saw_nothing();
    assert_eq!(sidecar.metric("reeve_rejected_requests_total{cause=\"duplicate_id\"}"), 2.0);
    // Hanging up does not end a request of this era: the id is open until its answer has come.
    first.hang_up();
    assert_eq!(agent.call("echo", json!({})).status, 400);
    waiting.text("for nobody");
    eventually("the id may be used again", || agent.passes("echo", &upstream).then_some(()));
    // Another session, and who has none, are not concerned.
    let other = begin(&upstream, &sidecar.url, "two");
    let (_one, _request) = (agent.begin_call("echo"), upstream.next());
    passes(&upstream, &other);
    passes(&upstream, &Agent::legacy(&sidecar.url));
}

/// A policy that permits one call of `echo` at a time, each of which counts for a second at most.
const ONE_FOR_A_SECOND: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: one, namespace: clinic}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: one, tools: [echo], action: Allow, concurrency: {max: 1, heldAtMost: 1s}}
  - {name: rest, tools: [other], action: Allow}
";

#[test]
fn the_id_of_a_request_whose_stream_broke_off_is_taken_until_its_answer_comes_however_late() {
    let upstream = Upstream::start();
    let setup = limited(&upstream, "{responseTimeout: 1s}", ONE_AT_A_TIME);
    let sidecar = setup.start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (mut stream, mut own) = own_stream(&upstream, &agent);
    let call = agent.begin_call("echo");
    let mut broken = upstream.next();
    broken.begin_events();
    broken.end();
    call.rest();
    // The call is in flight no more, so that another may be made; but not under its id.
    let other = agent.clone().numbered(2);
    eventually("the call is too late to count", || other.passes("echo", &upstream).then_some(()));
    let refused = agent.call("echo", json!({}));
    assert_eq!((refused.status, told(&refused).0.as_str()), (400, "-32600"), "{refused:?}");
    upstream.saw_nothing();
    let late = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "late"}]}});
    own.write(format!("data: {late}\n\n"));
    stream.until("late");
    passes(&upstream, &agent);
}

#[test]
fn the_id_of_a_call_that_is_read_for_nobody_no_longer_is_taken_until_its_answer_comes() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ONE_FOR_A_SECOND, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let mut call = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(": begun\n\n");
    call.until(": begun");
    call.hang_up();
    request.closed();
    let other = agent.clone().numbered(2);
    eventually("the call counts no more", || other.passes("echo", &upstream).then_some(()));
    assert_eq!(agent.call("other", json!({})).status, 400);
    upstream.saw_nothing();
}
