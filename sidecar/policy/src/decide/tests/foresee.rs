//! What is foreseen of policies: each thing that they can say, and little else.

use super::world::{World, imaging, policy};
use crate::catalogue::Catalogue;

/// Of each: tool, reason, pointer, `audit` if it is that.
fn foreseen(yaml: &str) -> Vec<String> {
    let world = World::new(yaml);
    let nothing_listed = Catalogue::default();
    let foreseen = world.ruleset.foresee(&nothing_listed);
    let told = foreseen.map(|it| {
        let audit = if it.mode == reeve_crds::v1alpha1::Mode::Audit { " audit" } else { "" };
        let pointer = it.pointer.as_deref().unwrap_or("nobody").replace("clinic/imaging", "");
        format!("{} {} {pointer}{audit}", it.tool.as_deref().unwrap_or("*"), it.reason).replace("  ", " ")
    });
    told.map(|text| text.trim_end().to_owned()).collect()
}

#[test]
fn refusals_are_foreseen_before_permissions_and_each_part_of_a_rule_once() {
    let rules = "{name: export, tools: [start_job], action: Allow, concurrency: {max: 1}, limits: [{counter: a, window: 1m, max: 1}, {counter: b, window: 1h, max: 9}]}
                 {name: small, tools: [start_job], action: Constrain, require: [{expression: args.amount < 10}, {expression: args.amount > 0}]}
                 {name: never, tools: [drop], action: Deny}";
    assert_eq!(
        foreseen(&imaging("", rules)),
        [
            "* NoRule",
            "drop DeniedByRule #never",
            "start_job LimitExceeded #export",
            "start_job ConcurrencyExceeded #export",
            "start_job RequirementFailed #small",
            "start_job AllowedByRule #export",
        ]
    );
}

#[test]
fn what_no_call_can_come_to_is_not_foreseen() {
    let rules = "{name: a, tools: [get], action: Allow}
                 {name: b, tools: ['*'], action: Allow, limits: [{counter: a, window: 1m, max: 1}]}
                 {name: c, tools: [get], action: Deny}";
    // `get` is denied whatever else there is, and every other tool granted by `b`.
    assert_eq!(foreseen(&imaging("", rules)), ["* LimitExceeded #b", "get DeniedByRule #c", "* AllowedByRule #b"]);
}

#[test]
fn a_condition_leaves_open_what_becomes_of_a_call() {
    let rules = "{name: a, tools: [get], action: Deny, when: args.x == 1}
                 {name: b, tools: ['get*'], action: Allow, when: args.x == 2}";
    assert_eq!(
        foreseen(&imaging("", rules)),
        ["* NoRule", "get DeniedByRule #a", "get NoRule", "* AllowedByRule #b", "get AllowedByRule #b"]
    );
}

#[test]
fn what_audit_says_is_foreseen_beside_what_happens() {
    let rule = "{name: reads, tools: [get], action: Allow}";
    assert_eq!(
        foreseen(&imaging("mode: Audit", rule)),
        ["* NoRule audit", "* AuditOnly nobody", "get AuditOnly nobody", "get AllowedByRule #reads audit"]
    );
}

#[test]
fn a_boundary_that_lets_nothing_else_through_and_a_policy_with_errors_are_foreseen() {
    let boundary =
        policy("ClusterMcpPolicy", "guard", "tier: Boundary\ndefault: Deny", "{name: r, tools: [get], action: Allow}");
    let rules = imaging("default: Allow", "");
    assert_eq!(foreseen(&(boundary + &rules)), ["* DeniedByBoundary guard", "get AllowedByDefault"]);
    let wrong = imaging("", "{name: r, tools: [get], action: Allow, when: args.x ==}");
    assert_eq!(foreseen(&wrong), ["* PolicyInvalid"]);
}
