//! Warnings about expressions, each with a call that shows it to be true: what a schema permits, and what the evaluator makes
//! of it.

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

/// Each expression with what is said of it, a call that the schema permits, and what the evaluator makes of that.
#[track_caller]
fn hold(claims: &[(&str, &str, &str, &str)]) {
    for (expression, warning, shown_by, gives) in claims {
        assert_eq!(said(expression), [*warning], "{expression}");
        assert_eq!(outcome(expression, shown_by), *gives, "{expression} of {shown_by}");
    }
}

/// The beginning of a warning is enough where others show the rest.
#[track_caller]
fn begin(claims: &[(&str, &str)]) {
    for (expression, warning) in claims {
        let said = said(expression);
        assert!(said.len() == 1 && said[0].starts_with(warning), "{expression}: {said:?}");
    }
}

#[test]
fn a_comparison_with_what_an_argument_never_is_has_one_outcome() {
    hold(&[
        (
            "args.s != 5",
            "column 6: `s` of `start_job` is a string, which never equals a number, so that this is always true: compare it with a string, in quotes",
            r#"{"s": "5"}"#,
            "true",
        ),
        (
            "\"5\" == args.n",
            "column 13: `n` of `start_job` is a whole number, which never equals a string, so that this is always false: compare it with a number, without quotes",
            r#"{"n": 5}"#,
            "false",
        ),
        (
            "args.flag in [\"true\", \"yes\"]",
            "column 6: `flag` of `start_job` is a boolean, which never equals a string, so that this is always false: compare it with true or false, without quotes",
            r#"{"flag": true}"#,
            "false",
        ),
        (
            "args.tags != \"a\"",
            "column 6: `tags` of `start_job` is a list, which never equals a string, so that this is always true: write … in args.tags, or args.tags.exists(x, …)",
            r#"{"tags": ["a"]}"#,
            "true",
        ),
        (
            "args.o == \"x\"",
            "column 6: `o` of `start_job` is an object, which never equals a string, so that this is always false: read one of its members, as in args.o.name",
            "{}",
            "false",
        ),
        (
            "args.note == 5",
            "column 6: `note` of `start_job` is a string or null, which never equals a number, so that this is always false: compare it with a string, in quotes",
            r#"{"note": null}"#,
            "false",
        ),
    ]);
    begin(&[
        ("args.s == size(args.tags)", "column 6: `s` of `start_job` is a string, which never equals a number"),
        ("args.n == server", "column 6: `n` of `start_job` is a whole number, which never equals a string"),
        ("(args.flag ? args.n : 1) == \"1\"", "column 19: `n` of `start_job` is a whole number, which never"),
    ]);
}

#[test]
fn a_use_that_an_argument_never_fits_is_always_an_error() {
    hold(&[
        (
            "args.s > 5",
            "column 6: `s` of `start_job` is a string, and here a number is needed, so that this is always an error, which refuses the call: write double(args.s)",
            r#"{"s": "7"}"#,
            "error",
        ),
        (
            "args.n.startsWith(\"1\")",
            "column 6: `n` of `start_job` is a whole number, and here a string is needed, so that this is always an error, which refuses the call: write string(args.n)",
            "{}",
            "error",
        ),
        (
            "args.tags.contains(\"a\")",
            "column 6: `tags` of `start_job` is a list, and here a string is needed, so that this is always an error, which refuses the call: write … in args.tags, or args.tags.exists(x, …)",
            "{}",
            "error",
        ),
        (
            "\"x\" in args.s",
            "column 13: `s` of `start_job` is a string, and here a list or an object is needed, so that this is always an error, which refuses the call: write args.s.contains(…)",
            "{}",
            "error",
        ),
        (
            "args.s.name == \"x\"",
            "column 8: `s` of `start_job` is a string, and here an object is needed, so that this is always an error, which refuses the call: it has no members",
            "{}",
            "error",
        ),
        (
            "args.s",
            "column 6: `s` of `start_job` is a string, and here a boolean is needed, so that this is always an error, which refuses the call: compare it, as in args.s == …",
            r#"{"s": "true"}"#,
            "error",
        ),
    ]);
    begin(&[
        ("has(args.s.x)", "column 10: `s` of `start_job` is a string, and here an object is needed"),
        ("args.s[0] == \"x\"", "column 6: `s` of `start_job` is a string, and here a list is needed"),
        (
            "size(args.n) == 1",
            "column 11: `n` of `start_job` is a whole number, and here a string, a list or an object",
        ),
        ("args.flag >= 1", "column 6: `flag` of `start_job` is a boolean, and here a number is needed"),
        ("!args.s", "column 7: `s` of `start_job` is a string, and here a boolean is needed"),
        (
            "args.s.all(x, x == \"a\")",
            "column 6: `s` of `start_job` is a string, and here a list or an object is needed",
        ),
    ]);
}

