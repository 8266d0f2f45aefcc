//! What the policies can say of calls, before any call is made: so that what counts decisions can show each of them at zero.
//!
//! Foreseen is what a policy says: that a rule permits, denies, or that a requirement, limit, bound or approval of it does not
//! hold. What goes wrong is not: an expression, a cost or a schema that cannot be used, ambiguous arguments, a full table. Nor is
//! what is said of resources and prompts, which are known by pattern alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crds::v1alpha1::{Action, Mode};

use super::Target;
use super::combine::Authority;
use super::plan::{Plan, Selected};
use crate::catalogue::{Catalogue, Risk};
use crate::compile::Ruleset;
use crate::compile::model::{Rule, Selection};
use crate::reason::{Outcome, Reason};

/// A decision that calls may come to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Foreseen {
    /// The tool; none: all that neither a policy nor the catalogue names.
    pub tool: Option<Arc<str>>,
    /// Why.
    pub reason: Reason,
    /// The policy or rule that says so, without the part; none if no policy governs.
    pub pointer: Option<Arc<str>>,
    /// Enforce: what happens to the call. Audit: what a policy or rule in Audit mode says of it.
    pub mode: Mode,
}

/// What is said of the calls of one tool.
type Said = Vec<(Reason, Option<Arc<str>>, Mode)>;

/// A tool, as far as it is known.
type Known<'r> = (Option<&'r Arc<str>>, Option<&'r Risk>);

/// Rules that select a tool, and of which of its calls.
struct Scene<'r> {
    rules: &'r [Selected],
    /// Whether a rule selects each call of what is looked at: of the tools that nobody knows, a pattern selects some.
    selects_all: &'r dyn Fn(u32) -> bool,
    mode: Mode,
}

