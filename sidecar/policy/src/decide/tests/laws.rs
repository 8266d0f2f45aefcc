//! Laws of decisions, over generated policies and calls with real expressions.

mod generate;
mod reference;

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use reeve_crds::v1alpha1::{Action, Listing, Mode, Policy, Rule};

use self::generate::{CallSpec, calls, policies, policy, rule, some_policies};
use super::world::{World, brief};
use crate::compile::Source;
use crate::compile::pointer::{Parts, split};
use crate::decide::{Foreseen, Target, Verdict};
use crate::reason::{Outcome, Reason};

fn world(policies: &[Policy]) -> World {
    let sources: Vec<_> = policies.iter().map(|policy| Source::Readable(Arc::new(policy.clone()))).collect();
    let world = World::of(&sources);
    assert_eq!(world.ruleset.invalid_policies().map(|policy| policy.errors.to_vec()).collect::<Vec<_>>(), [[""; 0]; 0]);
    world
}

fn decide(world: &World, call: &CallSpec) -> Verdict {
    world.call(call.tool, call.arguments)
}

/// What a verdict says, and what it demands.
fn whole(verdict: &Verdict) -> String {
    format!("{:?} {:?} {:?} {:?}", brief(verdict), verdict.message, verdict.demands.in_words(), verdict.shadow)
}

fn rules_of(policy: &mut Policy) -> &mut Vec<Rule> {
    match policy {
        Policy::McpPolicy(object) => &mut object.spec.rules,
        Policy::ClusterMcpPolicy(object) => &mut object.spec.rules,
    }
}

/// Policies of which one, at this place, has a further rule.
fn with_rule(mut policies: Vec<Policy>, mut added: Rule, place: Index) -> Vec<Policy> {
    let place = place.index(policies.len());
    if *mode_of(&mut policies[place]) == Mode::Audit && added.mode == Some(Mode::Enforce) {
        added.mode = None;
    }
    rules_of(&mut policies[place]).push(added);
    policies
}

fn mode_of(policy: &mut Policy) -> &mut Mode {
    match policy {
        Policy::McpPolicy(object) => &mut object.spec.mode,
        Policy::ClusterMcpPolicy(object) => &mut object.spec.mode,
    }
}

/// How much a decision lets through: what one adds to policies may only make it less, or only make it more.
fn strictness(verdict: &Verdict) -> u8 {
    match verdict.outcome() {
        Outcome::Allow => 0,
        Outcome::Limited | Outcome::ApprovalRequired => 1,
        Outcome::Deny => 2,
    }
}

const RESOURCES: [&str; 5] = ["file:///a/b", "file:///a/c/d", "file:///b", "test://x/1/data", "test://y"];
const TEMPLATES: [&str; 5] =
    ["file:///a/{name}", "file:///{+path}", "file:///a/c/{name}", "test://x/{id}/data", "test://{+rest}"];

/// The same policy, with every rule about resources instead of tools.
fn on_resources(mut policy: Policy) -> Policy {
    for rule in rules_of(&mut policy) {
        let pattern = |tools: &String| match tools.as_str() {
            "get_datastore" => "file:///a/b",
            "start_job" => "file:///a/*",
            "unseen" => "test://x/*/data",
            "get_*" => "file:///a/**",
            "*_datastore" => "test://**",
            _ => "**",
        };
        rule.resources = rule.tools.iter().map(|tools| pattern(tools).to_owned()).collect();
        rule.tools.clear();
        rule.risk = None;
        rule.validate_arguments = false;
    }
    policy
}

/// What is no policy's word, but a call or an expression that cannot be used.
const GOES_WRONG: [Reason; 4] =
    [Reason::ExpressionError, Reason::ArgumentsAmbiguous, Reason::CostInvalid, Reason::SchemaUnknown];

