//! Why a call is decided as it is: every policy and rule that takes part, for people.
//!
//! Evaluates with the very functions that decide, so that an explanation cannot differ from a decision. The forms for people
//! are in [`text`].

mod text;

use reeve_crds::v1alpha1::{Action, Mode};
use serde::Serialize;

use super::Target;
use super::arguments::Examined;
use super::{Call, Shadow};
use crate::compile::Ruleset;
use crate::compile::model::{CompiledPolicy, Fallback, Role, Rule, Selection};
use crate::glob::is_canonical_uri;
use crate::reason::{Outcome, Reason};

/// A decision and everything that took part in it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What is called: `tool`, `resource` or `prompt`.
    pub kind: &'static str,
    /// Its name or URI.
    pub name: String,
    /// What happens to the call.
    pub decision: Outcome,
    /// Why.
    pub reason: Reason,
    /// The rule, or policy, that decided.
    pub pointer: Option<String>,
    /// What the agent would read.
    pub sentence: String,
    /// The policies that take part, by key.
    pub policies: Vec<PolicyExplained>,
    /// Baselines that govern nothing here, because an enforcing McpPolicy does.
    pub yielding: Vec<String>,
    /// The rules whose patterns match, in the order of pointers.
    pub rules: Vec<RuleExplained>,
    /// What the call must still take to pass.
    pub demands: Vec<String>,
    /// What Audit policies and rules say.
    pub shadow: Vec<ShadowExplained>,
}

/// What an Audit policy or rule says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowExplained {
    /// The rule or policy.
    pub pointer: String,
    /// What it would decide, alone.
    pub decision: Outcome,
    /// Why.
    pub reason: Reason,
}

/// A policy that takes part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExplained {
    /// `namespace/name`, or the name alone of a cluster-wide one.
    pub policy: String,
    /// What part it plays, in words.
    pub part: &'static str,
    /// Whether it is enforced.
    pub mode: Mode,
    /// What it says of calls that no rule selects.
    pub default: &'static str,
    /// Why it does not compile; empty if it does.
    pub errors: Vec<String>,
}

/// A rule whose patterns match the call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleExplained {
    /// `namespace/policy#rule`.
    pub pointer: String,
    /// The policy's key.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// What it does.
    pub action: Action,
    /// Audit if it, or its policy, only records.
    pub mode: Mode,
    /// Whether it selects the call.
    pub selected: bool,
    /// Whether it applies to it.
    pub state: State,
    /// Why, in words.
    pub why: Vec<String>,
}

/// How far a rule got with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Its `risk` leaves the tool out.
    NotSelected,
    /// Its `when` is not true.
    DoesNotApply,
    /// It applies, and nothing that it asks for fails.
    Applies,
    /// It applies and refuses the call.
    Refuses,
    /// Its `when` cannot be evaluated: an enforced rule then refuses the call.
    Fails,
}

impl Ruleset {
    /// Decides a call and says how.
    pub fn explain(&self, call: &Call<'_>) -> Explanation {
        let verdict = self.decide(call);
        let selectable = !matches!(call.target, Target::Resource(uri) if !is_canonical_uri(uri));
        let rules = if selectable { self.explain_rules(call) } else { Vec::new() };
        Explanation {
            kind: call.target.kind(),
            name: call.target.name().to_owned(),
            decision: verdict.outcome(),
            reason: verdict.reason,
            sentence: verdict.sentence(&self.subject.server, call.target),
            policies: self.policies.iter().map(PolicyExplained::new).collect(),
            yielding: self.yielding_policies().iter().map(ToString::to_string).collect(),
            rules,
            demands: verdict.demands.in_words(),
            pointer: verdict.pointer.map(|pointer| pointer.to_string()),
            shadow: verdict.shadow.iter().map(ShadowExplained::new).collect(),
        }
    }

    fn explain_rules(&self, call: &Call<'_>) -> Vec<RuleExplained> {
        let plan = self.plan(call.target, call.tool.map(|tool| &tool.risk));
        let examined = self.examine(call, &plan);
        self.index.matches(call.target).into_iter().map(|number| self.explain_rule(number, call, &examined)).collect()
    }

    fn explain_rule(&self, number: u32, call: &Call<'_>, examined: &Examined<'_>) -> RuleExplained {
        let rule = &self.rules[number as usize];
        let (state, why) = self.state(number, rule, call, examined);
        RuleExplained {
            pointer: rule.pointer.to_string(),
            policy: self.policies[rule.policy as usize].key.to_string(),
            rule: rule.name.to_string(),
            action: rule.action,
            mode: rule.mode,
            selected: state != State::NotSelected,
            state,
            why,
        }
    }

    fn state(&self, number: u32, rule: &Rule, call: &Call<'_>, examined: &Examined<'_>) -> (State, Vec<String>) {
        let mut why = Vec::new();
        let risk = call.tool.map(|tool| &tool.risk);
        let selection = if matches!(call.target, Target::Tool(_)) { rule.selects(risk) } else { Selection::Selects };
        if rule.risk.is_some() {
            why.push(text::selection(selection, risk));
        }
        if selection == Selection::Passes {
            return (State::NotSelected, why);
        }
        let source = rule.when.as_ref().map_or("", |when| when.expression.source());
        match examined.applies(rule) {
            Ok(true) if rule.when.is_some() => why.push(format!("when {source}: true")),
            Ok(true) => {}
            Ok(false) => {
                why.push(format!("when {source}: not true"));
                return (State::DoesNotApply, why);
            }
            Err(refusal) => {
                why.push(text::refusal(&refusal));
                return (State::Fails, why);
            }
        }
        if rule.action == Action::Deny {
            return (State::Refuses, why);
        }
        let selected =
            [super::plan::Selected { rule: number, grants: selection == Selection::Selects && rule.grants() }];
        let checked = self.check_arguments(&selected, examined).and_then(|()| self.demands(&selected, examined));
        match checked {
            Ok(demands) => {
                why.extend(demands.in_words());
                (State::Applies, why)
            }
            Err(refusal) => {
                why.push(text::refusal(&refusal));
                (State::Refuses, why)
            }
        }
    }
}

impl ShadowExplained {
    fn new(shadow: &Shadow) -> Self {
        Self { pointer: shadow.pointer.to_string(), decision: shadow.reason.outcome(), reason: shadow.reason }
    }
}

impl PolicyExplained {
    fn new(policy: &CompiledPolicy) -> Self {
        Self {
            policy: policy.key.to_string(),
            part: match policy.role {
                Role::Boundary => "Boundary",
                Role::Namespaced => "McpPolicy",
                Role::Baseline => "Baseline",
            },
            mode: policy.mode,
            default: match policy.fallback {
                Fallback::Allow => "Allow",
                Fallback::Deny => "Deny",
                Fallback::Pass => "Pass",
            },
            errors: policy.errors.clone(),
        }
    }
}
