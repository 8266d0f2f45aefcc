//! One rule: everything that can be wrong with it, and its compiled form.

use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::{Action, Approval as ApprovalSpec, Concurrency as ConcurrencySpec, Mode, Rule as RuleSpec};

use super::draft::{Context, DraftRule};
use super::hints;
use super::limit;
use super::model::{Approval, Concurrency, Fallback, Located, Requirement, Role, Rule};
use super::pointer;
use super::problems::Problems;
use crate::expr::{Path, Purpose};
use crate::glob::{Dialect, Pattern};
use crate::json::Name;
use crate::pace::pause;
use crate::time::parse_duration;

/// How long a call counts as in flight at most, where the rule does not say.
const HELD_AT_MOST: Duration = Duration::from_secs(3_600);
/// How long a request for approval stays open, where the rule does not say.
const EXPIRES_AFTER: Duration = Duration::from_secs(900);
/// The most calls in flight that a rule may permit.
const MAX_CONCURRENCY: i64 = 100_000;
/// The longest duration that a rule may name.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// Checks and compiles one rule. What is wrong is noted and left out: nothing enforces a policy that has an error.
pub(super) fn draft(number: usize, spec: &RuleSpec, context: &mut Context<'_>) -> DraftRule {
    pause();
    let at = format!("/spec/rules/{number}");
    rule_name(&at, &spec.name, &mut context.problems);
    selectors(&at, spec, &mut context.problems);
    action(&at, spec, context);
    let tools = patterns(&format!("{at}/tools"), &spec.tools, Dialect::Name, &mut context.problems);
    let resources = patterns(&format!("{at}/resources"), &spec.resources, Dialect::Uri, &mut context.problems);
    let prompts = patterns(&format!("{at}/prompts"), &spec.prompts, Dialect::Name, &mut context.problems);

    let pointer = pointer::rule(context.key, &spec.name);
    let message: Option<Arc<str>> = spec.message.as_deref().map(Into::into);
    let when = spec.when.as_deref().and_then(|source| {
        let place = format!("{at}/when");
        located(&place, source, Purpose::Condition, pointer::only_part(&pointer, "when"), context)
    });
    let require = requirements(&at, spec, &pointer, context);
    let limits = limit::draft(&at, spec, &pointer, message.as_ref(), context);
    let concurrency = concurrency(&at, spec.concurrency.as_ref(), &pointer, message.as_ref(), &mut context.problems);
    let rule = Rule {
        policy: 0,
        name: spec.name.as_str().into(),
        action: spec.action,
        mode: if context.mode == Mode::Audit { Mode::Audit } else { spec.mode.unwrap_or_default() },
        risk: spec.risk.clone(),
        when,
        require,
        validate_arguments: spec.validate_arguments.then(|| pointer::only_part(&pointer, "validateArguments")),
        limits: Vec::new(),
        concurrency: None,
        approval: approval(&at, spec, &pointer, &mut context.problems),
        listing: spec.listing,
        message,
        pointer,
    };
    hints::for_rule(&at, spec, &rule, &limits, context);
    DraftRule { rule, limits, concurrency, tools, resources, prompts }
}

fn rule_name(at: &str, name: &str, problems: &mut Problems) {
    let accepted = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = !name.starts_with('-') && !name.ends_with('-');
    if name.is_empty() || name.len() > 63 || !ends || !name.chars().all(accepted) {
        let message =
            "a rule's name has up to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit";
        problems.error(format!("{at}/name"), message);
    }
}

fn selectors(at: &str, spec: &RuleSpec, problems: &mut Problems) {
    if spec.tools.is_empty() && spec.resources.is_empty() && spec.prompts.is_empty() {
        problems.error(at, "the rule selects nothing: name tools, resources or prompts (`*` for every tool)");
    }
    if spec.tools.is_empty() && spec.risk.is_some() {
        problems.error(format!("{at}/risk"), "risk narrows `tools`, and the rule names none: add tools: [\"*\"]");
    }
    if spec.tools.is_empty() && spec.validate_arguments {
        let message = "only the arguments of tools have a schema, and the rule names none: remove it, or add tools";
        problems.error(format!("{at}/validateArguments"), message);
    }
}

