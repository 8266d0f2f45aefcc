//! The tables of the documentation, made from the code.

use std::fmt::Write;

use reeve_crds::v1alpha1::{ClusterMcpPolicySpec, McpPolicySpec};
use reeve_policy::expr;
use reeve_policy::reason::Reason;
use reeve_sidecar::config::SidecarConfig;
use reeve_sidecar::mcp::{era, method, rejection};
use reeve_sidecar::{audit, metrics, upstream};
use serde_json::Value;

/// Every table.
pub const NAMES: [&str; 12] = [
    "reasons",
    "rejections",
    "upstream-causes",
    "methods",
    "eras",
    "metrics",
    "audit",
    "functions",
    "variables",
    "policy-fields",
    "cluster-policy-fields",
    "configuration-fields",
];

/// The table of this name, in Markdown.
pub fn table(name: &str) -> Option<String> {
    Some(match name {
        "reasons" => reasons(),
        "rejections" => rejection::Cause::markdown(),
        "upstream-causes" => causes(),
        "methods" => method::markdown(),
        "eras" => era::markdown(),
        "metrics" => families(),
        "audit" => fields(&audit::schema()),
        "functions" => functions(),
        "variables" => variables(),
        "policy-fields" => fields(&schemars::schema_for!(McpPolicySpec).to_value()),
        "cluster-policy-fields" => fields(&schemars::schema_for!(ClusterMcpPolicySpec).to_value()),
        "configuration-fields" => fields(&schemars::schema_for!(SidecarConfig).to_value()),
        _ => return None,
    })
}

fn rows(head: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let columns = head.split('|').count();
    let mut table = format!("| {head} |\n|{}\n", "---|".repeat(columns));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        writeln!(table, "| {} |", cells.join(" | ")).unwrap();
    }
    table
}

fn reasons() -> String {
    rows(
        "reason | decision | meaning",
        Reason::ALL
            .iter()
            .map(|reason| vec![format!("`{reason}`"), format!("`{}`", reason.outcome()), reason.meaning().to_owned()]),
    )
}

fn causes() -> String {
    rows(
        "cause | meaning",
        upstream::Cause::ALL.iter().map(|cause| vec![format!("`{cause}`"), cause.meaning().to_owned()]),
    )
}

fn families() -> String {
    rows(
        "metric | type | labels | meaning",
        metrics::reference().iter().map(|family| {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            vec![
                format!("`{}`", family.name),
                family.kind.as_str().to_owned(),
                labels.join(" "),
                family.help.to_owned(),
            ]
        }),
    )
}

fn functions() -> String {
    rows(
        "function | how it is written | what it does",
        expr::reference().iter().map(|function| {
            vec![format!("`{}`", function.name), format!("`{}`", function.signature), function.doc.to_owned()]
        }),
    )
}

fn variables() -> String {
    rows(
        "variable | type | what it is",
        expr::variables().iter().map(|variable| {
            vec![format!("`{}`", variable.name), format!("`{}`", variable.kind), variable.doc.to_owned()]
        }),
    )
}

/// The fields of a schema, depth first, each with its path, type and description.
fn fields(schema: &Value) -> String {
    let mut found = Vec::new();
    walk(schema, schema, "", 0, &mut found);
    rows("field | type | meaning", found)
}

fn walk(root: &Value, schema: &Value, path: &str, depth: usize, found: &mut Vec<Vec<String>>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let target = resolve(root, property);
        let (inner, suffix) = match target.get("items") {
            Some(items) => (resolve(root, items), "[]"),
            None => (target, ""),
        };
        let path = if path.is_empty() { format!("{name}{suffix}") } else { format!("{path}.{name}{suffix}") };
        let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
        let description = property.get("description").or_else(|| target.get("description"));
        let mut description = description.and_then(Value::as_str).unwrap_or_default().to_owned();
        if required {
            description += " **Required.**";
        }
        found.push(vec![format!("`{path}`"), kind(root, target), description]);
        if depth < 6 {
            walk(root, inner, &path, depth + 1, found);
        }
    }
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let wrapped = ["allOf", "anyOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array);
    let schema = wrapped.and_then(|schemas| schemas.iter().find(|schema| schema["type"] != "null")).unwrap_or(schema);
    match schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).map_or(schema, |target| resolve(root, target)),
        None => schema,
    }
}

fn kind(root: &Value, schema: &Value) -> String {
    if let Some(words) = words(schema) {
        return words.join(", ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "array" => format!("list of {}", kind_of_items(root, schema)),
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let kind = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("any");
            if kind == "array" { format!("list of {}", kind_of_items(root, schema)) } else { kind.to_owned() }
        }
        _ => "any".to_owned(),
    }
}

fn kind_of_items(root: &Value, schema: &Value) -> String {
    schema.get("items").map_or_else(|| "any".to_owned(), |items| kind(root, resolve(root, items)))
}

/// The words of an enumeration, if the schema is one.
fn words(schema: &Value) -> Option<Vec<String>> {
    let quote = |value: &Value| value.as_str().map(|word| format!("`{word}`"));
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(quote).collect();
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    one.iter().map(|case| case.get("const").and_then(quote)).collect()
}
