//! One policy, checked and compiled as far as it can be without knowing the others: the one path that both
//! [`super::check`] and [`super::compile`] take, so that what is accepted compiles.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::{
    AuditSettings, ClusterDefault, DefaultAction, Mode, Policy, Rule as RuleSpec, Scope, ServerRequests, Tier,
};

use super::model::{CompiledPolicy, Concurrency, Fallback, Limit, Role, Rule};
use super::problems::{Problem, Problems, Severity};
use super::rule;
use super::scope;
use crate::catalogue::Catalogue;
use crate::expr::{CompileError, Expression, Purpose};
use crate::glob::Pattern;
use crate::pace::pause;
use crate::time::parse_duration;

/// What a policy says, whichever kind of object it is.
struct Spec<'a> {
    role: Role,
    mode: Mode,
    fallback: Fallback,
    rules: &'a [RuleSpec],
    server_requests: Option<&'a ServerRequests>,
    audit: Option<&'a AuditSettings>,
    config_max_age: Option<&'a str>,
}

/// A checked policy. Numbers of policies and counters in its rules are its own until policies are put together.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) policy: CompiledPolicy,
    pub(super) rules: Vec<DraftRule>,
    pub(super) counters: Vec<DraftCounter>,
    pub(super) problems: Vec<Problem>,
}

/// A rule and what it selects.
#[derive(Debug)]
pub(super) struct DraftRule {
    /// The rule, still without its limits and bound, which need the limiter.
    pub(super) rule: Rule,
    /// In the order of their counters' names.
    pub(super) limits: Vec<Limit>,
    pub(super) concurrency: Option<Arc<Concurrency>>,
    pub(super) tools: Vec<Pattern>,
    pub(super) resources: Vec<Pattern>,
    pub(super) prompts: Vec<Pattern>,
}

/// A counter that rules of a policy share.
#[derive(Debug)]
pub(super) struct DraftCounter {
    pub(super) name: Arc<str>,
    /// Unset while no limit on it has a window that can be read, which is an error of each.
    pub(super) window: Option<Duration>,
    /// Where the window was declared first, for messages.
    pub(super) window_by: String,
    pub(super) scope: Scope,
    pub(super) key: Option<String>,
    /// Where the rest was declared first, for messages.
    pub(super) declared_by: String,
}

/// Compiled expressions by source, so that one that occurs in a thousand rules is compiled and held once.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    known: HashMap<(String, Purpose), Result<Expression, CompileError>>,
}

impl Expressions {
    /// How many different expressions are held.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    pub(super) fn compile(&mut self, source: &str, purpose: Purpose) -> Result<Expression, CompileError> {
        let compiled = self.known.entry((source.to_owned(), purpose));
        compiled.or_insert_with(|| Expression::compile(source, purpose)).clone()
    }
}

/// What checking the rules of one policy works with.
pub(super) struct Context<'a> {
    pub(super) key: &'a str,
    pub(super) role: Role,
    pub(super) mode: Mode,
    pub(super) fallback: Fallback,
    pub(super) catalogue: Option<&'a Catalogue>,
    pub(super) expressions: &'a mut Expressions,
    pub(super) problems: Problems,
    pub(super) counters: Counters,
}

/// The counters of a policy, in the order in which its rules first name them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) list: Vec<DraftCounter>,
    pub(super) by_name: HashMap<String, u32>,
}

/// Checks a policy and compiles it as far as it goes.
pub(super) fn draft(object: &Arc<Policy>, catalogue: Option<&Catalogue>, expressions: &mut Expressions) -> Draft {
    let spec = spec(object);
    let key = object.key();
    let mut context = Context {
        key: &key,
        role: spec.role,
        mode: spec.mode,
        fallback: spec.fallback,
        catalogue,
        expressions,
        problems: Problems::default(),
        counters: Counters::default(),
    };
    scope::check(object, &mut context.problems);
    default(&spec, &mut context.problems);
    let config_max_age = config_max_age(&spec, &mut context.problems);
    unique_names(spec.rules, &mut context.problems);
    let rules: Vec<_> =
        spec.rules.iter().enumerate().map(|(number, rule)| rule::draft(number, rule, &mut context)).collect();
    let Context { problems, counters, .. } = context;
    let problems = problems.into_list();
    let policy = CompiledPolicy {
        key: key.as_str().into(),
        object: Some(Arc::clone(object)),
        role: spec.role,
        mode: spec.mode,
        fallback: spec.fallback,
        server_requests: spec.server_requests.cloned().unwrap_or_default(),
        config_max_age,
        audited_arguments: audited(spec.audit),
        errors: errors(&problems),
    };
    Draft { policy, rules, counters: counters.list, problems }
}

