//! The dashboards: their panels, and every query of every panel and variable.

use serde_json::Value;

/// What a panel or variable asks of Prometheus.
#[derive(Clone, Debug)]
pub struct Query {
    /// Its dashboard and panel.
    pub place: String,
    /// By which its panel knows it; of a variable, none.
    pub name: String,
    /// As it is written, with Grafana's variables.
    pub expr: String,
    /// The labels that its reader is shown.
    pub labels: Vec<String>,
}

/// Each dashboard: its file, and what is in it.
///
/// # Panics
/// If one is no JSON.
pub fn dashboards() -> Vec<(String, Value)> {
    let files = super::files("charts/reeve/files/dashboards", "json");
    let named = files.iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        (name.clone(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    named.collect()
}

/// What is in an array somewhere in a value.
pub fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A text somewhere in a value; empty if there is none.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// All panels but rows, each with where it is.
pub fn panels() -> Vec<(String, Value)> {
    let all = dashboards().into_iter().flat_map(|(file, dashboard)| {
        let panels: Vec<Value> = list(&dashboard, "/panels").filter(|panel| panel["type"] != "row").cloned().collect();
        panels.into_iter().map(move |panel| (format!("{file}, panel {}", text(&panel, "/title")), panel))
    });
    all.collect()
}

/// Every query of every panel and variable.
///
/// # Panics
/// If a variable asks for something else than the values of a label.
pub fn queries() -> Vec<Query> {
    let mut found = Vec::new();
    for (place, panel) in panels() {
        let columns = list(&panel, "/fieldConfig/overrides").filter(|of| of["matcher"]["id"] == "byName");
        let columns: Vec<&str> = columns.map(|of| text(of, "/matcher/options")).collect();
        for target in list(&panel, "/targets") {
            let legend = text(target, "/legendFormat").split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
            let legend = legend.map(|(label, _)| label.trim());
            let labels = legend.chain(columns.iter().copied()).map(str::to_owned).collect();
            let name = text(target, "/refId").to_owned();
            found.push(Query { place: place.clone(), name, expr: text(target, "/expr").to_owned(), labels });
        }
    }
    for (file, dashboard) in dashboards() {
        for variable in list(&dashboard, "/templating/list").filter(|variable| variable["type"] == "query") {
            let place = format!("{file}, variable {}", text(variable, "/name"));
            let asked = text(variable, "/query/query");
            assert_eq!(asked, text(variable, "/definition"), "{place}");
            let inner = asked.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (expr, label) =
                inner.and_then(|inner| inner.rsplit_once(", ")).unwrap_or_else(|| panic!("{place}: {asked}"));
            found.push(Query { place, name: String::new(), expr: expr.to_owned(), labels: vec![label.to_owned()] });
        }
    }
    found
}
