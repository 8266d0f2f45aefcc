//! The metrics that there are, as `docs/metrics.md` lists them. That the page lists those of the sidecar is the sidecar's own test;
//! of the operator's it is the one below.

use std::collections::BTreeMap;

use reeve_tests::monitoring::read;

/// A metric.
pub struct Metric {
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    pub labels: Vec<String>,
    pub help: String,
    pub of: Part,
}

/// Who exports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Sidecar,
    Operator,
}

/// Every metric. Those that both parts export are there twice.
pub fn metrics() -> Vec<Metric> {
    let page = read("docs/metrics.md");
    let (sidecar, operator) = page.split_once("## Of the operator").expect("a part for the operator");
    let operator = operator.split("\n## ").next().unwrap_or_default();
    let mut found = Vec::new();
    for (part, of) in [(sidecar, Part::Sidecar), (operator, Part::Operator)] {
        for row in part.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').splitn(4, '|').map(str::trim).collect();
            let [name, kind, labels, help] = cells[..] else { panic!("a row with other columns: {row}") };
            found.push(Metric {
                name: name.trim_matches('`').to_owned(),
                kind: kind.to_owned(),
                labels: labels.split_whitespace().map(|label| label.trim_matches('`').to_owned()).collect(),
                help: help.to_owned(),
                of,
            });
        }
    }
    found
}

/// Where the operator's metrics are defined.
const SOURCES: [&str; 4] = [
    "operator/src/metrics.rs",
    "operator/src/metrics/process.rs",
    "operator/src/webhook/metrics.rs",
    "operator/src/delivery/metrics.rs",
];

/// The names that the operator's code defines, each with its help: what is written between the next quotes.
fn defined() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in SOURCES {
        let code = read(source);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let texts: Vec<&str> = code.split('"').skip(1).step_by(2).collect();
        for pair in texts.windows(2) {
            let is_name = |c: u8| c.is_ascii_lowercase() || c == b'_';
            let is_of_metrics = ["reeve_", "process_"].iter().any(|begin| pair[0].starts_with(begin));
            if is_of_metrics && pair[0].bytes().all(is_name) {
                found.insert(pair[0].to_owned(), pair[1].to_owned());
            }
        }
    }
    found
}

#[test]
fn every_metric_of_the_operator_is_documented_as_it_is_exported() {
    let documented: BTreeMap<String, String> = metrics()
        .into_iter()
        .filter(|metric| metric.of == Part::Operator)
        .map(|metric| (metric.name, metric.help))
        .collect();
    assert!(documented.len() > 10, "{documented:?}");
    assert_eq!(documented, defined(), "docs/metrics.md, and what the operator defines");
}
