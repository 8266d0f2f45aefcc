//! The official conformance suites of clients: what a client does for a server directly, it does through the sidecar.
//!
//! The suite plays the server. Between it and the client stands a sidecar with the suite's server as upstream, started for
//! each scenario by `reeve-peer-through-sidecar`. The scenarios of authorization (`auth/*`) are not among these: a client
//! compares the URL it dialled with the resource that its token is for, which a sidecar on loopback changes.

use reeve_tests::conformance::{Scores, Suite, compare};
use reeve_tests::process::{node, peer, root};
use reeve_tests::sidecar::built;

/// The scenarios of the released suite, which are of the legacy era.
const RELEASED: [&str; 4] = ["initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"];

/// Those that the newer suite adds, most of the modern era.
const NEXT: [&str; 6] = [
    "request-metadata",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "sep-2322-client-request-state",
    "json-schema-ref-no-deref",
];

fn does_the_same_through_the_sidecar(client: &str) {
    let through = format!("{} {client}", built("reeve-peer-through-sidecar").display());
    let released = RELEASED.map(|scenario| (Suite::RELEASED, scenario));
    let next = RELEASED.into_iter().chain(NEXT).map(|scenario| (Suite::NEXT, scenario));
    for (suite, scenario) in released.into_iter().chain(next) {
        let run = |command: &str| suite.client(command, scenario);
        let (scores, differ) = compare(|| run(client), || run(&through), |_, _, _| false);
        assert!(differ.is_empty(), "{client}, {suite:?}, {scenario}:\n{}", differ.join("\n"));
        assert!(passed(&scores), "{client} fails {scenario} directly: {scores:?}");
    }
}

fn passed(scores: &Scores) -> bool {
    scores.count("SUCCESS") > 0 && scores.count("FAILURE") == 0
}

#[test]
fn the_typescript_client_does_the_same_through_the_sidecar() {
    let client = format!("{} {}", node().display(), peer("node/conformance-client.mjs").display());
    does_the_same_through_the_sidecar(&client);
}

#[test]
fn the_python_client_does_the_same_through_the_sidecar() {
    let program = root().join("tests/peers/python/conformance_client.py");
    let client = format!("{} {}", peer("client/bin/python").display(), program.display());
    does_the_same_through_the_sidecar(&client);
}
