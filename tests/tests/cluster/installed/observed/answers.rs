//! Every query of every panel, variable, rule and page, asked of the ward's Prometheus: it answers, or it is known why not; with
//! the labels that its reader is shown.

use std::collections::{BTreeMap, BTreeSet};

use reeve_tests::cluster::prometheus::Series;
use reeve_tests::monitoring::dashboards::{Query, queries};
use reeve_tests::monitoring::promql::{Filling, filled};
use reeve_tests::monitoring::{files, queries_of, rules};

use super::books::Labels;
use super::ward::Ward;

/// What rates look at: all that has happened, and more.
pub const INTERVAL: &str = "10m";
/// The same, in seconds.
pub const SECONDS: f64 = 600.0;
/// Whether a label may well be empty: nothing decided but the lack of a policy or a rule; and of calls that came before any configuration,
/// nobody knows for which server they were.
fn may_be_empty(label: &str, expr: &str, labels: &Labels) -> bool {
    let may_be = |label: &str, value: &str| labels.get(label).is_none_or(|is| is == value);
    let is_early =
        expr.contains("reeve_calls_total") && may_be("tool", "_other") && may_be("reason", "NoConfiguration");
    ["policy", "rule"].contains(&label) || (label == "server" && is_early)
}

/// The queries that nothing is answered to, by a part of where they are and of what they ask, and why: what they tell of does not
/// go wrong here.
const NOTHING: [(&str, &str, &str); 3] = [
    (
        "workload.json, panel Connections",
        "refused",
        "no agent opens too many connections, or stops within a head: in the suite faults they do",
    ),
    ("workload.json, panel Spans", "", "no collector is named, so that no span is made: in the suite wire they are"),
    ("variable cluster", "", "who has one cluster adds no such label: see examples/prometheus"),
];

/// Those that something may be answered to, and why it need not.
const PERHAPS: [(&str, &str); 3] = [
    (
        "Connections that were turned away",
        "whom the operator turns away comes in `noise`, before this test or after it",
    ),
    (
        "Failed attempts",
        "what the operator writes fails only if it is killed at that moment: in `failure` it does fail",
    ),
    (
        "Streams that were refused",
        "a sidecar is turned away only if it is faster than the operator's knowledge of its pod",
    ),
];

/// The question as Grafana puts it, of the ward alone and of all that has happened.
pub fn asked(ward: &Ward<'_>, expr: &str) -> String {
    asked_of(ward, expr, "1h")
}

/// The same of so long a time until now.
pub fn asked_of(ward: &Ward<'_>, expr: &str, range: &str) -> String {
    filled(expr, &Filling { interval: INTERVAL, range, namespace: &ward.alone.name, ..Filling::default() })
}

/// Why a query is answered with nothing, if it is to be.
fn excused(query: &Query) -> Option<usize> {
    NOTHING.iter().position(|(place, part, _)| query.place.contains(place) && query.expr.contains(part))
}

/// What a query's reader is shown: of a variable the series that have its label, and no quantile of nothing.
fn shown(ward: &Ward<'_>, query: &Query) -> Vec<Series> {
    let mut answer = ward.prometheus.ask(&asked(ward, &query.expr));
    answer.retain(|series| !series.value.is_nan());
    if query.place.contains(", variable ") {
        answer.retain(|series| query.labels.iter().all(|label| series.labels.contains_key(label)));
    }
    answer
}

/// Each query is answered with the labels that its reader is shown, or is one of [`NOTHING`]; none of those is answered.
pub fn every_query_answers_or_it_is_known_why_not(ward: &Ward<'_>) {
    let (mut wrong, mut excuses) = (Vec::new(), BTreeSet::new());
    for query in queries() {
        let answer = shown(ward, &query);
        let Query { place, expr, labels, .. } = &query;
        match (answer.is_empty(), excused(&query)) {
            (true, Some(excuse)) => drop(excuses.insert(excuse)),
            (true, None) if PERHAPS.iter().any(|(panel, _)| place.contains(panel)) => {}
            (true, None) => wrong.push(format!("{place}: nothing is answered to {expr}")),
            (false, Some(_)) => wrong.push(format!("{place}: it is answered, so no excuse is needed: {answer:?}")),
            (false, None) => {}
        }
        for label in labels {
            let lacks =
                |found: &&Series| !found.labels.contains_key(label) && !may_be_empty(label, expr, &found.labels);
            if let Some(series) = answer.iter().find(lacks) {
                wrong.push(format!("{place}: {label} is not in {series:?}, which answers {expr}"));
            }
        }
    }
    let unneeded = (0..NOTHING.len()).filter(|at| !excuses.contains(at));
    wrong.extend(unneeded.map(|at| format!("{:?} excuses nothing", NOTHING[at])));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every rule is loaded and evaluated without an error, and whatever is recorded is there.
pub fn every_rule_is_evaluated(ward: &Ward<'_>) {
    let loaded: BTreeMap<String, String> = ward.prometheus.rules().into_iter().collect();
    for rule in rules::rules() {
        assert_eq!(loaded.get(&rule.name).map(String::as_str), Some(""), "{}", rule.name);
        ward.prometheus.ask(&rule.expr);
        let own = format!("{}{{namespace=\"{}\"}}", rule.name, ward.alone.name);
        assert!(!rule.is_recording || !ward.prometheus.ask(&own).is_empty(), "nothing is recorded as {own}");
    }
}

/// What pages tell their readers to ask can be asked.
pub fn every_query_of_a_page_is_one(ward: &Ward<'_>) {
    let pages = files("docs/runbooks", "md").into_iter().chain(files("docs", "md"));
    let texts = pages.map(|page| std::fs::read_to_string(page).unwrap());
    let asked: Vec<String> = texts.flat_map(|text| queries_of(&text)).collect();
    assert!(asked.len() > 30, "pages have queries: {}", asked.len());
    for query in asked {
        ward.prometheus.ask(&query);
    }
}
