//! Whether a tool (resource, prompt) is listed: the decision with arguments, time, session and quota unknown.
//!
//! Three-valued: a condition that reads any of these may be true or false. What is left out is denied whatever the call; the
//! reverse need not hold.

use reeve_crds::v1alpha1::{Action, Listing, Mode};

use super::Target;
use super::plan::Selected;
use crate::catalogue::Catalogue;
use crate::compile::Ruleset;
use crate::compile::index::Reach;
use crate::compile::model::{Fallback, Located, Role, Rule};
use crate::expr::Variables;
use crate::glob::is_canonical_uri;
use crate::time::WallTime;

/// Whether something holds for the calls of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Always,
    Never,
    /// For some calls, or it cannot be told.
    Perhaps,
}

/// Who denies every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DeniedBy {
    /// Not a Boundary: `listing: Always` may overrule it.
    Policy,
    /// A Boundary.
    Boundary,
}

/// A rule that selects calls of a target, and what is known of it without a call.
struct Judged<'r> {
    rule: &'r Rule,
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
        let Some((prefix, _)) = template.split_once('{') else {
            return self.lists(Target::Resource(template), &Catalogue::default());
        };
        let reaching = self.index.resources_under(prefix).filter_map(|(number, reach)| {
            let rule = &self.rules[number as usize];
            (rule.mode == Mode::Enforce).then(|| rule.judge_all(reach))
        });
        self.shows(&reaching.collect::<Vec<_>>())
    }

    /// Whether something is listed of which these are the rules that bind.
    fn shows(&self, judged: &[Judged<'_>]) -> bool {
        match self.denied_whatever(judged) {
            None => true,
            Some(DeniedBy::Boundary) => false,
            Some(DeniedBy::Policy) => judged.iter().any(|judged| judged.rule.listing == Listing::Always),
        }
    }

    fn governed_only_by_audit(&self) -> bool {
        let roles = &self.roles;
        roles.invalid.is_none() && roles.deciders.is_empty() && roles.boundaries.is_empty() && roles.observed
    }

    /// Who denies every call, if anyone does; a Boundary rather than another.
    fn denied_whatever(&self, judged: &[Judged<'_>]) -> Option<DeniedBy> {
        let role = |policy: u32| self.policies[policy as usize].role;
        let invalid = self.roles.invalid.map(|policy| denied_by(role(policy)));

        let refusing = judged.iter().filter(|judged| judged.refuses);
        let by_rule = refusing.map(|judged| denied_by(role(judged.rule.policy))).max();

        let may_grant = |judged: &&Judged<'_>| judged.grants && judged.applies != Holds::Never;
        let passes = |policy: &u32| judged.iter().filter(may_grant).any(|judged| judged.rule.policy == *policy);
        let by_boundary = (!self.roles.strict.iter().all(passes)).then_some(DeniedBy::Boundary);

        let decides = |judged: &Judged<'_>| role(judged.rule.policy).decides();
        let granted = judged.iter().filter(may_grant).any(decides);
        let claimed = judged.iter().any(|judged| judged.rule.grants() && decides(judged));
        let mut deciders = self.roles.deciders.iter().map(|&policy| &self.policies[policy as usize]);
        let permitted = if self.roles.deciders.is_empty() {
            self.roles.observed
        } else {
            granted || (!claimed && deciders.all(|policy| policy.fallback == Fallback::Allow))
        };
        let by_none = (!permitted).then_some(DeniedBy::Policy);
        invalid.max(by_rule).max(by_boundary).max(by_none)
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
    fn judge_all(&self, reach: Reach) -> Judged<'_> {
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

fn denied_by(role: Role) -> DeniedBy {
    if role == Role::Boundary { DeniedBy::Boundary } else { DeniedBy::Policy }
}