fn action(at: &str, spec: &RuleSpec, context: &mut Context<'_>) {
    let problems = &mut context.problems;
    if spec.action == Action::Deny {
        let parts = [
            ("limits", !spec.limits.is_empty()),
            ("require", !spec.require.is_empty()),
            ("concurrency", spec.concurrency.is_some()),
            ("validateArguments", spec.validate_arguments),
            ("approval", spec.approval.is_some()),
        ];
        for (part, _) in parts.into_iter().filter(|(_, present)| *present) {
            let message = format!(
                "a Deny rule refuses every call to which it applies, so `{part}` means nothing: remove it, or use `when`"
            );
            problems.error(format!("{at}/{part}"), message);
        }
    } else if spec.approval.is_some() && spec.action != Action::RequireApproval {
        problems.error(format!("{at}/approval"), "only a rule with action: RequireApproval asks for approval");
    }
    if context.mode == Mode::Audit && spec.mode == Some(Mode::Enforce) {
        let message = "the policy is in mode Audit, so no rule of it can be enforced: remove this, or move the rule to a policy of its own";
        problems.error(format!("{at}/mode"), message);
    }
    let binds =
        !spec.limits.is_empty() || !spec.require.is_empty() || spec.concurrency.is_some() || spec.validate_arguments;
    if spec.action == Action::Constrain && !binds {
        problems.warn(at, "a Constrain rule without limits, requirements or bounds changes nothing");
    }
    if context.role == Role::Boundary && context.fallback == Fallback::Pass && spec.action == Action::Allow && !binds {
        problems.warn(at, "a Boundary cannot grant, and with default: Pass this Allow changes nothing: set default: Deny, or remove the rule");
    }
    let everything = spec.tools.iter().any(|tool| tool == "*");
    let narrowed = spec.when.is_some() || spec.risk.is_some() || !spec.require.is_empty();
    if everything && spec.action == Action::Allow && !narrowed && context.role != Role::Boundary {
        problems.warn(format!("{at}/tools"), "this allows every tool, also those that the server adds later");
    }
}

fn patterns(at: &str, texts: &[String], dialect: Dialect, problems: &mut Problems) -> Vec<Pattern> {
    let parse =
        |(number, text): (usize, &String)| problems.take(&format!("{at}/{number}"), Pattern::parse(text, dialect));
    texts.iter().enumerate().filter_map(parse).collect()
}

/// Compiles an expression; what is wrong with it is noted at `place`.
pub(super) fn located(
    place: &str,
    source: &str,
    purpose: Purpose,
    pointer: Arc<str>,
    context: &mut Context<'_>,
) -> Option<Located> {
    let expression = context.expressions.compile(source, purpose);
    let expression = context.problems.take(place, expression)?;
    let names = |path: &Path| path.iter().map(|name| Name::new(name)).collect();
    let reads = expression.argument_paths().iter().map(names).collect();
    Some(Located { expression, pointer, reads })
}

fn requirements(at: &str, spec: &RuleSpec, rule: &str, context: &mut Context<'_>) -> Vec<Requirement> {
    let mut compiled = Vec::with_capacity(spec.require.len());
    for (number, requirement) in spec.require.iter().enumerate() {
        let place = format!("{at}/require/{number}/expression");
        let pointer = pointer::part(rule, "require", number);
        let Some(condition) = located(&place, &requirement.expression, Purpose::Condition, pointer, context) else {
            continue;
        };
        let message = match (&requirement.message, &spec.message) {
            (Some(own), _) | (None, Some(own)) => own.as_str().into(),
            (None, None) => format!("the call must satisfy {}", requirement.expression).into(),
        };
        compiled.push(Requirement { condition, message });
    }
    compiled
}

fn concurrency(
    at: &str,
    spec: Option<&ConcurrencySpec>,
    rule: &str,
    message: Option<&Arc<str>>,
    problems: &mut Problems,
) -> Option<Arc<Concurrency>> {
    let spec = spec?;
    let max = u32::try_from(spec.max).ok().filter(|_| (1..=MAX_CONCURRENCY).contains(&spec.max));
    if max.is_none() {
        let message = format!("from 1 to {MAX_CONCURRENCY} calls may be in flight, not {}", spec.max);
        problems.error(format!("{at}/concurrency/max"), message);
    }
    let held_at_most = match &spec.held_at_most {
        Some(text) => duration(&format!("{at}/concurrency/heldAtMost"), text, problems)?,
        None => HELD_AT_MOST,
    };
    let pointer = pointer::only_part(rule, "concurrency");
    Some(Arc::new(Concurrency { pointer, max: max?, held_at_most, message: message.cloned() }))
}

fn approval(at: &str, spec: &RuleSpec, rule: &str, problems: &mut Problems) -> Option<Approval> {
    let expires_after = match &spec.approval {
        Some(ApprovalSpec { expires_after: Some(text) }) => {
            duration(&format!("{at}/approval/expiresAfter"), text, problems)?
        }
        _ => EXPIRES_AFTER,
    };
    let pointer = pointer::only_part(rule, "approval");
    (spec.action == Action::RequireApproval).then_some(Approval { pointer, expires_after })
}

/// Reads a duration of 1 s to 31 d.
pub(super) fn duration(at: &str, text: &str, problems: &mut Problems) -> Option<Duration> {
    let duration = problems.take(at, parse_duration(text))?;
    if duration < Duration::from_secs(1) || duration > LONGEST {
        problems.error(at, format!("`{text}` is out of bounds: write a duration from 1s to 31d"));
        return None;
    }
    Some(duration)
}
