//! What a test that failed leaves behind of its namespace: its objects, events, and what its containers logged.

use std::fmt::Write;

use super::kubectl::kubectl;

/// All of it, as a text. What cannot be had says why.
pub(super) fn of(namespace: &str) -> String {
    let mut report = format!("── namespace {namespace} when the test failed\n");
    let mut section = |arguments: &[&str]| {
        let said = kubectl(&[&["--namespace", namespace], arguments].concat());
        let text = said.map_or_else(|error| error, |said| said.output);
        let _ = writeln!(report, "── kubectl {}\n{text}", arguments.join(" "));
        text
    };
    section(&["get", "all", "--output", "wide"]);
    section(&["get", "events", "--sort-by", ".metadata.creationTimestamp"]);
    let pods = section(&["get", "pods", "--output", "name"]);
    for pod in pods.lines().filter(|line| line.starts_with("pod/")) {
        section(&["get", pod, "--output", "yaml"]);
        section(&["logs", pod, "--all-containers", "--prefix", "--tail", "100"]);
    }
    report
}
