//! Alerts and recorded series: that each alert has a page, and a test in which it fires and one in which it does not.

use std::collections::BTreeSet;

use reeve_tests::monitoring::rules::{RULES, alerts, rules};
use reeve_tests::monitoring::{files, promql, queries_of, read};
use reeve_tests::process::root;

use super::promtool;

/// Where alerts lead to, unless a value of the chart says otherwise.
const PAGES: &str = "https://github.com/reeve-dev/reeve/blob/main/docs/runbooks";
/// What `promtool test rules` reads: histories, and which alerts fire at the end of them.
const TESTS: &str = "tests/observability";

#[test]
fn every_alert_says_how_bad_it_is_and_leads_to_its_page() {
    let index = read("docs/runbooks/README.md");
    let alerts = alerts();
    assert!(alerts.len() > 10, "there are alerts");
    for alert in &alerts {
        let (name, page) = (&alert.name, alert.page());
        let severity = alert.key("severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        assert!(alert.key("summary").len() > 20 && !alert.key("description").is_empty(), "{name}");
        assert_eq!(alert.key("runbook_url"), format!("{PAGES}/{page}"), "{name}");
        let text = read(&format!("docs/runbooks/{page}"));
        assert!(text.starts_with(&format!("# {name}\n")), "{page} is of {name}");
        for part in ["## What it means", "## How to look", "## How to mend"] {
            assert!(text.contains(&format!("\n{part}\n")), "{page}: {part}");
        }
        assert!(index.contains(&format!("| [{name}]({page}) | {severity} |")), "docs/runbooks/README.md lists {name}");
    }
    let pages = files("docs/runbooks", "md").len() - 1;
    assert_eq!(pages, alerts.len(), "each page is of an alert");
    assert!(read("charts/reeve/values.yaml").contains(&format!("runbooks: {PAGES}\n")));
    assert!(read("charts/reeve/templates/prometheusrules.yaml").contains(&format!("replace \"{PAGES}\"")));
}

#[test]
fn links_and_queries_of_the_pages_lead_somewhere() {
    let exported: BTreeSet<String> = super::exported::metrics().into_iter().map(|metric| metric.name).collect();
    let recorded: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let runbooks = files("docs/runbooks", "md");
    for path in runbooks.iter().chain(&[root().join("docs/rollout.md")]) {
        let page = std::fs::read_to_string(path).unwrap();
        for link in page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_there = link.is_empty() || link.contains("://") || path.parent().unwrap().join(link).exists();
            assert!(is_there, "{} links to {link}", path.display());
        }
        for query in queries_of(&page) {
            for name in promql::metrics(&query) {
                let plain = name.trim_end_matches("_bucket");
                let is_known = exported.contains(plain) || recorded.contains(&name) || super::FOREIGN.contains(&&*name);
                assert!(is_known, "{}: no code exports {name}", path.display());
            }
        }
    }
}

#[test]
fn every_cause_of_failures_has_something_to_do_about_it() {
    let (causes, page) = (read("docs/refusals.md"), read("docs/runbooks/upstream-failing.md"));
    let (_, causes) = causes.split_once("<!-- generated: upstream-causes -->").unwrap();
    let causes = causes.split("<!-- end -->").next().unwrap_or_default();
    let causes: Vec<&str> = causes.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(causes.len() > 20, "{causes:?}");
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    for cause in causes {
        let of_it = rows.iter().filter(|row| row.split(", ").any(|word| word.trim_matches('`') == cause)).count();
        assert_eq!(of_it, 1, "docs/runbooks/upstream-failing.md has a row for {cause}");
    }
}

#[test]
fn every_alert_is_seen_to_fire_and_seen_not_to() {
    let tests: Vec<String> = files(TESTS, "yaml").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for alert in alerts() {
        let is_of = |part: &&str| part.split([' ', '\n', '}']).any(|word| word == alert.name);
        let asked: Vec<&str> = tests.iter().flat_map(|text| text.split("eval_time: ").skip(1)).filter(is_of).collect();
        let (fires, quiet): (Vec<&str>, Vec<&str>) = asked.into_iter().partition(|part| part.contains("exp_labels"));
        assert!(!fires.is_empty(), "{TESTS}: {} never fires", alert.name);
        assert!(!quiet.is_empty(), "{TESTS}: {} always fires", alert.name);
    }
}

#[test]
fn the_rules_and_their_tests_pass() {
    for (command, folder) in [("check", RULES), ("test", TESTS)] {
        let files: Vec<String> = files(folder, "yaml").iter().map(|path| path.display().to_string()).collect();
        let mut arguments = vec![command, "rules"];
        arguments.extend(files.iter().map(String::as_str));
        let said = promtool(&arguments).output().unwrap();
        let report = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert!(said.status.success(), "{report}");
    }
}

/// Debian's Prometheus has no Kubernetes discovery: fixed targets stand in its place.
#[test]
fn the_plain_configuration_is_one_and_labels_as_the_chart_does() {
    let (example, chart) = (read("examples/prometheus/prometheus.yaml"), read("charts/reeve/templates/monitors.yaml"));
    let folder = tempfile::tempdir().unwrap();
    for file in ["token", "ca.crt"] {
        std::fs::write(folder.path().join(file), "").unwrap();
    }
    let lines = example.lines().map(|line| match line.trim_start().starts_with("kubernetes_sd_configs:") {
        true => "  static_configs: [{targets: [\"127.0.0.1:1\"]}]".to_owned(),
        false => line
            .replace("../..", &root().canonicalize().unwrap().display().to_string())
            .replace("/var/run/secrets/kubernetes.io/serviceaccount", folder.path().to_str().unwrap()),
    });
    let file = folder.path().join("prometheus.yaml");
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let said = promtool(&["check", "config", &file.display().to_string()]).output().unwrap();
    let report = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && report.contains("rules found"), "{report}");
    let patterns = chart.split("regex: ").skip(1).filter_map(|rest| rest.split([',', '\n']).next());
    let patterns: Vec<&str> = patterns.filter(|pattern| pattern.contains("(.+)")).collect();
    assert!(patterns.len() >= 3, "{patterns:?}");
    for pattern in patterns {
        assert!(example.contains(&format!("regex: {pattern}")), "examples/prometheus has no {pattern}");
    }
}
