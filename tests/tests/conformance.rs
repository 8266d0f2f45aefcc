//! The official conformance suites against servers: what a server scores directly, it scores through the sidecar, check by
//! check.
//!
//! Of a revision that a server does not speak the suites only see how it fails. Through the sidecar it fails otherwise, because
//! the sidecar itself keeps that revision's rules (header and body must agree, say): there no check may be lost.

use std::collections::BTreeSet;

use reeve_tests::conformance::{Check, Suite, compare};
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::{ALLOW_ALL, Sidecar};

/// The one difference that may be: the sidecar checks Host and Origin even where the server does not.
fn is_better_protected(check: &Check, verdict: &str) -> bool {
    check.scenario.ends_with("dns-rebinding-protection") && verdict == "SUCCESS"
}

fn scores_are_the_same_through_the_sidecar(kind: Kind) {
    let server = Server::start(kind);
    let sidecar = Sidecar::start(ALLOW_ALL, &server.url);
    for suite in Suite::SERVERS {
        let directly = || suite.server(&server.url);
        let through = || suite.server(&sidecar.url);
        let permitted = |check: &Check, directly: &BTreeSet<&str>, verdict: &str| {
            is_better_protected(check, verdict) || (!kind.speaks(suite.era) && !directly.contains("SUCCESS"))
        };
        let (scores, differ) = compare(directly, through, permitted);
        let counts = ["SUCCESS", "FAILURE", "WARNING", "SKIPPED"].map(|verdict| (verdict, scores.count(verdict)));
        println!("{kind:?}, {suite:?}: {counts:?}");
        assert!(differ.is_empty(), "{kind:?}, {suite:?}:\n{}\n{}", differ.join("\n"), sidecar.process.log());
    }
}

#[test]
fn the_conformance_fixture_passes_every_check_but_those_of_the_tasks_extension() {
    let server = Server::start(Kind::Conformance);
    for suite in Suite::SERVERS {
        let scores = suite.server(&server.url);
        let failed = [scores.with("FAILURE"), scores.with("WARNING")].concat();
        let failed: Vec<_> = failed.into_iter().filter(|check| !check.scenario.starts_with("server-tasks-")).collect();
        assert!(failed.is_empty(), "{suite:?}: {failed:?}");
    }
}

#[test]
fn the_conformance_fixture_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::Conformance);
}

#[test]
fn server_everything_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::Everything);
}

#[test]
fn healthimaging_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::HealthImaging);
}

#[test]
fn healthimaging_bridged_from_stdio_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::HealthImagingBridged);
}

#[test]
fn fastmcp_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::Fast);
}

#[test]
fn the_typescript_sdk_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::TypeScript);
}

#[test]
fn the_rust_sdk_scores_the_same_through_the_sidecar() {
    scores_are_the_same_through_the_sidecar(Kind::Rust);
}
