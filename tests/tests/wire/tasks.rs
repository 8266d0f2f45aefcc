//! Tasks belong to whose call made them.

use reeve_tests::agent::{Agent, told};
use reeve_tests::http::Exchange;
use reeve_tests::sidecar::Setup;
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::World;
use super::sessions::begin;

const ONE_EXPORT_AT_A_TIME: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: exports, namespace: clinic}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: export, tools: [export], action: Allow, concurrency: {max: 1}}
  - {name: echo, tools: [echo], action: Allow}
";

impl World {
    /// Has the server answer a request with this result; what the agent reads of it.
    fn answered(&self, exchange: Exchange, result: Value) -> Value {
        self.upstream.next().result(result);
        exchange.rest().json()
    }

    /// A call that the server turns into the task.
    fn make(&self, agent: &Agent, tool: &str, task: &str) {
        let exchange = agent.begin("tools/call", json!({"name": tool, "arguments": {}, "task": {}}));
        let request = self.upstream.next();
        let modern = request.header("Mcp-Method").is_some();
        request.result(made(modern, task));
        assert_eq!(exchange.rest().status, 200);
    }
}

fn made(modern: bool, task: &str) -> Value {
    let state = json!({"taskId": task, "status": "working", "createdAt": "2026-01-01T00:00:00Z", "ttlMs": null});
    if modern {
        let mut state = state;
        state["resultType"] = json!("task");
        return state;
    }
    json!({"task": state})
}

fn ended(task: &str) -> Value {
    json!({"resultType": "complete", "taskId": task, "status": "completed", "result": {"content": []}})
}

fn ask(agent: &Agent, method: &str, task: &str) -> Exchange {
    let task = json!({"taskId": task});
    let body = agent.body(method, task.clone());
    agent.begin_raw(method, task["taskId"].as_str(), &body)
}

#[test]
fn a_task_is_there_for_the_agent_whose_call_made_it_and_no_other_is() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    for (agent, methods) in [
        (world.modern(), ["tasks/get", "tasks/update", "tasks/cancel"]),
        (world.legacy(), ["tasks/get", "tasks/result", "tasks/cancel"]),
    ] {
        world.make(&agent, "echo", "mine");
        for method in methods {
            let shown = world.answered(ask(&agent, method, "mine"), ended("mine"));
            assert_eq!(shown["result"]["taskId"], "mine", "{method}");
            let unknown = ask(&agent, method, "of-another").rest();
            assert_eq!((unknown.status, told(&unknown).0.as_str()), (200, "-32602"), "{method}: {unknown:?}");
            world.upstream.saw_nothing();
        }
    }
}

#[test]
fn a_server_that_has_made_no_task_has_no_method_for_them() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    let modern = ask(&world.modern(), "tasks/get", "guessed").rest();
    assert_eq!((modern.status, told(&modern).0.as_str()), (404, "-32601"));
    let legacy = ask(&world.legacy(), "tasks/get", "guessed").rest();
    assert_eq!((legacy.status, told(&legacy).0.as_str()), (200, "-32601"));
    world.upstream.saw_nothing();
}

#[test]
fn an_answer_that_only_looks_like_a_task_makes_none() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    // Not asked for: in the legacy era it is the agent who makes a call a task.
    let exchange = world.legacy().begin_call("echo");
    world.answered(exchange, made(false, "unasked"));
    world.make(&world.modern(), "echo", "mine");
    let unknown = ask(&world.legacy(), "tasks/get", "unasked").rest();
    assert_eq!(told(&unknown).0, "-32602", "{unknown:?}");
    world.upstream.saw_nothing();
}

