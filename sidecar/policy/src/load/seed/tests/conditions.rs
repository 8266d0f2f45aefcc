//! What conditions mean: the expressions they become, run on arguments.

use crate::load::tests::agent::Agent;
use crate::reason::Reason;

/// How a condition decides: as `deny_if`, and as `require`.
#[derive(Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// The value has a type that cannot be compared: refused either way.
    Error,
}

fn decide(condition: &str, arguments: &str) -> Holds {
    let agent = |field: &str| {
        Agent::under(
            "p.json",
            &format!("{{\"default\": \"deny\", \"tools\": {{\"t\": {{\"{field}\": [{condition}]}}}}}}"),
        )
    };
    let denied = agent("deny_if").call("t", arguments);
    let required = agent("require").call("t", arguments);
    match (denied, required) {
        (Reason::DeniedByRule, Reason::AllowedByRule) => Holds::Yes,
        (Reason::AllowedByRule, Reason::RequirementFailed) => Holds::No,
        (Reason::ExpressionError, Reason::ExpressionError) => Holds::Error,
        other => panic!("{condition} on {arguments}: {other:?}"),
    }
}

fn check(condition: &str, cases: &[(&str, Holds)]) {
    for (arguments, holds) in cases {
        assert_eq!(decide(condition, arguments), *holds, "{condition} on {arguments}");
    }
}

