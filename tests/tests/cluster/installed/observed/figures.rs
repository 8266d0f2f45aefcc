//! What the dashboards show of the ward is what the test has counted: calls exactly in tables and nearly in rates, numbers of
//! pods, and times to within the buckets of a histogram.

use std::collections::BTreeMap;

use reeve_tests::cluster::clinic::SIDECAR;
use reeve_tests::cluster::pod::Pod;
use reeve_tests::monitoring::dashboards::{Query, queries};
use serde_json::Value;

use super::answers::{SECONDS, asked, asked_of};
use super::books::{Count, Labels, by_labels};
use super::ward::{SLOW, Ward};

/// How far a rate may be from what it stands for: Prometheus extrapolates to the ends of its samples.
const INEXACT: f64 = 0.05;

/// The labels by which a query sums calls, and which it selects; none if it is about something else.
fn sums(expr: &str) -> Option<(Vec<&str>, impl Fn(&Labels) -> bool)> {
    let by = expr.split_once("sum by (")?.1.split_once(')')?.0;
    let is_share = expr.contains(" / ");
    let is_of_calls = expr.contains("reeve_calls_total") && !is_share;
    let [audit, refused] = ["mode=\"Audit\"", "decision!=\"allow\""].map(|part| expr.contains(part));
    let selects =
        move |labels: &Labels| (labels["mode"] == "Audit") == audit && (!refused || labels["decision"] != "allow");
    is_of_calls.then(|| (by.split(", ").collect(), selects))
}

/// Tables of calls have exactly the calls that were made, and rates are of as many.
pub fn what_is_shown_of_calls_is_what_was_made(ward: &Ward<'_>) {
    let (mut tables, mut rates) = (0, 0);
    for Query { place, expr, .. } in queries() {
        let Some(expected) = entered(ward, &expr) else { continue };
        let answer = answered(ward, &asked(ward, &expr));
        if expr.contains("last_over_time") {
            tables += 1;
            exactly(&place, &expr, &answer, &expected);
        } else {
            rates += 1;
            nearly(&place, &answer, &expected);
        }
    }
    assert!(tables >= 8 && rates >= 5, "{tables} tables and {rates} rates are of calls");
}

/// What the books have of that which a query sums; none if it is about something else than calls.
fn entered(ward: &Ward<'_>, expr: &str) -> Option<BTreeMap<Labels, Count>> {
    let (mut by, selects) = sums(expr)?;
    let has_namespace = by.contains(&"namespace");
    by.retain(|label| *label != "namespace");
    let sums = ward.books.sums(&by, selects).into_iter();
    Some(sums.map(|(labels, sum)| (if has_namespace { in_namespace(ward, labels) } else { labels }, sum)).collect())
}

/// What is answered, without what can be decided, and never was.
fn answered(ward: &Ward<'_>, query: &str) -> BTreeMap<Labels, f64> {
    let mut answer = by_labels(ward.prometheus.ask(query));
    answer.retain(|_, calls| *calls > 0.0);
    answer
}

fn in_namespace(ward: &Ward<'_>, mut labels: Labels) -> Labels {
    labels.insert("namespace".to_owned(), ward.alone.name.clone());
    labels
}

/// How many rows `topk` leaves of so many.
fn shown(expr: &str, rows: usize) -> usize {
    let most = expr.split_once("topk(").and_then(|(_, rest)| rest.split_once(',')?.0.parse().ok());
    rows.min(most.unwrap_or(usize::MAX))
}

/// Those that `topk` shows, or all.
fn exactly(place: &str, expr: &str, answer: &BTreeMap<Labels, f64>, expected: &BTreeMap<Labels, Count>) {
    assert_eq!(answer.len(), shown(expr, expected.len()), "{place}: {answer:#?}\nare to be {expected:#?}");
    for (labels, value) in answer {
        assert_eq!(Some(*value), expected.get(labels).map(|sum| sum.all), "{place}: {labels:?} of {expected:#?}");
    }
}

