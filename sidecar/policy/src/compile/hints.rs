//! Warnings that a server's catalogue makes possible: tools it does not have, and arguments that a tool does not take.

use reeve_crds::v1alpha1::Rule as RuleSpec;

use super::draft::Context;
use super::model::{Limit, Located, Rule};
use crate::catalogue::Catalogue;
use crate::glob::{Dialect, Pattern};

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
    let read_by = |located: &Located, part: String| (part, located.expression.argument_paths().to_vec());
    let mut expressions = Vec::new();
    expressions.extend(rule.when.as_ref().map(|when| read_by(when, format!("{at}/when"))));
    for (number, requirement) in rule.require.iter().enumerate() {
        expressions.push(read_by(&requirement.condition, format!("{at}/require/{number}/expression")));
    }
    for limit in limits {
        let number = spec.limits.iter().position(|spec| limit.pointer.ends_with(&format!("/limits/{}", spec.counter)));
        let place = format!("{at}/limits/{}", number.unwrap_or_default());
        expressions.extend(limit.cost.as_ref().map(|cost| read_by(cost, format!("{place}/cost"))));
        expressions.extend(limit.key.as_ref().map(|key| read_by(key, format!("{place}/key"))));
    }
    for (place, path) in expressions.iter().flat_map(|(place, paths)| paths.iter().map(move |path| (place, path))) {
        if let Some(message) = undeclared(&spec.tools, path, catalogue) {
            context.problems.warn(place.as_str(), message);
        }
    }
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

/// What the schema of an exactly named tool says of a path that it does not declare.
fn undeclared(tools: &[String], path: &[String], catalogue: &Catalogue) -> Option<String> {
    tools.iter().filter_map(|name| catalogue.tool(name)).find_map(|tool| {
        let nearest = tool.schema().ok()?.declares(path)?.err()?;
        let path = path.join(".");
        Some(match nearest {
            Some(nearest) => format!("`{}` takes no argument `{path}`: did you mean `{nearest}`?", tool.name),
            None => format!("`{}` takes no argument `{path}`", tool.name),
        })
    })
}
