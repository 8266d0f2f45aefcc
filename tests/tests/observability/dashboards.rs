//! The dashboards: what each panel owes its reader, and what its queries answer.

use std::collections::BTreeSet;

use reeve_tests::monitoring::dashboards::{Query, dashboards, list, panels, queries, text};
use reeve_tests::monitoring::promql::{self, Filling};
use reeve_tests::monitoring::{queries_of, read};

use super::exported::Part;
use super::world::{self, World};

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_from_where() {
    for (place, panel) in panels() {
        assert!(text(&panel, "/title").len() > 2, "{place}: no title");
        assert!(text(&panel, "/description").ends_with('.'), "{place}: no sentence that describes it");
        assert!(!text(&panel, "/fieldConfig/defaults/unit").is_empty(), "{place}: no unit");
        assert_eq!(text(&panel, "/datasource/uid"), "${datasource}", "{place}");
        let ids: Vec<&str> = list(&panel, "/targets").map(|target| text(target, "/refId")).collect();
        assert!(!ids.is_empty(), "{place}: asks nothing");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{place}: two queries of one name");
        if panel["type"] != "table" {
            assert!(
                list(&panel, "/targets").all(|target| !text(target, "/legendFormat").is_empty()),
                "{place}: no legend"
            );
        }
    }
}

#[test]
fn every_dashboard_is_found_again_and_asks_no_question_on_import() {
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 4);
    let uids: BTreeSet<&str> = dashboards.iter().map(|(_, dashboard)| text(dashboard, "/uid")).collect();
    assert_eq!(uids.len(), dashboards.len(), "each has a uid of its own");
    for (file, dashboard) in &dashboards {
        assert_eq!(text(dashboard, "/uid"), format!("reeve-{}", file.trim_end_matches(".json")));
        assert!(dashboard.get("id").is_none() && dashboard.get("__inputs").is_none(), "{file}");
        let ids: Vec<u64> = list(dashboard, "/panels").map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{file}: two panels of one id");
        let whole = dashboard.to_string();
        let linked = whole.split("\"/d/").skip(1).map(|rest| rest.split(['"', '?']).next().unwrap_or_default());
        let linked: BTreeSet<&str> = linked.collect();
        assert!(linked.is_subset(&uids), "{file} leads to {linked:?}");
        assert!(linked.len() >= 3, "{file}: leads to the others");
    }
}

#[test]
fn no_panel_lies_on_another_and_each_begins_under_a_question() {
    for (file, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard, "/panels") {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{file}, {}: wider than a page", panel["title"]);
            for cell in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
                assert!(taken.insert(cell), "{file}, {}: on another panel", panel["title"]);
            }
            assert!(panel["type"] != "row" || text(panel, "/title").ends_with('?'), "{file}, {}", panel["title"]);
        }
        assert_eq!(list(&dashboard, "/panels").next().map(|panel| text(panel, "/type")), Some("row"), "{file}");
    }
}

#[test]
fn variables_are_defined_where_they_are_used_and_used_where_they_are_defined() {
    let queries = queries();
    for (file, dashboard) in dashboards() {
        let variables = || list(&dashboard, "/templating/list");
        let defined: BTreeSet<String> = variables().map(|variable| text(variable, "/name").to_owned()).collect();
        let of_file = queries.iter().filter(|query| query.place.starts_with(&format!("{file},")));
        let used: BTreeSet<String> = of_file.flat_map(|query| promql::variables(&query.expr)).collect();
        let mut expected = used.clone();
        expected.insert("datasource".to_owned());
        assert_eq!(defined, expected, "{file}");
        // So that a Prometheus whose series have no such label is not asked for those that have it.
        for variable in variables().filter(|variable| variable["type"] == "query") {
            assert_eq!(text(variable, "/allValue"), ".*", "{file}, {}", variable["name"]);
        }
    }
}

#[test]
fn every_query_answers_with_the_labels_that_its_reader_is_shown() {
    let queries = queries();
    let asked: Vec<String> = queries.iter().map(|query| promql::filled(&query.expr, &Filling::default())).collect();
    let answers = world::ask(&World::steady(), &asked);
    for (query, filled) in queries.iter().zip(&asked) {
        let Query { place, expr, labels, .. } = query;
        let answer = answers.get(filled).unwrap_or_else(|| panic!("{place}: nothing is answered to {expr}"));
        for series in answer {
            for label in labels {
                assert!(series.has(label), "{place}: {label} is not in {series:?}, which answers {expr}");
            }
        }
    }
}

