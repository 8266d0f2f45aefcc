//! What conditions mean: the expressions they become, run on arguments.

use crate::catalogue::Catalogue;
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
            (r#"{"x": "6"}"#, Holds::No),
            (r#"{"x": "05"}"#, Holds::Yes),
            (r#"{"x": " 5"}"#, Holds::Error),
            (r#"{"x": "five"}"#, Holds::Error),
            (r#"{"x": true}"#, Holds::Error),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "eq", "value": true}"#,
        &[
            (r#"{"x": true}"#, Holds::Yes),
            (r#"{"x": "true"}"#, Holds::Yes),
            (r#"{"x": false}"#, Holds::No),
            (r#"{"x": "false"}"#, Holds::No),
            (r#"{"x": "yes"}"#, Holds::Error),
            (r#"{"x": 1}"#, Holds::Error),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "eq", "value": 1.5}"#,
        &[(r#"{"x": "1.50"}"#, Holds::Yes), (r#"{"x": 2}"#, Holds::No), (r#"{"x": "2"}"#, Holds::No)],
    );
    check(
        r#"{"path": "args.x", "op": "eq", "value": "5"}"#,
        &[
            (r#"{"x": 5}"#, Holds::Yes),
            (r#"{"x": "5"}"#, Holds::Yes),
            (r#"{"x": 6}"#, Holds::No),
            (r#"{"x": "a"}"#, Holds::No),
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
            (r#"{"x": "-1.5"}"#, Holds::Yes),
            (r#"{"x": false}"#, Holds::No),
            (r#"{"x": 6}"#, Holds::No),
            (r#"{"x": "USD"}"#, Holds::Error),
        ],
    );
    check(
        r#"{"path": "args.x", "op": "in", "value": ["usd", "eur"]}"#,
        &[(r#"{"x": "usd"}"#, Holds::Yes), (r#"{"x": "USD"}"#, Holds::No), (r#"{"x": 5}"#, Holds::Error)],
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
        &[(r#"{"x": [1, 7]}"#, Holds::Yes), (r#"{"x": ["7"]}"#, Holds::Yes), (r#"{"x": [1, "2"]}"#, Holds::No)],
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
fn a_step_of_digits_is_an_index_and_a_key() {
    let cases = [
        (r#"{"items": [{"name": "aa"}]}"#, Holds::Yes),
        (r#"{"items": {"0": {"name": "aa"}}}"#, Holds::Yes),
        (r#"{"items": [{"name": "b"}, {"name": "aa"}]}"#, Holds::No),
        (r#"{"items": {"0": {"name": "b"}}}"#, Holds::No),
        (r#"{"items": [{}]}"#, Holds::No),
        (r#"{"items": [{"name": null}]}"#, Holds::No),
        (r#"{"items": []}"#, Holds::No),
        (r#"{"items": ["0"]}"#, Holds::Error),
        (r#"{"items": {"00": {"name": "aa"}}}"#, Holds::No),
        (r#"{"items": [null]}"#, Holds::No),
        (r#"{"items": "0"}"#, Holds::Error),
        (r#"{"items": 0}"#, Holds::Error),
        (r#"{"items": null}"#, Holds::No),
        ("{}", Holds::No),
    ];
    check(r#"{"path": "args.items.0.name", "op": "regex", "value": "^a+$"}"#, &cases);
    check(
        r#"{"path": "args.grid.1.0", "op": "gt", "value": 5}"#,
        &[
            (r#"{"grid": [[9], [6]]}"#, Holds::Yes),
            (r#"{"grid": {"1": [6]}}"#, Holds::Yes),
            (r#"{"grid": [0, {"0": 6}]}"#, Holds::Yes),
            (r#"{"grid": [[9], [5]]}"#, Holds::No),
            (r#"{"grid": [[9]]}"#, Holds::No),
            (r#"{"grid": [[9], []]}"#, Holds::No),
        ],
    );
    check(
        r#"{"path": "args.hosts.0", "op": "exists", "value": false}"#,
        &[(r#"{"hosts": []}"#, Holds::Yes), (r#"{"hosts": ["a"]}"#, Holds::No), (r#"{"hosts": {"0": 1}}"#, Holds::No)],
    );
    check(
        r#"{"path": "args.hosts.007", "op": "eq", "value": "a"}"#,
        &[
            (r#"{"hosts": [0, 1, 2, 3, 4, 5, 6, "a"]}"#, Holds::Yes),
            (r#"{"hosts": {"007": "a"}}"#, Holds::Yes),
            (r#"{"hosts": {"7": "a"}}"#, Holds::No),
        ],
    );
}

#[test]
fn a_schema_that_declares_either_is_no_reason_for_a_warning() {
    let text = br#"{"default": "deny", "tools": {"t": {
      "deny_if": [{"path": "args.items.0.name", "op": "regex", "value": "^a+$"}]}}}"#;
    for items in [
        serde_json::json!({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}),
        serde_json::json!({"type": "object", "properties": {"0": {"properties": {"name": {"type": "string"}}}}}),
    ] {
        let schema = serde_json::json!({"type": "object", "properties": {"items": items}});
        let tools = serde_json::json!({"tools": [{"name": "t", "inputSchema": schema}]});
        let catalogue = Catalogue::read(tools.to_string().as_bytes());
        assert_eq!(crate::load::check("p.json", text, Some(&catalogue)), []);
    }
}

#[test]
fn a_list_too_long_to_look_into_is_refused() {
    let long = format!("{{\"items\": [{{\"name\": \"b\"}}{}]}}", ", 1".repeat(2_000));
    check(r#"{"path": "args.items.0.name", "op": "regex", "value": "^a+$"}"#, &[(&long, Holds::Error)]);
}

#[test]
fn a_name_that_is_an_element_of_a_list_is_no_member() {
    for name in ["a-b", "in"] {
        let condition = format!("{{\"path\": \"args.o.{name}\", \"op\": \"eq\", \"value\": \"v\"}}");
        for arguments in [r#"{"o": []}"#, r#"{"o": ["x"]}"#, r#"{"o": ["a-b", "in"]}"#, r#"{"o": "a-b"}"#] {
            check(&condition, &[(arguments, Holds::Error)]);
        }
    }
}

#[test]
fn a_cost_is_read_at_an_index_or_a_key() {
    let agent = Agent::under(
        "p.json",
        r#"{"default": "deny", "tools": {"pay": {"limits": [
          {"counter": "spent", "window": "day", "max": 10, "increment_from": "args.sums.0"}]}}}"#,
    );
    assert_eq!(agent.call("pay", r#"{"sums": [6]}"#), Reason::AllowedByRule);
    assert_eq!(agent.call("pay", r#"{"sums": {"0": 5}}"#), Reason::LimitExceeded);
    assert_eq!(agent.call("pay", r#"{"sums": {"0": 4}}"#), Reason::AllowedByRule);
    assert_ne!(agent.call("pay", r#"{"sums": []}"#), Reason::AllowedByRule);
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
