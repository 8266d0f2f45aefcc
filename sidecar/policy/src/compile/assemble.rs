//! Puts checked policies together: decides which take part, numbers rules in the order of pointers, resolves counters.

use std::collections::HashMap;
use std::sync::Arc;

use reeve_crds::v1alpha1::Mode;

use super::draft::{Draft, DraftCounter, DraftRule, Expressions, draft, unreadable};
use super::index::{Index, Patterns};
use super::model::{CompiledPolicy, Fallback, Role, Rule};
use super::{ResolvedCounter, Roles, Ruleset, ScopeKeys, Source};
use crate::decide::{Plans, ServerRequestTable, Subject};
use crate::limit::{CounterName, Limiter};
use crate::pace::pause;

/// Compiles the policies that govern.
pub(super) fn assemble(sources: &[Source], subject: &Subject, limiter: &Limiter) -> Ruleset {
    let mut expressions = Expressions::default();
    let mut drafts: Vec<_> = sources.iter().map(|source| read(source, &mut expressions)).collect();
    drafts.sort_by(|a, b| a.policy.key.cmp(&b.policy.key));
    refuse_namesakes(&mut drafts);
    let yielding = yield_baselines(&mut drafts);

    let mut policies = Vec::with_capacity(drafts.len());
    let mut rules = Vec::new();
    let mut counters = Vec::new();
    for draft in drafts {
        if draft.policy.errors.is_empty() {
            let mut resolver =
                Resolver { limiter, policy: &draft.policy.key, known: HashMap::new(), counters: &mut counters };
            rules.extend(resolver.rules(number(policies.len()), draft.rules, &draft.counters));
        }
        policies.push(draft.policy);
    }
    let (rules, index) = index(rules);
    let roles = roles(&policies);
    Ruleset {
        server_requests: ServerRequestTable::new(&policies, &roles),
        audited_arguments: audited(&policies),
        keys: keys(subject),
        plans: Plans::default(),
        subject: subject.clone(),
        policies,
        yielding,
        rules,
        index,
        counters,
        roles,
    }
}

fn read(source: &Source, expressions: &mut Expressions) -> Draft {
    match source {
        Source::Readable(object) => draft(object, None, expressions),
        Source::Unreadable { scope, error } => unreadable(scope, error),
    }
}

/// Two policies of one key would share rule pointers and counters.
fn refuse_namesakes(drafts: &mut [Draft]) {
    for later in 1..drafts.len() {
        let key = Arc::clone(&drafts[later].policy.key);
        if drafts[later - 1].policy.key == key {
            for draft in &mut drafts[later - 1..=later] {
                draft.policy.errors.push(format!("there are two policies called {key}: rename one"));
            }
        }
    }
}

/// Takes out the Baselines where an enforcing McpPolicy governs; says which they were.
fn yield_baselines(drafts: &mut Vec<Draft>) -> Vec<Arc<str>> {
    let governed =
        drafts.iter().any(|draft| draft.policy.role == Role::Namespaced && draft.policy.mode == Mode::Enforce);
    if !governed {
        return Vec::new();
    }
    let yields = |draft: &mut Draft| draft.policy.role == Role::Baseline;
    drafts.extract_if(.., yields).map(|draft| draft.policy.key).collect()
}

/// Gives the rules of one policy their numbers and handles.
struct Resolver<'a> {
    limiter: &'a Limiter,
    policy: &'a Arc<str>,
    /// Numbers of counters in the ruleset, by the number in the policy and whether they are shadows.
    known: HashMap<(u32, bool), u32>,
    counters: &'a mut Vec<ResolvedCounter>,
}

impl Resolver<'_> {
    fn rules(&mut self, policy: u32, rules: Vec<DraftRule>, counters: &[DraftCounter]) -> Vec<DraftRule> {
        let resolve = |mut draft: DraftRule| {
            pause();
            let rule = &mut draft.rule;
            rule.policy = policy;
            let shadow = rule.mode == Mode::Audit;
            if let Some(bound) = draft.concurrency.take() {
                let gate = self.limiter.gate(&bound.pointer);
                rule.concurrency = Some((bound, gate));
            }
            for mut limit in draft.limits.drain(..) {
                limit.counter = self.counter(limit.counter, shadow, counters);
                rule.limits.push(Arc::new(limit));
            }
            draft
        };
        rules.into_iter().map(resolve).collect()
    }

    fn counter(&mut self, own: u32, shadow: bool, counters: &[DraftCounter]) -> u32 {
        let resolved = &mut *self.counters;
        let (limiter, policy) = (self.limiter, self.policy);
        *self.known.entry((own, shadow)).or_insert_with(|| {
            let counter = &counters[own as usize];
            let name = CounterName { policy: Arc::clone(policy), counter: Arc::clone(&counter.name), shadow };
            let handle = limiter.counter(name, counter.window.unwrap_or_default());
            resolved.push(ResolvedCounter { name: Arc::clone(&counter.name), shadow, handle });
            number(resolved.len() - 1)
        })
    }
}

/// Numbers rules by pointer and indexes what they select.
fn index(mut drafts: Vec<DraftRule>) -> (Vec<Rule>, Index) {
    drafts.sort_by(|a, b| (a.rule.policy, &a.rule.name).cmp(&(b.rule.policy, &b.rule.name)));
    let mut patterns = Patterns::default();
    let mut rules = Vec::with_capacity(drafts.len());
    for draft in drafts {
        pause();
        let rule = number(rules.len());
        patterns.tools.extend(draft.tools.into_iter().map(|pattern| (pattern, rule)));
        patterns.resources.extend(draft.resources.into_iter().map(|pattern| (pattern, rule)));
        patterns.prompts.extend(draft.prompts.into_iter().map(|pattern| (pattern, rule)));
        rules.push(draft.rule);
    }
    (rules, Index::new(patterns))
}

fn roles(policies: &[CompiledPolicy]) -> Roles {
    let mut roles = Roles::default();
    for (policy, number) in policies.iter().zip(0..) {
        match (policy.mode, policy.errors.is_empty()) {
            (Mode::Enforce, false) => {
                roles.invalid.get_or_insert(number);
            }
            (Mode::Enforce, true) if policy.role.decides() => roles.deciders.push(number),
            (Mode::Enforce, true) => {
                roles.boundaries.push(number);
                if policy.fallback == Fallback::Deny {
                    roles.strict.push(number);
                }
            }
            (Mode::Audit, compiles) => {
                roles.observed |= policy.role.decides();
                if compiles {
                    roles.audits.push(number);
                }
            }
        }
    }
    roles
}

fn keys(subject: &Subject) -> ScopeKeys {
    ScopeKeys {
        grant: subject.grant().into(),
        pod: subject.pod.as_str().into(),
        no_session: format!("pod {}", subject.pod).into(),
        policy: "".into(),
    }
}

fn audited(policies: &[CompiledPolicy]) -> Vec<Arc<str>> {
    let mut names: Vec<_> = policies.iter().flat_map(|policy| policy.audited_arguments.iter().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
