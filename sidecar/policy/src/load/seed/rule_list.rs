//! The rule-list dialect → rules: each becomes a rule of its own, so that a refusal names it.

use reeve_crds::v1alpha1::Action;
use serde_json::Value;

use super::draft::{Draft, Rules};
use super::format::{Condition, Operator, Rule, RuleAction, State};
use super::limits;
use super::tools::{Entry, add_approval, add_rate, condition_at};

/// Whether no call gets past this rule.
pub(super) fn denies_every_call(rule: &Rule) -> bool {
    rule.action == Some(RuleAction::Deny) && rule.conditions.is_empty()
}

/// The rules of one tool.
pub(super) fn of_tool(entry: &Entry<'_>, list: &[Rule], rules: &mut Rules<'_>) {
    for (index, rule) in list.iter().enumerate() {
        let at = format!("{}/rules/{index}", entry.at);
        let suffix = rule.name.clone().unwrap_or_else(|| format!("rule-{}", index + 1));
        let action = match rule.action.unwrap_or(RuleAction::Evaluate) {
            RuleAction::Evaluate | RuleAction::Allow => Action::Constrain,
            RuleAction::Deny => Action::Deny,
            RuleAction::RequireApproval => Action::RequireApproval,
        };
        let said_in = if rule.on_deny.is_some() { "on_deny" } else { "reason" };
        let mut draft =
            entry.draft(&suffix, action, at.clone(), rules).message(message(rule), format!("{at}/{said_in}"));
        if let Some(timeout) = &rule.approval_timeout {
            add_approval(&mut draft, timeout, &at, rules);
        }
        match action {
            Action::Constrain => evaluate(&mut draft, rule, entry, &at, rules),
            _ => select(&mut draft, rule, entry, &at, rules),
        }
        if !draft.is_idle() {
            rules.add(draft);
        }
    }
}

fn message(rule: &Rule) -> Option<&String> {
    rule.on_deny.as_ref().or(rule.reason.as_ref())
}

/// A rule that denies, or asks for approval, where all of its conditions hold.
fn select(draft: &mut Draft, rule: &Rule, entry: &Entry<'_>, at: &str, rules: &mut Rules<'_>) {
    for (field, given) in [
        ("rate_limit", rule.rate_limit.is_some()),
        ("state", rule.state.is_some()),
        ("validate", rule.validate.is_some()),
    ] {
        if given {
            rules.note(&format!("{at}/{field}"), format!("{field} needs a rule with action: evaluate"));
        }
    }
    if rule.rate_limit.is_some() || rule.state.is_some() {
        // What is wrong with these is told all the same.
        let mut misplaced = entry.draft("misplaced", Action::Constrain, at.to_owned(), rules);
        if let Some(rate) = &rule.rate_limit {
            add_rate(&mut misplaced, rate, entry, &format!("{at}/rate_limit"), rules);
        }
        if let Some(state) = &rule.state {
            add_state(&mut misplaced, state, (0, at.to_owned()), entry, &format!("{at}/state"), rules);
        }
        rules.add(misplaced);
    }
    if draft.rule.action == Action::RequireApproval {
        draft.rule.tools = entry.tools_to_approve(rules);
    }
    let expressions: Vec<String> = rule
        .conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| condition_at(condition, &format!("{at}/conditions/{index}"), rules))
        .collect();
    if !expressions.is_empty() {
        draft.when(expressions.join(" && "), format!("{at}/conditions"));
    }
}

/// A rule whose conditions must hold, and whose counters must have room.
fn evaluate(draft: &mut Draft, rule: &Rule, entry: &Entry<'_>, at: &str, rules: &mut Rules<'_>) {
    draft.rule.validate_arguments = rule.validate.as_ref().is_some_and(|validate| validate.required_args);
    if let Some(rate) = &rule.rate_limit {
        add_rate(draft, rate, entry, &format!("{at}/rate_limit"), rules);
    }
    let counter = rule.state.as_ref().map(|state| counter_path(entry, &state.counter));
    let is_unknown = rules.is_lost(&format!("{at}/state/counter")) || rules.is_lost(&format!("{at}/conditions"));
    let mut may_be_bounded = is_unknown;
    let mut bounds = Vec::new();
    for (index, condition) in rule.conditions.iter().enumerate() {
        let at = format!("{at}/conditions/{index}");
        may_be_bounded |= rules.is_lost(&format!("{at}/path"));
        let reads_state = condition.path.starts_with("state.");
        if Some(&condition.path) == counter.as_ref() || (is_unknown && reads_state) {
            may_be_bounded = true;
            match bound(condition) {
                Ok(max) => bounds.push((max, at)),
                Err((field, message)) => rules.refuse(&format!("{at}{field}"), message),
            }
        } else if reads_state {
            let message = "a condition can read only the counter of its own rule's state, as state.TOOL.COUNTER";
            rules.refuse(&format!("{at}/path"), message);
        } else {
            let expression = condition_at(condition, &at, rules);
            draft.require(expression, condition.on_deny.as_ref().or(message(rule)), at);
        }
    }
    if let Some(state) = &rule.state {
        let at = format!("{at}/state");
        let lowest = bounds.into_iter().min();
        if lowest.is_none() && !may_be_bounded {
            let path = counter_path(entry, &state.counter);
            let message = format!("nothing bounds the counter: add a condition with path {path} and op lte");
            rules.note(&at, message);
        }
        add_state(draft, state, lowest.unwrap_or_else(|| (0, at.clone())), entry, &at, rules);
    }
    let says_nothing =
        rule.conditions.is_empty() && rule.rate_limit.is_none() && rule.state.is_none() && rule.validate.is_none();
    let unsaid = ["action", "conditions", "rate_limit", "state", "validate"];
    let is_unread = unsaid.iter().any(|field| rules.is_lost(&format!("{at}/{field}")));
    if says_nothing && !is_unread && rule.action != Some(RuleAction::Allow) {
        rules.refuse(at, "the rule says nothing: give it conditions, a rate_limit or state");
    }
}

fn counter_path(entry: &Entry<'_>, counter: &str) -> String {
    let scope = if entry.is_every_tool() { "_global" } else { entry.name };
    format!("state.{scope}.{counter}")
}

/// Adds the counter at a pointer, with the lowest bound on it and where that stands.
fn add_state(
    draft: &mut Draft,
    state: &State,
    (max, bounded_at): (i64, String),
    entry: &Entry<'_>,
    at: &str,
    rules: &mut Rules<'_>,
) {
    let counter = entry.counter(&state.counter, rules);
    let number = draft.rule.limits.len();
    draft.limit(limits::state(state, max, counter, at, rules), at.to_owned());
    draft.part(format!("/limits/{number}/max"), format!("{bounded_at}/value"));
}

/// The most that a counter may reach.
fn bound(condition: &Condition) -> Result<i64, (&'static str, String)> {
    let less = match condition.op {
        Operator::Lte => 0,
        Operator::Lt => 1,
        _ => return Err(("/op", "a counter is bounded by lte or lt".into())),
    };
    let value = condition.value.as_ref().and_then(Value::as_i64).and_then(|value| value.checked_sub(less));
    value
        .filter(|max| *max >= 0)
        .ok_or_else(|| ("/value", format!("a counter's bound is a whole number of at least {less}")))
}
