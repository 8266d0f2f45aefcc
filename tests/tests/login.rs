//! Every SDK's client logs in through the sidecar: at a real authorization server, in front of a real server that checks tokens.
//!
//! | tokens are issued | the server takes | through the sidecar |
//! |---|---|---|
//! | for the server, whatever a client asks | its own | works |
//! | for what a client asks | any | works |
//! | for what a client asks | its own | the login succeeds, the token is refused: told so |
//! | for the server if a client asks that, else not | its own | the authorization server refuses the login: tells so |
//!
//! What is told to who cannot log in is compared with what happens without a sidecar.

use reeve_tests::clients::{Client, Era, Outcome, Sdk, Step};
use reeve_tests::guarded::{Audience, Guarded, Metadata, Takes};
use reeve_tests::sidecar::{Setup, Sidecar};
use serde_json::json;

const ECHO_ONLY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: echo-only}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: echo, tools: [echo], action: Allow}
";

fn steps() -> [Step; 3] {
    let echo = Step::Call("echo", json!({"message": "hello"}));
    [Step::List, echo, Step::Call("delete_everything", json!({}))]
}

/// Asserts that a client has come through, and policy holds for it.
fn is_governed(client: Client, outcomes: &[Outcome]) {
    let [listed, echoed, refused] = outcomes else { panic!("{client:?}: {outcomes:?}") };
    assert_eq!(*listed, Outcome::Tools(vec!["echo".to_owned()]), "{client:?}: the denied tool is not listed");
    assert_eq!(*echoed, Outcome::Answer("Echo: hello".to_owned()), "{client:?}: the permitted call passes");
    assert!(refused.is_refusal(), "{client:?}: the denied one is refused as a result: {refused:?}");
}

/// Asserts that a client that calls the server itself comes through.
fn comes_through_directly(client: Client, guarded: &Guarded) {
    let outcomes = client.log_in(&guarded.url, &steps()[1..2]).unwrap_or_else(|text| panic!("{client:?}: {text}"));
    assert!(outcomes[0].is_answer(), "{client:?} comes through directly: {outcomes:?}");
}

/// Everything that a client told of why it did not come through.
fn told(client: Client, login: Result<Vec<Outcome>, String>) -> String {
    let outcomes = match login {
        Ok(outcomes) => outcomes,
        Err(text) => return text,
    };
    let text = |outcome| match outcome {
        Outcome::Exception(text) => text,
        other => panic!("{client:?} came through: {other:?}"),
    };
    outcomes.into_iter().map(text).collect()
}

fn logs_in(sdk: Sdk) {
    for (audience, takes) in [(Audience::Configured, Takes::Own), (Audience::Requested, Takes::Any)] {
        let guarded = Guarded::start(audience, takes, Metadata::Published);
        let sidecar = Sidecar::start(ECHO_ONLY, &guarded.url);
        for client in Client::ALL.into_iter().filter(|client| client.sdk == sdk) {
            let outcomes = client.log_in(&sidecar.url, &steps()).unwrap_or_else(|text| panic!("{client:?}: {text}"));
            is_governed(client, &outcomes);
        }
    }
}

#[test]
fn the_typescript_sdk_logs_in_through_the_sidecar() {
    logs_in(Sdk::TypeScript);
}

#[test]
fn the_first_typescript_sdk_logs_in_through_the_sidecar() {
    logs_in(Sdk::TypeScript1);
}

#[test]
fn the_python_sdk_logs_in_through_the_sidecar() {
    logs_in(Sdk::Python);
}

#[test]
fn the_rust_sdk_logs_in_through_the_sidecar() {
    logs_in(Sdk::Rust);
}

#[test]
fn who_brings_a_token_that_the_server_does_not_take_is_told_why() {
    let guarded = Guarded::start(Audience::Requested, Takes::Own, Metadata::Published);
    let sidecar = Sidecar::start(ECHO_ONLY, &guarded.url);
    let refused = || sidecar.metric("reeve_upstream_errors_total{cause=\"token_refused\",server=\"upstream\"}");
    for client in Client::ALL {
        comes_through_directly(client, &guarded);
        let before = refused();
        let told = told(client, client.log_in(&sidecar.url, &steps()[..2]));
        assert!(refused() > before, "{client:?}: it is counted");
        if client == (Client { sdk: Sdk::TypeScript, era: Era::Modern }) {
            // Held to one revision, it keeps every error of its first request to itself.
            assert!(told.contains("Version negotiation failed"), "{client:?}: {told}");
            continue;
        }
        for words in ["issued for the sidecar's URL", "servers[].credentials"] {
            assert!(told.contains(words), "{client:?} is told why, and what to do: {told}");
        }
    }
}

#[test]
fn who_is_refused_by_the_authorization_server_is_told_why_by_it() {
    let guarded = Guarded::start(Audience::Known, Takes::Own, Metadata::Published);
    let sidecar = Sidecar::start(ECHO_ONLY, &guarded.url);
    for client in Client::ALL {
        comes_through_directly(client, &guarded);
        let told = told(client, client.log_in(&sidecar.url, &steps()[..2]));
        assert!(told.contains("invalid_target"), "{client:?}: {told}");
    }
}

#[test]
fn a_typescript_client_that_asks_for_the_servers_own_url_comes_through_to_strict_servers() {
    let guarded = Guarded::start(Audience::Known, Takes::Own, Metadata::Published);
    let sidecar = Sidecar::start(ECHO_ONLY, &guarded.url);
    for client in Client::ALL.into_iter().filter(|client| matches!(client.sdk, Sdk::TypeScript | Sdk::TypeScript1)) {
        let login = client.log_in_for(Some(&guarded.url), &sidecar.url, &steps());
        is_governed(client, &login.unwrap_or_else(|text| panic!("{client:?}: {text}")));
    }
}

#[test]
fn who_finds_no_authorization_server_is_told_why() {
    let guarded = Guarded::start(Audience::Configured, Takes::Any, Metadata::None);
    let sidecar = Sidecar::start(ECHO_ONLY, &guarded.url);
    for client in Client::ALL {
        let directly = client.log_in(&guarded.url, &steps()[..1]);
        assert!(directly.is_err(), "{client:?} finds none either where the server itself is called: {directly:?}");
        let told = told(client, client.log_in(&sidecar.url, &steps()[..1]));
        for words in ["no authorization server", "protected-resource metadata", "servers[].credentials"] {
            assert!(told.contains(words), "{client:?}: {told}");
        }
    }
}

#[test]
fn no_agent_needs_to_log_in_where_the_sidecar_holds_the_credential() {
    let guarded = Guarded::start(Audience::Known, Takes::Own, Metadata::Published);
    let config = format!(
        "servers:
- {{name: guarded, url: '{}', credentials: {{file: token, prefix: 'Bearer '}}}}
policyFiles: [policy.yaml]
",
        guarded.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ECHO_ONLY);
    setup.write("token", &guarded.token());
    let sidecar = setup.start();
    for client in Client::ALL {
        is_governed(client, &client.run(&format!("{}/guarded", sidecar.agents), &steps()));
    }
}
