//! Warnings about expressions, each with a call that shows it to be true: what a schema permits, and what the evaluator makes
//! of it.

mod claims;
mod law;

use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::Policy;

use crate::catalogue::{Catalogue, Tool};
use crate::compile::{Problem, Severity, check};
use crate::decide::Subject;
use crate::expr::{Expression, Purpose, Variables};
use crate::json::{Document, Limits};
use crate::load;
use crate::time::WallTime;

/// A tool with an argument of every sort, written as servers do.
const TOOLS: &str = r##"[
    {"name": "start_job", "inputSchema": {
        "type": "object", "additionalProperties": false,
        "required": ["s", "n", "r", "flag", "tags", "o", "id", "note", "any"],
        "properties": {
            "s": {"type": "string"},
            "n": {"type": "integer"},
            "r": {"type": "number"},
            "flag": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "o": {"$ref": "#/$defs/Owner"},
            "id": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "note": {"type": ["string", "null"]},
            "any": {},
            "bucket": {"type": "string"},
            "count": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null},
            "filter": {"anyOf": [{"$ref": "#/$defs/Filter"}, {"type": "null"}], "default": null},
            "dry-run": {"type": "boolean"}
        },
        "$defs": {
            "Owner": {"type": "object", "properties": {"name": {"type": "string"}, "team": {"type": "string"}}, "required": ["name"]},
            "Filter": {"type": "object", "properties": {"bucket": {"type": "string"}, "prefix": {"type": "string"}}, "required": ["prefix"]}
        }
    }},
    {"name": "stop_job", "inputSchema": {"type": "object", "properties": {"s": {"type": "string"}, "why": {"type": "string"}}}}
]"##;

/// A call of it without what may be left out.
const LEAST: &str = r#"{"s": "x", "n": 1, "r": 1.5, "flag": true, "tags": ["a"], "o": {"name": "x"}, "id": 1, "note": "x", "any": null}"#;

/// A call of it with some arguments in the place of those of [`LEAST`].
fn arguments(more: &str) -> Document {
    let read = |json: &str| serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(json).unwrap();
    let mut arguments = read(LEAST);
    arguments.extend(read(more));
    Document::parse(serde_json::to_vec(&arguments).unwrap().into(), Limits::default()).unwrap()
}

fn start_job(catalogue: &Catalogue) -> &Arc<Tool> {
    catalogue.tool("start_job").unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::read(TOOLS.as_bytes())
}

/// What the evaluator makes of a condition on a call that the schema permits: `true`, `false` or `error`.
fn outcome(source: &str, more: &str) -> &'static str {
    let (document, catalogue) = (arguments(more), catalogue());
    let schema = start_job(&catalogue).schema().unwrap();
    assert_eq!(schema.validate(Some(document.root()), Duration::from_secs(1)), Ok(()), "{more}");
    let subject = Subject::default();
    let args = Some(document.root());
    let variables =
        Variables { args, name: "start_job", tool: None, subject: &subject, session: None, now: WallTime(0) };
    match Expression::compile(source, Purpose::Condition).unwrap().condition(&variables) {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(_) => "error",
    }
}

/// The warnings about a rule, as `/part: message`, the part being within the rule.
fn warnings(rule: &str) -> Vec<String> {
    let yaml = format!(
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p, namespace: clinic}}\nspec:\n  serverRefs: [{{name: aws}}]\n  rules:\n  - name: r\n    {}\n",
        rule.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n    ")
    );
    let policy: Policy =
        load::policies("p.yaml", yaml.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}\n{yaml}")).remove(0).value;
    let told = check(&policy, Some(&catalogue())).into_iter().map(|Problem { pointer, message, severity }| {
        assert_eq!(severity, Severity::Warning, "{pointer}: {message}");
        format!("{}: {message}", pointer.strip_prefix("/spec/rules/0").unwrap())
    });
    told.collect()
}

/// What is said of a requirement of `start_job`, `column …: …`.
fn said(expression: &str) -> Vec<String> {
    let rule = format!("tools: [start_job]\naction: Allow\nrequire:\n- expression: >-\n    {expression}",);
    let told = warnings(&rule).into_iter();
    told.map(|told| told.strip_prefix("/require/0/expression: ").unwrap().to_owned()).collect()
}

