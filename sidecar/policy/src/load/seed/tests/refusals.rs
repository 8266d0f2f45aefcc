//! What cannot be mapped, told where it stands.

use super::*;

/// What is wrong with one tool's entry, and where under it.
fn wrong(tool: &str) -> Vec<(String, String)> {
    let text = format!("{{\"version\": \"1\", \"default\": \"deny\", \"tools\": {{\"t\": {tool}}}}}");
    let mistakes = policies("p.json", text.as_bytes()).expect_err("the document must be refused");
    mistakes.into_iter().map(|mistake| (mistake.pointer, mistake.message)).collect()
}

#[test]
fn each_mistake_names_its_pointer() {
    for (tool, pointer, message) in [
        (r#"{"limit": []}"#, "/limit", "unknown field \"limit\" in t; did you mean \"limits\"?"),
        (r#"{"action": "block"}"#, "/action", "action cannot be \"block\": write allow, deny or require_approval"),
        (
            r#"{"limits": [{"counter": "c", "window": "month", "max": 1}]}"#,
            "/limits/0/window",
            "\"month\" is no window",
        ),
        (r#"{"limits": [{"counter": "c", "window": 0, "max": 1}]}"#, "/limits/0/window", "0 seconds is no window"),
        (
            r#"{"limits": [{"counter": "c", "window": 1, "max": -1}]}"#,
            "/limits/0/max",
            "max must be at least 0, not -1",
        ),
        (r#"{"limits": [{"counter": "c", "window": 1}]}"#, "/limits/0", "limits[0] has no \"max\""),
        (
            r#"{"limits": [{"counter": "c d", "window": 1, "max": 1}]}"#,
            "/limits/0/counter",
            "counter cannot be \"c d\"",
        ),
        (
            r#"{"limits": [{"counter": "c", "window": 1, "max": 1, "scope": "user"}]}"#,
            "/limits/0/scope",
            "\"user\" is no scope: write grant, session, pod or policy",
        ),
        (
            r#"{"limits": [{"counter": "c", "window": 1, "max": 1, "increment_from": "amount"}]}"#,
            "/limits/0/increment_from",
            "\"amount\" is no path to an argument: write args.NAME",
        ),
        (r#"{"rate_limit": "10 a minute"}"#, "/rate_limit", "\"10 a minute\" is no rate"),
        (r#"{"rate_limit": 10}"#, "/rate_limit", "rate_limit must be text or an object, not the number 10"),
        (r#"{"rate_limit": {"max": 1, "window": "x"}}"#, "/rate_limit/window", "\"x\" is no window"),
        (
            r#"{"deny_if": [{"path": "x", "op": "gt", "value": 1}]}"#,
            "/deny_if/0/path",
            "\"x\" is no path to an argument",
        ),
        (r#"{"deny_if": [{"path": "args.", "op": "gt", "value": 1}]}"#, "/deny_if/0/path", "\"args.\" is no path"),
        (
            r#"{"deny_if": [{"path": "args.a..b", "op": "gt", "value": 1}]}"#,
            "/deny_if/0/path",
            "\"args.a..b\" is no path",
        ),
        (
            r#"{"deny_if": [{"path": "args.a.0.1.2", "op": "gt", "value": 1}]}"#,
            "/deny_if/0/path",
            "\"args.a.0.1.2\" has more than 2 steps that are numbers: write an McpPolicy",
        ),
        (
            r#"{"require": [{"path": "args.a.99999999999999999999", "op": "gt", "value": 1}]}"#,
            "/require/0/path",
            "\"99999999999999999999\" is no index that a list can have: write a smaller one",
        ),
        (
            r#"{"deny_if": [{"path": "args.x", "op": "equals", "value": 1}]}"#,
            "/deny_if/0/op",
            "op cannot be \"equals\": write eq, neq, lt, lte, gt, gte, in, not_in, exists, regex or contains",
        ),
        (
            r#"{"deny_if": [{"path": "args.x", "op": "gt", "value": "1"}]}"#,
            "/deny_if/0/value",
            "gt compares with a number",
        ),
        (
            r#"{"deny_if": [{"path": "args.x", "op": "in", "value": "a"}]}"#,
            "/deny_if/0/value",
            "in compares with a list",
        ),
        (
            r#"{"deny_if": [{"path": "args.x", "op": "in", "value": []}]}"#,
            "/deny_if/0/value",
            "in compares with at least",
        ),
        (r#"{"deny_if": [{"path": "args.x", "op": "eq", "value": {}}]}"#, "/deny_if/0/value", "eq compares with text"),
        (r#"{"deny_if": [{"path": "args.x", "op": "exists"}]}"#, "/deny_if/0", "exists compares with true or false"),
        (r#"{"deny_if": [{"path": "args.x", "op": "eq"}]}"#, "/deny_if/0", "a condition needs a value to compare with"),
        (
            r#"{"action": "deny", "rate_limit": "1/day"}"#,
            "/rate_limit",
            "rate_limit says nothing of a tool that is denied",
        ),
        (r#"{"approval_timeout": "1h"}"#, "/approval_timeout", "approval_timeout needs action: require_approval"),
        (r#"{"rules": [{"name": "a"}]}"#, "/rules/0", "the rule says nothing"),
        (
            r#"{"rules": [{"action": "deny", "rate_limit": "1/day"}]}"#,
            "/rules/0/rate_limit",
            "rate_limit needs a rule with",
        ),
        (
            r#"{"rules": [{"state": {"counter": "c", "window": "day"}}]}"#,
            "/rules/0/state",
            "nothing bounds the counter: add a condition with path state.t.c and op lte",
        ),
        (
            r#"{"rules": [{"conditions": [{"path": "state.u.c", "op": "lte", "value": 1}]}]}"#,
            "/rules/0/conditions/0/path",
            "a condition can read only the counter of its own rule's state",
        ),
        (
            r#"{"rules": [{"state": {"counter": "c", "window": "day"}, "conditions": [{"path": "state.t.c", "op": "gt", "value": 1}]}]}"#,
            "/rules/0/conditions/0/op",
            "a counter is bounded by lte or lt",
        ),
    ] {
        let found = wrong(tool);
        let matches = |(at, text): &(String, String)| *at == format!("/tools/t{pointer}") && text.starts_with(message);
        assert!(found.iter().any(matches), "{tool}: {found:#?}");
    }
}

#[test]
fn a_path_of_very_many_steps_is_refused_quickly() {
    let path = format!("args{}", ".a".repeat(1_000_000));
    let found = wrong(&format!("{{\"deny_if\": [{{\"path\": \"{path}\", \"op\": \"gt\", \"value\": 1}}]}}"));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("has more than 24 steps: write an McpPolicy"), "{}", found[0].1);
}

#[test]
fn mistakes_of_every_kind_are_told_together() {
    let text = r#"{"version": "2", "defualt": "deny",
  "hide": ["get_*", ""],
  "tools": {
    "*": {"action": "allow"},
    "a_*": {},
    "b": {"limit": 1},
    "c": {"rate_limit": "x"},
    "d": {"require": [{"path": "args.x", "op": "regex", "value": 1}]}}}"#;
    let mistakes = policies("p.json", text.as_bytes()).expect_err("the document must be refused");
    let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/version",
            "/defualt",
            "/hide/0",
            "/hide/1",
            "/tools/*/action",
            "/tools/a_*",
            "/tools/b/limit",
            "/tools/c/rate_limit",
            "/tools/d/require/0/value"
        ]
    );
}

#[test]
fn what_does_not_fit_a_policy_is_told_where_it_stands() {
    let values: Vec<String> = (0..300).map(|index| format!("\"value-{index}\"")).collect();
    let long =
        format!("{{\"require\": [{{\"path\": \"args.x\", \"op\": \"in\", \"value\": [{}]}}]}}", values.join(","));
    let found = wrong(&long);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "/tools/t/require/0");
    assert!(found[0].1.contains("characters, and may have 1024"), "{}", found[0].1);
    let many = format!("{{\"limits\": [{}]}}", vec![r#"{"counter": "c", "window": 1, "max": 1}"#; 17].join(","));
    assert_eq!(wrong(&many), [("/tools/t/limits".into(), "limits has 17 entries, and may have 16".into())]);
}
