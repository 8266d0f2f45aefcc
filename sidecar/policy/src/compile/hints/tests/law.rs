//! Of an expression about which nothing is said, no call that the schema permits makes an error.

use proptest::prelude::*;

use super::*;
use crate::expr;

/// Readings and tests of arguments that may be missing, null or of several kinds.
const ATOMS: &[&str] = &[
    "args.flag",
    "has(args.bucket)",
    "args.bucket == 'x'",
    "args.bucket.startsWith('x')",
    "has(args.count)",
    "args.count == null",
    "args.count == 1",
    "args.count <= 1",
    "args.count in [1, 2]",
    "args.note != null",
    "args.note.startsWith('x')",
    "type(args.note) == string",
    "'filter' in args",
    "args.filter != null",
    "has(args.filter.bucket)",
    "args.filter.bucket == args.filter.prefix",
    "args.id < 5",
    "type(args.id) == int",
    "args.id.startsWith('x')",
];

/// Expressions of few atoms, so that some guard others.
fn expressions() -> impl Strategy<Value = String> {
    let few = prop::sample::subsequence(ATOMS, 2..=4);
    few.prop_flat_map(|few| combined(prop::sample::select(few).prop_map(str::to_owned)))
}

fn combined(atom: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    atom.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|operand| format!("!({operand})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(one, two, three)| format!("({one} ? {two} : {three})")),
        ]
    })
}

/// Every way in which the arguments of the atoms may be there or not.
fn calls() -> Vec<Document> {
    let mut calls = Vec::new();
    for bucket in ["", r#", "bucket": "x""#] {
        for count in ["", r#", "count": null"#, r#", "count": 1"#] {
            for filter in ["null", r#"{"prefix": "p"}"#, r#"{"prefix": "p", "bucket": "p"}"#, ""] {
                let filter = if filter.is_empty() { String::new() } else { format!(r#", "filter": {filter}"#) };
                for (note, id, flag) in [("null", "1", "true"), ("\"x\"", "\"x\"", "false"), ("\"x\"", "1", "false")] {
                    let more = format!(r#"{{"note": {note}, "id": {id}, "flag": {flag}{bucket}{count}{filter}}}"#);
                    calls.push(arguments(&more));
                }
            }
        }
    }
    calls
}

fn errs(expression: &Expression, calls: &[Document]) -> bool {
    let subject = Subject::default();
    calls.iter().any(|call| {
        let args = Some(call.root());
        let variables = Variables { args, name: "t", tool: None, subject: &subject, session: None, now: WallTime(0) };
        expression.condition(&variables).is_err()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_nothing_is_said_about_is_never_an_error(source in expressions()) {
        if said(&source).is_empty() {
            let expression = expr::compiling(|| Expression::compile(&source, Purpose::Condition)).unwrap();
            prop_assert!(!errs(&expression, &calls()), "{source}");
        }
    }
}

#[test]
fn each_reading_alone_is_an_error_exactly_where_something_is_said() {
    let tests = ["has(", "args.flag", "type(", "'filter' in", "args.note != null"];
    let calls = calls();
    for atom in ATOMS {
        let expression = Expression::compile(atom, Purpose::Condition).unwrap();
        let is_a_test = tests.iter().any(|test| atom.starts_with(test)) && !atom.contains("filter.");
        assert_eq!(errs(&expression, &calls), !is_a_test, "{atom}");
        assert!(is_a_test || !said(atom).is_empty(), "{atom}");
    }
}