/// A policy that could not be read: nothing of it but that it governs, in which mode and tier.
pub(super) fn unreadable(scope: &Policy, error: &str) -> Draft {
    let Spec { role, mode, fallback, .. } = spec(scope);
    let policy = CompiledPolicy {
        key: scope.key().into(),
        object: None,
        role,
        mode,
        fallback,
        server_requests: ServerRequests::default(),
        config_max_age: None,
        audited_arguments: Vec::new(),
        errors: vec![error.to_owned()],
    };
    Draft { policy, rules: Vec::new(), counters: Vec::new(), problems: Vec::new() }
}

fn errors(problems: &[Problem]) -> Vec<String> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect()
}

fn spec(policy: &Policy) -> Spec<'_> {
    match policy {
        Policy::McpPolicy(object) => Spec {
            role: Role::Namespaced,
            mode: object.spec.mode,
            fallback: match object.spec.default {
                DefaultAction::Allow => Fallback::Allow,
                DefaultAction::Deny => Fallback::Deny,
            },
            rules: &object.spec.rules,
            server_requests: object.spec.server_requests.as_ref(),
            audit: object.spec.audit.as_ref(),
            config_max_age: None,
        },
        Policy::ClusterMcpPolicy(object) => {
            let role = match object.spec.tier {
                Tier::Boundary => Role::Boundary,
                Tier::Baseline => Role::Baseline,
            };
            Spec {
                role,
                mode: object.spec.mode,
                fallback: match (object.spec.default, role) {
                    (Some(ClusterDefault::Allow), _) => Fallback::Allow,
                    (Some(ClusterDefault::Pass), _) | (None, Role::Boundary) => Fallback::Pass,
                    (Some(ClusterDefault::Deny) | None, _) => Fallback::Deny,
                },
                rules: &object.spec.rules,
                server_requests: object.spec.server_requests.as_ref(),
                audit: object.spec.audit.as_ref(),
                config_max_age: object.spec.config_max_age.as_deref(),
            }
        }
    }
}

fn default(spec: &Spec<'_>, problems: &mut Problems) {
    match (spec.role, spec.fallback) {
        (Role::Boundary, Fallback::Allow) => {
            problems.error("/spec/default", "a Boundary cannot grant: write Pass or Deny");
        }
        (Role::Baseline, Fallback::Pass) => {
            problems.error("/spec/default", "a Baseline decides calls and cannot pass them on: write Deny or Allow");
        }
        _ => {}
    }
}

fn config_max_age(spec: &Spec<'_>, problems: &mut Problems) -> Option<Duration> {
    let text = spec.config_max_age?;
    let pointer = "/spec/configMaxAge";
    if spec.role != Role::Boundary {
        problems.error(pointer, "only a Boundary may say how old a configuration may be");
    }
    let age = problems.take(pointer, parse_duration(text))?;
    if age.is_zero() {
        problems.error(pointer, "a configuration of age zero never holds: write at least 1s");
    }
    Some(age)
}

fn unique_names(rules: &[RuleSpec], problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for (number, rule) in rules.iter().enumerate() {
        pause();
        if let Some(earlier) = first.get(rule.name.as_str()) {
            let message = format!("rules[{earlier}] is called `{}` too: give each rule a name of its own", rule.name);
            problems.error(format!("/spec/rules/{number}/name"), message);
        } else {
            first.insert(rule.name.as_str(), number);
        }
    }
}

fn audited(settings: Option<&AuditSettings>) -> Vec<Arc<str>> {
    settings
        .map(|settings| settings.argument_values.iter().map(|name| name.as_str().into()).collect())
        .unwrap_or_default()
}
