use cel::common::ast::Expr;

use super::*;

const ARGS: &str = r#"{"s":"hello","n":3,"f":1.5,"big":18446744073709551615,"nil":null,"yes":true,
    "l":[1,2,3],"mixed":[1,"a",null,[2],{"k":"v"}],"empty":[],"o":{"a":1,"b":{"c":"deep"}},"esc":"a\nb","a-b":1}"#;

#[test]
fn arguments_are_read_by_member_index_and_key() {
    all_true(
        ARGS,
        &[
            "args.s == 'hello'",
            "args['s'] == 'hello'",
            "args['a-b'] == 1",
            "args.o.b.c == 'deep'",
            "args.l[1] == 2",
            "args.l[args.n - 1] == 3",
            "args.l[args.n / 1.5] == 3 && [1, 2, 3][2.0] == 3",
            "args.mixed[4].k == 'v'",
            "args.mixed[3][0] == 2",
            "args.esc == 'a\\nb'",
            "args.nil == null",
            "args.o['a'] == 1",
        ],
    );
}

#[test]
fn what_reeve_knows_is_read_by_name() {
    all_true(
        "{}",
        &[
            "tool.name == 'delete_bucket'",
            "'Destructive' in tool.risk.categories",
            "tool.risk.categories.exists(c, c == 'Write')",
            "tool.risk.categories[1] == 'Destructive'",
            "size(tool.risk.categories) == 2",
            "tool.risk.severity in ['High', 'Critical']",
            "has(tool.risk)",
            "tool.annotations.destructiveHint",
            "!has(tool.annotations.readOnlyHint)",
            "server == 'aws'",
            "grant.namespace == 'clinic' && grant.serviceAccount == 'imaging'",
            "pod.name == 'agent-0'",
            "pod.labels.app == 'imaging-agent' && pod.labels['app'].startsWith('imaging')",
            "!has(pod.labels.team) && 'app' in pod.labels",
            "pod.labels.all(key, key == 'app')",
            "session == 's1'",
            "now >= timestamp('2026-01-01T00:00:00Z')",
        ],
    );
}

#[test]
fn of_a_call_without_arguments_session_or_known_tool_the_same_names_can_be_asked() {
    let subject = Subject::default();
    let variables = Variables { args: None, name: "x", tool: None, subject: &subject, session: None, now: NOW };
    for source in [
        "size(args) == 0 && !has(args.a) && !('a' in args) && args.all(k, false)",
        "session == ''",
        "!has(tool.risk) && !has(tool.risk.severity) && !has(tool.annotations.readOnlyHint)",
    ] {
        let expression = Expression::compile(source, Purpose::Condition).expect(source);
        assert_eq!(expression.condition(&variables), Ok(true), "{source}");
    }
    let unknown = Expression::compile("tool.risk.severity == 'Low'", Purpose::Condition).expect("compiles");
    assert_eq!(unknown.condition(&variables).expect_err("unknown").what, "no such key");
}

#[test]
fn has_tells_whether_a_member_is_there_and_fails_where_its_object_is_not() {
    all_true(ARGS, &["has(args.s)", "has(args.nil)", "!has(args.missing)", "!has(args.o.x)", "has(args.mixed[4].k)"]);
    all_true(
        ARGS,
        &["[1].all(i, !has(args.missing))", "args.mixed.exists(m, type(m) == map && has(m.k) && !has(m.x))"],
    );
    all_fail(
        ARGS,
        &[
            ("has(args.missing.x)", 10, "no such key"),
            ("has(args.s.x)", 1, "wrong type"),
            ("has(args.l.x)", 1, "wrong type"),
        ],
    );
}

#[test]
fn whole_and_fractional_numbers_mix() {
    all_true(
        ARGS,
        &[
            "args.n >= 1.5",
            "args.f >= 1",
            "args.n == 3.0",
            "args.n * 2 == 6",
            "args.n * args.f == 4.5",
            "args.f + 1 == 2.5",
            "args.n / 2 == 1",
            "args.n / 2.0 == 1.5",
            "args.n % 2 == 1",
            "-args.n == -3",
            "args.big > 9223372036854775807",
            "args.big > 1.5",
            "9007199254740993 > 9007199254740992.0",
            "args.n in [1.0, 3.0]",
        ],
    );
}