#[test]
fn a_task_that_is_made_on_the_stream_which_takes_up_a_call_is_the_agents_own() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    let agent = begin(&world.upstream, &world.sidecar.url, "one").numbered(7);
    let call = agent.begin("tools/call", json!({"name": "export", "arguments": {}, "task": {}}));
    let mut request = world.upstream.next();
    request.begin_events();
    request.write("id: 7\ndata:\n\n");
    request.end();
    call.rest();
    let mut resumed = agent.with("Last-Event-ID", "7").stream();
    let mut request = world.upstream.next();
    request.begin_events();
    request.write(format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": 7, "result": made(false, "mine")})));
    resumed.until("mine");
    let refused = world.legacy().call("export", json!({}));
    assert_eq!(refused.json()["result"]["isError"], true, "the task is in flight: {refused:?}");
    let shown = world.answered(ask(&world.legacy(), "tasks/get", "mine"), ended("mine"));
    assert_eq!(shown["result"]["taskId"], "mine");
    world.make(&world.legacy(), "export", "next");
}

#[test]
fn lists_of_tasks_show_only_those_of_the_agent() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    world.make(&world.legacy(), "echo", "mine");
    let exchange = world.legacy().begin("tasks/list", json!({}));
    let task = |id: &str| json!({"taskId": id, "status": "working"});
    let shown = world.answered(exchange, json!({"tasks": [task("of-another"), task("mine")], "nextCursor": "2"}));
    assert_eq!(shown["result"], json!({"tasks": [task("mine")], "nextCursor": "2"}));
}

#[test]
fn notifications_of_tasks_reach_the_agent_whose_they_are() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    world.make(&world.modern(), "echo", "mine");
    let foreign = world.modern().ask("subscriptions/listen", json!({"notifications": {"taskIds": ["mine", "other"]}}));
    assert_eq!(told(&foreign).0, "-32602");
    let mut stream = world.modern().begin("subscriptions/listen", json!({"notifications": {"taskIds": ["mine"]}}));
    let mut request = world.upstream.next();
    request.begin_events();
    let notification = |task: &str| {
        let params = json!({"taskId": task, "status": "completed", "result": {"content": []}});
        let message = json!({"jsonrpc": "2.0", "method": "notifications/tasks", "params": params});
        format!("data: {message}\n\n")
    };
    request.write(notification("of-another") + &notification("mine"));
    let seen = stream.until("\"mine\"");
    assert!(!seen.contains("of-another"), "{seen}");
}

#[test]
fn a_call_that_becomes_a_task_is_in_flight_until_the_task_has_ended() {
    let world = World::new(ONE_EXPORT_AT_A_TIME);
    let busy = |agent: &Agent| {
        let refused = agent.call("export", json!({}));
        let reason = refused.json()["result"]["_meta"]["reeve.dev/decision"]["reason"].clone();
        assert_eq!(reason, "ConcurrencyExceeded", "{refused:?}");
    };
    for (agent, method) in [(world.modern(), "tasks/get"), (world.legacy(), "tasks/result")] {
        world.make(&agent, "export", "running");
        busy(&agent);
        let poll = ask(&agent, "tasks/get", "running");
        world.answered(poll, json!({"resultType": "complete", "taskId": "running", "status": "working"}));
        busy(&agent);
        let result = if method == "tasks/get" { ended("running") } else { json!({"content": []}) };
        world.answered(ask(&agent, method, "running"), result);
        world.make(&agent, "export", "next");
        world.answered(ask(&agent, "tasks/cancel", "next"), json!({"taskId": "next", "status": "cancelled"}));
    }
}

#[test]
fn a_task_is_known_after_a_restart_of_the_container() {
    let upstream = Upstream::start();
    let cache = tempfile::tempdir().unwrap();
    let setup = Setup::policy(ONE_EXPORT_AT_A_TIME, &upstream.url);
    let setup = setup.flags(&["--cache-dir", cache.path().to_str().unwrap()]);
    let mut world = World { upstream, sidecar: setup.start() };
    world.make(&world.modern(), "echo", "mine");
    world.sidecar.process.signal("TERM");
    assert_eq!(world.sidecar.process.ended(), 0);
    world.sidecar = setup.start();
    let shown = world.answered(ask(&world.modern(), "tasks/get", "mine"), ended("mine"));
    assert_eq!(shown["result"]["taskId"], "mine");
    let told = ask(&world.modern(), "tasks/get", "of-another").rest();
    assert!(told.json()["error"].is_object(), "{told:?}");
    world.upstream.saw_nothing();
}
