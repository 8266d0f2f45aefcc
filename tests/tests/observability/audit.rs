//! The queries on the audit log, asked of lines that a sidecar wrote: an agent exported three times where two are permitted, listed
//! twice (which an Audit rule would refuse; once in a trace) and tried to delete.

use std::process::Command;

use reeve_tests::monitoring::{files, read};
use reeve_tests::process::root;

/// What a sidecar wrote.
const LOG: &str = "tests/observability/audit.jsonl";
/// The same as a node keeps it: the first two lines and the last were rotated away or are not written yet; and one is lost, the fifth.
const CUT: &str = "tests/observability/cut.jsonl";

/// The answer of a query, by lines and columns.
fn ask(query: &str, options: &[&str]) -> Vec<Vec<String>> {
    ask_of(LOG, query, options)
}

/// The answer of a query on one of the logs.
fn ask_of(log: &str, query: &str, options: &[&str]) -> Vec<Vec<String>> {
    let jq = root().join("target/tools/jq");
    assert!(jq.exists(), "jq is missing: run `tests/install jq`");
    let (query, log) = (root().join("examples/audit").join(query), root().join(log));
    let said = Command::new(jq).args(options).arg("-rf").args([query, log]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let lines = String::from_utf8(said.stdout).unwrap();
    lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// These columns of each line.
fn columns<const N: usize>(answer: &[Vec<String>], at: [usize; N]) -> Vec<[&str; N]> {
    answer.iter().map(|line| at.map(|at| line[at].as_str())).collect()
}

#[test]
fn who_called_what_when_and_which_rule_decided() {
    let calls = ask("calls.jq", &[]);
    let [exports, limit] = ["clinic/imaging#exports", "clinic/imaging#exports/limits/exports"];
    let expected = [
        ["start_dicom_export_job", "allow", exports],
        ["start_dicom_export_job", "allow", exports],
        ["start_dicom_export_job", "limited", limit],
        ["list_datastores", "allow", "clinic/imaging#reads"],
        ["delete_datastore", "deny", "clinic/imaging"],
        ["list_datastores", "allow", "clinic/imaging#reads"],
    ];
    assert_eq!(columns(&calls, [4, 5, 7]), expected);
    assert!(calls.iter().all(|line| line[0].ends_with('Z') && line[1] == "clinic/agent" && line[2] == "agent-1"));
}

#[test]
fn what_was_refused_what_would_be_and_who_is_refused_most() {
    let refused = [["start_dicom_export_job", "LimitExceeded"], ["delete_datastore", "NoRule"]];
    assert_eq!(columns(&ask("refusals.jq", &[]), [3, 4]), refused);
    assert_eq!(columns(&ask("top.jq", &["-n"]), [0, 2]), refused.map(|[tool, _]| ["1", tool]));
    assert_eq!(columns(&ask("would-refuse.jq", &[]), [3, 5]), [["list_datastores", "clinic/imaging#strict"]; 2]);
}

#[test]
fn a_trace_has_its_calls_and_a_run_its_numbers() {
    let trace = ask("trace.jq", &["--arg", "trace", "4bf92f3577b34da6a3ce929d0e0e4736"]);
    assert_eq!(columns(&trace, [3]), [["list_datastores"]]);
    assert_eq!(columns(&ask("gaps.jq", &["-n"]), [1, 2, 3, 4, 5]), [["agent-1", "9", "1", "0", "stopped"]]);
}

#[test]
fn what_was_rotated_away_is_not_told_as_lost() {
    let [run] = &ask_of(CUT, "gaps.jq", &["-n"])[..] else { panic!("there is one run") };
    let expected = ["agent-1", "5", "3", "1", "runs or was killed", "begins at 3: earlier lines are not in this file"];
    assert_eq!(run[1..], expected);
}

#[test]
fn every_field_of_these_lines_is_documented_and_every_query_is_asked_here() {
    let page = read("docs/audit.md");
    for line in read(LOG).lines() {
        let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        for field in line.keys() {
            assert!(page.contains(&format!("| `{field}")), "docs/audit.md: {field}");
        }
    }
    let index = read("examples/audit/README.md");
    for query in files("examples/audit", "jq") {
        let name = query.file_name().unwrap().to_string_lossy().into_owned();
        assert!(include_str!("audit.rs").contains(&format!("ask(\"{name}\"")), "{name} is asked nothing");
        assert!(index.contains(&name), "examples/audit/README.md: {name}");
    }
}
