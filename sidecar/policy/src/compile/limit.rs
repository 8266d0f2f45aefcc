//! The limits of one rule, and the counters that rules of one policy share.

use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::{Limit as LimitSpec, Rule as RuleSpec, Scope};

use super::draft::{Context, DraftCounter};
use super::model::{Limit, Located};
use super::pointer;
use super::rule::{duration, located};
use crate::expr::Purpose;
use crate::limit::Units;

/// The most units that a limit may permit in its window.
const MOST_UNITS: i64 = 1_000_000_000_000;

/// Checks and compiles the limits of one rule, in the order of their counters' names.
pub(super) fn draft(
    at: &str,
    rule: &RuleSpec,
    rule_pointer: &str,
    message: Option<&Arc<str>>,
    context: &mut Context<'_>,
) -> Vec<Limit> {
    let mut limits = Vec::with_capacity(rule.limits.len());
    for (number, spec) in rule.limits.iter().enumerate() {
        let at = format!("{at}/limits/{number}");
        if rule.limits[..number].iter().any(|earlier| earlier.counter == spec.counter) {
            let message = format!("the rule limits counter `{}` twice: one limit is enough", spec.counter);
            context.problems.error(format!("{at}/counter"), message);
            parts(&at, spec, rule_pointer, context);
            continue;
        }
        limits.push(one(&at, spec, rule_pointer, message, context));
    }
    limits.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    limits
}

/// What a limit says by itself.
struct Parts {
    pointer: Arc<str>,
    key: Option<Located>,
    cost: Option<Located>,
    window: Option<Duration>,
}

fn one(at: &str, spec: &LimitSpec, rule_pointer: &str, message: Option<&Arc<str>>, context: &mut Context<'_>) -> Limit {
    let Parts { pointer, key, cost, window } = parts(at, spec, rule_pointer, context);
    let counter = shared_counter(at, spec, window, rule_pointer, context);
    Limit {
        pointer,
        counter,
        max: Units::whole(spec.max),
        cost,
        key,
        scope: spec.scope,
        window: window.unwrap_or_default(),
        message: message.cloned(),
    }
}

fn parts(at: &str, spec: &LimitSpec, rule_pointer: &str, context: &mut Context<'_>) -> Parts {
    counter_name(at, &spec.counter, context);
    if !(0..=MOST_UNITS).contains(&spec.max) {
        let message = format!("max is from 0 to {MOST_UNITS}, not {}", spec.max);
        context.problems.error(format!("{at}/max"), message);
    }
    if spec.on_store_failure.is_some() {
        let message =
            "this has no effect: there is no shared store, and every limit counts in its own sidecar; remove it";
        context.problems.warn(format!("{at}/onStoreFailure"), message);
    }
    let pointer = pointer::part(rule_pointer, "limits", &spec.counter);
    let key = key(at, spec, &pointer, context);
    let cost = spec.cost.as_deref().and_then(|source| {
        located(&format!("{at}/cost"), source, Purpose::Cost, pointer::only_part(&pointer, "cost"), context)
    });
    let window = duration(&format!("{at}/window"), &spec.window, &mut context.problems);
    Parts { pointer, key, cost, window }
}

fn counter_name(at: &str, name: &str, context: &mut Context<'_>) {
    let accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends = |c: char| c.is_ascii_alphanumeric();
    if name.len() > 63 || !name.starts_with(ends) || !name.ends_with(ends) || !name.chars().all(accepted) {
        let message = "a counter's name has up to 63 letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit";
        context.problems.error(format!("{at}/counter"), message);
    }
}

fn key(at: &str, spec: &LimitSpec, pointer: &str, context: &mut Context<'_>) -> Option<Located> {
    let place = format!("{at}/key");
    match (spec.scope, &spec.key) {
        (Scope::Key, Some(source)) => {
            located(&place, source, Purpose::Key, pointer::only_part(pointer, "key"), context)
        }
        (Scope::Key, None) => {
            context.problems.error(place, "scope: Key needs a `key`: an expression whose values are counted apart");
            None
        }
        (_, Some(_)) => {
            context.problems.error(place, "`key` means something only with scope: Key: add it, or remove the key");
            None
        }
        (_, None) => None,
    }
}

/// The number of the counter that a limit names; two limits of one policy that name it must agree on what it is.
fn shared_counter(
    at: &str,
    spec: &LimitSpec,
    window: Option<Duration>,
    rule_pointer: &str,
    context: &mut Context<'_>,
) -> u32 {
    let Context { counters, problems, .. } = context;
    if let Some(&number) = counters.by_name.get(&spec.counter) {
        let counter = &mut counters.list[number as usize];
        if counter.window.is_none() {
            counter.window = window;
            rule_pointer.clone_into(&mut counter.window_by);
        }
        let differs = [
            ("window", window.is_some() && counter.window != window, &counter.window_by),
            ("scope", counter.scope != spec.scope, &counter.declared_by),
            ("key", counter.scope == spec.scope && counter.key != spec.key, &counter.declared_by),
        ];
        for (field, _, declared_by) in differs.into_iter().filter(|(_, differs, _)| *differs) {
            let message = format!(
                "counter `{}` has another {field} in {declared_by}: give it the same one, or use a counter of another name",
                spec.counter
            );
            problems.error(format!("{at}/{field}"), message);
        }
        return number;
    }
    let number = u32::try_from(counters.list.len()).unwrap_or(u32::MAX);
    counters.by_name.insert(spec.counter.clone(), number);
    counters.list.push(DraftCounter {
        name: spec.counter.as_str().into(),
        window,
        window_by: rule_pointer.to_owned(),
        scope: spec.scope,
        key: spec.key.clone(),
        declared_by: rule_pointer.to_owned(),
    });
    number
}
