//! Requests of legacy sessions that their agents cancel: what they hold is given back, and no earlier than a server may have ended them.

use std::time::Duration;

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::sidecar::{ALLOW_ALL, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::json;

use super::ONE_AT_A_TIME;
use super::sessions::{begin, limited, passes};

/// Has the agent cancel its request with this id, of which the server is told.
pub(super) fn cancel(upstream: &Upstream, agent: &Agent, id: u64) {
    let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    let posted = agent.begin_raw("notifications/cancelled", None, &message.to_string());
    let told = upstream.next();
    assert_eq!(told.json(), message);
    told.answer("202 Accepted", &[], "");
    assert_eq!(posted.rest().status, 202);
}

/// A call whose stream has begun at both ends.
pub(super) fn begun(upstream: &Upstream, agent: &Agent) -> (Exchange, Request) {
    let mut call = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(": begun\n\n");
    call.until(": begun");
    (call, request)
}

#[test]
fn a_cancelled_request_gives_its_place_back_though_its_server_never_answers_and_its_agent_listens_on() {
    let upstream = Upstream::start();
    let sidecar = limited(&upstream, "{maxConcurrentCalls: 1}", ALLOW_ALL).start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (mut call, request) = begun(&upstream, &agent);
    cancel(&upstream, &agent, 1);
    request.closed();
    // So that a client does not take the stream up again.
    call.until("\"id\":1,\"error\":{\"code\":499,");
    call.rest();
    // One that the server has not begun to answer.
    let agent = agent.numbered(2);
    let (call, request) = (agent.begin_call("echo"), upstream.next());
    cancel(&upstream, &agent, 2);
    request.closed();
    assert_eq!(told(&call.rest()).0, "499");
    passes(&upstream, &agent.numbered(3));
}

#[test]
fn a_cancelled_request_gives_its_place_back_though_its_agent_hangs_up_and_its_server_never_answers() {
    let upstream = Upstream::start();
    let sidecar = limited(&upstream, "{maxConcurrentCalls: 1}", ALLOW_ALL).start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (call, request) = begun(&upstream, &agent);
    cancel(&upstream, &agent, 1);
    call.hang_up();
    request.closed();
    let agent = agent.numbered(2);
    let (call, request) = begun(&upstream, &agent);
    call.hang_up();
    cancel(&upstream, &agent, 2);
    request.closed();
    let another = begin(&upstream, &format!("{}/mcp", sidecar.agents), "two");
    passes(&upstream, &another);
}

#[test]
fn a_cancelled_call_counts_for_as_long_as_an_answer_is_waited_for_and_so_does_its_id() {
    let upstream = Upstream::start();
    let sidecar = limited(&upstream, "{responseTimeout: 3s}", ONE_AT_A_TIME).start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (call, request) = begun(&upstream, &agent);
    cancel(&upstream, &agent, 1);
    request.closed();
    call.rest();
    let refused = agent.clone().numbered(2).call("echo", json!({}));
    assert!(refused.body.contains("ConcurrencyExceeded"), "the server may go on with the first: {refused:?}");
    assert_eq!(agent.call("echo", json!({})).status, 400, "the id is taken");
    upstream.saw_nothing();
    let passes = |agent: &Agent| {
        let exchange = agent.begin_call("echo");
        let passes = upstream.serves(&exchange, |request| request.text("done"));
        exchange.rest();
        passes
    };
    eventually("another call passes, under the same id", || passes(&agent).then_some(()));
}

#[test]
fn a_cancelled_call_that_the_server_answers_is_over() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ONE_AT_A_TIME, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let (mut call, mut request) = begun(&upstream, &agent);
    cancel(&upstream, &agent, 1);
    request.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":0,\"message\":\"cancelled\"}}\n\n");
    request.end();
    call.until("\"error\":{\"code\":0,");
    eventually("another call passes, under the same id", || agent.passes("echo", &upstream).then_some(()));
}

#[test]
fn nobody_cancels_a_request_of_another_session() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ONE_AT_A_TIME, &upstream.url);
    let agent = begin(&upstream, &sidecar.url, "one");
    let (mut call, mut request) = begun(&upstream, &agent);
    cancel(&upstream, &begin(&upstream, &sidecar.url, "two"), 1);
    cancel(&upstream, &Agent::legacy(&sidecar.url), 1);
    // By then it would have been given up.
    upstream.sees_nothing_for(Duration::from_millis(1_500));
    request.write(": goes on\n\n");
    call.until(": goes on");
}

#[test]
fn what_goes_on_for_nobody_holds_half_of_the_places_and_the_oldest_is_ended_for_more() {
    let upstream = Upstream::start();
    let sidecar = limited(&upstream, "{maxConcurrentCalls: 4}", ALLOW_ALL).start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    // One whose answer has begun, and those that the server does not answer.
    let (call, first) = begun(&upstream, &agent);
    call.hang_up();
    let hung_up = |id: u64| {
        let (call, request) = (agent.clone().numbered(id).begin_call("echo"), upstream.next());
        call.hang_up();
        request
    };
    let second = hung_up(2);
    let third = hung_up(3);
    first.closed();
    let fourth = hung_up(4);
    second.closed();
    passes(&upstream, &begin(&upstream, &format!("{}/mcp", sidecar.agents), "two"));
    // The newest two go on.
    third.text("for nobody");
    fourth.text("for nobody");
}

#[test]
fn a_call_that_is_ended_as_too_much_goes_on_for_nobody_counts_all_the_same() {
    let upstream = Upstream::start();
    let policy = format!("{ONE_AT_A_TIME}  - {{name: others, tools: [add], action: Allow}}\n");
    let sidecar = limited(&upstream, "{maxConcurrentCalls: 2}", &policy).start();
    let agent = begin(&upstream, &format!("{}/mcp", sidecar.agents), "one");
    let (call, first) = begun(&upstream, &agent);
    call.hang_up();
    let (call, _second) = (agent.clone().numbered(2).begin_call("add"), upstream.next());
    call.hang_up();
    first.closed();
    let refused = agent.clone().numbered(3).call("echo", json!({}));
    assert!(refused.body.contains("ConcurrencyExceeded"), "the server may go on with it: {refused:?}");
}