/// A rate does not know of what a series began with: it lies between what was made later, and all.
fn nearly(place: &str, answer: &BTreeMap<Labels, f64>, expected: &BTreeMap<Labels, Count>) {
    assert!(!answer.is_empty(), "{place}");
    for (labels, value) in answer {
        let &Count { all, later, .. } =
            expected.get(labels).unwrap_or_else(|| panic!("{place}: {labels:?} is not of {expected:#?}"));
        let made = value * SECONDS;
        let is_near = made >= later * (1.0 - INEXACT) && made <= all * (1.0 + INEXACT);
        assert!(is_near, "{place}: {made} calls of {labels:?}, which are {all}, {later} of them later");
    }
}

/// Tables of the time since the books were scraped, in which a sidecar was restarted, have the calls that were made since, nearly:
/// `increase` extrapolates to the ends of what it looks at.
pub fn tables_have_what_was_made_since_a_moment(ward: &Ward<'_>) {
    assert_eq!(ward.figure("workload.json, panel Restarts"), Some(1.0));
    let mut tables = 0;
    for Query { place, expr, .. } in queries().iter().filter(|query| query.expr.contains("last_over_time")) {
        let Some(mut expected) = entered(ward, expr) else { continue };
        expected.retain(|_, count| count.since > 0.0);
        let range = format!("{}s", ward.books.seconds_since_scraped());
        let answer = answered(ward, &asked_of(ward, expr, &range));
        assert_eq!(answer.len(), shown(expr, expected.len()), "{place}: {answer:#?}\nare to be {expected:#?}");
        for (labels, value) in &answer {
            let since = expected.get(labels).map_or(0.0, |count| count.since);
            let is_near = (value - since).abs() <= since * INEXACT;
            assert!(is_near, "{place}: {value} calls in {range} of {labels:?}, which were {since} of {expected:#?}");
        }
        tables += 1;
    }
    println!("{tables} tables agree for the last {} s", ward.books.seconds_since_scraped());
    assert!(tables >= 8, "{tables} tables are of calls");
}

/// Numbers that stand alone on a page.
pub fn every_figure_is_right(ward: &Ward<'_>) {
    let figures = [
        ("fleet.json, panel Sidecars", 5.0),
        ("fleet.json, panel Pods without a sidecar, at least", 1.0),
        ("fleet.json, panel Policies not in force", 1.0),
        ("fleet.json, panel Sidecars without configuration", 0.0),
        ("fleet.json, panel Sidecars cut off", 0.0),
        ("fleet.json, panel Configurations refused", 0.0),
        ("workload.json, panel Sidecars", 5.0),
        ("workload.json, panel Without configuration", 0.0),
        ("workload.json, panel Cut off", 0.0),
        ("workload.json, panel Restarts", 0.0),
        ("operator.json, panel Leaders", 1.0),
        ("operator.json, panel Replicas", 2.0),
        ("operator.json, panel Replicas that report to the leader", 1.0),
        ("operator.json, panel Sidecars connected", 5.0),
        ("operator.json, panel Sidecars behind", 0.0),
    ];
    for (place, figure) in figures {
        assert_eq!(ward.figure(place), Some(figure), "{place}");
    }
}

/// Limits are as full as what was taken of them: one is used up, one is near to that, and one is nearly unused.
pub fn limits_are_as_full_as_they_are(ward: &Ward<'_>) {
    let panel = "policy.json, panel How full limits were";
    let asked_of_panel = queries().into_iter().filter(|query| query.place == panel);
    let shown: BTreeMap<_, _> =
        asked_of_panel.map(|query| (query.name, ward.prometheus.ask(&asked(ward, &query.expr)))).collect();
    for (counter, ratio) in [("exports", 1.0), ("searches", 0.8), ("keyed", 0.001)] {
        let query = format!("reeve:limit_usage:max{{namespace=\"{}\", counter=\"{counter}\"}}", ward.alone.name);
        assert_eq!(ward.prometheus.value(&query), Some(ratio), "{counter}");
        let value = |name: &str| shown[name].iter().find(|row| row.labels["counter"] == counter).unwrap().value;
        assert_eq!(value("A"), ratio, "{counter}");
        for (share, above) in [("B", 0.9), ("C", 0.75), ("D", 0.5)] {
            assert_eq!(value(share) > 0.0, ratio > above, "the share of time in which {counter} was above {above}");
        }
    }
}

