//! Whether a tool (resource, prompt) is listed: the decision with arguments, time, session and quota unknown.
//!
//! Three-valued: a condition that reads any of these may be true or false. What is left out is denied whatever the call; the
//! reverse need not hold.

use reeve_crds::v1alpha1::{Action, Listing};

use super::plan::Selected;
use super::{Call, Target};
use crate::catalogue::Catalogue;
use crate::compile::Ruleset;
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
        let call = Call { target, arguments: None, session: None, tool, now: WallTime::default() };
        let plan = self.plan(target, tool.map(|tool| &tool.risk));
        match self.denied_whatever(&plan.enforced, &call) {
            None => true,
            Some(DeniedBy::Boundary) => false,
            Some(DeniedBy::Policy) => {
                plan.enforced.iter().any(|selected| self.rules[selected.rule as usize].listing == Listing::Always)
            }
        }
    }

    fn governed_only_by_audit(&self) -> bool {
        let roles = &self.roles;
        roles.invalid.is_none() && roles.deciders.is_empty() && roles.boundaries.is_empty() && roles.observed
    }

    /// Who denies every call of a target that these rules select, if anyone does; a Boundary rather than another.
    fn denied_whatever(&self, selected: &[Selected], call: &Call<'_>) -> Option<DeniedBy> {
        let variables = Variables {
            args: None,
            name: call.target.name(),
            tool: call.tool.map(AsRef::as_ref),
            subject: &self.subject,
            session: None,
            now: call.now,
        };
        let invalid = self.roles.invalid.map(|policy| denied_by(self.policies[policy as usize].role));
        let rules = selected.iter().map(|selected| (selected, &self.rules[selected.rule as usize]));
        let judged: Vec<_> = rules.map(|(selected, rule)| (selected, rule, applies(rule, &variables))).collect();

        let by_rule = judged.iter().filter(|(_, rule, applies)| match applies {
            None => true,
            Some(Holds::Always) => rule.action == Action::Deny || rule.refuses_always(call, &variables),
            Some(Holds::Never | Holds::Perhaps) => false,
        });
        let by_rule = by_rule.map(|(_, rule, _)| denied_by(self.policies[rule.policy as usize].role)).max();

        let may_grant = |(selected, _, applies): &&(&Selected, &Rule, Option<Holds>)| {
            selected.grants && *applies != Some(Holds::Never)
        };
        let passes = |policy: &u32| judged.iter().filter(may_grant).any(|(_, rule, _)| rule.policy == *policy);
        let by_boundary = (!self.roles.strict.iter().all(passes)).then_some(DeniedBy::Boundary);

        let decides = |rule: &Rule| self.policies[rule.policy as usize].role.decides();
        let granted = judged.iter().filter(may_grant).any(|(_, rule, _)| decides(rule));
        let claimed = judged.iter().any(|(_, rule, _)| rule.grants() && decides(rule));
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
    /// Whether a rule that applies to every call of a tool refuses each, whatever its arguments.
    fn refuses_always(&self, call: &Call<'_>, variables: &Variables<'_>) -> bool {
        let unusable = call.tool.is_some_and(|tool| tool.schema.is_err());
        let by_schema = self.validate_arguments.is_some() && unusable && matches!(call.target, Target::Tool(_));
        let constant = |located: &&Located| located.expression.is_constant_for_a_tool();
        let requirements = self.require.iter().map(|requirement| &requirement.condition).filter(constant);
        let mut costs = self.limits.iter().filter_map(|limit| limit.cost.as_ref()).filter(constant);
        let mut keys = self.limits.iter().filter_map(|limit| limit.key.as_ref()).filter(constant);
        let unmet = |located: &Located| located.expression.condition(variables) != Ok(true);
        by_schema
            || requirements.into_iter().any(unmet)
            || costs.any(|located| !matches!(located.expression.cost(variables), Ok(Some(_))))
            || keys.any(|located| located.expression.key(variables).is_err())
    }
}

fn denied_by(role: Role) -> DeniedBy {
    if role == Role::Boundary { DeniedBy::Boundary } else { DeniedBy::Policy }
}

/// For which calls a rule applies that selects them; nothing if its condition cannot be evaluated on any, and so refuses
/// every one.
fn applies(rule: &Rule, variables: &Variables<'_>) -> Option<Holds> {
    let Some(when) = &rule.when else { return Some(Holds::Always) };
    if !when.expression.is_constant_for_a_tool() {
        return Some(Holds::Perhaps);
    }
    match when.expression.condition(variables) {
        Ok(true) => Some(Holds::Always),
        Ok(false) => Some(Holds::Never),
        Err(_) => None,
    }
}
