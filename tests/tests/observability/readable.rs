//! That a page can be read where there are very many agents: what a panel shows does not grow with them.

use std::collections::{BTreeMap, BTreeSet};

use reeve_tests::monitoring::dashboards::{list, panels, queries, text};
use reeve_tests::monitoring::promql::{self, Filling};
use reeve_tests::monitoring::read;

use super::world::{self, MINUTES, SHIFT, World};

/// More than ten are busy in each shift, so that whatever is chosen anew at each time comes to more than may be shown.
const AGENTS: usize = 45;
/// The most lines of a graph, and the most rows of a table.
const LINES: usize = 20;
const ROWS: usize = 100;

#[test]
fn no_panel_shows_more_lines_than_can_be_told_apart_however_many_agents_there_are() {
    let end = format!("@ {}", MINUTES * 60);
    let filling = Filling { range: "30m", ..Filling::default() };
    let filled = |expr: &str| promql::filled(expr, &filling).replace("@ end()", &end);
    let of_panels = queries().into_iter().filter(|query| !query.place.contains(", variable "));
    let asked: Vec<String> = of_panels.map(|query| filled(&query.expr)).collect();
    // As a graph does: at one time after the other.
    let minutes: Vec<usize> = (1..=MINUTES / SHIFT).map(|shift| shift * SHIFT - 5).collect();
    let answers = world::ask_at(&minutes, &World::crowd(AGENTS), &asked);
    let mut shown: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for (place, panel) in panels() {
        for target in list(&panel, "/targets") {
            let answer = answers.get(&filled(text(target, "/expr"))).map_or(&[][..], Vec::as_slice);
            let series: BTreeSet<&str> = answer.iter().map(|series| &*series.labels).collect();
            *shown.entry((place.clone(), panel["type"] == "table")).or_default() += series.len();
        }
    }
    let too_many = shown.iter().filter(|((_, is_table), count)| !is_table && **count > LINES);
    assert_eq!(too_many.collect::<Vec<_>>(), [], "no more than {LINES}");
    // A table is of one time.
    let answers = world::ask(&World::crowd(AGENTS), &asked);
    for (expr, answer) in answers.iter().filter(|(expr, _)| expr.starts_with("topk(")) {
        assert!(answer.len() <= ROWS, "{} rows of {expr}", answer.len());
    }
    let is_full = |panel: &str| shown.iter().any(|((place, _), count)| place.ends_with(panel) && *count >= 10);
    assert!(
        is_full("workload.json, panel CPU") && is_full("fleet.json, panel Share refused, by namespace"),
        "{shown:?}"
    );
}

#[test]
fn rates_look_at_some_scrapes_at_least_whatever_the_data_source_says() {
    let values = read("charts/reeve/values.yaml");
    let interval = values.split_once("\n  interval: ").and_then(|(_, rest)| rest.lines().next()).unwrap();
    for (place, panel) in panels() {
        for target in list(&panel, "/targets") {
            let expected = if text(target, "/expr").contains("$__rate_interval") { interval } else { "" };
            assert_eq!(text(target, "/interval"), expected, "{place}");
        }
    }
    let template = read("charts/reeve/templates/dashboards.yaml");
    assert!(template.contains(&format!(r#"replace "\"interval\": \"{interval}\"""#)), "the chart puts in its own");
}
