//! Every SDK's client, in both eras, through the sidecar to a server of every SDK.

use reeve_tests::clients::{Client, Outcome, Step};
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
        assert_eq!(through[1], direct[1], "{client:?}: a permitted call gives what it gives directly");
        assert!(through[2].is_refusal(), "{client:?}: a refusal is a result to read: {:?}", through[2]);
        assert!(!through[3].is_refusal(), "{client:?}: the first call is within the limit: {:?}", through[3]);
        assert!(through[4].is_refusal(), "{client:?}: the second is not: {:?}", through[4]);
        let Outcome::ToolError(text) = &through[4] else { panic!("a refusal is a tool error") };
        assert!(text.contains("peers") && text.contains("limited"), "{client:?} reads policy and rule: {text}");
        assert_eq!(through[5], direct[1], "{client:?}: refusals leave the session as it was");
    }
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
