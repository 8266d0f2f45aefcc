//! What a document says of a tool by fields → rules.

use reeve_crds::v1alpha1::{Action, DefaultAction};

use super::draft::{Draft, Rules};
use super::format::{self, Condition, Document, Tool};
use super::{conditions, limits, names, rule_list, tool_pointer};

/// The most tools that one rule names.
const TOOLS_OF_A_RULE: usize = 256;

/// `hide`: denied, and so not listed.
pub(super) fn hidden(document: &Document, rules: &mut Rules<'_>) {
    let mut hidden = Vec::new();
    for (index, name) in document.hide.iter().enumerate() {
        if check_tool_name(name, &format!("/hide/{index}"), rules) {
            hidden.push(name.clone());
        }
    }
    for tools in hidden.chunks(TOOLS_OF_A_RULE) {
        let name = rules.name("hidden");
        rules.add(Draft::new(name, Action::Deny, tools.to_vec(), "/hide".into()));
    }
}

/// `all_tools`: limits of every call.
pub(super) fn all_tools(document: &Document, rules: &mut Rules<'_>) {
    let Some(all) = &document.all_tools else { return };
    let name = rules.name("all-tools");
    let mut draft = Draft::new(name, Action::Constrain, vec!["*".into()], "/all_tools".into());
    for (index, limit) in all.limits.iter().enumerate() {
        add_limit(&mut draft, limit, format!("/all_tools/limits/{index}"), rules);
    }
    if !draft.is_idle() {
        rules.add(draft);
    }
}

/// One entry of `tools`.
pub(super) fn tool(name: &str, tool: &Tool, rules: &mut Rules<'_>) {
    let entry = Entry { name, label: label_of(name), at: tool_pointer(name) };
    if !check_tool_name(name, &entry.at, rules) {
        return;
    }
    match tool.action {
        Some(format::Action::Deny) => deny(&entry, tool, rules),
        _ => grant(&entry, tool, rules),
    }
    for (index, condition) in tool.deny_if.iter().enumerate() {
        let at = format!("{}/deny_if/{index}", entry.at);
        let Some(expression) = condition_at(condition, &at, rules) else { continue };
        let mut draft = entry.draft(&format!("deny-{}", index + 1), Action::Deny, at.clone(), rules);
        draft.when(expression, at);
        rules.add(draft.message(condition.on_deny.as_ref()));
    }
    rule_list::of_tool(&entry, &tool.rules, rules);
}

/// An entry of `tools`.
pub(super) struct Entry<'n> {
    /// The tool's name, or `*`.
    pub(super) name: &'n str,
    /// What the names of its rules begin with.
    label: String,
    /// The pointer to it.
    pub(super) at: String,
}

impl Entry<'_> {
    /// Whether this is the key `"*"`.
    pub(super) fn is_every_tool(&self) -> bool {
        self.name == "*"
    }

    /// A rule for the tool; `suffix` tells it from the tool's other rules.
    pub(super) fn draft(&self, suffix: &str, action: Action, at: String, rules: &mut Rules<'_>) -> Draft {
        let name = rules.name(&names::label(&format!("{} {suffix}", self.label), "rule"));
        Draft::new(name, action, vec![self.name.to_owned()], at)
    }

    /// A counter of the tool's own.
    pub(super) fn counter(&self, suffix: &str, rules: &mut Rules<'_>) -> String {
        let tool = if self.is_every_tool() { "all_tools" } else { self.name };
        rules.counter(&names::counter(&format!("{tool}_{suffix}")))
    }

    /// The tools for which an approval is asked. A rule that asks for approval also grants, so under the key `"*"` it may name
    /// only what is allowed without it.
    pub(super) fn tools_to_approve(&self, rules: &mut Rules<'_>) -> Vec<String> {
        if !self.is_every_tool() {
            return vec![self.name.to_owned()];
        }
        if rules.default_action() == DefaultAction::Deny {
            return rules.listed_tools();
        }
        let allowed = self.draft("allowed", Action::Allow, self.at.clone(), rules);
        rules.add(allowed);
        vec!["*".into()]
    }
}

fn label_of(name: &str) -> String {
    if name == "*" { "every-tool".to_owned() } else { names::label(name, "tool") }
}