#[test]
fn the_parts_of_a_rule_are_read_in_the_order_in_which_a_call_meets_them() {
    let guarded = "tools: [start_job]\naction: Allow\nwhen: has(args.bucket)\nrequire:\n- expression: args.bucket == 'x'\n- expression: has(args.count) && args.count != null\n- expression: args.count <= 5\nlimits:\n- {counter: c, window: 1m, max: 5, scope: Key, key: args.bucket, cost: args.count}";
    assert_eq!(warnings(guarded), [""; 0]);
    let told_once = "tools: [start_job]\naction: Deny\nwhen: args.bucket == 'x' || args.bucket == 'y'";
    assert_eq!(
        warnings(told_once),
        [
            "/when: column 6: `bucket` of `start_job` may be left out, and then this is an error, which refuses the call: write has(args.bucket) && …"
        ]
    );
    let refused_before =
        "tools: [start_job]\naction: Allow\nwhen: args.bucket == 'x'\nrequire:\n- expression: args.bucket != 'y'";
    assert_eq!(warnings(refused_before).len(), 1);
}

#[test]
fn keys_and_costs_are_warned_of_where_they_stand() {
    let limits = |limit: &str| {
        warnings(&format!(
            "tools: [start_job]\naction: Allow\nlimits:\n- {{counter: b, window: 1m, max: 5}}\n- {{counter: a, window: 1m, max: 5, {limit}}}"
        ))
    };
    assert_eq!(
        limits("scope: Key, key: args.bucket"),
        [
            "/limits/1/key: column 6: `bucket` of `start_job` may be left out, and then this is an error, which refuses the call: write has(args.bucket) ? … : …"
        ]
    );
    assert_eq!(
        limits("cost: args.s"),
        [
            "/limits/1/cost: column 6: `s` of `start_job` is a string, and here a number is needed, so that this is always an error, which refuses the call: write double(args.s)"
        ]
    );
    assert_eq!(
        limits("scope: Key, key: args.r"),
        [
            "/limits/1/key: column 6: `r` of `start_job` may also be a number with a fraction, and then this is an error, which refuses the call: write string(args.r)"
        ]
    );
    assert_eq!(limits("cost: args.r, scope: Key, key: args.n"), [""; 0]);
}

#[test]
fn only_tools_that_are_named_exactly_are_looked_at() {
    let rule = |tools: &str| warnings(&format!("tools: [{tools}]\naction: Allow\nwhen: args.s == 5"));
    for tools in ["'*_job'", "'stop_*'"] {
        assert_eq!(rule(tools), [""; 0], "{tools}");
    }
    for tools in ["start_job", "'get_*', start_job", "start_job, stop_job"] {
        let told = rule(tools).pop().unwrap();
        assert!(told.starts_with("/when: column 6: `s` of `start_job` is a string"), "{tools}: {told}");
    }
}

#[test]
fn an_argument_that_one_of_several_tools_takes_is_to_be_asked_for_first() {
    let rule = |when: &str| warnings(&format!("tools: [start_job, stop_job]\naction: Allow\nwhen: {when}"));
    assert_eq!(rule("has(args.why) && args.why == 'x'"), [""; 0]);
    assert_eq!(rule("args.why == 'x'"), ["/when: column 6: `start_job` takes no argument `why`"]);
    assert_eq!(rule("has(args.who)"), ["/when: column 1: `start_job` takes no argument `who`"]);
}

#[test]
fn a_name_that_is_wrong_is_told_once_for_each_expression() {
    assert_eq!(
        said("has(args.buckte) && args.buckte == 'x'"),
        ["column 1: `start_job` takes no argument `buckte`: did you mean `bucket`?"]
    );
}

#[test]
fn validation_does_not_help_where_the_schema_permits_it() {
    let rule = "tools: [start_job]\naction: Allow\nvalidateArguments: true\nrequire:\n- expression: args.s != 5 && args.bucket == 'x'";
    assert_eq!(warnings(rule).len(), 2);
}

#[test]
fn conditions_of_the_json_format_test_what_they_read() {
    let conditions = [
        r#"{"path": "args.filter.bucket", "op": "neq", "value": "ours"}"#,
        r#"{"path": "args.count", "op": "gt", "value": 5}"#,
        r#"{"path": "args.id", "op": "eq", "value": 5}"#,
        r#"{"path": "args.note", "op": "contains", "value": "x"}"#,
        r#"{"path": "args.tags", "op": "contains", "value": "x"}"#,
        r#"{"path": "args.bucket", "op": "exists", "value": true}"#,
    ];
    let json = format!(
        r#"{{"version": "1", "default": "deny", "tools": {{"start_job": {{"deny_if": [{0}], "require": [{0}]}}}}}}"#,
        conditions.join(", ")
    );
    let policy = load::policies("p.json", json.as_bytes()).unwrap().remove(0).value;
    assert_eq!(check(&policy, Some(&catalogue())), []);
}
