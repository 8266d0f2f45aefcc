//! How policies combine: steps 1 to 4.

use std::sync::Arc;

use super::world::{World, brief, imaging, policy, sources};
use crate::compile::Source;
use crate::decide::Target;
use crate::reason::Reason;

const ALLOW_ALL: &str = "{name: all, tools: ['*'], action: Allow}";

#[test]
fn without_a_policy_everything_is_denied() {
    assert_eq!(brief(&World::new("").call("get_datastore", "{}")), (Reason::NoPolicy, ""));
}

#[test]
fn a_call_that_no_rule_selects_is_denied_by_the_default() {
    let world = World::with_rules("{name: reads, tools: ['get_*'], action: Allow}");
    assert_eq!(brief(&world.call("get_datastore", "{}")), (Reason::AllowedByRule, "clinic/imaging#reads"));
    assert_eq!(brief(&world.call("start_job", "{}")), (Reason::NoRule, "clinic/imaging"));
}

#[test]
fn a_deny_rule_wins_over_every_grant_and_tells_its_message() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: no-deletes, tools: ['delete_*'], action: Deny, message: Ask first.}",
    );
    let verdict = world.call("delete_datastore", "{}");
    assert_eq!(brief(&verdict), (Reason::DeniedByRule, "clinic/imaging#no-deletes"));
    assert_eq!(verdict.message.as_deref(), Some("Ask first."));
}

#[test]
fn of_two_rules_that_decide_alike_the_smallest_pointer_is_named() {
    let world = World::with_rules(
        "{name: b, tools: ['*'], action: Deny}
         {name: a, tools: ['*'], action: Deny}",
    );
    assert_eq!(brief(&world.call("x", "{}")).1, "clinic/imaging#a");
    let grants = World::new(
        &(policy("McpPolicy", "b", "serverRefs: [{name: aws}]", ALLOW_ALL)
            + &policy("McpPolicy", "a", "serverRefs: [{name: aws}]", "{name: z, tools: [x], action: Allow}")),
    );
    assert_eq!(brief(&grants.call("x", "{}")).1, "clinic/a#z");
}

#[test]
fn a_default_allows_only_if_every_deciding_policy_has_it() {
    let open = imaging("default: Allow", "");
    assert_eq!(brief(&World::new(&open).call("x", "{}")), (Reason::AllowedByDefault, "clinic/imaging"));
    let closed = policy("McpPolicy", "closed", "serverRefs: [{name: aws}]", "");
    assert_eq!(brief(&World::new(&(open + &closed)).call("x", "{}")), (Reason::NoRule, "clinic/closed"));
}

