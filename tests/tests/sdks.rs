//! Every SDK's client, in both eras, through the sidecar to a server of every SDK.

use std::time::{Duration, Instant};

use reeve_tests::clients::{Client, Outcome, Step};
use reeve_tests::eventually::eventually;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::Sidecar;
use serde_json::{Value, json};

/// The tools of one server that the policy permits, denies, and limits to one call.
struct Tools {
    permitted: (&'static str, Value),
    denied: (&'static str, Value),
    limited: (&'static str, Value),
}

fn tools(kind: Kind) -> Tools {
    match kind {
        Kind::Everything => Tools {
            permitted: ("echo", json!({"message": "hello"})),
            denied: ("get-env", json!({})),
            limited: ("get-sum", json!({"a": 1, "b": 2})),
        },
        Kind::HealthImaging | Kind::HealthImagingBridged => Tools {
            permitted: ("get_datastore", json!({"datastore_id": "0123456789abcdef0123456789abcdef"})),
            denied: ("delete_datastore", json!({"datastore_id": "0123456789abcdef0123456789abcdef"})),
            limited: ("list_datastores", json!({})),
        },
        Kind::Python | Kind::Fast | Kind::TypeScript | Kind::Express | Kind::Rust | Kind::Go13 | Kind::Go14 => Tools {
            permitted: ("echo", json!({"message": "hello"})),
            denied: ("delete_everything", json!({})),
            limited: ("add", json!({"a": 1, "b": 2})),
        },
        Kind::Conformance => Tools {
            permitted: ("test_simple_text", json!({})),
            denied: ("test_image_content", json!({})),
            limited: ("test_multiple_content_types", json!({})),
        },
    }
}

fn policy(tools: &Tools) -> String {
    format!(
        "apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {{name: peers}}
spec:
  serverRefs: [{{name: '*'}}]
  rules:
  - {{name: permitted, tools: ['{}'], action: Allow}}
  - name: limited
    tools: ['{}']
    action: Allow
    limits: [{{counter: one, window: 1h, max: 1}}]
",
        tools.permitted.0, tools.limited.0
    )
}

fn governed_calls_reach_every_sdk(kind: Kind) {
    let tools = tools(kind);
    let server = Server::start(kind);
    let permitted = || Step::Call(tools.permitted.0, tools.permitted.1.clone());
    let denied = || Step::Call(tools.denied.0, tools.denied.1.clone());
    let limited = || Step::Call(tools.limited.0, tools.limited.1.clone());
    for client in Client::ALL.into_iter().filter(|client| kind.speaks(client.era)) {
        // A limit of its own for each client: one sidecar, one grant, one counter.
        let sidecar = Sidecar::start(&policy(&tools), &server.url);
        let direct = client.run(&server.url, &[Step::List, permitted()]);
        let through = client.run(&sidecar.url, &[Step::List, permitted(), denied(), limited(), limited(), permitted()]);

        let Outcome::Tools(listed) = &through[0] else { panic!("{client:?} could not list: {through:?}") };
        assert!(listed.iter().any(|tool| tool == tools.permitted.0), "{client:?}: a permitted tool is listed");
        assert!(!listed.iter().any(|tool| tool == tools.denied.0), "{client:?}: a denied tool is not listed");
        assert_eq!(listed.len(), 2, "{client:?}: nothing else is listed: {listed:?}");
        assert!(direct[1].is_from_server(), "{client:?}: the server answers: {:?}", direct[1]);
        assert_eq!(through[1], direct[1], "{client:?}: a permitted call gives what it gives directly");
        assert!(through[2].is_refusal(), "{client:?}: a refusal is a result to read: {:?}", through[2]);
        assert!(through[3].is_from_server(), "{client:?}: the first call is within the limit: {:?}", through[3]);
        assert!(through[4].is_refusal(), "{client:?}: the second is not: {:?}", through[4]);
        let Outcome::ToolError(text) = &through[4] else { panic!("a refusal is a tool error") };
        assert!(text.contains("peers") && text.contains("limited"), "{client:?} reads policy and rule: {text}");
        assert_eq!(through[5], direct[1], "{client:?}: refusals leave the session as it was");
        neither_retries_nor_logs_in(client, &sidecar);
    }
}

/// After five calls: a client that took a refusal for a failure would have called more often, and one that took it for a
/// missing login would have looked for the authorization server's metadata, at paths that lead nowhere.
fn neither_retries_nor_logs_in(client: Client, sidecar: &Sidecar) {
    let decisions = sidecar.decisions(5);
    let calls = decisions.iter().filter(|line| line["method"] == "tools/call").count();
    assert_eq!(calls, 5, "{client:?}: {decisions:?}");
    let elsewhere = sidecar.metric("reeve_rejected_requests_total{cause=\"path\"}");
    assert_eq!(elsewhere, 0.0, "{client:?} asked for other paths:\n{}", sidecar.process.log());
}

/// Long enough for eleven calls on a busy machine, short enough to wait for.
const WINDOW: Duration = Duration::from_secs(20);

#[test]
fn calls_pass_up_to_a_limit_and_again_after_the_time_that_its_refusal_tells() {
    let server = Server::start(Kind::Rust);
    let policy = json!({
        "version": "1",
        "default": "deny",
        "tools": {"echo": {"limits": [{"counter": "echoes", "window": WINDOW.as_secs(), "max": 10, "scope": "grant"}]}},
    });
    // Each client waits for a window of its own, all at the same time.
    std::thread::scope(|scope| {
        for client in Client::ALL {
            let (policy, url) = (policy.to_string(), &server.url);
            scope.spawn(move || passes_again_after_its_window(client, &policy, url));
        }
    });
}

fn passes_again_after_its_window(client: Client, policy: &str, url: &str) {
    let echo = || Step::Call("echo", json!({"message": "hello"}));
    let sidecar = Sidecar::start(policy, url);
    let outcomes = client.run(&sidecar.url, &vec![echo(); 11]);
    let told = Instant::now();
    assert!(outcomes[..10].iter().all(Outcome::is_answer) && outcomes[10].is_refusal(), "{client:?}: {outcomes:?}");
    let retry = outcomes[10].retry_after().unwrap_or_else(|| panic!("{client:?} is told no time: {outcomes:?}"));
    assert!(!retry.is_zero() && retry <= WINDOW, "{client:?}: {retry:?}");
    eventually("the time that the refusal told has passed", || (told.elapsed() >= retry).then_some(()));
    let again = client.run(&sidecar.url, &[echo()]);
    assert!(again[0].is_answer(), "{client:?}, {retry:?} after its refusal: {again:?}");
}

#[test]
fn governed_calls_reach_every_sdk_through_server_everything() {
    governed_calls_reach_every_sdk(Kind::Everything);
}

#[test]
fn governed_calls_reach_every_sdk_through_healthimaging() {
    governed_calls_reach_every_sdk(Kind::HealthImaging);
}

#[test]
fn governed_calls_reach_every_sdk_through_healthimaging_bridged_from_stdio() {
    governed_calls_reach_every_sdk(Kind::HealthImagingBridged);
}

#[test]
fn governed_calls_reach_every_sdk_through_fastmcp() {
    governed_calls_reach_every_sdk(Kind::Fast);
}

#[test]
fn governed_calls_reach_every_sdk_through_the_typescript_sdk() {
    governed_calls_reach_every_sdk(Kind::TypeScript);
}

#[test]
fn governed_calls_reach_every_sdk_through_the_rust_sdk() {
    governed_calls_reach_every_sdk(Kind::Rust);
}

#[test]
fn governed_calls_reach_every_sdk_through_the_typescript_sdk_with_sessions() {
    governed_calls_reach_every_sdk(Kind::Conformance);
}