#[test]
fn what_is_chosen_above_a_dashboard_binds_every_query_that_has_it() {
    let queries = queries();
    let everything = Filling::default();
    let (policy, workload) = ("clinic/imaging", "imaging-agent");
    let chosen = Filling { cluster: "prod", namespace: "clinic", policy, workload, ..everything };
    let asked = |filling: &Filling<'_>| -> Vec<String> {
        queries.iter().map(|query| promql::filled(&query.expr, filling)).collect()
    };
    let answers = world::ask(&World::steady(), &asked(&chosen));
    for (query, asked) in queries.iter().zip(asked(&chosen)) {
        assert!(answers.contains_key(&asked), "{}: nothing is answered to {asked}", query.place);
    }
    let none = "none";
    for (variable, filling) in [
        ("cluster", Filling { cluster: none, ..everything }),
        ("namespace", Filling { namespace: none, ..everything }),
        ("policy", Filling { policy: none, ..everything }),
        ("workload", Filling { workload: none, ..everything }),
    ] {
        let of_it = queries.iter().filter(|query| promql::variables(&query.expr).contains(variable));
        let asked: Vec<String> = of_it.map(|query| promql::filled(&query.expr, &filling)).collect();
        assert!(asked.len() > 5, "{variable}: {asked:?}");
        let answers = world::ask(&World::steady(), &asked);
        assert!(answers.is_empty(), "there is no {variable} {none}, and Prometheus answers {answers:?}");
    }
}

#[test]
fn whatever_is_counted_in_a_range_is_counted_in_one_form() {
    let mut asked: Vec<(String, String)> = queries().into_iter().map(|query| (query.place, query.expr)).collect();
    let page = read("docs/rollout.md");
    asked.extend(queries_of(&page).into_iter().map(|query| ("docs/rollout.md".to_owned(), on_one_line(&query))));
    let mut seen = 0;
    for (place, expr) in asked {
        let mut rest = expr.clone();
        while let Some((series, range)) = rest.split_once("increase(").and_then(|(_, inner)| inner.split_once('[')) {
            let range = range.split(']').next().unwrap_or_default();
            let form = promql::counted(series, range);
            assert!(rest.contains(&form), "{place}: {expr}\nis to have the form {form}");
            rest = rest.replace(&form, "");
            seen += 1;
        }
        assert!(["last_over_time(", "offset"].iter().all(|part| !rest.contains(part)), "{place}: what else is {rest}?");
    }
    assert!(seen > 10, "{seen} are counted");
}

/// A query of a page as a dashboard has it.
fn on_one_line(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")")
}

#[test]
fn where_nothing_is_known_no_panel_says_zero() {
    let queries = queries();
    let asked: Vec<String> = queries.iter().map(|query| promql::filled(&query.expr, &Filling::default())).collect();
    let answers = world::ask(&World::of(&[("up{job=\"else\"}", "1x120")]), &asked);
    assert!(answers.is_empty(), "Prometheus sees nothing of Reeve, and answers {answers:?}");
    for (seen, is_of_other) in
        [(Part::Operator, is_of_sidecars as fn(&str, &str) -> bool), (Part::Sidecar, is_of_operator)]
    {
        let stats = panels().into_iter().filter(|(_, panel)| panel["type"] == "stat");
        let stats = stats.map(|(place, panel)| (place, text(&panel, "/targets/0/expr").to_owned()));
        let of_other = stats.filter(|(place, expr)| is_of_other(place, expr));
        let asked: Vec<String> = of_other.map(|(_, expr)| promql::filled(&expr, &Filling::default())).collect();
        assert!(asked.len() > 3, "{asked:?}");
        let answers = world::ask(&World::seeing(seen), &asked);
        assert!(answers.is_empty(), "of Reeve there is only the {seen:?}, and Prometheus answers {answers:?}");
    }
}

fn is_of_operator(place: &str, expr: &str) -> bool {
    place.starts_with("operator.json") || expr.contains("policy_pods")
}

fn is_of_sidecars(place: &str, expr: &str) -> bool {
    !is_of_operator(place, expr)
}

#[test]
fn a_number_that_may_be_bad_is_not_green_where_there_is_none() {
    let bad =
        panels().into_iter().filter(|(_, panel)| panel["type"] == "stat" && panel["options"]["colorMode"] == "value");
    for (place, panel) in bad {
        let steps: Vec<&str> =
            list(&panel, "/fieldConfig/defaults/thresholds/steps").map(|step| text(step, "/color")).collect();
        assert_ne!(steps[0], "green", "{place}: Grafana shows the first colour where there is no number");
        assert!(!text(&panel, "/fieldConfig/defaults/noValue").is_empty(), "{place}: what stands for no number");
    }
}

#[test]
fn what_is_counted_is_counted_from_the_first_time_on() {
    let queries = queries();
    let counts = queries.iter().filter(|query| query.expr.contains("last_over_time"));
    let asked: Vec<String> = counts.map(|query| promql::filled(&query.expr, &Filling::default())).collect();
    assert!(asked.len() > 10, "tables count: {asked:?}");
    let answers = world::ask(&World::just_begun(), &asked);
    for expr in &asked {
        let answer = answers.get(expr).unwrap_or_else(|| panic!("nothing is answered to {expr}"));
        // Half of what is counted there is refused.
        let least = if expr.contains(" / ") { 0.5 } else { 1.0 };
        assert!(answer.iter().all(|series| series.value >= least), "{expr}: {answer:?}");
    }
}