#[test]
fn nothing_is_rounded_silently() {
    all_fail(
        r#"{"n":9223372036854775807,"one":1,"z":0}"#,
        &[
            ("9223372036854775807 + args.one > 0", 21, "overflow"),
            ("-9223372036854775808 - args.one < 0", 22, "overflow"),
            ("9223372036854775807 * 2 > 0", 21, "overflow"),
            ("-9223372036854775808 / -args.one > 0", 22, "overflow"),
            ("-9223372036854775808 % -args.one == 0", 22, "overflow"),
            ("-(-9223372036854775808) > 0", 1, "overflow"),
            ("9223372036854775807 * 0.5 > 0", 21, "overflow"),
            ("1e308 * 10.0 > 0.0", 7, "overflow"),
            ("1 / args.z == 1", 3, "division by zero"),
            ("1 % args.z == 1", 3, "division by zero"),
            ("1.5 / args.z == 1", 5, "division by zero"),
            ("int(1e300) == 1", 1, "overflow"),
            ("double(args.n) == 1.0", 1, "overflow"),
        ],
    );
}

#[test]
fn logic_looks_no_further_than_it_must_and_absorbs_an_error_beside_the_deciding_side() {
    all_true(
        ARGS,
        &[
            "true || args.missing",
            "args.missing || true",
            "!(false && args.missing)",
            "args.yes ? true : args.missing",
            "args.l.exists(x, x == 2 || args.missing)",
        ],
    );
    all_fail(ARGS, &[("args.missing || false", 6, "no such key"), ("args.missing && true", 6, "no such key")]);
}

#[test]
fn loops_range_over_lists_and_the_keys_of_objects() {
    all_true(
        ARGS,
        &[
            "args.l.all(x, x > 0)",
            "!args.l.all(x, x > 1)",
            "args.l.exists(x, x == 2)",
            "args.l.exists_one(x, x > 2)",
            "args.l.existsOne(x, x > 2)",
            "!args.l.exists_one(x, x > 1)",
            "args.l.map(x, x * 2) == [2, 4, 6]",
            "args.l.map(x, x > 1, x * 2) == [4, 6]",
            "args.l.filter(x, x > 1) == [2, 3]",
            "args.empty.all(x, false) && !args.empty.exists(x, true)",
            "args.o.all(key, key in ['a', 'b'])",
            "args.o.exists(key, args.o[key] == 1)",
            "args.l.all(x, ['a', 'b'].exists(y, y != 'a'))",
            "['a', 'b'].all(x, args.l.exists(y, y > 2))",
            "[1, 2].all(x, [3, 4].all(y, [5].all(z, x < y && y < z)))",
            "args.mixed.filter(x, type(x) == string) == ['a']",
        ],
    );
    all_fail(ARGS, &[("args.s.all(c, true)", 1, "wrong type"), ("args.n.map(c, c) == []", 1, "wrong type")]);
}

#[test]
fn equality_is_by_value() {
    all_true(
        ARGS,
        &[
            "args.l == [1, 2.0, 3]",
            "args.l != [1, 2]",
            "args.nil != 0",
            "args.o != null",
            "args.mixed != [1]",
            "[args.s, 'x'] == ['hello', 'x']",
            "2 in args.l && 'a' in args.mixed && null in args.mixed",
            "'a' in args.o && !('x' in args.o)",
            "args.l + [4] == [1, 2, 3, 4]",
        ],
    );
}

#[test]
fn two_objects_are_never_compared() {
    let args = r#"{"a":{"x":1},"b":{"x":1},"l":[{"x":1}]}"#;
    let words = "objects cannot be compared";
    all_fail(
        args,
        &[
            ("args.a == args.b", 8, words),
            ("args.a != args.b", 8, words),
            ("args.a in args.l", 8, words),
            ("args.l == [args.a]", 8, words),
        ],
    );
}

#[test]
fn types_can_be_asked_for() {
    all_true(
        ARGS,
        &[
            "type(args.n) == int",
            "type(args.f) == double",
            "type(args.s) == string",
            "type(args.esc) == string",
            "type(args.yes) == bool",
            "type(args.l) == list",
            "type(args.o) == map",
            "type(args.nil) == null_type",
            "type(args.n) != string",
        ],
    );
}

#[test]
fn of_what_needs_neither_logic_nor_loops_nothing_is_left_to_the_evaluator() {
    let tree = |source| Expression::compile(source, Purpose::Condition).unwrap().rewritten.tree.expr.clone();
    for source in ["args.s.startsWith('he')", "size(args.l) + args.n * 2 < 10", "!(args.o[args.s] in [1, 2])"] {
        assert!(matches!(tree(source), Expr::Ident(_)), "{source}");
    }
    for source in ["args.s == 'a' || args.n == 1", "args.l.all(x, x > 0)", "args.yes ? true : false"] {
        assert!(!matches!(tree(source), Expr::Ident(_)), "{source}");
    }
}