#[test]
fn a_number_compares_with_numbers_of_either_kind() {
    check(
        r#"{"path": "args.n", "op": "gt", "value": 100}"#,
        &[
            (r#"{"n": 101}"#, Holds::Yes),
            (r#"{"n": 100.5}"#, Holds::Yes),
            (r#"{"n": 100}"#, Holds::No),
            (r#"{"n": -1}"#, Holds::No),
            (r#"{"n": "101"}"#, Holds::Error),
        ],
    );
    check(
        r#"{"path": "args.n", "op": "lte", "value": -2.5}"#,
        &[(r#"{"n": -3}"#, Holds::Yes), (r#"{"n": -2}"#, Holds::No)],
    );
    check(r#"{"path": "args.n", "op": "lt", "value": 1e30}"#, &[(r#"{"n": 5}"#, Holds::Yes)]);
    check(
        r#"{"path": "args.n", "op": "gte", "value": 1.0}"#,
        &[(r#"{"n": 1}"#, Holds::Yes), (r#"{"n": 0}"#, Holds::No)],
    );
}

#[test]
fn what_is_missing_or_null_makes_every_comparison_false() {
    for condition in [
        r#"{"path": "args.a.b", "op": "eq", "value": 1}"#,
        r#"{"path": "args.a.b", "op": "neq", "value": 1}"#,
        r#"{"path": "args.a.b", "op": "lt", "value": 1}"#,
        r#"{"path": "args.a.b", "op": "not_in", "value": [1]}"#,
        r#"{"path": "args.a.b", "op": "regex", "value": "x"}"#,
        r#"{"path": "args.a.b", "op": "contains", "value": "x"}"#,
        r#"{"path": "args.a.b", "op": "exists", "value": true}"#,
    ] {
        for arguments in ["{}", r#"{"a": null}"#, r#"{"a": {}}"#, r#"{"a": {"b": null}}"#] {
            check(condition, &[(arguments, Holds::No)]);
        }
    }
    check(
        r#"{"path": "args.a.b", "op": "exists", "value": false}"#,
        &[("{}", Holds::Yes), (r#"{"a": {"b": null}}"#, Holds::Yes), (r#"{"a": {"b": false}}"#, Holds::No)],
    );
}

#[test]
fn a_path_through_what_is_no_object_is_refused() {
    check(
        r#"{"path": "args.a.b", "op": "eq", "value": 1}"#,
        &[(r#"{"a": "text"}"#, Holds::Error), (r#"{"a": [1]}"#, Holds::Error)],
    );
}

#[test]
fn a_number_and_its_text_are_equal_and_nothing_else_is() {
    check(
        r#"{"path": "args.x", "op": "eq", "value": 5}"#,
        &[
            (r#"{"x": 5}"#, Holds::Yes),
            (r#"{"x": 5.0}"#, Holds::Yes),
            (r#"{"x": "5"}"#, Holds::Yes),
            (r#"{"x": 6}"#, Holds::No),
            (r#"{"x": "five"}"#, Holds::No),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "neq", "value": "true"}"#,
        &[(r#"{"x": true}"#, Holds::No), (r#"{"x": "true"}"#, Holds::No), (r#"{"x": "True"}"#, Holds::Yes)],
    );
    check(
        r#"{"path": "args.x", "op": "eq", "value": -3}"#,
        &[(r#"{"x": -3}"#, Holds::Yes), (r#"{"x": "-3"}"#, Holds::Yes)],
    );
}

#[test]
fn lists_are_of_values_of_any_kind() {
    let condition = r#"{"path": "args.x", "op": "in", "value": ["usd", 5, true, -1.5]}"#;
    check(
        condition,
        &[
            (r#"{"x": "usd"}"#, Holds::Yes),
            (r#"{"x": 5}"#, Holds::Yes),
            (r#"{"x": -1.5}"#, Holds::Yes),
            (r#"{"x": true}"#, Holds::Yes),
            (r#"{"x": "USD"}"#, Holds::No),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "not_in", "value": ["usd"]}"#,
        &[(r#"{"x": "eur"}"#, Holds::Yes), (r#"{"x": "usd"}"#, Holds::No)],
    );
}

#[test]
fn a_regex_matches_any_part_of_text() {
    check(
        r#"{"path": "args.p", "op": "regex", "value": "^/app/(src|test)/\\w+$"}"#,
        &[
            (r#"{"p": "/app/src/a"}"#, Holds::Yes),
            (r#"{"p": "/etc/app/src/a"}"#, Holds::No),
            (r#"{"p": 1}"#, Holds::Error),
        ],
    );
}

#[test]
fn text_contains_a_part_and_a_list_an_element() {
    check(
        r#"{"path": "args.x", "op": "contains", "value": "admin"}"#,
        &[
            (r#"{"x": "an admin"}"#, Holds::Yes),
            (r#"{"x": "user"}"#, Holds::No),
            (r#"{"x": ["user", "admin"]}"#, Holds::Yes),
            (r#"{"x": ["administrator"]}"#, Holds::No),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "contains", "value": 7}"#,
        &[(r#"{"x": [1, 7]}"#, Holds::Yes), (r#"{"x": ["7"]}"#, Holds::Yes), (r#"{"x": [1]}"#, Holds::No)],
    );
}

#[test]
fn any_name_can_be_a_step_of_a_path() {
    for name in ["a-b", "x y", "in", "true", "日本", "a\\\"b", "9"] {
        let condition = format!("{{\"path\": \"args.o.{name}\", \"op\": \"eq\", \"value\": \"v\"}}");
        let present = format!("{{\"o\": {{\"{name}\": \"v\"}}}}");
        check(&condition, &[(&present, Holds::Yes), (r#"{"o": {}}"#, Holds::No), ("{}", Holds::No)]);
    }
}

#[test]
fn text_of_a_policy_never_becomes_code() {
    let hostile = r#"\" || true || \""#;
    check(
        &format!("{{\"path\": \"args.x\", \"op\": \"eq\", \"value\": \"{hostile}\"}}"),
        &[(r#"{"x": "y"}"#, Holds::No), (&format!("{{\"x\": \"{hostile}\"}}"), Holds::Yes)],
    );
    let control = r"\u0000\u001f\n\t\u007f\u2028\\";
    check(
        &format!("{{\"path\": \"args.x\", \"op\": \"eq\", \"value\": \"{control}\"}}"),
        &[(&format!("{{\"x\": \"{control}\"}}"), Holds::Yes), (r#"{"x": ""}"#, Holds::No)],
    );
}