#[test]
fn a_default_does_not_hold_for_a_call_that_a_granting_rule_selects_whatever_its_condition() {
    let world = World::new(&imaging(
        "default: Allow",
        "{name: small, tools: [start_job], when: args.amount < 10, action: Allow}
         {name: no-deletes, tools: ['delete_*'], action: Deny}",
    ));
    assert_eq!(world.call("start_job", r#"{"amount": 5}"#).reason, Reason::AllowedByRule);
    assert_eq!(world.call("start_job", r#"{"amount": 50}"#).reason, Reason::NoRule);
    assert_eq!(world.call("get_datastore", "{}").reason, Reason::AllowedByDefault);
}

#[test]
fn a_constrain_rule_neither_grants_nor_ends_the_default() {
    let rule = "{name: rate, tools: ['*'], action: Constrain, limits: [{counter: all, window: 1m, max: 9}]}";
    assert_eq!(World::with_rules(rule).call("x", "{}").reason, Reason::NoRule);
    assert_eq!(World::new(&imaging("default: Allow", rule)).call("x", "{}").reason, Reason::AllowedByDefault);
}

#[test]
fn a_boundary_denies_and_constrains_but_never_grants() {
    let boundary = policy("ClusterMcpPolicy", "guard", "tier: Boundary", ALLOW_ALL);
    assert_eq!(brief(&World::new(&boundary).call("x", "{}")), (Reason::NoPolicy, ""));
    let denies = policy("ClusterMcpPolicy", "guard", "tier: Boundary", "{name: never, tools: [x], action: Deny}");
    let world = World::new(&(denies + &imaging("", ALLOW_ALL)));
    assert_eq!(brief(&world.call("x", "{}")), (Reason::DeniedByRule, "guard#never"));
    assert_eq!(brief(&world.call("z", "{}")), (Reason::AllowedByRule, "clinic/imaging#all"));
}

#[test]
fn a_boundary_with_default_deny_must_let_the_call_through_as_well() {
    let rules = "{name: reads, tools: ['get_*'], action: Allow}
                 {name: asks, tools: ['ask_*'], action: RequireApproval}";
    let strict = policy("ClusterMcpPolicy", "guard", "tier: Boundary\ndefault: Deny", rules);
    let world = World::new(&(strict + &imaging("", ALLOW_ALL)));
    assert_eq!(brief(&world.call("start_job", "{}")), (Reason::DeniedByBoundary, "guard"));
    assert_eq!(brief(&world.call("get_datastore", "{}")), (Reason::AllowedByRule, "clinic/imaging#all"));
    assert_eq!(brief(&world.call("ask_me", "{}")), (Reason::ApprovalRequired, "guard#asks/approval"));
}

#[test]
fn a_baseline_governs_only_where_no_enforcing_policy_does() {
    let baseline = policy("ClusterMcpPolicy", "base", "tier: Baseline", ALLOW_ALL);
    assert_eq!(brief(&World::new(&baseline).call("x", "{}")), (Reason::AllowedByRule, "base#all"));
    let governed = World::new(&(baseline.clone() + &imaging("", "")));
    assert_eq!(brief(&governed.call("x", "{}")), (Reason::NoRule, "clinic/imaging"));
    assert_eq!(governed.ruleset.yielding_policies().iter().map(|key| &**key).collect::<Vec<_>>(), ["base"]);
    let observed = World::new(&(baseline + &imaging("mode: Audit", "")));
    assert_eq!(brief(&observed.call("x", "{}")), (Reason::AllowedByRule, "base#all"));
}

#[test]
fn an_enforcing_policy_that_does_not_compile_denies_every_call() {
    let broken = policy(
        "McpPolicy",
        "broken",
        "serverRefs: [{name: aws}]",
        "{name: r, tools: [x], action: Allow, when: 'args.'}",
    );
    let world = World::new(&(imaging("", ALLOW_ALL) + &broken));
    let verdict = world.call("x", "{}");
    assert_eq!(brief(&verdict), (Reason::PolicyInvalid, "clinic/broken"));
    let invalid: Vec<_> = world.ruleset.invalid_policies().map(|policy| policy.key.to_string()).collect();
    assert_eq!(invalid, ["clinic/broken"]);
}

#[test]
fn an_audit_policy_that_does_not_compile_binds_nothing() {
    let broken = policy(
        "McpPolicy",
        "broken",
        "serverRefs: [{name: aws}]\nmode: Audit",
        "{name: r, tools: [x], action: Allow, when: 'args.'}",
    );
    let world = World::new(&(imaging("", ALLOW_ALL) + &broken));
    assert_eq!(brief(&world.call("x", "{}")), (Reason::AllowedByRule, "clinic/imaging#all"));
    assert_eq!(world.ruleset.invalid_policies().count(), 1);
}

#[test]
fn a_policy_that_cannot_be_read_counts_as_enforcing() {
    let mut sources = sources(&imaging("", ALLOW_ALL));
    sources.push(unreadable("McpPolicy", "odd", "serverRefs: [{name: aws}]"));
    let world = World::of(&sources);
    assert_eq!(brief(&world.call("x", "{}")), (Reason::PolicyInvalid, "clinic/odd"));
}

#[test]
fn a_policy_that_cannot_be_read_but_is_known_to_be_in_audit_binds_nothing() {
    let mut sources = sources(&imaging("", ALLOW_ALL));
    sources.push(unreadable("McpPolicy", "odd", "serverRefs: [{name: aws}]\nmode: Audit"));
    let world = World::of(&sources);
    assert_eq!(brief(&world.call("x", "{}")), (Reason::AllowedByRule, "clinic/imaging#all"));
    assert_eq!(world.ruleset.invalid_policies().count(), 1);
}

#[test]
fn a_baseline_that_cannot_be_read_yields_to_an_enforcing_policy() {
    let odd = unreadable("ClusterMcpPolicy", "odd", "tier: Baseline");
    let governed = [sources(&imaging("", ALLOW_ALL)), vec![odd.clone()]].concat();
    assert_eq!(brief(&World::of(&governed).call("x", "{}")), (Reason::AllowedByRule, "clinic/imaging#all"));
    assert_eq!(brief(&World::of(&[odd]).call("x", "{}")), (Reason::PolicyInvalid, "odd"));
}

fn unreadable(kind: &str, name: &str, spec: &str) -> Source {
    let scope = Arc::clone(sources(&policy(kind, name, spec, "")).remove(0).policy());
    Source::Unreadable { scope, error: "mode: unknown variant `Monitor`".into() }
}

#[test]
fn two_policies_of_one_name_are_not_told_apart_and_so_refused() {
    let twice = [sources(&imaging("", ALLOW_ALL)), sources(&imaging("", ALLOW_ALL))].concat();
    assert_eq!(brief(&World::of(&twice).call("x", "{}")), (Reason::PolicyInvalid, "clinic/imaging"));
}

#[test]
fn an_error_in_a_condition_of_a_selecting_rule_refuses_whatever_its_action() {
    for action in ["Allow", "Constrain", "Deny", "RequireApproval"] {
        let rule = format!("{{name: big, tools: ['*'], when: args.amount > 5, action: {action}}}");
        let world = World::with_rules(&format!("{ALLOW_ALL}\n{rule}"));
        let verdict = world.call("start_job", "{}");
        assert_eq!(brief(&verdict), (Reason::ExpressionError, "clinic/imaging#big/when"), "{action}");
    }
}

#[test]
fn a_deny_that_applies_is_named_before_a_condition_that_fails() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], when: args.amount > 5, action: Allow}
         {name: b, tools: ['*'], action: Deny}",
    );
    assert_eq!(brief(&world.call("start_job", "{}")), (Reason::DeniedByRule, "clinic/imaging#b"));
}

