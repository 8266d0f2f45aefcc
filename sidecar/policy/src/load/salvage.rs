//! What is wrong in a document, so that all the rest is checked in the same run: a mistake is told once, and none that only
//! follows from another.
//!
//! ```text
//! findings ──► Wrong ──► mend (a value in place of what cannot be read) ──► settle (one from which nothing follows) ──► check
//!                └──────────────────────────── explains what is then found where something was wrong ◄───────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use reeve_crds::v1alpha1::{
    Action, ClusterDefault, ClusterMcpPolicySpec, LabelSelector, LabelSelectorOperator, Limit, Policy, Rule, Scope,
    Tier,
};

use super::{Finding, Lost, Positions};
use crate::compile::{Problem, Severity};

/// The parts of a document, by JSON pointer, of which a mistake has been told.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    /// Values of which nothing is known.
    lost: BTreeSet<String>,
    /// Places of mistakes that say nothing of what is inside.
    told: BTreeSet<String>,
}

impl Wrong {
    pub(super) fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut wrong = Self::default();
        for finding in findings {
            wrong.lost.extend(finding.lost());
            if finding.lost == Lost::Nothing {
                wrong.told.insert(finding.pointer.clone());
            }
        }
        wrong
    }

    /// The pointers to the values of which nothing is known.
    pub(super) fn lost(&self) -> &BTreeSet<String> {
        &self.lost
    }

    /// Notes that nothing is known of the value at a pointer.
    pub(super) fn lose(&mut self, pointer: impl Into<String>) {
        self.lost.insert(pointer.into());
    }

    /// Notes that a mistake at a pointer has been told that says nothing of what is inside.
    pub(super) fn tell(&mut self, pointer: impl Into<String>) {
        self.told.insert(pointer.into());
    }

    /// Whether nothing is known of the value at a pointer, or of one around it.
    pub(super) fn has(&self, pointer: &str) -> bool {
        let mut around = Some(pointer);
        while let Some(at) = around {
            if self.lost.contains(at) {
                return true;
            }
            around = at.rfind('/').map(|end| &at[..end]);
        }
        false
    }

    /// Whether a mistake at a pointer is one that has been told, or follows from it.
    pub(super) fn covers(&self, pointer: &str) -> bool {
        self.told.contains(pointer) || self.has(pointer)
    }

    /// Whether anything of the value at a pointer, around it or inside it, is wrong.
    pub(super) fn touches(&self, pointer: &str) -> bool {
        let inside = format!("{pointer}/");
        let is_inside = |places: &BTreeSet<String>| {
            places.range(inside.clone()..).next().is_some_and(|place| place.starts_with(&inside))
        };
        self.covers(pointer) || is_inside(&self.lost) || is_inside(&self.told)
    }

    /// Whether a problem of the policy that was read of the document follows from what is wrong in it.
    pub(super) fn explains(&self, problem: &Problem, positions: &Positions) -> bool {
        if self.covers(&positions.source(&problem.pointer)) {
            return true;
        }
        // What a rule as a whole does cannot be said without a part of it.
        let rule = problem.pointer.strip_suffix("/tools").unwrap_or(&problem.pointer);
        problem.severity == Severity::Warning && rule_at(rule) && self.is_in(&positions.source(rule))
    }

    fn is_in(&self, pointer: &str) -> bool {
        let inside = format!("{pointer}/");
        self.lost.range(inside.clone()..).next().is_some_and(|lost| lost.starts_with(&inside))
    }
}

/// Whether a pointer leads to a rule.
fn rule_at(pointer: &str) -> bool {
    pointer.strip_prefix("/spec/rules/").is_some_and(|number| !number.contains('/'))
}

