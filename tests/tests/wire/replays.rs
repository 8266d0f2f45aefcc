//! Answers that a server gives again, on a stream that is taken up: nobody takes one for the answer to a later request with its id.

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::sidecar::{ALLOW_ALL, Setup};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::{Value, json};

use super::cancelled::{begun, cancel};
use super::sessions::{begin, passes};
use super::{ECHO_ONLY, ONE_AT_A_TIME, World, two_tools};

fn answer(id: u64, result: &Value) -> String {
    format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// An agent in a session, whose requests have this id.
fn in_session(world: &World, id: u64) -> Agent {
    begin(&world.upstream, &world.sidecar.url, "one").numbered(id)
}

/// The agent takes up a stream, on which the server sends this; what the agent reads of it. Both ends stay open.
fn takes_up(world: &World, agent: &Agent, sent: &str) -> (Exchange, Request, String) {
    let mut stream = agent.clone().with("Last-Event-ID", "earlier").stream();
    let mut request = world.upstream.next();
    assert_eq!(request.header("Last-Event-ID"), Some("earlier"));
    request.begin_events();
    request.write(format!("{sent}: sent\n\n"));
    let seen = stream.until(": sent");
    (stream, request, seen)
}

/// A call that the agent has cancelled, and of which the server says nothing.
fn cancels(world: &World, agent: &Agent, id: u64) {
    let (mut call, request) = begun(&world.upstream, agent);
    cancel(&world.upstream, agent, id);
    request.closed();
    call.until("\"code\":499");
}

/// A call whose stream the server ends without its answer.
fn breaks_off(world: &World, agent: &Agent) {
    let (call, request) = begun(&world.upstream, agent);
    request.end();
    call.rest();
}

/// No call is permitted while another is in flight.
fn is_busy(world: &World, agent: &Agent) {
    let refused = agent.call("echo", json!({}));
    assert!(refused.body.contains("ConcurrencyExceeded"), "the server goes on with the first: {refused:?}");
    world.upstream.saw_nothing();
}

#[test]
fn a_list_that_is_given_again_is_filtered_though_a_call_has_had_its_id_since() {
    for leaves in [|world: &World, agent: &Agent| cancels(world, agent, 7), breaks_off] {
        let world = World::new(ECHO_ONLY);
        let agent = in_session(&world, 7);
        let list = agent.begin("tools/list", json!({}));
        world.upstream.next().result(two_tools());
        assert!(!list.rest().body.contains("delete_everything"));
        leaves(&world, &agent);
        let (.., seen) = takes_up(&world, &agent, &answer(7, &two_tools()));
        assert!(seen.contains("echo") && !seen.contains("delete_everything"), "{seen}");
    }
}

#[test]
fn a_call_counts_though_the_answer_to_an_earlier_request_with_its_id_is_given_again() {
    let done = json!({"content": []});
    for leaves in [|world: &World, agent: &Agent| cancels(world, agent, 7), breaks_off] {
        let world = World::new(ONE_AT_A_TIME);
        let agent = in_session(&world, 7);
        passes(&world.upstream, &agent);
        leaves(&world, &agent);
        let (.., seen) = takes_up(&world, &agent, &answer(7, &done));
        assert!(seen.contains("\"id\":7"), "the agent asked for it: {seen}");
        is_busy(&world, &agent.clone().numbered(8));
        assert_eq!(agent.call("echo", json!({})).status, 400, "the id is taken");
    }
}

#[test]
fn a_call_counts_though_the_answer_with_which_its_session_began_is_given_again() {
    let world = World::new(ONE_AT_A_TIME);
    // The id of `initialize`.
    let agent = in_session(&world, 1);
    cancels(&world, &agent, 1);
    takes_up(&world, &agent, &answer(1, &json!({"protocolVersion": "2025-11-25", "capabilities": {}})));
    is_busy(&world, &agent.numbered(2));
}

#[test]
fn a_task_runs_on_though_an_earlier_answer_comes_again_under_the_id_with_which_its_result_was_asked_for() {
    let world = World::new(ONE_AT_A_TIME);
    let agent = in_session(&world, 7);
    let ping = agent.begin("ping", json!({}));
    world.upstream.next().result(json!({}));
    ping.rest();
    let call = agent.clone().numbered(2).begin("tools/call", json!({"name": "echo", "arguments": {}, "task": {}}));
    world.upstream.next().result(json!({"task": {"taskId": "mine", "status": "working"}}));
    call.rest();
    let result = agent.begin("tasks/result", json!({"taskId": "mine"}));
    world.upstream.next().end();
    result.rest();
    takes_up(&world, &agent, &answer(7, &json!({})));
    is_busy(&world, &agent.numbered(8));
}

#[test]
fn an_answer_on_a_stream_that_takes_up_its_own_reaches_the_agent_as_it_is_and_ends_its_call() {
    let world = World::new(ONE_AT_A_TIME);
    let agent = in_session(&world, 7);
    breaks_off(&world, &agent);
    is_busy(&world, &agent.clone().numbered(8));
    // What a tool gives may have members of any name.
    let own = json!({"content": [], "structuredContent": {}, "tools": 3});
    let (.., seen) = takes_up(&world, &agent, &answer(7, &own));
    assert!(seen.contains("\"tools\":3"), "{seen}");
    passes(&world.upstream, &agent.clone().numbered(9));
    passes(&world.upstream, &agent);
}

#[test]
fn an_agent_that_has_all_its_requests_under_one_id_gets_an_answer_on_the_stream_that_it_takes_up_and_goes_on() {
    let world = World::bounded(ONE_AT_A_TIME, "{responseTimeout: 2s}");
    let agent = in_session(&world, 7);
    passes(&world.upstream, &agent);
    breaks_off(&world, &agent);
    let (.., seen) = takes_up(&world, &agent, &answer(7, &json!({"content": [{"type": "text", "text": "late"}]})));
    assert!(seen.contains("late"), "{seen}");
    let goes_on = || {
        let exchange = agent.begin_call("echo");
        let passes = world.upstream.serves(&exchange, |request| request.text("done"));
        exchange.rest();
        passes
    };
    eventually("it may use the id again", || goes_on().then_some(()));
}

#[test]
fn what_a_session_had_before_a_restart_is_not_taken_for_the_answer_to_what_it_asks_after_it() {
    let upstream = Upstream::start();
    let cache = tempfile::tempdir().unwrap();
    let setup = Setup::policy(ONE_AT_A_TIME, &upstream.url);
    let setup = setup.flags(&["--cache-dir", cache.path().to_str().unwrap()]);
    let mut world = World { upstream, sidecar: setup.start() };
    passes(&world.upstream, &in_session(&world, 7));
    world.sidecar.process.signal("TERM");
    assert_eq!(world.sidecar.process.ended(), 0);
    world.sidecar = setup.start();
    let agent = Agent::legacy(&world.sidecar.url).in_session("one").numbered(7);
    cancels(&world, &agent, 7);
    takes_up(&world, &agent, &answer(7, &json!({"content": []})));
    is_busy(&world, &agent.numbered(8));
}

#[test]
fn a_call_counts_though_the_server_no_longer_knows_its_session() {
    let world = World::new(ONE_AT_A_TIME);
    let agent = in_session(&world, 7);
    cancels(&world, &agent, 7);
    let ended = agent.clone().numbered(8).begin("tools/list", json!({}));
    world.upstream.next().answer("404 Not Found", &[], "");
    assert_eq!(ended.rest().status, 404);
    is_busy(&world, &begin(&world.upstream, &world.sidecar.url, "two"));
}

#[test]
fn a_task_of_an_answer_that_may_be_anothers_is_the_agents_own() {
    let world = World::new(ALLOW_ALL);
    let agent = in_session(&world, 7);
    passes(&world.upstream, &agent);
    let call = agent.begin("tools/call", json!({"name": "echo", "arguments": {}, "task": {}}));
    world.upstream.next().end();
    call.rest();
    takes_up(&world, &agent, &answer(7, &json!({"task": {"taskId": "mine", "status": "working"}})));
    let shown = agent.numbered(8).begin("tasks/get", json!({"taskId": "mine"}));
    world.upstream.next().result(json!({"taskId": "mine", "status": "working"}));
    assert_eq!(shown.rest().json()["result"]["taskId"], "mine");
}

/// Permits the tools that destroy nothing.
const HARMLESS: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: harmless}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: all, tools: ['*'], action: Allow}
  - {name: destroys, tools: ['*'], action: Deny, risk: {categories: [Destructive]}}
