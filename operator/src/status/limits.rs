//! Limits that several pods count apart, as no store is shared between them, and what can so really pass.

use reeve_crds::v1alpha1::{LimitReach, Mode, Policy, Rule, Scope};

use super::conditions::count;
use super::reach::Reach;

/// How many are listed.
const MOST_LISTED: usize = 64;

/// The limits in force that are counted in more than one pod, in the order of their pointers, and how many more there are.
pub(crate) fn apart(policy: &Policy, reach: &Reach) -> (Vec<LimitReach>, usize) {
    let (mode, rules) = match policy {
        Policy::McpPolicy(object) => (object.spec.mode, &object.spec.rules),
        Policy::ClusterMcpPolicy(object) => (object.spec.mode, &object.spec.rules),
    };
    let all = reach.grants.values().sum();
    let of_one_grant = reach.grants.values().max().copied().unwrap_or_default();
    if mode != Mode::Enforce || all < 2 {
        return (Vec::new(), 0);
    }
    let key = policy.key();
    let binds = |rule: &&Rule| rule.mode.unwrap_or(mode) == Mode::Enforce;
    let mut found: Vec<_> = rules.iter().filter(binds).flat_map(|rule| limits(&key, rule, all, of_one_grant)).collect();
    found.sort_by(|one, other| one.pointer.cmp(&other.pointer));
    let more = found.len().saturating_sub(MOST_LISTED);
    found.truncate(MOST_LISTED);
    (found, more)
}

fn limits<'a>(key: &'a str, rule: &'a Rule, all: usize, of_one_grant: usize) -> impl Iterator<Item = LimitReach> + 'a {
    rule.limits.iter().filter_map(move |limit| {
        let pods = match limit.scope {
            // A session's calls go through the sidecar that saw it begin.
            Scope::Session | Scope::Pod => return None,
            Scope::Grant => of_one_grant,
            Scope::Policy | Scope::Key => all,
        };
        let pods = (pods > 1).then(|| count(pods))?;
        Some(LimitReach {
            pointer: format!("{key}#{}/limits/{}", rule.name, limit.counter),
            max: limit.max,
            window: limit.window.clone(),
            pods,
            can_pass: limit.max.saturating_mul(i64::from(pods)),
        })
    })
}

/// What is told of them.
pub(crate) fn message(limits: &[LimitReach], more: usize) -> String {
    let Some(first) = limits.first() else {
        return "no limit is counted in several pods apart".into();
    };
    let LimitReach { pointer, max, window, pods, can_pass } = first;
    let others = match limits.len() - 1 + more {
        0 => String::new(),
        others => format!("; and {others} more, of which status.limits lists {}", limits.len()),
    };
    format!(
        "no store is shared, so each pod counts apart: {pointer} lets {max} pass in {window} in each of {pods} pods, {can_pass} \
         in all{others}; lower max or run fewer pods if that is too much"
    )
}