#[test]
fn an_argument_of_several_kinds_is_to_be_tested_as_each() {
    hold(&[
        (
            "args.id != 5",
            "column 6: `id` of `start_job` may also be a string, which never equals a number: compare string(args.id) with a string",
            r#"{"id": "5"}"#,
            "true",
        ),
        (
            "args.id <= 5",
            "column 6: `id` of `start_job` may also be a string, and then this is an error, which refuses the call: write double(args.id)",
            r#"{"id": "5"}"#,
            "error",
        ),
        (
            "args.r % 2 == 0",
            "column 6: `r` of `start_job` may also be a number with a fraction, and then this is an error, which refuses the call: write int(args.r)",
            r#"{"r": 1.5}"#,
            "error",
        ),
    ]);
    for (advised, id, gives) in [
        ("string(args.id) != \"5\"", r#"{"id": "5"}"#, "false"),
        ("string(args.id) != \"5\"", r#"{"id": 5}"#, "false"),
        ("double(args.id) <= 5", r#"{"id": "5"}"#, "true"),
        ("int(args.r) % 2 == 1", r#"{"r": 1.5}"#, "true"),
    ] {
        assert_eq!((said(advised), outcome(advised, id)), (Vec::new(), gives), "{advised}");
    }
}

#[test]
fn has_is_true_of_null_and_fails_below_what_is_missing() {
    hold(&[
        (
            "has(args.note)",
            "column 1: `note` of `start_job` may be null, and has(args.note) is true of null: write (has(args.note) && args.note != null)",
            r#"{"note": null}"#,
            "true",
        ),
        (
            "!has(args.count) || args.count <= 5",
            "column 2: `count` of `start_job` may be null, and has(args.count) is true of null: write (has(args.count) && args.count != null)",
            r#"{"count": null}"#,
            "error",
        ),
        (
            "has(args.filter.bucket)",
            "column 10: `filter` of `start_job` may be left out or null, and then this is an error, which refuses the call: write has(args.filter) && args.filter != null && … to refuse such a call in your own words, or !has(args.filter) || args.filter == null || … to permit it",
            "{}",
            "error",
        ),
        (
            "has(args.filter) && has(args.filter.bucket)",
            "column 1: `filter` of `start_job` may be null, and has(args.filter) is true of null: write (has(args.filter) && args.filter != null)",
            r#"{"filter": null}"#,
            "error",
        ),
    ]);
    begin(&[("\"count\" in args", "column 9: `count` of `start_job` may be null")]);
}

#[test]
fn an_argument_that_may_be_left_out_is_to_be_asked_for_first() {
    hold(&[
        (
            "args.bucket == \"ours\"",
            "column 6: `bucket` of `start_job` may be left out, and then this is an error, which refuses the call: write has(args.bucket) && … to refuse such a call in your own words, or !has(args.bucket) || … to permit it",
            "{}",
            "error",
        ),
        (
            "args.filter.bucket == \"ours\"",
            "column 13: `filter` and `filter.bucket` of `start_job` may be left out or null, and then this is an error, which refuses the call: write has(args.filter) && args.filter != null && has(args.filter.bucket) && … to refuse such a call in your own words, or !has(args.filter) || args.filter == null || !has(args.filter.bucket) || … to permit it",
            r#"{"filter": {"prefix": "x"}}"#,
            "error",
        ),
        (
            "args[\"dry-run\"]",
            "column 5: `dry-run` of `start_job` may be left out, and then this is an error, which refuses the call: write \"dry-run\" in args && … to refuse such a call in your own words, or !(\"dry-run\" in args) || … to permit it",
            "{}",
            "error",
        ),
        (
            "args.note.startsWith(\"x\")",
            "column 6: `note` of `start_job` may be null, and then this is an error, which refuses the call: write args.note != null && … to refuse such a call in your own words, or args.note == null || … to permit it",
            r#"{"note": null}"#,
            "error",
        ),
    ]);
    begin(&[
        ("args.o.team == args.s", "column 8: `o.team` of `start_job` may be left out"),
        ("args.tags.all(tag, tag == args.bucket)", "column 32: `bucket` of `start_job` may be left out"),
        ("has(args.bucket) || args.bucket == \"x\"", "column 26: `bucket` of `start_job` may be left out"),
        ("has(args.bucket) ? args.flag : args.bucket == \"x\"", "column 37: `bucket` of `start_job` may be left out"),
    ]);
}

#[test]
fn what_is_tested_first_is_no_mistake() {
    for expression in [
        "args.s == \"x\" && args.n >= 1.5 && args.r >= 1 && args.n % 2 == 0 && args.r == 1",
        "has(args.s) && has(args.o.team) && args.o.name == \"x\"",
        "has(args.bucket) && args.bucket.startsWith(\"x\")",
        "args.bucket.startsWith(\"x\") && has(args.bucket)",
        "!has(args.bucket) || args.bucket == \"x\"",
        "!(has(args.bucket) && args.bucket == \"x\")",
        "has(args.bucket) ? args.bucket == \"x\" : args.flag",
        "\"dry-run\" in args && args[\"dry-run\"]",
        "has(args.count) && args.count != null && args.count <= 5",
        "has(args.count) && args.count == 5",
        "!has(args.count) || args.count == null || args.count <= 5",
        "has(args.count) && args.count in [1, 2]",
        "has(args.filter) && args.filter != null && has(args.filter.bucket) && args.filter.bucket == \"x\"",
        "args.note != null && args.note.startsWith(\"x\")",
        "type(args.note) == string && args.note.startsWith(\"x\")",
        "type(args.id) == string ? args.id == \"5\" : args.id == 5",
        "type(args.id) != string && args.id <= 5",
        "(type(args.s) == string ? args.s.contains(\"x\") : \"x\" in args.s)",
        "has(args.any) && args.any == 5",
    ] {
        assert_eq!(said(expression), [""; 0], "{expression}");
    }
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
