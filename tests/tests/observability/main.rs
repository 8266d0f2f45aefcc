//! What Prometheus and Grafana are given: dashboards, rules and alerts, held against the metrics that there are and the pages
//! that explain them, and evaluated by Prometheus' own tool; and queries on the audit log, by jq.

mod alerts;
mod audit;
mod dashboards;
mod exported;
mod figures;
mod readable;
mod world;

use std::collections::BTreeSet;
use std::process::Command;

use reeve_tests::monitoring::promql::{self, Filling};
use reeve_tests::monitoring::{dashboards as boards, rules};
use reeve_tests::process::root;

/// Prometheus' tool with these arguments.
fn promtool(arguments: &[&str]) -> Command {
    let program = root().join("target/tools/promtool");
    assert!(program.exists(), "promtool is missing: run `tests/install promtool`");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Metrics that are not of Reeve: the API server's own.
const FOREIGN: [&str; 1] = ["apiserver_admission_webhook_rejection_count"];

/// Metrics that no dashboard shows and no alert asks: for who looks at one process.
const NOT_SHOWN: [&str; 2] = ["process_threads", "process_virtual_memory_bytes"];

#[test]
fn every_metric_that_is_asked_for_is_exported_and_every_exported_one_is_asked_for() {
    let rules = rules::rules();
    let of_rules = rules.iter().map(|rule| (rule.name.as_str(), rule.expr.clone()));
    let queries = boards::queries();
    let of_panels =
        queries.iter().map(|query| (query.place.as_str(), promql::filled(&query.expr, &Filling::default())));
    let exported: BTreeSet<String> = exported::metrics().into_iter().map(|metric| metric.name).collect();
    let recorded: BTreeSet<&str> =
        rules.iter().filter(|rule| rule.is_recording).map(|rule| rule.name.as_str()).collect();
    let mut asked = BTreeSet::new();
    for (place, expr) in of_rules.chain(of_panels) {
        for name in promql::metrics(&expr) {
            let plain = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            let found = [&*name, plain].into_iter().find(|name| exported.contains(*name));
            let is_known = found.is_some() || recorded.contains(&*name) || FOREIGN.contains(&&*name);
            assert!(is_known, "{place}: no code exports {name}: {expr}");
            asked.extend(found.map(str::to_owned));
        }
    }
    let unused: Vec<&str> = exported.difference(&asked).map(String::as_str).collect();
    assert_eq!(unused, NOT_SHOWN);
    for name in recorded {
        let is_of_panel = queries.iter().any(|query| query.expr.contains(name));
        let is_asked = is_of_panel || rules.iter().any(|rule| promql::metrics(&rule.expr).contains(name));
        assert!(is_asked, "nothing asks for {name}");
    }
}
