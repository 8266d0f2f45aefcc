//! A small made-up world in which every metric has every label, and what Prometheus answers there.
//!
//! `promtool test rules` evaluates queries and tells what it got where that is not what was expected. Nothing is expected here, so
//! that it tells of everything.

use std::collections::HashMap;
use std::fmt::Write;

use reeve_tests::process::root;

use super::exported::{Metric, Part, metrics};
use super::{FOREIGN, promtool};

/// How long the world has been there when it is asked, in minutes.
pub const MINUTES: usize = 120;

/// How long an agent of a crowd is busy, in minutes.
pub const SHIFT: usize = 40;

/// The series that there are, each with what it was, minute by minute.
pub struct World {
    series: Vec<(String, String)>,
}

impl World {
    /// Everything goes on as ever.
    pub fn steady() -> Self {
        Self::counting(&format!("0+6x{MINUTES}"), &[Part::Sidecar, Part::Operator])
    }

    /// Each thing that is counted happened once, some minutes ago, and had never happened before.
    pub fn just_begun() -> Self {
        Self::counting(&format!("_x{} 1x9", MINUTES - 10), &[Part::Sidecar, Part::Operator])
    }

    /// Everything goes on as ever, and Prometheus reads of Reeve only this part.
    pub fn seeing(part: Part) -> Self {
        Self::counting(&format!("0+6x{MINUTES}"), &[part])
    }

    /// So many agents, each in a namespace of its own with a server, a tool and a policy of its own. There are as many [shifts](SHIFT) as
    /// fit; in each, others are busy.
    pub fn crowd(agents: usize) -> Self {
        let metrics = metrics();
        let of_agent = |agent: usize| -> Vec<(String, String)> {
            let of_metric = |metric| series_of(metric, &busy(agent, 1)).into_iter();
            let seen = metrics.iter().filter(|metric| metric.of == Part::Sidecar || metric.name == "reeve_policy_pods");
            let series = seen.flat_map(of_metric);
            let series = series.map(|(series, values)| match &*values {
                "1x120" => (named(&series, agent), busy(agent, 0)),
                _ => (named(&series, agent), values),
            });
            series.collect()
        };
        Self { series: (0..agents).flat_map(of_agent).collect() }
    }

    /// These series, and no other.
    pub fn of(series: &[(&str, &str)]) -> Self {
        Self { series: series.iter().map(|(series, values)| ((*series).to_owned(), (*values).to_owned())).collect() }
    }

    /// Every metric of these parts, whose counters went so.
    fn counting(counts: &str, parts: &[Part]) -> Self {
        let metrics = metrics();
        let seen = metrics.iter().filter(|metric| parts.contains(&metric.of));
        let mut series: Vec<(String, String)> = seen.flat_map(|metric| series_of(metric, counts)).collect();
        let rejections = "{cluster=\"prod\",name=\"validate.reeve.dev\",error_type=\"calling_webhook_error\"}";
        series.push((format!("{}{rejections}", FOREIGN[0]), counts.to_owned()));
        Self { series }
    }
}

/// What is as large as a hundred in the agent's shift, and else as one; `grows` times as much is added each minute, or it just is so.
fn busy(agent: usize, grows: usize) -> String {
    let begins = agent % (MINUTES / SHIFT) * SHIFT;
    let mut value = 0;
    let values = (0..=MINUTES).map(|minute| {
        let is_busy = (begins..begins + SHIFT).contains(&minute);
        let amount = if is_busy { 100 } else { 1 };
        value = value * grows + amount;
        value.to_string()
    });
    values.collect::<Vec<_>>().join(" ")
}

/// The same series of another agent.
fn named(series: &str, agent: usize) -> String {
    let mut series = series.replace("clinic", &format!("clinic-{agent}"));
    series = series.replace("imaging-agent", &format!("agent-{agent}")).replace("10.0.0.1", &format!("10.0.0.{agent}"));
    for label in ["server", "tool", "rule", "counter"] {
        series = series.replace(&format!("{label}=\"some\""), &format!("{label}=\"some-{agent}\""));
    }
    series
}

/// The series of a metric, with every value of its labels.
fn series_of(metric: &Metric, counts: &str) -> Vec<(String, String)> {
    let mut children = vec![of_target(metric)];
    for label in &metric.labels {
        let with =
            |child: &String| values(metric, label).iter().map(|value| format!("{child},{label}=\"{value}\"")).collect();
        children = children.iter().flat_map(|child| -> Vec<String> { with(child) }).collect();
    }
    let name = &metric.name;
    let series = children.into_iter().flat_map(|child| match metric.kind.as_str() {
        "histogram" => vec![
            (format!("{name}_bucket{{{child},le=\"0.1\"}}"), counts),
            (format!("{name}_bucket{{{child},le=\"+Inf\"}}"), counts),
            (format!("{name}_count{{{child}}}"), counts),
        ],
        "counter" => vec![(format!("{name}{{{child}}}"), counts)],
        _ => vec![(format!("{name}{{{child}}}"), "1x120")],
    });
    series.map(|(series, values)| (series, values.to_owned())).collect()
}

