//! Audit: what would have been done is recorded, and nothing else changes.

use super::world::{World, brief, imaging, policy};
use crate::decide::{Shadow, Target};
use crate::reason::Reason;

const ALLOW_ALL: &str = "{name: all, tools: ['*'], action: Allow}";

fn shadows(shadow: &[Shadow]) -> Vec<(Reason, &str)> {
    shadow.iter().map(|shadow| (shadow.reason, &*shadow.pointer)).collect()
}

#[test]
fn where_only_audit_policies_govern_calls_pass_and_are_recorded() {
    let world = World::new(&imaging("mode: Audit", "{name: reads, tools: ['get_*'], action: Allow}"));
    let verdict = world.call("start_job", "{}");
    assert_eq!(brief(&verdict), (Reason::AuditOnly, ""));
    assert_eq!(shadows(&verdict.shadow), [(Reason::NoRule, "clinic/imaging")]);
    let verdict = world.call("get_datastore", "{}");
    assert_eq!(shadows(&verdict.shadow), [(Reason::AllowedByRule, "clinic/imaging#reads")]);
}

#[test]
fn an_audit_boundary_alone_permits_nothing() {
    let world = World::new(&policy("ClusterMcpPolicy", "guard", "tier: Boundary\nmode: Audit", ALLOW_ALL));
    assert_eq!(world.call("x", "{}").reason, Reason::NoPolicy);
}

#[test]
fn boundaries_bind_where_only_audit_policies_govern() {
    let guard = policy("ClusterMcpPolicy", "guard", "tier: Boundary", "{name: never, tools: [x], action: Deny}");
    let world = World::new(&(guard + &imaging("mode: Audit", "")));
    assert_eq!(brief(&world.call("x", "{}")), (Reason::DeniedByRule, "guard#never"));
    assert_eq!(world.call("z", "{}").reason, Reason::AuditOnly);
}

#[test]
fn an_audit_rule_of_an_enforcing_policy_is_recorded_and_never_counts() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: no-jobs, tools: [start_job], action: Deny, mode: Audit}
         {name: small, tools: [start_job], action: Constrain, mode: Audit, require: [{expression: args.amount < 10}]}",
    );
    let verdict = world.call("start_job", r#"{"amount": 50}"#);
    assert_eq!(verdict.reason, Reason::AllowedByRule);
    assert_eq!(
        shadows(&verdict.shadow),
        [
            (Reason::DeniedByRule, "clinic/imaging#no-jobs"),
            (Reason::RequirementFailed, "clinic/imaging#small/require/0")
        ]
    );
    assert!(world.call("get_datastore", "{}").shadow.is_empty());
}

#[test]
fn an_audit_allow_rule_grants_nothing_and_does_not_end_the_default() {
    let rule = "{name: reads, tools: ['get_*'], action: Allow, mode: Audit}";
    let verdict = World::with_rules(rule).call("get_datastore", "{}");
    assert_eq!(verdict.reason, Reason::NoRule);
    assert_eq!(shadows(&verdict.shadow), [(Reason::AllowedByRule, "clinic/imaging#reads")]);
    assert_eq!(
        World::new(&imaging("default: Allow", rule)).call("get_datastore", "{}").reason,
        Reason::AllowedByDefault
    );
}

#[test]
fn an_error_in_the_condition_of_an_audit_rule_refuses_nothing() {
    let world = World::with_rules(&format!(
        "{ALLOW_ALL}\n{{name: big, tools: ['*'], when: args.amount > 5, action: Deny, mode: Audit}}"
    ));
    let verdict = world.call("x", "{}");
    assert_eq!(verdict.reason, Reason::AllowedByRule);
    assert_eq!(shadows(&verdict.shadow), [(Reason::ExpressionError, "clinic/imaging#big/when")]);
}

