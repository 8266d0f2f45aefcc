//! The official conformance suites of clients: what a client does for a server directly, it does through the sidecar.
//!
//! The suite plays the server. Between it and the client stands a sidecar with the suite's server as upstream, started for
//! each scenario by `reeve-peer-through-sidecar`.

use reeve_tests::conformance::{Scores, Suite, compare};
use reeve_tests::process::{node, peer, root};
use reeve_tests::sidecar::built;

/// How the names of scenarios begin that are not run, and why.
const EXCLUDED: [(&str, &str); 2] = [
    (
        "auth/",
        "a client compares the URL it dialled with the resource of its token, which a sidecar on loopback changes",
    ),
    (
        "sep-2640-client-",
        "`skills/list` is a method of no revision, and the sidecar denies methods that it does not know",
    ),
];

fn does_the_same_through_the_sidecar(client: &str) {
    let through = format!("{} {client}", built("reeve-peer-through-sidecar").display());
    for suite in Suite::CLIENTS {
        let scenarios = suite.client_scenarios();
        let excluded = |scenario: &str| EXCLUDED.iter().any(|(start, _)| scenario.starts_with(start));
        for scenario in scenarios.iter().filter(|scenario| !excluded(scenario)) {
            let run = |command: &str| suite.client(command, scenario);
            let (scores, differ) = compare(|| run(client), || run(&through), |_, _, _| false);
            assert!(differ.is_empty(), "{client}, {suite:?}, {scenario}:\n{}", differ.join("\n"));
            println!("{suite:?}, {scenario}: {} checks pass", scores.count("SUCCESS"));
            assert!(passed(&scores), "{client} fails {scenario} of {suite:?} directly: {scores:?}");
        }
    }
}

fn passed(scores: &Scores) -> bool {
    scores.count("SUCCESS") > 0 && scores.count("FAILURE") == 0
}

#[test]
fn every_exclusion_is_of_scenarios_that_a_suite_has() {
    let scenarios: Vec<String> = Suite::CLIENTS.into_iter().flat_map(Suite::client_scenarios).collect();
    for (start, reason) in EXCLUDED {
        assert!(scenarios.iter().any(|scenario| scenario.starts_with(start)), "{start}: {reason}");
    }
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

#[test]
fn the_rust_client_does_the_same_through_the_sidecar() {
    let client = built("reeve-peer-conformance-client");
    does_the_same_through_the_sidecar(&client.display().to_string());
}
