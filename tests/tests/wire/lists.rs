//! Lists of a server, filtered wherever they arrive: a tool that policy denies is in none that an agent sees.

use reeve_tests::agent::{Agent, told};
use reeve_tests::http::Answer;
use reeve_tests::sidecar::{Setup, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::{Value, json};

use super::{ECHO_ONLY, two_tools};

fn message(request: &Request, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": request.json()["id"], "result": result})
}

/// Asserts that only `echo` was listed.
fn lists_echo_only(answer: &Answer) {
    let tools = answer.json()["result"]["tools"].clone();
    assert_eq!(tools, json!([{"name": "echo", "inputSchema": {"type": "object"}}]), "{answer:?}");
    assert!(!answer.body.contains("delete_everything"), "{answer:?}");
}

#[test]
fn a_list_in_plain_json_is_filtered_and_not_to_be_shared() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let exchange = Agent::modern(&sidecar.url).begin("tools/list", json!({}));
    let mut result = two_tools();
    result["resultType"] = json!("complete");
    result["ttlMs"] = json!(300_000);
    result["cacheScope"] = json!("public");
    result["nextCursor"] = json!("page 2");
    result["_meta"] = json!({"example.com/kept": [1, 2.50]});
    upstream.next().result(result);
    let answer = exchange.rest();
    lists_echo_only(&answer);
    let result = &answer.json()["result"];
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(0), &json!("private")));
    assert_eq!((&result["nextCursor"], &result["resultType"]), (&json!("page 2"), &json!("complete")));
    assert_eq!(result["_meta"], json!({"example.com/kept": [1, 2.50]}));
}

#[test]
fn the_legacy_era_is_told_nothing_of_caches_that_it_does_not_know() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let exchange = Agent::legacy(&sidecar.url).begin("tools/list", json!({}));
    upstream.next().result(two_tools());
    let answer = exchange.rest();
    lists_echo_only(&answer);
    assert!(!answer.body.contains("ttlMs") && !answer.body.contains("cacheScope"), "{answer:?}");
}

#[test]
fn a_list_in_a_stream_is_filtered_in_every_form() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    for agent in [Agent::legacy(&sidecar.url), Agent::modern(&sidecar.url)] {
        for form in [
            "event: message\r\nid: 1\r\ndata: {}\r\n\r\n",
            "data: {}\n\n",
            ": comment\n\nid: 0\nretry: 50\ndata:\n\ndata:{}\n\n",
            "data: {}\r\r",
        ] {
            let exchange = agent.begin("tools/list", json!({}));
            let mut request = upstream.next();
            request.begin_events();
            let data = message(&request, &two_tools()).to_string();
            request.write(form.replace("{}", &data));
            request.end();
            let answer = exchange.rest();
            let body = answer.body.replace('\r', "\n");
            lists_echo_only(&Answer { body, ..answer });
        }
    }
}

/// A legacy agent in a session that the sidecar knows.
fn in_session(upstream: &Upstream, sidecar: &Sidecar, session: &str) -> Agent {
    let agent = Agent::legacy(&sidecar.url);
    let exchange = agent.begin("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    let header = format!("Mcp-Session-Id: {session}");
    let request = upstream.next();
    let result =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
    let body = message(&request, &result).to_string();
    request.answer("200 OK", &["Content-Type: application/json", &header], &body);
    assert_eq!(exchange.rest().header("Mcp-Session-Id"), Some(session));
    agent.in_session(session)
}

#[test]
fn a_list_that_comes_on_the_sessions_own_or_a_resumed_stream_is_filtered() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let agent = in_session(&upstream, &sidecar, "session-1");
    for (resumed, id) in [(false, 2), (true, 3)] {
        // The stream of the POST breaks off after its first event; the answer comes elsewhere.
        let agent = agent.clone().numbered(id);
        let exchange = agent.begin("tools/list", json!({}));
        let mut request = upstream.next();
        let data = message(&request, &two_tools()).to_string();
        request.begin_events();
        request.write("id: 7\nretry: 50\ndata: \n\n");
        request.end();
        assert_eq!(exchange.rest().body, "id: 7\nretry: 50\ndata: \n\n", "a legacy agent may resume");

        let other = if resumed { agent.clone().with("Last-Event-ID", "7") } else { agent.clone() };
        let mut stream = other.stream();
        let mut request = upstream.next();
        assert!(request.head.starts_with("GET /mcp "), "{}", request.head);
        assert_eq!(request.header("Last-Event-ID"), resumed.then_some("7"));
        assert_eq!(request.header("Mcp-Session-Id"), Some("session-1"));
        request.begin_events();
        request.write(format!("id: 8\ndata: {data}\n\n"));
        request.end();
        stream.until("\r\n\r\n");
        let answer = stream.rest();
        assert!(answer.head.contains("echo") || answer.body.contains("echo"), "{answer:?}");
        assert!(!answer.head.contains("delete_everything") && !answer.body.contains("delete_everything"), "{answer:?}");
    }
}