/// `action: deny`.
fn deny(entry: &Entry<'_>, tool: &Tool, rules: &mut Rules<'_>) {
    let pointless = [
        ("limits", !tool.limits.is_empty()),
        ("require", !tool.require.is_empty()),
        ("rate_limit", tool.rate_limit.is_some()),
        ("validate", tool.validate.is_some()),
        ("approval_timeout", tool.approval_timeout.is_some()),
    ];
    for (field, given) in pointless {
        if given {
            rules.refuse(
                &format!("{}/{field}", entry.at),
                format!("{field} says nothing of a tool that is denied: remove it"),
            );
        }
    }
    let draft = entry.draft("", Action::Deny, entry.at.clone(), rules);
    rules.add(draft.message(tool.reason.as_ref()));
}

/// What a tool is allowed under, or under the key `"*"` what binds every call.
fn grant(entry: &Entry<'_>, tool: &Tool, rules: &mut Rules<'_>) {
    let at = &entry.at;
    let denied = tool.rules.iter().any(rule_list::denies_every_call);
    let action = match tool.action {
        Some(format::Action::RequireApproval) => Action::RequireApproval,
        Some(format::Action::Allow) if entry.is_every_tool() => {
            let message = "the key \"*\" allows nothing by itself: write default: allow, or list the tools";
            return rules.refuse(&format!("{at}/action"), message);
        }
        _ if entry.is_every_tool() || denied => Action::Constrain,
        _ => Action::Allow,
    };
    let mut draft = entry.draft("", action, at.clone(), rules).message(tool.reason.as_ref());
    if action == Action::RequireApproval {
        draft.rule.tools = entry.tools_to_approve(rules);
    }
    if let Some(timeout) = &tool.approval_timeout {
        let at = format!("{at}/approval_timeout");
        add_approval(&mut draft, timeout, &at, rules);
    }
    draft.rule.validate_arguments = tool.validate.as_ref().is_some_and(|validate| validate.required_args);
    for (index, condition) in tool.require.iter().enumerate() {
        let at = format!("{at}/require/{index}");
        if let Some(expression) = condition_at(condition, &at, rules) {
            draft.require(expression, condition.on_deny.as_ref(), at);
        }
    }
    if let Some(rate) = &tool.rate_limit {
        add_rate(&mut draft, rate, entry, &format!("{at}/rate_limit"), rules);
    }
    for (index, limit) in tool.limits.iter().enumerate() {
        let at = format!("{at}/limits/{index}");
        match &limit.on_deny {
            None => add_limit(&mut draft, limit, at, rules),
            // A message is a rule's, so a limit with one of its own becomes a rule.
            Some(message) => {
                let mut own = entry.draft(&limit.counter, Action::Constrain, at.clone(), rules).message(Some(message));
                add_limit(&mut own, limit, at, rules);
                rules.add(own);
            }
        }
    }
    if !draft.is_idle() {
        rules.add(draft);
    }
}

/// How long an approval stays open.
pub(super) fn add_approval(draft: &mut Draft, timeout: &format::Span, at: &str, rules: &mut Rules<'_>) {
    if draft.rule.action != Action::RequireApproval {
        return rules.refuse(at, "approval_timeout needs action: require_approval");
    }
    if let Some(expires_after) = rules.accept(at, limits::window(timeout)) {
        draft.approval(expires_after, at.to_owned());
    }
}

/// A rate, on a counter of the tool's own.
pub(super) fn add_rate(
    draft: &mut Draft,
    rate: &format::RateLimit,
    entry: &Entry<'_>,
    at: &str,
    rules: &mut Rules<'_>,
) {
    let counter = entry.counter("rate", rules);
    match limits::rate(rate, counter) {
        Ok(limit) => draft.limit(limit, at.to_owned()),
        Err((field, message)) => rules.refuse(&format!("{at}{field}"), message),
    }
}

fn add_limit(draft: &mut Draft, limit: &format::Limit, at: String, rules: &mut Rules<'_>) {
    match limits::named(limit) {
        Ok(limit) => draft.limit(limit, at),
        Err((field, message)) => rules.refuse(&format!("{at}{field}"), message),
    }
}

/// A condition as an expression, or a mistake at its place.
pub(super) fn condition_at(condition: &Condition, at: &str, rules: &mut Rules<'_>) -> Option<String> {
    match conditions::expression(condition) {
        Ok(expression) => Some(expression),
        Err((field, message)) => {
            rules.refuse(&format!("{at}{field}"), message);
            None
        }
    }
}

fn check_tool_name(name: &str, at: &str, rules: &mut Rules<'_>) -> bool {
    let wrong = match name {
        "" => "a tool's name is empty",
        "*" => return true,
        name if name.contains('*') => {
            "this format knows whole names and \"*\" alone: write an McpPolicy to use patterns"
        }
        _ => return true,
    };
    rules.refuse(at, wrong);
    false
}