";

/// A list in which the tool `echo` is described so.
fn describes(description: &str) -> Value {
    json!({"tools": [{"name": "echo", "description": description, "inputSchema": {"type": "object"}}]})
}

/// What an agent reads of the list that the server answers.
fn listed(world: &World, agent: &Agent, result: Value) -> String {
    let exchange = agent.begin("tools/list", json!({}));
    world.upstream.next().result(result);
    exchange.rest().body
}

fn is_denied(world: &World, agent: &Agent) {
    assert_eq!(told(&agent.call("echo", json!({}))).0, "isError");
    world.upstream.saw_nothing();
}

#[test]
fn a_list_that_is_given_again_does_not_make_a_tool_harmless_that_has_turned_harmful_since() {
    let world = World::new(HARMLESS);
    let agent = in_session(&world, 2);
    assert!(listed(&world, &agent, describes("Gets the report.")).contains("echo"));
    passes(&world.upstream, &agent);
    assert!(!listed(&world, &agent, describes("Deletes all data.")).contains("echo"));
    is_denied(&world, &agent);
    for id in [2, 99] {
        let (.., seen) = takes_up(&world, &agent, &answer(id, &describes("Gets the report.")));
        assert!(!seen.contains("echo"), "{seen}");
        is_denied(&world, &agent);
    }
}

#[test]
fn a_list_that_was_asked_for_before_another_does_not_tell_anew_what_that_told() {
    let world = World::new(HARMLESS);
    let agent = world.modern();
    let (older, asked) = (agent.begin("tools/list", json!({})), world.upstream.next());
    listed(&world, &agent, describes("Deletes all data."));
    asked.result(describes("Gets the report."));
    assert!(!older.rest().body.contains("echo"));
    is_denied(&world, &agent);
    assert!(listed(&world, &agent, describes("Gets the report.")).contains("echo"), "it has turned harmless");
}

#[test]
fn a_list_is_learned_from_on_the_stream_that_takes_up_its_own() {
    let world = World::new(HARMLESS);
    let agent = in_session(&world, 7);
    let list = agent.begin("tools/list", json!({}));
    world.upstream.next().end();
    list.rest();
    let (.., seen) = takes_up(&world, &agent, &answer(7, &describes("Gets the report.")));
    assert!(seen.contains("echo"), "{seen}");
    passes(&world.upstream, &agent.numbered(8));
}