impl Ruleset {
    /// What the policies can say of each tool that they or the catalogue name, and of all others: every refusal, then what
    /// permits; each in the order of the tools, those without a name first. Worked out as it is asked for.
    pub fn foresee<'r>(&'r self, catalogue: &'r Catalogue) -> impl Iterator<Item = Foreseen> {
        let named = self.named_tools().map(|name| (name, None));
        let seen = catalogue.tools().map(|tool| (&tool.name, Some(&tool.risk)));
        let tools: BTreeMap<&Arc<str>, Option<&Risk>> = named.chain(seen).collect();
        let tools: Vec<Known<'r>> =
            std::iter::once((None, None)).chain(tools.into_iter().map(|(name, risk)| (Some(name), risk))).collect();
        [false, true].into_iter().flat_map(move |permits| {
            tools.clone().into_iter().flat_map(move |tool| {
                let said = self.said_of(tool).into_iter();
                said.filter(move |(reason, ..)| (reason.outcome() == Outcome::Allow) == permits)
                    .map(move |(reason, pointer, mode)| Foreseen { tool: tool.0.cloned(), reason, pointer, mode })
            })
        })
    }

    fn said_of(&self, (name, risk): Known<'_>) -> Said {
        let mut said = Said::new();
        if let Some(refusal) = self.refuses_all() {
            said.push((refusal.reason, refusal.pointer, Mode::Enforce));
            return said;
        }
        let patterns: BTreeMap<u32, bool> = match name {
            Some(_) => BTreeMap::new(),
            None => self.index.tool_patterns(),
        };
        let plan = match name {
            Some(name) => self.work_out(Target::Tool(name), risk),
            None => self.plan_of(patterns.keys().copied(), |rule| rule.selects(None)),
        };
        let selects_all = |rule: u32| patterns.get(&rule).copied().unwrap_or(true);
        let scene = |rules, mode| Scene { rules, selects_all: &selects_all, mode };
        self.say(&scene(&plan.enforced, Mode::Enforce), self.authority(), &mut said);
        for policy in &self.roles.audits {
            self.say(&scene(self.audited_by(&plan, *policy), Mode::Audit), self.alone(policy), &mut said);
        }
        for selected in plan.audited.iter().filter(|it| !self.is_audited(self.rules[it.rule as usize].policy)) {
            self.say(&scene(std::slice::from_ref(selected), Mode::Audit), Authority::NOBODY, &mut said);
        }
        said.dedup();
        said
    }

    /// What these rules and policies can say: the steps of a decision, of each call that there can be.
    fn say(&self, scene: &Scene<'_>, authority: Authority<'_>, said: &mut Said) {
        if self.say_denied(scene, authority, said) && self.say_granted(scene, authority, said) {
            for rule in scene.rules.iter().map(|it| self.rule(it)).filter(|rule| rule.action != Action::Deny) {
                said.extend(rule.fails().map(|reason| (reason, Some(Arc::clone(&rule.pointer)), scene.mode)));
            }
        }
    }

    /// Deny rules and Boundaries; false if every call is denied.
    fn say_denied(&self, scene: &Scene<'_>, authority: Authority<'_>, said: &mut Said) -> bool {
        for deny in scene.rules.iter().filter(|it| self.rule(it).action == Action::Deny) {
            said.push((Reason::DeniedByRule, Some(Arc::clone(&self.rule(deny).pointer)), scene.mode));
            if self.is_sure(scene, deny) {
                return false;
            }
        }
        for &boundary in authority.strict {
            let own = scene.rules.iter().filter(|it| it.grants && self.rule(it).policy == boundary);
            if !own.clone().any(|it| self.is_sure(scene, it)) {
                let key = Arc::clone(&self.policies[boundary as usize].key);
                said.push((Reason::DeniedByBoundary, Some(key), scene.mode));
            }
            if own.count() == 0 {
                return false;
            }
        }
        true
    }

    /// Who grants, and who refuses where nobody does; false if nobody ever does.
    fn say_granted(&self, scene: &Scene<'_>, authority: Authority<'_>, said: &mut Said) -> bool {
        let deciding = || scene.rules.iter().filter(|it| self.decides(self.rule(it)));
        let mut is_granted = false;
        for grant in deciding().filter(|it| it.grants) {
            said.push((Reason::AllowedByRule, Some(Arc::clone(&self.rule(grant).pointer)), scene.mode));
            is_granted = true;
            if self.is_sure(scene, grant) {
                return true;
            }
        }
        let claiming = || deciding().filter(|it| self.rule(it).grants());
        for is_claimed in [claiming().any(|it| (scene.selects_all)(it.rule)), claiming().count() > 0] {
            let settled = self.settle(authority, None, || is_claimed);
            is_granted |= settled.is_ok();
            let (reason, pointer) = match settled {
                Ok(grant) => (grant.reason, grant.pointer),
                Err(refusal) => (refusal.reason, refusal.pointer),
            };
            // What an Audit rule that grants nothing says by itself is not recorded.
            if pointer.is_some() || scene.mode == Mode::Enforce {
                said.push((reason, pointer, scene.mode));
            }
        }
        is_granted
    }

    fn rule(&self, selected: &Selected) -> &Rule {
        &self.rules[selected.rule as usize]
    }

    /// Whether a rule applies to every call of what is looked at.
    fn is_sure(&self, scene: &Scene<'_>, selected: &Selected) -> bool {
        self.rule(selected).when.is_none() && (scene.selects_all)(selected.rule)
    }

    /// The plan of what these rules may select.
    fn plan_of(&self, rules: impl Iterator<Item = u32>, selects: impl Fn(&Rule) -> Selection) -> Plan {
        let mut plan = Plan::default();
        for number in rules {
            let rule = &self.rules[number as usize];
            let selection = selects(rule);
            if selection != Selection::Passes {
                let selected = Selected { rule: number, grants: selection == Selection::Selects && rule.grants() };
                let rules = if rule.mode == Mode::Audit { &mut plan.audited } else { &mut plan.enforced };
                rules.push(selected);
            }
        }
        plan
    }
}

impl Rule {
    /// What of the rule may not hold for a call to which it applies.
    fn fails(&self) -> impl Iterator<Item = Reason> {
        let parts = [
            (Reason::ArgumentsInvalid, self.validate_arguments.is_some()),
            (Reason::RequirementFailed, !self.require.is_empty()),
            (Reason::LimitExceeded, !self.limits.is_empty()),
            (Reason::ConcurrencyExceeded, self.concurrency.is_some()),
            (Reason::ApprovalRequired, self.approval.is_some()),
        ];
        parts.into_iter().filter_map(|(reason, is_there)| is_there.then_some(reason))
    }
}