/// Gives everything in a policy that is not known a value from which no mistake elsewhere follows. What is found at the value
/// itself, [`Wrong::explains`].
pub(super) fn settle(policy: &mut Policy, wrong: &Wrong, positions: &Positions) {
    let is_lost = |pointer: &str| wrong.has(&positions.source(pointer));
    let rules = match policy {
        Policy::McpPolicy(object) => {
            selector(&mut object.spec.pod_selector, "/spec/podSelector", &is_lost);
            &mut object.spec.rules
        }
        Policy::ClusterMcpPolicy(object) => {
            tier(&mut object.spec, &is_lost);
            selector(&mut object.spec.pod_selector, "/spec/podSelector", &is_lost);
            selector(&mut object.spec.namespace_selector, "/spec/namespaceSelector", &is_lost);
            &mut object.spec.rules
        }
    };
    for (number, part) in rules.iter_mut().enumerate() {
        rule(part, &format!("/spec/rules/{number}"), &is_lost);
    }
    counters(rules, &is_lost);
}

/// Of the two tiers a Boundary may have more fields, and `default: Deny` suits both.
fn tier(spec: &mut ClusterMcpPolicySpec, is_lost: &impl Fn(&str) -> bool) {
    let is_unknown = is_lost("/spec/tier");
    if is_unknown {
        spec.tier = Tier::Boundary;
    }
    if is_unknown || is_lost("/spec/default") {
        spec.default = Some(ClusterDefault::Deny);
    }
}

fn selector(selector: &mut LabelSelector, at: &str, is_lost: &impl Fn(&str) -> bool) {
    for (number, condition) in selector.match_expressions.iter_mut().enumerate() {
        let at = format!("{at}/matchExpressions/{number}");
        if is_lost(&format!("{at}/operator")) || is_lost(&format!("{at}/values")) {
            let is_bare = condition.values.is_empty();
            condition.operator = if is_bare { LabelSelectorOperator::Exists } else { LabelSelectorOperator::In };
        }
    }
}

fn rule(rule: &mut Rule, at: &str, is_lost: &impl Fn(&str) -> bool) {
    if is_lost(&format!("{at}/name")) {
        // No rule can have this name, so none has it twice.
        rule.name = at.trim_start_matches("/spec/").to_owned();
    }
    if is_lost(&format!("{at}/action")) {
        // The one action with which every part of a rule goes.
        rule.action = Action::RequireApproval;
    }
    for (field, patterns) in
        [("tools", &mut rule.tools), ("resources", &mut rule.resources), ("prompts", &mut rule.prompts)]
    {
        if patterns.is_empty() && is_lost(&format!("{at}/{field}")) {
            patterns.push("*".to_owned());
        }
    }
}

/// Limits on one counter agree: a scope that is not known of one is as in the first of which it is.
fn counters(rules: &mut [Rule], is_lost: &impl Fn(&str) -> bool) {
    let mut known: BTreeMap<String, (Scope, Option<String>)> = BTreeMap::new();
    each_limit(rules, |limit, at| {
        if is_lost(&format!("{at}/counter")) {
            // No limit can have this counter, so none shares it.
            limit.counter = format!("?{at}");
        }
        if is_lost(&format!("{at}/window")) {
            // No window can be this one, so none is compared with it.
            limit.window = "?".to_owned();
        }
        if !is_lost(&format!("{at}/scope")) && !is_lost(&format!("{at}/key")) {
            known.entry(limit.counter.clone()).or_insert_with(|| (limit.scope, limit.key.clone()));
        }
    });
    each_limit(rules, |limit, at| {
        let scope = known.get(&limit.counter).cloned();
        match (is_lost(&format!("{at}/scope")), is_lost(&format!("{at}/key"))) {
            (true, true) => (limit.scope, limit.key) = scope.unwrap_or_default(),
            (true, false) => {
                let otherwise = if limit.key.is_some() { Scope::Key } else { Scope::Grant };
                let agreed =
                    scope.map(|(scope, _)| scope).filter(|scope| (*scope == Scope::Key) == limit.key.is_some());
                limit.scope = agreed.unwrap_or(otherwise);
            }
            (false, true) => limit.key = scope.and_then(|(_, key)| key),
            (false, false) => {}
        }
    });
}

fn each_limit(rules: &mut [Rule], mut visit: impl FnMut(&mut Limit, &str)) {
    for (number, rule) in rules.iter_mut().enumerate() {
        for (index, limit) in rule.limits.iter_mut().enumerate() {
            visit(limit, &format!("/spec/rules/{number}/limits/{index}"));
        }
    }
}
