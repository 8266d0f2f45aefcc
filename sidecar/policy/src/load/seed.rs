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
mod equality;
mod format;
mod limits;
mod names;
mod rule_list;
mod tools;

use std::sync::{Arc, OnceLock};

use reeve_crds::v1alpha1::{API_VERSION, DefaultAction, McpPolicySpec, Metadata, Object, Policy, Rule, ServerRef};

use self::draft::{Made, Rules};
pub(super) use self::names::PolicyNames;
use super::node::{Node, push_key};
use super::salvage::{self, Wrong};
use super::structure::Schema;
use super::{Diagnostic, Finding, Loaded, Lost, MAX_MISTAKES, Positions, convert, manifest};
use crate::compile::Severity;

/// The fields of the format, by which it is known.
pub(super) const FIELDS: [&str; 5] = ["version", "default", "hide", "all_tools", "tools"];

/// What was read of a document, what is wrong in it, and every mistake. With mistakes, what was read is as much as can be.
pub(super) struct Reading {
    pub(super) loaded: Option<Loaded<Policy>>,
    pub(super) wrong: Wrong,
    pub(super) mistakes: Vec<Diagnostic>,
}

/// Reads a document of the format as the policy of this name.
pub(super) fn read(document: &Arc<Node>, file: &Arc<str>, name: String) -> Reading {
    let positions = Positions::new(file.clone(), document.clone(), String::new());
    let findings = schema().check(document);
    let wrong = Wrong::of(&findings);
    let mut mistakes = super::locate(file, findings);
    if mistakes.len() > MAX_MISTAKES {
        // Nobody will read more.
        return Reading { loaded: None, wrong, mistakes };
    }
    let mended = schema().mend(document, wrong.lost());
    let parsed: format::Document = match mended.read() {
        Ok(parsed) => parsed,
        Err(error) => {
            if mistakes.is_empty() {
                mistakes.push(positions.diagnose("", error.to_string(), Severity::Error));
            }
            return Reading { loaded: None, wrong, mistakes };
        }
    };
    let warnings = if parsed.default.is_none() && !wrong.has("/default") {
        vec![positions.diagnose("", NO_DEFAULT.into(), Severity::Warning)]
    } else {
        Vec::new()
    };
    let Made { rules, sources, mistakes: unmapped, mut wrong } = rules_of(&parsed, wrong);
    let unmapped =
        unmapped.into_iter().map(|mistake| positions.diagnose(&mistake.pointer, mistake.message, Severity::Error));
    mistakes.extend(unmapped);
    let mut value = policy(name, &parsed, rules);
    let positions = positions.generated(sources);
    salvage::settle(&mut value, &wrong, &positions);
    for Finding { pointer, message, lost, .. } in manifest::check(&convert::to_node(&value)) {
        let source = positions.source(&pointer);
        if wrong.covers(&source) {
            continue;
        }
        match lost {
            Lost::Nothing => wrong.tell(source),
            _ => wrong.lose(source),
        }
        mistakes.push(positions.diagnose(&pointer, message, Severity::Error));
    }
    Reading { loaded: Some(Loaded { value, positions, warnings }), wrong, mistakes }
}

const NO_DEFAULT: &str =
    "default is not given, so tools that are not listed are denied: write default: deny, or default: allow";

fn rules_of(document: &format::Document, wrong: Wrong) -> Made {
    let mut rules = Rules::new(document, wrong);
    check_version(document, &mut rules);
    tools::hidden(document, &mut rules);
    tools::all_tools(document, &mut rules);
    for (name, tool) in &document.tools {
        tools::tool(name, tool, &mut rules);
    }
    rules.finish()
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

fn policy(name: String, document: &format::Document, rules: Vec<Rule>) -> Policy {
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
