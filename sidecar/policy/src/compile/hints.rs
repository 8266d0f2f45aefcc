//! Warnings that a server's catalogue makes possible: tools it does not have, and expressions that take a tool's arguments
//! for something that its schema says they are not.

mod arguments;
#[cfg(test)]
mod tests;
mod words;

use reeve_crds::v1alpha1::Rule as RuleSpec;

use self::arguments::Arguments;
use super::draft::Context;
use super::model::{Limit, Located, Rule};
use crate::catalogue::Catalogue;
use crate::glob::{Dialect, Pattern};

/// An expression of a rule.
struct Part<'r> {
    /// Its place in the policy.
    pointer: String,
    located: &'r Located,
    role: Role,
}

/// What an expression does in its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Says to which calls the rule applies.
    When,
    /// Says what a call must satisfy.
    Require,
    /// Gives a key or a cost.
    Value,
}

/// Notes what the catalogue says is likely a mistake in a rule.
pub(super) fn for_rule(at: &str, spec: &RuleSpec, rule: &Rule, limits: &[Limit], context: &mut Context<'_>) {
    let Some(catalogue) = context.catalogue else { return };
    if catalogue.tools().next().is_none() {
        return;
    }
    for (number, text) in spec.tools.iter().enumerate() {
        if let Some(message) = unknown_tool(text, catalogue) {
            context.problems.warn(format!("{at}/tools/{number}"), message);
        }
    }
    let mut arguments = Arguments::of(spec.tools.iter().filter_map(|name| catalogue.tool(name)));
    for part in parts(at, spec, rule, limits) {
        for (column, message) in arguments.warnings(&part) {
            context.problems.warn(part.pointer.as_str(), format!("column {column}: {message}"));
        }
    }
}

/// The expressions of a rule, in the order in which a call meets them.
fn parts<'r>(at: &str, spec: &RuleSpec, rule: &'r Rule, limits: &'r [Limit]) -> Vec<Part<'r>> {
    let mut parts = Vec::new();
    parts.extend(rule.when.as_ref().map(|located| Part { pointer: format!("{at}/when"), located, role: Role::When }));
    for (number, requirement) in rule.require.iter().enumerate() {
        let pointer = format!("{at}/require/{number}/expression");
        parts.push(Part { pointer, located: &requirement.condition, role: Role::Require });
    }
    for limit in limits {
        let number = spec.limits.iter().position(|spec| limit.pointer.ends_with(&format!("/limits/{}", spec.counter)));
        let place = format!("{at}/limits/{}", number.unwrap_or_default());
        for (name, located) in [("cost", &limit.cost), ("key", &limit.key)] {
            let part = |located| Part { pointer: format!("{place}/{name}"), located, role: Role::Value };
            parts.extend(located.as_ref().map(part));
        }
    }
    parts
}

fn unknown_tool(text: &str, catalogue: &Catalogue) -> Option<String> {
    let pattern = Pattern::parse(text, Dialect::Name).ok()?;
    if catalogue.tools().any(|tool| pattern.matches(&tool.name)) {
        return None;
    }
    let Some(name) = pattern.exact() else { return Some(format!("`{text}` matches no tool of the server")) };
    let nearest = catalogue.tools().map(|tool| (strsim::damerau_levenshtein(name, &tool.name), &tool.name)).min();
    match nearest.filter(|(distance, _)| *distance <= name.len() / 3) {
        Some((_, nearest)) => Some(format!("the server has no tool `{name}`: did you mean `{nearest}`?")),
        None => Some(format!("the server has no tool `{name}`")),
    }
}
