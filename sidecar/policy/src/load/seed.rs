//! The seed's policy format, in JSON and its YAML forms → McpPolicy.
//!
//! ```text
//! Node ──► structure ──► format (types) ──► tools, rules ──► Rules, and where each part came from ──► structure
//! ```
//!
//! A listed tool is allowed under its conditions. `hide`, `deny_if` and denying rules become Deny rules, `all_tools` and the
//! key `"*"` Constrain rules, conditions CEL expressions. The result passes through the same schema as a manifest.

mod conditions;
mod draft;
mod format;
mod limits;
mod names;
mod rule_list;
mod tools;

use std::sync::OnceLock;

use reeve_crds::v1alpha1::{API_VERSION, DefaultAction, McpPolicySpec, Metadata, Object, Policy, ServerRef};

use self::draft::{Mistake, Rules};
pub(super) use self::names::PolicyNames;
use super::node::{Node, push_key};
use super::structure::Schema;
use super::{Diagnostic, Finding, Loaded, Positions, convert, manifest};
use crate::compile::Severity;

/// The fields of the format, by which it is known.
pub(super) const FIELDS: [&str; 5] = ["version", "default", "hide", "all_tools", "tools"];

/// Reads a document of the format as the policy of this name.
///
/// # Errors
/// Every mistake, in the order of the kinds: first of structure, then of what cannot be mapped.
pub(super) fn read(document: &Node, positions: Positions, name: String) -> Result<Loaded<Policy>, Vec<Diagnostic>> {
    let error = |Finding { pointer, message, .. }| positions.diagnose(&pointer, message, Severity::Error);
    let mistakes = schema().check(document);
    if !mistakes.is_empty() {
        return Err(mistakes.into_iter().map(error).collect());
    }
    let parsed: format::Document = match document.read() {
        Ok(parsed) => parsed,
        Err(failure) => return Err(vec![positions.diagnose("", failure.to_string(), Severity::Error)]),
    };
    let mut rules = Rules::new(&parsed);
    check_version(&parsed, &mut rules);
    tools::hidden(&parsed, &mut rules);
    tools::all_tools(&parsed, &mut rules);
    for (name, tool) in &parsed.tools {
        tools::tool(name, tool, &mut rules);
    }
    let (rules, sources, mistakes) = rules.finish();
    if !mistakes.is_empty() {
        let error = |Mistake { pointer, message }| positions.diagnose(&pointer, message, Severity::Error);
        return Err(mistakes.into_iter().map(error).collect());
    }
    let warnings = match parsed.default {
        Some(_) => Vec::new(),
        None => {
            let message = "default is not given, and tools that are not listed are denied: write default: deny, or \
                           default: allow";
            vec![positions.diagnose("", message.into(), Severity::Warning)]
        }
    };
    let value = policy(name, &parsed, rules);
    let positions = positions.generated(sources);
    let mistakes = manifest::check(&convert::to_node(&value));
    if mistakes.is_empty() {
        return Ok(Loaded { value, positions, warnings });
    }
    let error = |Finding { pointer, message, .. }| positions.diagnose(&pointer, message, Severity::Error);
    Err(mistakes.into_iter().map(error).collect())
}

fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(Schema::of::<format::Document>)
}

fn check_version(document: &format::Document, rules: &mut Rules<'_>) {
    let known = match &document.version {
        None | Some(format::Version::Number(1)) => true,
        Some(format::Version::Text(text)) => text == "1",
        Some(format::Version::Number(_)) => false,
    };
    if !known {
        rules.refuse("/version", "version must be \"1\", the only one there is");
    }
}

fn policy(name: String, document: &format::Document, rules: Vec<reeve_crds::v1alpha1::Rule>) -> Policy {
    let default = match document.default {
        Some(format::Unlisted::Allow) => DefaultAction::Allow,
        Some(format::Unlisted::Deny) | None => DefaultAction::Deny,
    };
    Policy::McpPolicy(Object {
        api_version: API_VERSION.into(),
        metadata: Metadata { name, ..Metadata::default() },
        spec: McpPolicySpec {
            server_refs: vec![ServerRef { name: "*".into() }],
            default,
            rules,
            ..McpPolicySpec::default()
        },
    })
}

/// The pointer to an entry of `tools`.
fn tool_pointer(name: &str) -> String {
    let mut pointer = "/tools".to_owned();
    push_key(&mut pointer, name);
    pointer
}

#[cfg(test)]
mod tests;
