//! Whether a tool (resource, prompt) is listed: the decision with arguments, time, session and quota unknown.
//!
//! Three-valued: a condition that reads any of these may be true or false. What is left out is denied whatever the call; the
//! reverse need not hold.

use reeve_crds::v1alpha1::{Action, Listing};

use super::combine::{Authority, Grant};
use super::plan::Selected;
use super::{Refusal, Target};
use crate::catalogue::Catalogue;
use crate::compile::Ruleset;
use crate::compile::index::Reach;
use crate::compile::model::{Located, Role, Rule};
use crate::expr::Variables;
use crate::glob::is_canonical_uri;
use crate::reason::Reason;
use crate::time::WallTime;

/// Whether something holds for the calls of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Always,
    Never,
    /// For some calls, or it cannot be told.
    Perhaps,
}

/// A rule that selects calls of a target, and what is known of it without a call.
#[derive(Clone, Copy)]
pub(super) struct Judged<'r> {
    pub(super) rule: &'r Rule,
    /// Whether it may grant.
    grants: bool,
    applies: Holds,
    /// Whether it refuses every call: a Deny that always applies, or something that always fails.
    refuses: bool,
}

impl Ruleset {
    /// Whether a tool (resource, prompt) is listed: left out if every call of it would be denied.
    pub fn lists(&self, target: Target<'_>, catalogue: &Catalogue) -> bool {
        if matches!(target, Target::Resource(uri) if !is_canonical_uri(uri)) {
            return self.governed_only_by_audit();
        }
        let tool = match target {
            Target::Tool(name) => catalogue.tool(name),
            Target::Resource(_) | Target::Prompt(_) => None,
        };
        let variables = Variables {
            args: None,
            name: target.name(),
            tool: tool.map(AsRef::as_ref),
            subject: &self.subject,
            session: None,
            now: WallTime::default(),
        };
        let plan = self.plan(target, tool.map(|tool| &tool.risk));
        let judge = |selected: &Selected| self.rules[selected.rule as usize].judge(selected.grants, target, &variables);
        self.shows(&plan.enforced.iter().map(judge).collect::<Vec<_>>())
    }

    /// Whether a resource template (RFC 6570) is listed: left out if every URI that begins as it does would be denied.
    pub fn lists_template(&self, template: &str) -> bool {
        match self.reaching(template) {
            Some(reaching) => self.shows(&reaching.enforced),
            None => self.lists(Target::Resource(template), &Catalogue::default()),
        }
    }

    /// Whether something is listed of which these are the rules that bind.
    fn shows(&self, judged: &[Judged<'_>]) -> bool {
        let always = || judged.iter().any(|judged| judged.rule.listing == Listing::Always);
        self.refuses_all().is_none() && self.outlook(judged, self.authority()).is_ok()
            || always() && !self.is_bounded(judged)
    }

    fn governed_only_by_audit(&self) -> bool {
        let roles = &self.roles;
        roles.invalid.is_none() && roles.deciders.is_empty() && roles.boundaries.is_empty() && roles.observed
    }

    /// Whether a Boundary denies every call.
    fn is_bounded(&self, judged: &[Judged<'_>]) -> bool {
        let is_boundary = |policy: u32| self.policies[policy as usize].role == Role::Boundary;
        self.roles.invalid.is_some_and(is_boundary)
            || judged.iter().any(|judged| judged.refuses && is_boundary(judged.rule.policy))
            || self.roles.strict.iter().any(|&boundary| !passes(judged, boundary))
    }

    /// What is to be expected of the calls of which these are the rules: who may grant some, or who refuses every one. Steps 2
    /// to 4 of a call, for calls of which some things are not known.
    pub(super) fn outlook(&self, judged: &[Judged<'_>], authority: Authority<'_>) -> Result<Grant, Refusal> {
        if let Some(Judged { rule, .. }) = judged.iter().find(|judged| judged.refuses) {
            return Err(Refusal::new(Reason::DeniedByRule, &rule.pointer, rule.message.clone()));
        }
        if let Some(&boundary) = authority.strict.iter().find(|&&boundary| !passes(judged, boundary)) {
            return Err(Refusal::new(Reason::DeniedByBoundary, &self.policies[boundary as usize].key, None));
        }
        let mut granting = judged.iter().filter(|judged| judged.may_grant()).map(|judged| judged.rule);
        let granting = granting.find(|rule| self.decides(rule)).map(|rule| &rule.pointer);
        let mut rules = judged.iter().map(|judged| judged.rule);
        self.settle(authority, granting, || rules.any(|rule| rule.grants() && self.decides(rule)))
    }
}

/// Whether a rule of this Boundary may let some call through.
fn passes(judged: &[Judged<'_>], boundary: u32) -> bool {
    judged.iter().any(|judged| judged.may_grant() && judged.rule.policy == boundary)
}

impl Judged<'_> {
    fn may_grant(&self) -> bool {
        self.grants && self.applies != Holds::Never
    }
}

impl Rule {
    /// What is known of the rule for a target that it selects.
    fn judge(&self, grants: bool, target: Target<'_>, variables: &Variables<'_>) -> Judged<'_> {
        let (applies, fails) = self.applies_to(variables);
        let denies = self.action == Action::Deny || self.refuses_always(target, variables);
        Judged { rule: self, grants, applies, refuses: fails || (applies == Holds::Always && denies) }
    }

    /// What is known of the rule for the resources of a template, of which it selects some or all. Its expressions may tell
    /// them apart.
    pub(super) fn judge_all(&self, reach: Reach) -> Judged<'_> {
        let always = reach == Reach::All && self.when.is_none();
        let applies = if always { Holds::Always } else { Holds::Perhaps };
        Judged { rule: self, grants: self.grants(), applies, refuses: always && self.action == Action::Deny }
    }

    /// For which calls the rule applies, and whether its condition cannot be evaluated on any, which refuses every one.
    fn applies_to(&self, variables: &Variables<'_>) -> (Holds, bool) {
        let Some(when) = &self.when else { return (Holds::Always, false) };
        if !when.expression.is_constant_for_a_tool() {
            return (Holds::Perhaps, false);
        }
        match when.expression.condition(variables) {
            Ok(true) => (Holds::Always, false),
            Ok(false) => (Holds::Never, false),
            Err(_) => (Holds::Perhaps, true),
        }
    }

    /// Whether the rule, where it applies, refuses each call whatever its arguments.
    fn refuses_always(&self, target: Target<'_>, variables: &Variables<'_>) -> bool {
        let unusable = variables.tool.is_some_and(|tool| tool.schema().is_err());
        let by_schema = self.validate_arguments.is_some() && unusable && matches!(target, Target::Tool(_));
        let constant = |located: &&Located| located.expression.is_constant_for_a_tool();
        let mut requirements = self.require.iter().map(|requirement| &requirement.condition).filter(constant);
        let mut costs = self.limits.iter().filter_map(|limit| limit.cost.as_ref()).filter(constant);
        let mut keys = self.limits.iter().filter_map(|limit| limit.key.as_ref()).filter(constant);
        by_schema
            || requirements.any(|located| located.expression.condition(variables) != Ok(true))
            || costs.any(|located| !matches!(located.expression.cost(variables), Ok(Some(_))))
            || keys.any(|located| located.expression.key(variables).is_err())
    }
}