/// What is no message, and what does not reach its server, is counted by its cause.
pub fn causes_are_counted(ward: &Ward<'_>, failed: usize) {
    for (cause, count) in ward.rejected {
        let query =
            format!("sum(reeve_rejected_requests_total{{namespace=\"{}\", cause=\"{cause}\"}})", ward.alone.name);
        assert_eq!(ward.prometheus.value(&query), Some(count as f64), "{cause}");
    }
    let query = format!("sum by (server, cause) (reeve_upstream_errors_total{{namespace=\"{}\"}})", ward.alone.name);
    let expected = [("server", "broken"), ("cause", "dns")].map(|(label, value)| (label.to_owned(), value.to_owned()));
    assert_eq!(by_labels(ward.prometheus.ask(&query)), BTreeMap::from([(Labels::from(expected), failed as f64)]));
}

/// The quantile and the bucket that a panel's query is about.
fn quantiles(ward: &Ward<'_>, place: &str) -> Vec<(f64, Labels, f64)> {
    let mut found = Vec::new();
    for query in queries().into_iter().filter(|query| query.place == place) {
        let quantile =
            query.expr.split_once("histogram_quantile(").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
        let answer = ward.prometheus.ask(&asked(ward, &query.expr));
        found.extend(answer.into_iter().map(|series| (quantile.unwrap(), series.labels, series.value)));
    }
    found
}

/// A bucket: what it is above, and what it goes up to.
fn bucket(ward: &Ward<'_>, metric: &str, seconds: f64) -> (f64, f64) {
    let bounds = ward.prometheus.ask(&format!("sum by (le) ({metric}_bucket{{namespace=\"{}\"}})", ward.alone.name));
    let mut bounds: Vec<f64> = bounds.iter().filter_map(|series| series.labels["le"].parse().ok()).collect();
    bounds.sort_by(f64::total_cmp);
    let at = bounds.partition_point(|bound| *bound < seconds);
    (if at == 0 { 0.0 } else { bounds[at - 1] }, bounds[at])
}

/// The server that takes its time is seen to take it: no less, and no more than who called it has waited.
pub fn times_of_calls_are_those_of_the_server(ward: &Ward<'_>) {
    let metric = "reeve_call_duration_seconds";
    let slowest = ward.slowest.lock().unwrap().as_secs_f64();
    let ((above, _), (_, to)) = (bucket(ward, metric, SLOW.as_secs_f64()), bucket(ward, metric, slowest));
    let all = quantiles(ward, "workload.json, panel Time of calls");
    let slow: Vec<_> = all.iter().filter(|(_, labels, _)| labels["server"] == "slow").collect();
    assert_eq!(slow.len(), 3, "{all:?}");
    assert!(slow.iter().all(|(_, _, value)| (above..=to).contains(value)), "between {above} and {to}: {slow:?}");
}

/// How long each decision took, in seconds, as a sidecar's audit log says; sorted.
fn decisions(agents: &[&Pod<'_>]) -> Vec<f64> {
    let logs = agents.iter().map(|agent| agent.logs(SIDECAR));
    let mut times: Vec<f64> = logs
        .flat_map(|log| log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>())
        .filter(|line| line["event"] == "call")
        .filter_map(|line| Some(line["latencyMs"].as_f64()? / 1_000.0))
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// What is shown as the time to decide lies where the audit logs have it, give or take two calls in a hundred: a rate does not
/// know of the first of them.
pub fn times_to_decide_are_those_of_the_audit_log(ward: &Ward<'_>) {
    let times = decisions(&ward.agents());
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
    let all = quantiles(ward, "policy.json, panel Time to decide");
    assert_eq!(all.len(), 3, "{all:?}");
    for (quantile, _, value) in all {
        let metric = "reeve_decision_duration_seconds";
        let ((above, _), (_, to)) =
            (bucket(ward, metric, at(quantile - 0.02)), bucket(ward, metric, at(quantile + 0.02)));
        assert!(
            (above..=to).contains(&value),
            "{quantile} of {} is {value}, not between {above} and {to}",
            times.len()
        );
    }
}
