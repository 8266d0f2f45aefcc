//! Explanations name every rule that takes part, and why.

use super::world::{World, document, imaging, policy};
use crate::decide::{Call, Explanation, State, Target};
use crate::reason::Reason;
use crate::time::WallTime;

fn explain(world: &World, tool: &str, arguments: &str) -> Explanation {
    let document = document(arguments);
    let call = Call {
        target: Target::Tool(tool),
        arguments: Some(document.root()),
        session: None,
        tool: world.catalogue.tool(tool),
        now: WallTime(0),
    };
    world.ruleset.explain(&call)
}

fn world() -> World {
    World::new(
        &(imaging(
            "",
            "{name: big, tools: [start_job], when: args.amount > 100, action: Deny}
             {name: jobs, tools: ['start_*'], action: Allow, limits: [{counter: jobs, window: 1m, max: 10}]}
             {name: ours, tools: [start_job], action: Constrain, require: [{expression: 'args.bucket == \"ours\"', message: use ours}]}
             {name: reads, tools: ['*'], risk: {categories: [Read]}, action: Allow}
             {name: other, tools: [other], action: Allow}",
        ) + &policy("McpPolicy", "tried", "serverRefs: [{name: aws}]\nmode: Audit", "")),
    )
}

#[test]
fn every_rule_that_matches_is_told_with_how_far_it_got() {
    let explanation = explain(&world(), "start_job", r#"{"amount": 5, "bucket": "theirs"}"#);
    assert_eq!(explanation.reason, Reason::RequirementFailed);
    let states: Vec<_> = explanation.rules.iter().map(|rule| (rule.rule.as_str(), rule.state)).collect();
    assert_eq!(
        states,
        [
            ("big", State::DoesNotApply),
            ("jobs", State::Applies),
            ("ours", State::Refuses),
            ("reads", State::NotSelected)
        ]
    );
}

#[test]
fn the_text_reads_as_an_account() {
    let text = explain(&world(), "start_job", r#"{"amount": 5, "bucket": "ours"}"#).to_string();
    for line in [
        "tool start_job: allow (AllowedByRule) by clinic/imaging#jobs",
        "  clinic/imaging  McpPolicy, Enforce, default Deny",
        "  clinic/imaging#big  Deny, Enforce: does not apply",
        "    when args.amount > 100: not true",
        "    the tool's risk is Write (Medium), so the rule does not select it",
        "  clinic/imaging#jobs/limits/jobs: at most 10 calls in any 1m for each grant, of which it takes 1",
        "  clinic/tried: deny (NoRule)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn an_explanation_serializes_and_decides_as_a_decision_does() {
    let world = world();
    for arguments in ["{}", r#"{"amount": 500}"#, r#"{"amount": 5, "bucket": "ours"}"#] {
        let explanation = explain(&world, "start_job", arguments);
        assert_eq!(explanation.reason, world.call("start_job", arguments).reason);
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!(json["decision"], explanation.decision.as_str());
    }
}
