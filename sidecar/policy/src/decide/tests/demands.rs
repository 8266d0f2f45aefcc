//! What a permitted call takes: permits and quota.

use std::time::Duration;

use super::world::{World, brief, imaging, policy};
use crate::decide::Verdict;
use crate::reason::Reason;

const MINUTE: Duration = Duration::from_secs(60);

fn refused(result: Result<crate::decide::Held, Verdict>) -> Verdict {
    match result {
        Ok(_) => panic!("the call was permitted"),
        Err(verdict) => verdict,
    }
}

#[test]
fn the_eleventh_call_within_a_minute_is_limited_and_told_when_to_retry() {
    let mut world = World::with_rules(
        "{name: rate, tools: [start_job], action: Allow, limits: [{counter: rate, window: 1m, max: 10}]}",
    );
    for _ in 0..10 {
        let _held = world.take("start_job", "{}").unwrap();
        world.later(Duration::from_secs(2));
    }
    let verdict = refused(world.take("start_job", "{}"));
    assert_eq!(brief(&verdict), (Reason::LimitExceeded, "clinic/imaging#rate/limits/rate"));
    assert_eq!(verdict.message.as_deref(), Some("at most 10 calls in any 1m for each grant"));
    world.later(verdict.retry_after.unwrap());
    assert!(world.take("start_job", "{}").is_ok());
}

#[test]
fn a_limit_of_one_policy_binds_calls_that_another_allows() {
    let world = World::new(
        &(imaging("", "{name: all, tools: ['*'], action: Allow}")
            + &policy(
                "ClusterMcpPolicy",
                "guard",
                "tier: Boundary",
                "{name: none, tools: [x], action: Constrain, limits: [{counter: c, window: 1m, max: 0}]}",
            )),
    );
    let verdict = refused(world.take("x", "{}"));
    assert_eq!(brief(&verdict), (Reason::LimitExceeded, "guard#none/limits/c"));
    assert_eq!(verdict.retry_after, None);
    assert!(world.take("z", "{}").is_ok());
}

#[test]
fn rules_that_share_a_counter_charge_it_once_at_the_highest_cost_and_each_max_binds() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, limits: [{counter: spend, window: 1m, max: 100, cost: args.amount}]}
         {name: b, tools: [start_job], action: Constrain, limits: [{counter: spend, window: 1m, max: 10}]}",
    );
    let _first = world.take("start_job", r#"{"amount": 6}"#).unwrap();
    let verdict = refused(world.take("start_job", r#"{"amount": 6}"#));
    assert_eq!(
        brief(&verdict),
        (Reason::LimitExceeded, "clinic/imaging#b/limits/spend"),
        "12 is over 10, and not over 100"
    );
    let _other = world.take("x", r#"{"amount": 94}"#).unwrap();
    let verdict = refused(world.take("start_job", r#"{"amount": 1}"#));
    assert_eq!(brief(&verdict).1, "clinic/imaging#a/limits/spend", "both are exceeded, and the smaller is named");
}

#[test]
fn a_cost_that_is_no_amount_is_refused() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 5, cost: args.amount}]}",
    );
    assert_eq!(brief(&world.call("x", r#"{"amount": -1}"#)), (Reason::CostInvalid, "clinic/imaging#a/limits/c/cost"));
    assert_eq!(brief(&world.call("x", "{}")), (Reason::ExpressionError, "clinic/imaging#a/limits/c/cost"));
    assert!(world.take("x", r#"{"amount": 0}"#).is_ok());
}

#[test]
fn all_limits_are_taken_or_none() {
    let world = World::with_rules(
        "{name: a, tools: [x], action: Allow, limits: [{counter: few, window: 1m, max: 1}]}
         {name: b, tools: [x, z], action: Allow, limits: [{counter: many, window: 1m, max: 2}]}",
    );
    assert!(world.take("x", "{}").is_ok());
    for _ in 0..5 {
        assert_eq!(refused(world.take("x", "{}")).pointer.as_deref(), Some("clinic/imaging#a/limits/few"));
    }
    assert!(world.take("z", "{}").is_ok(), "refused calls took nothing of the other counter");
}

#[test]
fn sessions_are_counted_apart_and_calls_without_one_as_the_pod() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Session}]}",
    );
    for session in [Some("one"), Some("two"), None] {
        assert!(world.take_in("x", "{}", session).is_ok(), "{session:?}");
        assert!(world.take_in("x", "{}", session).is_err(), "{session:?}");
    }
    assert!(world.take_in("x", "{}", Some("agent-0")).is_ok(), "a session called as the pod is not the pod");
}

#[test]
fn each_value_of_a_key_is_counted_apart() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Key, key: args.bucket}]}",
    );
    assert!(world.take("x", r#"{"bucket": "a"}"#).is_ok());
    assert!(world.take("x", r#"{"bucket": "b"}"#).is_ok());
    assert!(world.take("x", r#"{"bucket": "a"}"#).is_err());
    assert_eq!(brief(&world.call("x", "{}")), (Reason::ExpressionError, "clinic/imaging#a/limits/c/key"));
}

#[test]
fn quota_given_back_can_be_taken_again() {
    let world = World::with_rules("{name: a, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 1}]}");
    world.take("x", "{}").unwrap().give_back(&world.limiter);
    assert!(world.take("x", "{}").is_ok());
    assert!(world.take("x", "{}").is_err(), "dropping what a call holds returns no quota");
}

#[test]
fn calls_in_flight_are_bounded_until_they_end_or_have_been_held_too_long() {
    let mut world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, concurrency: {max: 2, heldAtMost: 1m}, message: Two at a time.}",
    );
    let first = world.take("x", "{}").unwrap();
    let _second = world.take("x", "{}").unwrap();
    let verdict = refused(world.take("x", "{}"));
    assert_eq!(brief(&verdict), (Reason::ConcurrencyExceeded, "clinic/imaging#a/concurrency"));
    assert_eq!(verdict.message.as_deref(), Some("Two at a time."));
    drop(first);
    let _third = world.take("x", "{}").unwrap();
    assert!(world.take("x", "{}").is_err());
    world.later(MINUTE);
    assert!(world.take("x", "{}").is_ok());
}

#[test]
fn counters_of_a_policy_survive_its_recompilation() {
    let rules = "{name: a, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 1}]}";
    let world = World::with_rules(rules);
    assert!(world.take("x", "{}").is_ok());
    let sources = super::world::sources(&imaging("", rules));
    let ruleset = crate::compile::compile(&sources, &super::world::subject(), &world.limiter);
    let world = World { ruleset, ..world };
    assert!(world.take("x", "{}").is_err());
}