#[test]
fn shadow_limits_count_apart_and_are_recorded_when_exceeded() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 3}]}
         {name: tried, tools: ['*'], action: Constrain, mode: Audit, limits: [{counter: c, window: 1m, max: 1}]}",
    );
    let call = || {
        let verdict = world.call("x", "{}");
        let mut held = verdict.demands.acquire(world.now)?;
        verdict.demands.reserve(&world.limiter, world.now, &mut held)?;
        let mut shadow = verdict.shadow.clone();
        verdict.demands.record_shadows(&world.limiter, world.now, &mut held, &mut shadow);
        Ok::<_, crate::decide::Verdict>(shadow)
    };
    assert_eq!(call().unwrap(), []);
    for _ in 0..2 {
        assert_eq!(shadows(&call().unwrap()), [(Reason::LimitExceeded, "clinic/imaging#tried/limits/c")]);
    }
    assert_eq!(call().unwrap_err().reason, Reason::LimitExceeded, "the enforced limit of 3 was counted by itself");
}

#[test]
fn a_policy_or_rule_that_is_tried_says_one_thing_of_a_call_that_its_limit_would_refuse() {
    let limited = |name: &str, mode: &str| {
        format!("{{name: {name}, tools: ['*'], action: Allow, {mode} limits: [{{counter: c, window: 1m, max: 1}}]}}")
    };
    let whole = policy("McpPolicy", "whole", "serverRefs: [{name: aws}]\nmode: Audit", &limited("all", ""));
    let world = World::new(&(imaging("", &format!("{ALLOW_ALL}\n{}", limited("tried", "mode: Audit,"))) + &whole));
    let call = || {
        let verdict = world.call("x", "{}");
        let mut held = verdict.demands.acquire(world.now).unwrap();
        let mut shadow = verdict.shadow.clone();
        verdict.demands.record_shadows(&world.limiter, world.now, &mut held, &mut shadow);
        shadow
    };
    let permits = ["clinic/whole#all", "clinic/imaging#tried"].map(|rule| (Reason::AllowedByRule, rule));
    assert_eq!(shadows(&call()), permits);
    let refuses =
        ["clinic/whole#all/limits/c", "clinic/imaging#tried/limits/c"].map(|rule| (Reason::LimitExceeded, rule));
    assert_eq!(shadows(&call()), refuses);
}

#[test]
fn quota_given_back_is_given_back_on_shadow_counters_too() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: tried, tools: ['*'], action: Constrain, mode: Audit, limits: [{counter: c, window: 1m, max: 1}]}",
    );
    for _ in 0..3 {
        let verdict = world.call("x", "{}");
        let mut held = verdict.demands.acquire(world.now).unwrap();
        let mut shadow = verdict.shadow.clone();
        verdict.demands.record_shadows(&world.limiter, world.now, &mut held, &mut shadow);
        assert_eq!(shadow, []);
        held.give_back(&world.limiter);
    }
}

#[test]
fn each_audit_policy_decides_as_if_it_were_the_only_one() {
    let tried = |name: &str, rules: &str| policy("McpPolicy", name, "serverRefs: [{name: aws}]\nmode: Audit", rules);
    let world = World::new(
        &(imaging("", ALLOW_ALL) + &tried("a", "{name: never, tools: [x], action: Deny}") + &tried("b", ALLOW_ALL)),
    );
    let verdict = world.call("x", "{}");
    assert_eq!(verdict.reason, Reason::AllowedByRule);
    assert_eq!(
        shadows(&verdict.shadow),
        [(Reason::DeniedByRule, "clinic/a#never"), (Reason::AllowedByRule, "clinic/b#all")]
    );
}

#[test]
fn a_uri_that_is_not_canonical_passes_where_only_audit_policies_govern() {
    let world = World::new(&imaging("mode: Audit", ""));
    let verdict = world.decide(Target::Resource("file:///a/../b"), "{}", None);
    assert_eq!(verdict.reason, Reason::AuditOnly);
    assert_eq!(shadows(&verdict.shadow), [(Reason::UriNotCanonical, "clinic/imaging")]);
}