#[test]
fn an_error_names_the_column_of_what_failed() {
    all_fail(
        ARGS,
        &[
            ("args.missing == 1", 6, "no such key"),
            ("args.o.b.x == 1", 10, "no such key"),
            ("args.s.x == 1", 8, "wrong type"),
            ("args.l[3] == 1", 7, "index out of range"),
            ("args.l[args.n] == 1", 7, "index out of range"),
            ("args.l['a'] == 1", 7, "wrong type"),
            ("args.l[-1] == 1", 7, "index out of range"),
            ("args.l[0.5] == 1", 7, "wrong type"),
            ("[1, 2][0.5] == 1", 7, "wrong type"),
            ("args.o[args.s] == 1", 7, "no such key"),
            ("args.l + 5 == 1", 8, "wrong type"),
            ("args.n < 'a'", 8, "wrong type"),
            ("'ü' == 'ü' && args.s + args.n == ''", 22, "wrong type"),
            ("args.s == ''\n || args.n.startsWith('x')", 25, "wrong type"),
            ("args.s && true", 1, "neither true nor false"),
            ("args.n ? true : false", 1, "neither true nor false"),
            ("!args.s", 1, "wrong type"),
            ("args.l.all(x, x)", 15, "neither true nor false"),
            ("size(args.n) == 1", 6, "wrong type"),
        ],
    );
}

#[test]
fn an_error_holds_nothing_of_the_call() {
    let secret = "hunter2".repeat(1_000);
    let args = format!(r#"{{"secret":"{secret}","list":["{secret}"],"{secret}":1}}"#);
    for source in [
        "args.list + 5 == 1",
        "args.secret < 1",
        "args.secret + 1 == ''",
        "args[args.secret].x == 1",
        "args.list[0].x == 1",
        "args.list.all(x, x)",
        "int(args.secret) == 1",
        "url(args.secret).host == ''",
        "args.secret in 5",
    ] {
        let error = condition(source, &args).expect_err(source);
        assert!(error.to_string().len() < 60 && !format!("{error:?}").contains("hunter2"), "{source}: {error}");
    }
}

#[test]
fn keys_that_differ_only_in_case_are_refused_where_no_fixed_path_leads() {
    let args = r#"{"l":[{"bucket":"ours","Bucket":"theirs"}],"k":"bucket","o":{"bucket":1,"BUCKET":2},"fine":{"a":1},"env":{"PROD":"x"}}"#;
    let words = "keys that differ only in case";
    all_fail(
        args,
        &[
            ("args.l[0].bucket == 'ours'", 11, words),
            ("args.l.all(x, x.bucket == 'ours')", 17, words),
            ("args.l.exists(x, !has(x.buckeT)) || true", 19, words),
            ("args.o[args.k] == 1", 7, words),
            ("args.k in args.o", 8, words),
        ],
    );
    all_fail(
        args,
        &[
            ("args.exists(key, key == 'L')", 1, words),
            ("args.o.all(key, key != 'Bucket')", 1, words),
            ("args.o.exists(key, key in ['x', 'Bucket']) || true", 1, words),
            ("['x', 'Bucket'].exists(word, args.o.exists(key, key == word))", 30, words),
            ("'Bucket' in args.o.map(key, key)", 13, words),
            ("args.o.exists(key, key.startsWith('BUC'))", 1, words),
            ("args.o.exists(key, key.endsWith('Et'))", 1, words),
            ("args.o.exists(key, key.contains('ucK')) || true", 1, words),
            ("['BUC'].exists(word, args.o.exists(key, key.startsWith(word)))", 22, words),
            ("args.env.exists(key, key.trim() == 'prod')", 1, words),
            ("args.env.exists(key, key.split('_')[0] in ['prod'])", 1, words),
        ],
    );
    all_true(
        args,
        &[
            "args.fine.all(key, key in ['a', 'bucket'])",
            "!args.exists(key, key == 'kk') && !args.fine.exists(key, key.startsWith('B'))",
            "!args.env.exists(key, args.env[key] == 'prod' || args.env[key].contains('p')) && args.k != 'prod'",
        ],
    );
    let error = condition("args.o[args.k] == 1", args).expect_err("ambiguous");
    assert!(error.is_ambiguous());
    all_true(args, &["args.fine[args.k] == 1 || true"]);
}
