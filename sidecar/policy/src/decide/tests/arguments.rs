//! Arguments: ambiguity, the tool's schema, requirements; and in which order.

use super::world::{World, brief};
use crate::reason::Reason;

const OUR_BUCKET: &str = "{name: ours, tools: [start_job], action: Allow, require: [{expression: 'args.bucket.startsWith(\"s3://ours/\")', message: jobs write to s3://ours/ only}]}";

#[test]
fn a_requirement_that_is_not_true_refuses_with_its_message() {
    let world = World::with_rules(OUR_BUCKET);
    assert_eq!(world.call("start_job", r#"{"bucket": "s3://ours/a"}"#).reason, Reason::AllowedByRule);
    let verdict = world.call("start_job", r#"{"bucket": "s3://theirs/a"}"#);
    assert_eq!(brief(&verdict), (Reason::RequirementFailed, "clinic/imaging#ours/require/0"));
    assert_eq!(verdict.message.as_deref(), Some("jobs write to s3://ours/ only"));
}

#[test]
fn a_requirement_without_a_message_tells_the_expression_and_never_a_value() {
    let world = World::with_rules("{name: r, tools: ['*'], action: Allow, require: [{expression: args.amount < 10}]}");
    let verdict = world.call("start_job", r#"{"amount": 123456789}"#);
    assert_eq!(verdict.message.as_deref(), Some("the call must satisfy args.amount < 10"));
}

#[test]
fn a_requirement_that_cannot_be_evaluated_refuses() {
    let verdict = World::with_rules(OUR_BUCKET).call("start_job", "{}");
    assert_eq!(brief(&verdict), (Reason::ExpressionError, "clinic/imaging#ours/require/0"));
}

#[test]
fn requirements_of_every_rule_that_applies_hold_whoever_granted() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: small, tools: [start_job], action: Constrain, require: [{expression: args.amount < 10}]}
         {name: big, tools: [start_job], when: 'args.amount > 100', action: Constrain, require: [{expression: 'false'}]}",
    );
    assert_eq!(world.call("start_job", r#"{"amount": 5}"#).reason, Reason::AllowedByRule);
    let verdict = world.call("start_job", r#"{"amount": 500}"#);
    assert_eq!(brief(&verdict), (Reason::RequirementFailed, "clinic/imaging#big/require/0"));
}

#[test]
fn a_key_that_differs_only_in_case_from_one_that_a_rule_reads_refuses() {
    let world = World::with_rules(OUR_BUCKET);
    for arguments in [
        r#"{"bucket": "s3://ours/a", "Bucket": "s3://theirs/a"}"#,
        r#"{"Bucket": "s3://theirs/a"}"#,
        r#"{"bucKet": "s3://theirs/a", "bucket": "s3://ours/a"}"#,
    ] {
        let verdict = world.call("start_job", arguments);
        assert_eq!(brief(&verdict), (Reason::ArgumentsAmbiguous, "clinic/imaging#ours/require/0"), "{arguments}");
        assert!(verdict.message.unwrap().contains("`bucket`"));
    }
    let other = r#"{"bucket": "s3://ours/a", "Other": 1, "other": 2}"#;
    assert_eq!(world.call("start_job", other).reason, Reason::AllowedByRule, "no rule reads it");
}

#[test]
fn a_condition_is_not_trusted_on_ambiguous_arguments() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: no-big, tools: [start_job], when: 'has(args.target.uri) && args.target.uri == \"x\"', action: Deny}",
    );
    let verdict = world.call("start_job", r#"{"target": {"uri": "z", "URI": "x"}}"#);
    assert_eq!(brief(&verdict), (Reason::ArgumentsAmbiguous, "clinic/imaging#no-big/when"));
}

#[test]
fn a_number_that_a_server_may_round_to_one_that_is_denied_is_refused() {
    let world = World::with_rules(
        "{name: all, tools: ['*'], action: Allow}
         {name: not-that, tools: [start_job], when: 'args.account == 10000000000000000', action: Deny}",
    );
    let call = |account: &str| world.call("start_job", &format!(r#"{{"account": {account}}}"#));
    assert_eq!(call("10000000000000000").reason, Reason::DeniedByRule);
    assert_eq!(call("1e16").reason, Reason::DeniedByRule);
    let verdict = call("10000000000000001");
    assert_eq!(brief(&verdict), (Reason::ArgumentsAmbiguous, "clinic/imaging#not-that/when"));
    assert!(verdict.message.unwrap().contains("servers may round"));
    assert_eq!(call("10000000000000002").reason, Reason::AllowedByRule, "a double of its own");
}

#[test]
fn arguments_are_validated_before_requirements_are_evaluated() {
    let rule = "{name: r, tools: [get_datastore], action: Allow, validateArguments: true, require: [{expression: 'args.id == \"a\"'}]}";
    let world = World::with_rules(rule);
    assert_eq!(world.call("get_datastore", r#"{"id": "a"}"#).reason, Reason::AllowedByRule);
    let verdict = world.call("get_datastore", r#"{"id": 5}"#);
    assert_eq!(brief(&verdict), (Reason::ArgumentsInvalid, "clinic/imaging#r/validateArguments"));
    assert_eq!(world.call("get_datastore", "{}").reason, Reason::ArgumentsInvalid);
    assert_eq!(world.call("get_datastore", "null").reason, Reason::ArgumentsInvalid);
}

#[test]
fn a_rule_that_needs_a_schema_nobody_has_seen_refuses() {
    let world = World::with_rules("{name: r, tools: ['*'], action: Allow, validateArguments: true}");
    for tool in ["unseen", "broken_tool"] {
        let verdict = world.call(tool, "{}");
        assert_eq!(brief(&verdict), (Reason::SchemaUnknown, "clinic/imaging#r/validateArguments"), "{tool}");
    }
}

#[test]
fn arguments_that_are_no_object_are_refused_where_a_rule_reads_them() {
    let world =
        World::with_rules("{name: r, tools: ['*'], action: Allow, require: [{expression: '!has(args.bucket)'}]}");
    for arguments in ["[]", "5", "\"x\""] {
        assert_eq!(world.call("x", arguments).reason, Reason::ArgumentsInvalid, "{arguments}");
    }
    assert_eq!(world.call("x", "null").reason, Reason::AllowedByRule);
}

#[test]
fn validation_refuses_keys_that_differ_only_in_case_from_those_of_the_schema() {
    let world = World::with_rules("{name: r, tools: ['*'], action: Allow, validateArguments: true}");
    for (tool, arguments, name) in [
        ("get_datastore", r#"{"id": "good", "Id": "evil"}"#, "`id`"),
        ("get_datastore", r#"{"ID": "evil"}"#, "`id`"),
        ("start_job", r#"{"\u0042ucket": "evil"}"#, "`bucket`"),
        ("start_job", r#"{"target": {"uri": "good", "URI": "evil"}}"#, "`uri`"),
    ] {
        let verdict = world.call(tool, arguments);
        assert_eq!(brief(&verdict), (Reason::ArgumentsAmbiguous, "clinic/imaging#r/validateArguments"), "{arguments}");
        assert!(verdict.message.unwrap().contains(name), "{arguments}");
    }
    let other = r#"{"bucket": "a", "Tags": {"Bucket": 1}, "tags": 2}"#;
    assert_eq!(world.call("start_job", other).reason, Reason::AllowedByRule, "the schema does not name it");
}

#[test]
fn every_key_of_every_path_is_looked_at_wherever_the_paths_part() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, require: [{expression: '!has(args.a) || has(args.a.b) && args.a.b.c == 1'}]}
         {name: b, tools: ['*'], action: Constrain, require: [{expression: '!has(args.a) || args.a.d == 1'}, {expression: '!has(args.e)'}]}",
    );
    assert_eq!(world.call("x", r#"{"a": {"b": {"c": 1, "x": 2, "X": 3}, "d": 1}}"#).reason, Reason::AllowedByRule);
    for (arguments, part, name) in [
        (r#"{"a": {"b": {"c": 1}, "d": 1}, "A": 1}"#, "a/require/0", "`a`"),
        (r#"{"a": {"b": {"c": 1}, "B": 1, "d": 1}}"#, "a/require/0", "`b`"),
        (r#"{"a": {"b": {"c": 1, "C": 1}, "d": 1}}"#, "a/require/0", "`c`"),
        (r#"{"a": {"b": {"c": 1}, "d": 1, "D": 1}}"#, "b/require/0", "`d`"),
        (r#"{"E": 1}"#, "b/require/1", "`e`"),
    ] {
        let verdict = world.call("x", arguments);
        let pointer = format!("clinic/imaging#{part}");
        assert_eq!(brief(&verdict), (Reason::ArgumentsAmbiguous, pointer.as_str()), "{arguments}");
        assert!(verdict.message.unwrap().contains(name), "{arguments}");
    }
}

#[test]
fn two_spellings_that_rules_read_leave_no_way_to_write_either() {
    let world = World::with_rules(
        "{name: a, tools: ['*'], action: Allow, require: [{expression: '!has(args.bucket)'}, {expression: '!has(args.Bucket)'}]}",
    );
    assert_eq!(brief(&world.call("x", r#"{"bucket": 1}"#)), (Reason::ArgumentsAmbiguous, "clinic/imaging#a/require/1"));
    assert_eq!(brief(&world.call("x", r#"{"Bucket": 1}"#)), (Reason::ArgumentsAmbiguous, "clinic/imaging#a/require/0"));
    assert_eq!(world.call("x", "{}").reason, Reason::AllowedByRule);
}
