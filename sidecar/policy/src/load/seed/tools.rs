//! What a document says of a tool by fields → rules.

use reeve_crds::v1alpha1::{Action, DefaultAction};

use super::conditions::{self, Path};
use super::draft::{Draft, Rules};
use super::format::{self, Condition, Document, Tool};
use super::{limits, names, rule_list, tool_pointer};

/// The most tools that one rule names.
const TOOLS_OF_A_RULE: usize = 256;

/// `hide`: denied, and so not listed.
pub(super) fn hidden(document: &Document, rules: &mut Rules<'_>) {
    let mut hidden = Vec::new();
    for (index, name) in document.hide.iter().enumerate() {
        let at = format!("/hide/{index}");
        if check_tool_name(name, &at, rules) {
            hidden.push((name.clone(), at));
        }
    }
    for tools in hidden.chunks(TOOLS_OF_A_RULE) {
        let (tools, places): (Vec<_>, Vec<_>) = tools.iter().cloned().unzip();
        let name = rules.name("hidden");
        let mut draft = Draft::new(name, Action::Deny, tools, "/hide".into(), "/hide".into());
        for (number, place) in places.into_iter().enumerate() {
            draft.part(format!("/tools/{number}"), place);
        }
        rules.add(draft);
    }
}

/// `all_tools`: limits of every call.
pub(super) fn all_tools(document: &Document, rules: &mut Rules<'_>) {
    let Some(all) = &document.all_tools else { return };
    let name = rules.name("all-tools");
    let mut draft = Draft::new(name, Action::Constrain, vec!["*".into()], "/all_tools".into(), "/all_tools".into());
    for (index, limit) in all.limits.iter().enumerate() {
        let at = format!("/all_tools/limits/{index}");
        draft.limit(limits::named(limit, &at, rules), at);
    }
    if !draft.is_idle() {
        rules.add(draft);
    }
}

/// One entry of `tools`.
pub(super) fn tool(name: &str, tool: &Tool, rules: &mut Rules<'_>) {
    let at = tool_pointer(name);
    let is_name = check_tool_name(name, &at, rules);
    let name = if is_name { name } else { "any" };
    let entry = Entry { name, label: label_of(name), at };
    if !is_name {
        rules.lose(entry.named_at());
    }
    match tool.action {
        Some(format::Action::Deny) => deny(&entry, tool, rules),
        _ => grant(&entry, tool, rules),
    }
    for (index, condition) in tool.deny_if.iter().enumerate() {
        let at = format!("{}/deny_if/{index}", entry.at);
        let expression = condition_at(condition, &at, rules);
        let mut draft = entry.draft(&format!("deny-{}", index + 1), Action::Deny, at.clone(), rules);
        draft.when(expression, at.clone());
        rules.add(draft.message(condition.on_deny.as_ref(), format!("{at}/on_deny")));
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
        Draft::new(name, action, vec![self.name.to_owned()], self.named_at(), at)
    }

    /// Where the name is looked for: nowhere, and so shown at the entry, whatever stands inside it.
    fn named_at(&self) -> String {
        format!("{}/tools", self.at)
    }

    /// The pointer to a field of it.
    fn at_field(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
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
        if rules.is_lost("/default") {
            return vec!["*".to_owned()];
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
    for (field, _) in pointless.into_iter().filter(|(_, given)| *given) {
        let message = format!("{field} says nothing of a tool that is denied: remove it");
        rules.note(&format!("{}/{field}", entry.at), message);
    }
    let draft = entry.draft("", Action::Deny, entry.at.clone(), rules);
    rules.add(draft.message(tool.reason.as_ref(), entry.at_field("reason")));
    if pointless.iter().any(|(_, given)| *given) {
        // What is wrong with these is told all the same.
        bind(entry.draft("", Action::Constrain, entry.at.clone(), rules), entry, tool, rules);
    }
}

/// What a tool is allowed under, or under the key `"*"` what binds every call.
fn grant(entry: &Entry<'_>, tool: &Tool, rules: &mut Rules<'_>) {
    let denied = tool.rules.iter().any(rule_list::denies_every_call);
    let action = match tool.action {
        Some(format::Action::RequireApproval) => Action::RequireApproval,
        Some(format::Action::Allow) if entry.is_every_tool() => {
            let message = "the key \"*\" allows nothing by itself: write default: allow, or list the tools";
            rules.refuse(&entry.at_field("action"), message);
            Action::Constrain
        }
        _ if entry.is_every_tool() || denied => Action::Constrain,
        _ => Action::Allow,
    };
    let mut draft = entry.draft("", action, entry.at.clone(), rules);
    if action == Action::RequireApproval {
        draft.rule.tools = entry.tools_to_approve(rules);
    }
    bind(draft.message(tool.reason.as_ref(), entry.at_field("reason")), entry, tool, rules);
}

/// Adds a rule with everything that binds the calls of a tool.
fn bind(mut draft: Draft, entry: &Entry<'_>, tool: &Tool, rules: &mut Rules<'_>) {
    let at = &entry.at;
    if let Some(timeout) = &tool.approval_timeout {
        add_approval(&mut draft, timeout, at, rules);
    }
    draft.rule.validate_arguments = tool.validate.as_ref().is_some_and(|validate| validate.required_args);
    for (index, condition) in tool.require.iter().enumerate() {
        let at = format!("{at}/require/{index}");
        draft.require(condition_at(condition, &at, rules), condition.on_deny.as_ref(), at);
    }
    if let Some(rate) = &tool.rate_limit {
        add_rate(&mut draft, rate, entry, &format!("{at}/rate_limit"), rules);
    }
    for (index, limit) in tool.limits.iter().enumerate() {
        let at = format!("{at}/limits/{index}");
        match &limit.on_deny {
            None => draft.limit(limits::named(limit, &at, rules), at),
            // A message is a rule's, so a limit with one of its own becomes a rule.
            Some(message) => {
                let own = entry.draft(&limit.counter, Action::Constrain, at.clone(), rules);
                let mut own = own.message(Some(message), format!("{at}/on_deny"));
                own.limit(limits::named(limit, &at, rules), at);
                rules.add(own);
            }
        }
    }
    if !draft.is_idle() {
        rules.add(draft);
    }
}

/// How long an approval stays open, by the `approval_timeout` of what stands at `at`.
pub(super) fn add_approval(draft: &mut Draft, timeout: &format::Span, at: &str, rules: &mut Rules<'_>) {
    let timeout_at = format!("{at}/approval_timeout");
    let is_asked_for = draft.rule.action == Action::RequireApproval;
    if !is_asked_for && !rules.is_lost(&format!("{at}/action")) {
        rules.note(&timeout_at, "approval_timeout needs action: require_approval");
    }
    if let Some(expires_after) = rules.accept(&timeout_at, limits::window(timeout)).filter(|_| is_asked_for) {
        draft.approval(expires_after, timeout_at);
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
    draft.limit(limits::rate(rate, counter, at, rules), at.to_owned());
}

/// A condition as an expression. What of it cannot be mapped is told, and left out.
pub(super) fn condition_at(condition: &Condition, at: &str, rules: &mut Rules<'_>) -> String {
    let path = rules.accept(&format!("{at}/path"), Path::parse(&condition.path)).unwrap_or_else(Path::any);
    if rules.is_lost(&format!("{at}/op")) || rules.is_lost(&format!("{at}/value")) {
        return path.present();
    }
    conditions::expression(&path, condition).unwrap_or_else(|(field, message)| {
        rules.refuse(&format!("{at}{field}"), message);
        path.present()
    })
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
    rules.note(at, wrong);
    false
}