/// What must be foreseen for a decision with this pointer to have been.
fn expected(world: &World, tool: &str, reason: Reason, pointer: Option<&str>, mode: Mode) -> Foreseen {
    let is_known = world.catalogue.tool(tool).is_some() || world.ruleset.named_tools().any(|name| **name == *tool);
    let whole = pointer.map(|pointer| {
        let Parts { policy, rule, .. } = split(pointer);
        rule.map_or_else(|| policy.to_owned(), |rule| format!("{policy}#{rule}")).into()
    });
    Foreseen { tool: is_known.then(|| tool.into()), reason, pointer: whole, mode }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_indexed_decision_is_that_of_the_rules_read_one_by_one(policies in policies(), calls in calls()) {
        let world = world(&policies);
        for call in &calls {
            let verdict = decide(&world, call);
            let expected = reference::decide(&policies, call, &world.catalogue);
            prop_assert_eq!((verdict.reason, verdict.pointer.as_deref().map(str::to_owned)), expected, "{:?}", call);
        }
    }

    #[test]
    fn the_order_of_policies_and_rules_is_irrelevant(
        (policies, shuffled) in policies().prop_flat_map(|policies| (Just(policies.clone()), Just(policies).prop_shuffle())),
        calls in calls(),
    ) {
        let mut shuffled = shuffled;
        for policy in &mut shuffled {
            rules_of(policy).reverse();
        }
        let (one, other) = (world(&policies), world(&shuffled));
        for call in &calls {
            prop_assert_eq!(whole(&decide(&one, call)), whole(&decide(&other, call)));
        }
    }

    #[test]
    fn a_further_deny_or_constrain_rule_never_allows_more(
        policies in some_policies(),
        added in prop_oneof![rule(Action::Deny), rule(Action::Constrain)],
        place in any::<Index>(),
        calls in calls(),
    ) {
        let before = world(&policies);
        let after = world(&with_rule(policies, added, place));
        for call in &calls {
            prop_assert!(strictness(&decide(&after, call)) >= strictness(&decide(&before, call)));
        }
    }

    #[test]
    fn a_further_rule_in_audit_changes_nothing_but_the_record(
        policies in some_policies(),
        added in prop_oneof![rule(Action::Allow), rule(Action::Deny), rule(Action::Constrain), rule(Action::RequireApproval)],
        place in any::<Index>(),
        calls in calls(),
    ) {
        let before = world(&policies);
        let after = world(&with_rule(policies, Rule { mode: Some(Mode::Audit), ..added }, place));
        for call in &calls {
            let (now, then) = (decide(&after, call), decide(&before, call));
            prop_assert_eq!(brief(&now), brief(&then));
            let listed = |world: &World| world.ruleset.lists(Target::Tool(call.tool), &world.catalogue);
            prop_assert_eq!(listed(&after), listed(&before));
        }
    }

    #[test]
    fn a_further_policy_in_audit_changes_nothing_but_audit_only(
        policies in policies(),
        added in policy("audited"),
        calls in calls(),
    ) {
        let before = world(&policies);
        let mut added = added;
        *mode_of(&mut added) = Mode::Audit;
        for rule in rules_of(&mut added) {
            rule.mode = None;
        }
        let mut more = policies;
        more.push(added);
        let after = world(&more);
        for call in &calls {
            let (before, after) = (decide(&before, call), decide(&after, call));
            if before.reason == Reason::NoPolicy {
                prop_assert!(after.outcome() != Outcome::Allow || after.reason == Reason::AuditOnly);
            } else {
                prop_assert_eq!(brief(&after), brief(&before));
            }
        }
    }

    #[test]
    fn whatever_a_policy_says_of_a_call_was_foreseen(policies in policies(), calls in calls()) {
        let world = world(&policies);
        let foreseen: HashSet<Foreseen> = world.ruleset.foresee(&world.catalogue).collect();
        for call in &calls {
            let verdict = decide(&world, call);
            let shadow = verdict.shadow.iter().map(|shadow| (shadow.reason, Some(&shadow.pointer), Mode::Audit));
            for (reason, pointer, mode) in shadow.chain([(verdict.reason, verdict.pointer.as_ref(), Mode::Enforce)]) {
                let said = expected(&world, call.tool, reason, pointer.map(|pointer| &**pointer), mode);
                prop_assert!(GOES_WRONG.contains(&reason) || foreseen.contains(&said), "{:?}: {:?} {:#?}", call, said, foreseen);
            }
        }
    }

    #[test]
    fn what_is_hidden_is_denied_whatever_the_call(policies in policies(), calls in calls()) {
        let world = world(&policies);
        for call in &calls {
            if !world.ruleset.lists(Target::Tool(call.tool), &world.catalogue) {
                prop_assert_eq!(decide(&world, call).outcome(), Outcome::Deny, "{:?}", call);
            }
        }
    }

    #[test]
    fn a_hidden_resource_or_template_is_denied_whatever_the_call(policies in policies()) {
        let world = world(&policies.into_iter().map(on_resources).collect::<Vec<_>>());
        for uri in RESOURCES {
            let denied = world.decide(Target::Resource(uri), "{}", None).outcome() == Outcome::Deny;
            prop_assert!(denied || world.ruleset.lists(Target::Resource(uri), &world.catalogue), "{}", uri);
            for template in TEMPLATES {
                let prefix = template.split('{').next().unwrap();
                prop_assert!(
                    denied || !uri.starts_with(prefix) || world.ruleset.lists_template(template),
                    "{} {}", template, uri
                );
            }
        }
    }

    #[test]
    fn nothing_is_granted_by_constrain_rules_or_boundaries_alone(policies in policies(), calls in calls()) {
        let mut policies = policies;
        for policy in &mut policies {
            let boundary = matches!(policy, Policy::ClusterMcpPolicy(object) if object.spec.tier == reeve_crds::v1alpha1::Tier::Boundary);
            if !boundary {
                rules_of(policy).retain(|rule| matches!(rule.action, Action::Constrain | Action::Deny));
            }
        }
        let world = world(&policies);
        for call in &calls {
            prop_assert_ne!(decide(&world, call).reason, Reason::AllowedByRule);
        }
    }

    #[test]
    fn a_policy_written_and_read_again_decides_alike(policies in policies(), calls in calls()) {
        let written = serde_json::to_string(&policies).unwrap();
        let read: Vec<Policy> = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&read, &policies);
        let (one, other) = (world(&policies), world(&read));
        for call in &calls {
            prop_assert_eq!(whole(&decide(&one, call)), whole(&decide(&other, call)));
        }
    }

    #[test]
    fn a_second_decision_is_that_of_the_first(policies in policies(), calls in calls()) {
        let world = world(&policies);
        for call in &calls {
            prop_assert_eq!(whole(&decide(&world, call)), whole(&decide(&world, call)));
        }
    }

    #[test]
    fn a_tool_that_is_always_listed_is_hidden_by_boundaries_alone(policies in policies(), calls in calls()) {
        let mut policies = policies;
        policies.retain(|policy| matches!(policy, Policy::McpPolicy(_)));
        for policy in &mut policies {
            for rule in rules_of(policy) {
                rule.listing = Listing::Always;
            }
        }
        let world = world(&policies);
        for call in &calls {
            let plan = world.ruleset.plan(Target::Tool(call.tool), world.catalogue.tool(call.tool).map(|tool| &tool.risk));
            if !plan.enforced.is_empty() {
                prop_assert!(world.ruleset.lists(Target::Tool(call.tool), &world.catalogue));
            }
        }
    }
}