/// The labels that scraping adds, but those that the metric brings along.
fn of_target(metric: &Metric) -> String {
    let labels: &[(&str, &str)] = match metric.of {
        Part::Sidecar => &[
            ("namespace", "clinic"),
            ("workload", "imaging-agent"),
            ("pod", "imaging-agent-1"),
            ("instance", "10.0.0.1:14020"),
        ],
        Part::Operator => &[("namespace", "reeve-system"), ("pod", "reeve-operator-1"), ("instance", "10.0.0.2:9090")],
    };
    let own = |label: &str| metric.labels.iter().any(|own| own == label);
    let labels = labels.iter().filter(|(label, _)| !own(label));
    let labels = labels.fold(String::new(), |mut text, (label, value)| {
        let _ = write!(text, ",{label}=\"{value}\"");
        text
    });
    format!("cluster=\"prod\"{labels}")
}

/// What a label may say: more than one thing where a query asks for one of them.
fn values(metric: &Metric, label: &str) -> &'static [&'static str] {
    match (metric.name.as_str(), label) {
        ("reeve_policy_pods", "state") => &["programmed", "reconciling", "unprotected", "unrouted"],
        ("reeve_sidecars", "state") => &["current", "behind"],
        ("reeve_policy_pods", "policy") => &["imaging"],
        (_, "policy") => &["clinic/imaging"],
        (_, "namespace") => &["clinic"],
        (_, "decision") => &["allow", "deny"],
        (_, "mode") => &["Enforce", "Audit"],
        (_, "outcome") => &["injected", "error"],
        _ => &["some"],
    }
}

/// A series of an answer.
#[derive(Debug)]
pub struct Series {
    /// As it is written, between braces.
    pub labels: String,
    pub value: f64,
}

impl Series {
    /// Whether it has the label.
    pub fn has(&self, label: &str) -> bool {
        self.labels.split(", ").any(|pair| pair.starts_with(&format!("{label}=\"")))
    }
}

/// What each query is answered in the end. One that nothing is answered to is not there.
pub fn ask(world: &World, queries: &[String]) -> HashMap<String, Vec<Series>> {
    ask_at(&[MINUTES], world, queries)
}

/// What each query is answered in each of these minutes, one after the other.
pub fn ask_at(minutes: &[usize], world: &World, queries: &[String]) -> HashMap<String, Vec<Series>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("questions.yaml");
    std::fs::write(&file, questions(minutes, world, queries)).unwrap();
    let said = promtool(&["test", "rules", &file.display().to_string()]).output().unwrap();
    let report = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let mut lines = report.lines().map(str::trim);
    let mut answers: HashMap<String, Vec<Series>> = HashMap::new();
    while let Some(line) = lines.next() {
        let Some(expr) = line.strip_prefix("expr: ") else {
            let is_frame =
                line.is_empty() || ["FAILED:", "SUCCESS"].contains(&line) || line.starts_with("Unit Testing:");
            assert!(is_frame, "promtool says: {line}\n{report}");
            continue;
        };
        let expr = expr.rsplit_once(", time: ").unwrap_or_else(|| panic!("{line}")).0;
        let expr: String = serde_json::from_str(expr).unwrap_or_else(|error| panic!("{error}: {expr}"));
        assert!(lines.next().is_some_and(|line| line.starts_with("exp:")), "{report}");
        let got = lines.next().and_then(|line| line.strip_prefix("got:")).unwrap_or_else(|| panic!("{report}"));
        answers.entry(expr).or_default().extend(series(got));
    }
    answers
}

/// `{a="b"} 1E+00, name{a="c"} 2E+00`
fn series(got: &str) -> Vec<Series> {
    let mut found = Vec::new();
    let mut rest = got;
    while let Some((labels, after)) = rest.split_once('{').and_then(|(_, rest)| rest.split_once("} ")) {
        let (value, after) = after.split_once(", ").unwrap_or((after, ""));
        let value = value.trim().parse().unwrap_or_else(|error| panic!("{error}: {value}"));
        found.push(Series { labels: labels.to_owned(), value });
        rest = after;
    }
    found
}

/// The file for promtool. JSON is YAML.
fn questions(minutes: &[usize], world: &World, queries: &[String]) -> String {
    let rules = root().join("charts/reeve/files/rules/recording.yaml").canonicalize().unwrap();
    let series = world.series.iter().map(|(series, values)| serde_json::json!({"series": series, "values": values}));
    let at = |minute: &usize| format!("{minute}m");
    let expected = queries.iter().flat_map(|expr| minutes.iter().map(move |minute| (expr, at(minute))));
    let expected = expected.map(|(expr, at)| serde_json::json!({"expr": expr, "eval_time": at}));
    serde_json::json!({
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": series.collect::<Vec<_>>(),
            "promql_expr_test": expected.collect::<Vec<_>>(),
        }],
    })
    .to_string()
}
