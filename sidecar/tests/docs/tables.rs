//! The tables of the documentation, made from the code.

use std::fmt::Write;

use reeve_crds::v1alpha1::{ClusterMcpPolicySpec, McpPolicySpec, Rule};
use reeve_policy::expr;
use reeve_policy::reason::Reason;
use reeve_sidecar::config::SidecarConfig;
use reeve_sidecar::mcp::{era, method, rejection};
use reeve_sidecar::{audit, metrics, upstream};

use super::fields::fields;
use super::{commands, expressions, policies, refusals};

/// Every table.
pub(crate) const NAMES: [&str; 23] = [
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
    "rule-fields",
    "cluster-policy-fields",
    "configuration-fields",
    "risk",
    "seed-example",
    "refused-expressions",
    "expression-results",
    "expression-warnings",
    "refusal-policy",
    "refusal-sentences",
    "refusal-shapes",
    "commands",
    "flags",
];

/// The table (or other part) of this name, in Markdown.
pub(crate) fn table(name: &str) -> Option<String> {
    Some(match name {
        "reasons" => reasons(),
        "rejections" => rejection::Cause::markdown(),
        "upstream-causes" => causes(),
        "methods" => method::markdown(),
        "eras" => era::markdown(),
        "metrics" => families(),
        "audit" => fields(&audit::schema(), &[]),
        "functions" => functions(),
        "variables" => variables(),
        "policy-fields" => fields(&schemars::schema_for!(McpPolicySpec).to_value(), &["Rule", "LabelSelector"]),
        "rule-fields" => fields(&schemars::schema_for!(Rule).to_value(), &[]),
        "cluster-policy-fields" => {
            fields(&schemars::schema_for!(ClusterMcpPolicySpec).to_value(), &["Rule", "LabelSelector"])
        }
        "configuration-fields" => fields(&schemars::schema_for!(SidecarConfig).to_value(), &["Policy"]),
        "risk" => policies::risk(),
        "seed-example" => policies::seed(),
        "refused-expressions" => expressions::refused(),
        "expression-results" => expressions::results(),
        "expression-warnings" => expressions::warnings(),
        "refusal-policy" => format!("```yaml\n{}```\n", refusals::POLICY),
        "refusal-sentences" => refusals::sentences(),
        "refusal-shapes" => refusals::shapes(),
        "commands" => commands::commands(),
        "flags" => commands::flags(),
        _ => return None,
    })
}

/// A table of these rows, under a head whose cells are separated by `|`.
pub(crate) fn rows(head: &str, rows: impl IntoIterator<Item = Vec<String>>) -> String {
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
