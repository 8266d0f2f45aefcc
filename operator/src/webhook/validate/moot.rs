//! Rules that grant what a Boundary refuses all the same.
//!
//! Only what is certain is told: of tools, prompts and resources as their patterns say, and of Boundaries that no selector of
//! theirs keeps from any call of the policy. And only where the rule is written: an API server need not prove to a webhook that it
//! is one, so that what is answered of a Boundary could be had by any pod, and policies of a namespace are for who may read them.

use std::cell::Cell;

use reeve_crds::v1alpha1::{Action, ClusterDefault, ClusterMcpPolicySpec, McpPolicySpec, Mode, Object, Rule};
use reeve_policy::glob::{Dialect, Pattern};

use super::Findings;
use super::around::Around;

/// The most pairs of patterns that are compared for one policy. A policy of 20 rules with 5 tools each, beside 20 Boundaries alike, has
/// 200,000.
const MOST_PAIRS: usize = 500_000;

/// Warns of each rule of a policy that a Boundary of the cluster makes moot.
pub(super) fn in_policy(object: &Object<McpPolicySpec>, around: &Around, findings: &mut Findings) {
    let binding: Vec<_> =
        around.boundaries().filter(|one| binds(&one.spec, object, around)).map(Boundary::of).collect();
    let pairs = Pairs(Cell::new(MOST_PAIRS));
    for (number, rule) in object.spec.rules.iter().enumerate().filter(|(_, rule)| grants(rule)) {
        let rule = Selects::of(rule);
        let by = binding.iter().find_map(|boundary| Some((boundary.name, boundary.refuses(&rule, &pairs)?)));
        if let Some((boundary, why)) = by {
            let message = format!("rule {} grants nothing: the Boundary {boundary} refuses it, {why}", rule.rule.name);
            findings.warn(&format!("spec.rules[{number}]"), message);
        }
    }
    if pairs.0.get() == 0 {
        findings
            .warn("spec.rules", "have too many patterns for all to be compared with those of the cluster's Boundaries");
    }
}

/// How many pairs of patterns may still be compared. Past that nothing is known of any pair, and so nothing told.
struct Pairs(Cell<usize>);

impl Pairs {
    fn take(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}

/// A Boundary that binds every call of the policy.
struct Boundary<'b> {
    name: &'b str,
    is_strict: bool,
    rules: Vec<Selects<'b>>,
}

/// What a rule selects, each pattern read once.
struct Selects<'r> {
    rule: &'r Rule,
    kinds: [Vec<Glob<'r>>; 3],
}

struct Glob<'r> {
    text: &'r str,
    dialect: Dialect,
    /// None if it can match nothing.
    pattern: Option<Pattern>,
}

impl<'r> Selects<'r> {
    fn of(rule: &'r Rule) -> Self {
        let globs = |texts: &'r [String], dialect: Dialect| {
            let glob = |text: &'r String| Glob { text, dialect, pattern: Pattern::parse(text, dialect).ok() };
            texts.iter().map(glob).collect()
        };
        let kinds = [
            globs(&rule.tools, Dialect::Name),
            globs(&rule.resources, Dialect::Uri),
            globs(&rule.prompts, Dialect::Name),
        ];
        Self { rule, kinds }
    }

    /// Whether everything that `other` selects, this selects as well.
    fn covers(&self, other: &Self, pairs: &Pairs) -> bool {
        self.kinds.iter().zip(&other.kinds).all(|(outer, inner)| {
            inner.iter().all(|inner| outer.iter().any(|outer| pairs.take() && inner.is_within(outer)))
        })
    }

    /// Whether there may be a call that both select. Two globs may always meet.
    fn may_meet(&self, other: &Self, pairs: &Pairs) -> bool {
        let meet = |ours: &Glob<'_>, theirs: &Glob<'_>| {
            !pairs.take()
                || (ours.text.contains('*') && theirs.text.contains('*'))
                || ours.is_within(theirs)
                || theirs.is_within(ours)
        };
        let mut kinds = self.kinds.iter().zip(&other.kinds);
        kinds.any(|(ours, theirs)| ours.iter().any(|ours| theirs.iter().any(|theirs| meet(ours, theirs))))
    }
}

impl Glob<'_> {
    /// Whether everything that this pattern matches, another does. A `*` of the inner can only be matched by a `*` of the outer, and
    /// that matches whatever the inner's stands for. In URIs a `*` may stand for less than a `**`, so those must be equal, or exact.
    fn is_within(&self, outer: &Self) -> bool {
        let is_comparable = self.dialect == Dialect::Name || !self.text.contains('*');
        let matches = || outer.pattern.as_ref().is_some_and(|outer| outer.matches(self.text));
        self.text == outer.text || (is_comparable && matches())
    }
}

impl<'b> Boundary<'b> {
    fn of(object: &'b Object<ClusterMcpPolicySpec>) -> Self {
        let rules = object.spec.rules.iter().filter(|rule| is_enforced(rule)).map(Selects::of).collect();
        let is_strict = object.spec.default == Some(ClusterDefault::Deny);
        Self { name: object.metadata.name.as_str(), is_strict, rules }
    }

    /// Why it refuses whatever a rule selects, if it does.
    fn refuses(&self, rule: &Selects<'_>, pairs: &Pairs) -> Option<String> {
        let denies = |by: &&Selects<'_>| {
            let Rule { action, when, risk, .. } = by.rule;
            *action == Action::Deny && when.is_none() && risk.is_none() && by.covers(rule, pairs)
        };
        if let Some(denying) = self.rules.iter().find(denies) {
            return Some(format!("by its rule {}", denying.rule.name));
        }
        let permits = |by: &Selects<'_>| {
            matches!(by.rule.action, Action::Allow | Action::RequireApproval) && by.may_meet(rule, pairs)
        };
        (self.is_strict && !self.rules.iter().any(permits)).then(|| "as it has default: Deny and no rule for it".into())
    }
}

/// Whether a rule could grant.
fn grants(rule: &Rule) -> bool {
    matches!(rule.action, Action::Allow | Action::RequireApproval) && is_enforced(rule)
}

fn is_enforced(rule: &Rule) -> bool {
    rule.mode != Some(Mode::Audit)
}

/// Whether a Boundary binds every call that a policy governs.
fn binds(boundary: &ClusterMcpPolicySpec, policy: &Object<McpPolicySpec>, around: &Around) -> bool {
    let namespace = policy.metadata.namespace.as_deref().unwrap_or("default");
    around.labels_of(namespace).is_some_and(|labels| boundary.namespace_selector.matches(labels))
        && boundary.pod_selector.is_empty()
        && boundary.service_accounts.is_none()
        && boundary.server_urls.is_none()
}
