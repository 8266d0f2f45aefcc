//! Calls in flight: how long one counts, whatever its agent does.

use std::time::{Duration, Instant};

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::sidecar::Setup;
use reeve_tests::upstream::{Request, Upstream};
use serde_json::json;

use super::sessions::begin;
use super::{ONE_AT_A_TIME, World};

const RESULT: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n";

impl World {
    /// With these bounds of the server.
    pub(super) fn bounded(policy: &str, limits: &str) -> Self {
        let upstream = Upstream::start();
        let server = format!("{{name: upstream, path: /mcp, url: '{}', limits: {limits}}}", upstream.url);
        let setup = Setup::config(&format!("servers: [{server}]\npolicyFiles: [policy.yaml]\n"));
        setup.write("policy.yaml", policy);
        let mut sidecar = setup.start();
        sidecar.url = format!("{}/mcp", sidecar.agents);
        Self { upstream, sidecar }
    }

    /// A call that has reached the server.
    fn under_way(&self, agent: &Agent) -> (Exchange, Request) {
        let exchange = agent.begin_call("echo");
        (exchange, self.upstream.next())
    }

    fn refuses(&self, agent: &Agent) {
        let answer = agent.call("echo", json!({}));
        assert_eq!(
            answer.json()["result"]["_meta"]["reeve.dev/decision"]["reason"],
            "ConcurrencyExceeded",
            "{answer:?}"
        );
        self.upstream.saw_nothing();
    }

    /// The next call passes, once the sidecar knows that the one before has ended.
    fn passes(&self, agent: &Agent) {
        eventually("a call passes again", || agent.passes("echo", &self.upstream).then_some(()));
    }
}

#[test]
fn a_second_call_is_refused_while_the_first_is_in_flight_and_passes_after_it() {
    let world = World::new(ONE_AT_A_TIME);
    for agent in [world.legacy(), world.modern()] {
        let (first, request) = world.under_way(&agent);
        world.refuses(&agent);
        request.text("done");
        assert_eq!(told(&first.rest()).1, "done");
        world.passes(&agent);
    }
}

#[test]
fn a_modern_agent_that_hangs_up_ends_its_call_which_counts_no_longer() {
    let world = World::new(ONE_AT_A_TIME);
    let agent = world.modern();
    let (first, request) = world.under_way(&agent);
    first.hang_up();
    request.closed();
    world.passes(&agent);
}

#[test]
fn a_legacy_call_counts_until_its_answer_though_its_agent_hangs_up_before_it_begins() {
    let world = World::new(ONE_AT_A_TIME);
    let (first, request) = world.under_way(&world.legacy());
    first.hang_up();
    world.refuses(&world.legacy());
    request.text("for nobody");
    world.passes(&world.legacy());
}

#[test]
fn a_legacy_call_counts_until_its_answer_though_its_agent_hangs_up_in_the_middle() {
    let world = World::new(ONE_AT_A_TIME);
    let (mut first, mut request) = world.under_way(&world.legacy());
    request.begin_events();
    request.write(": begun\n\n");
    first.until(": begun");
    first.hang_up();
    world.refuses(&world.legacy());
    request.write(RESULT);
    world.passes(&world.legacy());
}

/// A call whose stream begins with this head and ends after its first event counts until its answer has come on another.
fn counts_until_it_is_answered_on_another_stream(head: &str) {
    let world = World::new(ONE_AT_A_TIME);
    let agent = begin(&world.upstream, &world.sidecar.url, "one").numbered(2);
    let (first, mut request) = world.under_way(&agent);
    request.write(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{head}\r\nid: 7\ndata:\n\n"));
    request.end();
    first.rest();
    world.refuses(&world.legacy());
    let _resumed = agent.with("Last-Event-ID", "7").stream();
    let mut resumed = world.upstream.next();
    resumed.begin_events();
    resumed.write(RESULT.replace("\"id\":1", "\"id\":2"));
    world.passes(&world.legacy());
}

#[test]
fn a_legacy_call_counts_until_its_answer_on_the_stream_that_takes_up_the_one_it_began_on() {
    counts_until_it_is_answered_on_another_stream("Connection: close\r\n");
}

#[test]
fn a_legacy_call_counts_until_its_answer_though_the_stream_it_began_on_breaks() {
    counts_until_it_is_answered_on_another_stream("Content-Length: 1000\r\n");
}

#[test]
fn a_legacy_call_that_is_not_answered_counts_until_its_answer_on_another_stream() {
    let no_answer: [fn(Request); 3] = [
        |request| request.end(),
        |mut request| request.write("HTTP/1.1 200 OK\r\nContent-"),
        |mut request| {
            request.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{");
            request.end();
        },
    ];
    let world = World::new(ONE_AT_A_TIME);
    let agent = begin(&world.upstream, &world.sidecar.url, "one");
    for (not_answered, id) in no_answer.into_iter().zip(2..) {
        let agent = agent.clone().numbered(id);
        let (first, request) = world.under_way(&agent);
        not_answered(request);
        assert_eq!(told(&first.rest()).0, "502");
        world.refuses(&world.legacy());
        let _stream = agent.stream();
        let mut stream = world.upstream.next();
        stream.begin_events();
        stream.write(RESULT.replace("\"id\":1", &format!("\"id\":{id}")));
        world.passes(&world.legacy());
    }
}

#[test]
fn a_legacy_call_of_which_nothing_is_heard_counts_as_long_again_as_an_answer_may_take_to_begin() {
    let world = World::bounded(ONE_AT_A_TIME, "{responseTimeout: 3s}");
    let (first, _request) = world.under_way(&world.legacy());
    assert_eq!(told(&first.rest()).0, "504");
    let heard = Instant::now();
    world.refuses(&world.legacy());
    world.passes(&world.legacy());
    assert!(heard.elapsed() > Duration::from_millis(2_500), "{:?}", heard.elapsed());
}

#[test]
fn a_legacy_call_whose_answer_is_too_large_to_read_is_over() {
    let world = World::bounded(ONE_AT_A_TIME, "{maxResponseBytes: 1000}");
    let (first, request) = world.under_way(&world.legacy());
    request.text(&"x".repeat(2_000));
    assert!(told(&first.rest()).1.contains("larger than permitted"));
    world.passes(&world.legacy());
}

#[test]
fn an_event_that_is_no_message_neither_ends_a_call_nor_breaks_it() {
    let world = World::new(ONE_AT_A_TIME);
    for agent in [world.legacy(), world.modern()] {
        let (mut first, mut request) = world.under_way(&agent);
        request.begin_events();
        request.write("event: ping\ndata: {\"t\":1}\n\n: seen\n\n");
        let seen = first.until(": seen");
        assert!(!seen.contains("\"t\"") && !seen.contains("error"), "{seen}");
        world.refuses(&agent);
        request.write(RESULT);
        first.until("\"result\"");
        world.passes(&agent);
    }
}

#[test]
fn an_unreadable_answer_is_told_and_its_call_counts_until_the_server_has_ended() {
    let world = World::new(ONE_AT_A_TIME);
    let agent = world.modern();
    let (mut first, mut request) = world.under_way(&agent);
    request.begin_events();
    request.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"result\":{}}\n\n");
    first.until("not one strict JSON-RPC message");
    world.refuses(&agent);
    request.end();
    first.rest();
    world.passes(&agent);
}