#[test]
fn an_unasked_answer_that_looks_like_a_list_is_filtered_too() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let agent = in_session(&upstream, &sidecar, "session-1");
    let mut stream = agent.stream();
    let mut request = upstream.next();
    request.begin_events();
    for (number, mut result) in [two_tools(), two_tools()].into_iter().enumerate() {
        if number == 1 {
            result["prompts"] = json!([{"name": "exfiltrate"}]);
        }
        let unasked = json!({"jsonrpc": "2.0", "id": "never asked", "result": result});
        request.write(format!("data: {unasked}\n\n: end {number}\n\n"));
        let seen = stream.until(&format!(": end {number}"));
        assert!(seen.contains("echo"), "{seen}");
        assert!(!seen.contains("delete_everything") && !seen.contains("exfiltrate"), "{seen}");
    }
}

#[test]
fn a_list_that_cannot_be_read_is_not_passed_on() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    for result in [
        json!({"tools": {"name": "delete_everything"}}),
        json!({"tools": ["delete_everything"]}),
        json!({"tools": [{"name": ["delete_everything"]}]}),
        json!([two_tools()]),
    ] {
        for events in [false, true] {
            let exchange = Agent::modern(&sidecar.url).begin("tools/list", json!({}));
            let mut request = upstream.next();
            if events {
                request.begin_events();
                let data = message(&request, &result);
                request.write(format!("data: {data}\n\n"));
                request.end();
            } else {
                request.result(result.clone());
            }
            let answer = exchange.rest();
            assert!(!answer.body.contains("delete_everything"), "{result}: {answer:?}");
            assert_eq!(told(&answer).0, "502", "{result}: {answer:?}");
        }
    }
}

#[test]
fn an_empty_page_keeps_its_cursor() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let exchange = Agent::legacy(&sidecar.url).begin("tools/list", json!({"cursor": ""}));
    let tools = json!([{"name": "delete_everything", "inputSchema": {"type": "object"}}]);
    upstream.next().result(json!({"tools": tools, "nextCursor": "more"}));
    assert_eq!(exchange.rest().json()["result"], json!({"tools": [], "nextCursor": "more"}));
}

#[test]
fn resources_and_prompts_are_filtered_as_tools_are() {
    let upstream = Upstream::start();
    let policy = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: some}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: reads, resources: ['docs://open/**'], action: Allow}
  - {name: asks, prompts: [greet], action: Allow}
";
    let sidecar = Setup::policy(policy, &upstream.url).start();
    let agent = Agent::legacy(&sidecar.url);
    for (method, key, shown, hidden) in [
        (
            "resources/list",
            "resources",
            json!({"name": "a", "uri": "docs://open/a"}),
            json!({"name": "b", "uri": "docs://secret/b"}),
        ),
        (
            "resources/templates/list",
            "resourceTemplates",
            json!({"name": "a", "uriTemplate": "docs://open/{id}"}),
            json!({"name": "b", "uriTemplate": "docs://secret/{id}"}),
        ),
        ("prompts/list", "prompts", json!({"name": "greet"}), json!({"name": "exfiltrate"})),
    ] {
        let exchange = agent.begin(method, json!({}));
        upstream.next().result(json!({key: [hidden, shown.clone()]}));
        assert_eq!(exchange.rest().json()["result"], json!({key: [shown]}), "{method}");
    }
}

#[test]
fn a_list_that_comes_as_the_answer_to_another_request_is_filtered_too() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    for (agent, method) in [(Agent::legacy(&sidecar.url), "ping"), (Agent::modern(&sidecar.url), "server/discover")] {
        let exchange = agent.begin(method, json!({}));
        upstream.next().result(two_tools());
        lists_echo_only(&exchange.rest());
    }
}

#[test]
fn the_result_of_a_call_is_no_list_whatever_its_members_are_called() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    for agent in [Agent::legacy(&sidecar.url), Agent::modern(&sidecar.url)] {
        for own in [
            json!({"content": [], "tools": 3, "Resources": {"a": 1}}),
            json!({"content": [], "tasks": [], "prompts": [{"name": "delete_everything"}]}),
            two_tools(),
        ] {
            let mut result = own;
            result["resultType"] = json!("complete");
            let exchange = agent.begin_call("echo");
            upstream.next().result(result.clone());
            assert_eq!(exchange.rest().json()["result"], result);
        }
    }
}
