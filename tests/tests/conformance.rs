//! The official conformance suites: what a server scores through the sidecar, it scores directly, check by check.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use reeve_tests::process::{node, peer};
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::Sidecar;
use serde_json::Value;

const ALLOW_ALL: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: allow-all}
spec:
  serverRefs: [{name: '*'}]
  default: Allow
";

/// The suites: the released one, and the newer one with the scenarios that each revision requires.
const SUITES: [(&str, &[&str]); 3] = [
    ("node/node_modules/.bin/conformance", &[]),
    ("node-conformance/node_modules/.bin/conformance", &["--requirements", "2025-11-25"]),
    ("node-conformance/node_modules/.bin/conformance", &["--requirements", "2026-07-28"]),
];

/// The status of every check, by scenario, its id, and how often it came before in that scenario.
type Scores = BTreeMap<(String, String, usize), String>;

fn score(program: &str, flags: &[&str], url: &str) -> Scores {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .arg("300")
        .arg(node())
        .arg(peer(program))
        .args(["server", "--url", url])
        .args(flags)
        .arg("--output-dir")
        .arg(folder.path())
        .output()
        .unwrap();
    let mut scores = Scores::new();
    for scenario in folder.path().read_dir().unwrap() {
        read_scenario(&scenario.unwrap().path(), &mut scores);
    }
    assert!(!scores.is_empty(), "the suite ran nothing: {}", String::from_utf8_lossy(&output.stderr));
    scores
}

fn read_scenario(folder: &Path, scores: &mut Scores) {
    // `server-NAME-2026-11-24T09-29-38-920Z`
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let name = name[..name.len() - "-2026-11-24T09-29-38-920Z".len()].to_owned();
    let Ok(text) = std::fs::read_to_string(folder.join("checks.json")) else { return };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for check in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
        let id = check["id"].as_str().unwrap_or_default().to_owned();
        let before = seen.entry(id.clone()).or_default();
        scores.insert((name.clone(), id, *before), check["status"].as_str().unwrap_or_default().to_owned());
        *before += 1;
    }
}

/// The one difference that may be: the sidecar checks Host and Origin even where the server does not.
fn is_better_protected((scenario, ..): &(String, String, usize), through: Option<&String>) -> bool {
    scenario.ends_with("dns-rebinding-protection") && through.is_some_and(|status| status == "SUCCESS")
}

fn scores_are_the_same_through_the_sidecar(kind: Kind) {
    let server = Server::start(kind);
    let sidecar = Sidecar::start(ALLOW_ALL, &server.url);
    for (program, flags) in SUITES {
        let direct = score(program, flags, &server.url);
        let through = score(program, flags, &sidecar.url);
        let keys = direct.keys().chain(through.keys()).collect::<std::collections::BTreeSet<_>>();
        let differ: Vec<String> = keys
            .into_iter()
            .filter(|key| direct.get(*key) != through.get(*key) && !is_better_protected(key, through.get(*key)))
            .map(|key| format!("{key:?}: {:?} directly, {:?} through", direct.get(key), through.get(key)))
            .collect();
        let passed = direct.values().filter(|status| *status == "SUCCESS").count();
        println!("{kind:?} {flags:?}: {} checks, {passed} succeed directly", direct.len());
        assert!(differ.is_empty(), "{kind:?}, {program} {flags:?}:\n{}\n{}", differ.join("\n"), sidecar.process.log());
    }
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
