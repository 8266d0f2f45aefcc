//! What is said of each kind of mistake, with a call that shows it, and that nothing is said of what is none.

use super::*;

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
            "column 6: `s` of `start_job` is a string, and here a number is needed, so that this is always an error, which refuses the call: compare it with a string, in quotes",
            r#"{"s": "5"}"#,
            "error",
        ),
        (
            "\"5\" == args.n",
            "column 13: `n` of `start_job` is a whole number, and here a string is needed, so that this is always an error, which refuses the call: compare it with a number, without quotes",
            r#"{"n": 5}"#,
            "error",
        ),
        (
            "args.flag in [\"true\", \"yes\"]",
            "column 6: `flag` of `start_job` is a boolean, and here a string is needed, so that this is always an error, which refuses the call: compare it with true or false, without quotes",
            r#"{"flag": true}"#,
            "error",
        ),
        (
            "args.tags != \"a\"",
            "column 6: `tags` of `start_job` is a list, and here a string is needed, so that this is always an error, which refuses the call: write … in args.tags, or args.tags.exists(x, …)",
            r#"{"tags": ["a"]}"#,
            "error",
        ),
        (
            "args.o == \"x\"",
            "column 6: `o` of `start_job` is an object, and here a string is needed, so that this is always an error, which refuses the call: read one of its members, as in args.o.name",
            "{}",
            "error",
        ),
        (
            "args.note == 5",
            "column 6: `note` of `start_job` may be a string, and then this is an error, which refuses the call: compare it with a string, in quotes",
            r#"{"note": "5"}"#,
            "error",
        ),
    ]);
    begin(&[
        ("args.s == size(args.tags)", "column 6: `s` of `start_job` is a string, and here a number is needed"),
        ("args.n == server", "column 6: `n` of `start_job` is a whole number, and here a string is needed"),
        ("(args.flag ? args.n : 1) == \"1\"", "column 19: `n` of `start_job` is a whole number, and here a string"),
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
            "args.n > \"5\"",
            "column 6: `n` of `start_job` is a whole number, and here a string is needed, so that this is always an error, which refuses the call: compare it with a number, without quotes",
            r#"{"n": 10}"#,
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
        ("args.s.name > \"x\"", "column 8: `s` of `start_job` is a string, and here an object is needed"),
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
            "column 6: `id` of `start_job` may also be a string, and then this is an error, which refuses the call: compare string(args.id) with a string",
            r#"{"id": "5"}"#,
            "error",
        ),
        (
            "args.id <= 5",
            "column 6: `id` of `start_job` may also be a string, and then this is an error, which refuses the call: write double(args.id)",
            r#"{"id": "5"}"#,
            "error",
        ),
        (
            "args.id > \"5\"",
            "column 6: `id` of `start_job` may also be a whole number, and then this is an error, which refuses the call: test type(args.id) first",
            r#"{"id": 10}"#,
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