#[test]
fn a_tool_of_unknown_risk_is_selected_by_every_action_but_allow() {
    let rule = |action: &str| format!("{{name: risky, tools: ['*'], risk: {{minSeverity: Low}}, action: {action}}}");
    let of = |action: &str, extra: &str| {
        World::with_rules(&format!("{}\n{extra}", rule(action))).call("unseen", "{}").reason
    };
    assert_eq!(of("Allow", ""), Reason::NoRule);
    assert_eq!(of("Deny", ALLOW_ALL), Reason::DeniedByRule);
    assert_eq!(of("RequireApproval", ""), Reason::NoRule, "it binds, and grants nothing");
    assert_eq!(of("RequireApproval", ALLOW_ALL), Reason::ApprovalRequired);
}

#[test]
fn risk_narrows_by_category_and_severity() {
    let world = World::with_rules(
        "{name: harmless, tools: ['*'], risk: {categories: [Read, Write]}, action: Allow}
         {name: critical, tools: ['*'], risk: {minSeverity: Critical}, action: Deny}",
    );
    assert_eq!(world.call("get_datastore", "{}").reason, Reason::AllowedByRule);
    assert_eq!(world.call("start_job", "{}").reason, Reason::AllowedByRule);
    assert_eq!(world.call("delete_datastore", "{}").reason, Reason::DeniedByRule);
}

#[test]
fn resources_and_prompts_are_selected_by_their_own_patterns() {
    let world = World::with_rules(
        "{name: docs, resources: ['file:///docs/*'], action: Allow}
         {name: greet, prompts: [greet], action: Allow}
         {name: tool, tools: [greet], action: Deny}",
    );
    let resource = |uri| world.decide(Target::Resource(uri), "{}", None).reason;
    assert_eq!(resource("file:///docs/a.txt"), Reason::AllowedByRule);
    assert_eq!(resource("file:///docs/secret/a.txt"), Reason::NoRule);
    assert_eq!(world.decide(Target::Prompt("greet"), "{}", None).reason, Reason::AllowedByRule);
    assert_eq!(world.call("greet", "{}").reason, Reason::DeniedByRule);
}

#[test]
fn a_denied_resource_is_denied_by_its_escaped_spelling_too() {
    let world = World::new(&imaging(
        "default: Allow",
        "{name: profile, resources: ['profile://x/alice@corp.com'], action: Deny}",
    ));
    for uri in ["profile://x/alice@corp.com", "profile://x/alice%40corp.com"] {
        assert_eq!(world.decide(Target::Resource(uri), "{}", None).reason, Reason::DeniedByRule, "{uri}");
    }
}

#[test]
fn a_uri_that_is_not_canonical_is_refused_whatever_allows_it() {
    let world = World::new(&imaging("default: Allow", "{name: docs, resources: ['**'], action: Allow}"));
    for uri in ["file:///docs/../etc/passwd", "FILE:///docs/a", "file:///docs/%61"] {
        let verdict = world.decide(Target::Resource(uri), "{}", None);
        assert_eq!(brief(&verdict), (Reason::UriNotCanonical, "clinic/imaging"), "{uri}");
    }
}
