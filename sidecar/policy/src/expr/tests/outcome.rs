use proptest::prelude::*;

use super::*;

fn key(source: &str, args: &str) -> Result<String, EvalError> {
    with(source, Purpose::Key, args, Expression::key)
}

fn cost(source: &str, args: &str) -> Result<Option<Units>, EvalError> {
    with(source, Purpose::Cost, args, Expression::cost)
}

#[test]
fn only_true_is_true() {
    assert_eq!(condition("args.x", r#"{"x":true}"#), Ok(true));
    assert_eq!(condition("args.x", r#"{"x":false}"#), Ok(false));
    for other in ["1", "\"true\"", "null", "[]", "{}", "1.0"] {
        let error = condition("args.x", &format!(r#"{{"x":{other}}}"#)).expect_err(other);
        assert_eq!(error.what, "neither true nor false");
    }
}

#[test]
fn keys_of_different_values_differ() {
    let long = "x".repeat(257);
    let values = [
        "\"5a\"",
        "5",
        "6",
        "true",
        "false",
        "\"n5\"",
        "-5",
        "18446744073709551615",
        "\"btrue\"",
        "\"5/7\"",
        "\"12e4567\"",
        "\"9876e543\"",
    ];
    let mut keys: Vec<String> =
        values.iter().map(|value| key("args.k", &format!(r#"{{"k":{value}}}"#)).expect(value)).collect();
    keys.push(key("args.k", &format!(r#"{{"k":"{long}"}}"#)).expect("long"));
    keys.push(key("args.k", &format!(r#"{{"k":"{long}x"}}"#)).expect("longer"));
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert!(keys.iter().all(|key| key.len() <= 257));
}

#[test]
fn a_number_is_one_key_however_it_is_written() {
    for one in
        ["5", "5.0", "5e0", "50e-1", "\"5\"", "\"05\"", "\" +5.0\"", "\"5e0\"", "\"0x5\"", "\"0xap-1\"", "\"\u{665}\""]
    {
        assert_eq!(key("args.k", &format!(r#"{{"k":{one}}}"#)), key("5", "{}"), "{one}");
    }
    for one in ["true", "1", "\"1.0\"", "\"Yes\"", "\"true\"", "\"on\""] {
        assert_eq!(key("args.k", &format!(r#"{{"k":{one}}}"#)), key("1", "{}"), "{one}");
    }
    for one in ["false", "0", "-0.0", "\"-0\"", "\"no\"", "\"\""] {
        assert_eq!(key("args.k", &format!(r#"{{"k":{one}}}"#)), key("0", "{}"), "{one}");
    }
    let wide = key("args.k", r#"{"k":9007199254740993}"#);
    assert_eq!(key("args.k", r#"{"k":" 09007199254740993"}"#), wide);
    assert_eq!(key("string(args.k)", r#"{"k":"05"}"#), key("5", "{}"));
}

#[test]
fn a_text_that_no_server_reads_is_the_key_that_it_is() {
    assert_eq!(key("'05'", "{}"), Ok("s05".to_owned()));
    assert_eq!(key("session", "{}"), Ok("ss1".to_owned()));
}

#[test]
fn what_tells_nothing_apart_reliably_is_no_key() {
    for other in ["1.5", "null", "[]", "{}"] {
        let error = key("args.k", &format!(r#"{{"k":{other}}}"#)).expect_err(other);
        assert_eq!(error.what, "not a string, whole number or boolean");
    }
}

#[test]
fn a_cost_counts_millionths_and_rounds_up() {
    for (value, units) in [
        ("0", Some(0)),
        ("1", Some(1_000_000)),
        ("0.1", Some(100_000)),
        ("0.0000001", Some(1)),
        ("1.0000001", Some(1_000_001)),
        ("2.5", Some(2_500_000)),
        ("1e-300", Some(1)),
        ("-0.0", Some(0)),
        ("9223372036854", Some(9_223_372_036_854_000_000)),
        ("9223372036855", None),
        ("9223372036854775807", None),
        ("18446744073709551615", None),
        ("1e300", None),
        ("-1", None),
        ("-0.0000001", None),
        ("\"1\"", None),
        ("null", None),
        ("true", None),
        ("[1]", None),
    ] {
        assert_eq!(cost("args.n", &format!(r#"{{"n":{value}}}"#)), Ok(units.map(Units)), "{value}");
    }
}

#[test]
fn a_cost_that_cannot_be_evaluated_is_an_error_and_not_free() {
    assert_eq!(cost("args.missing", "{}").expect_err("missing").what, "no such key");
    assert_eq!(cost("args.n * 9007199254740991", r#"{"n":4611686018427}"#).expect_err("overflow").what, "overflow");
}

#[test]
fn what_an_expression_reads_is_known() {
    let paths = |source: &str| {
        let expression = Expression::compile(source, Purpose::Condition).expect(source);
        expression.argument_paths().iter().map(|path| path.join(".")).collect::<Vec<_>>()
    };
    assert_eq!(paths("args.a[args.i].b == 1"), ["a", "i"]);
    assert_eq!(paths("has(args.f.x) && args.f['y'] == 1"), ["f.x", "f.y"]);
    assert_eq!(paths("args.l[0].name == size(args.m)"), ["l", "m"]);
    assert_eq!(paths("args.l.all(x, x.name == args.n)"), ["l", "n"]);
    assert_eq!(paths("'force' in args && !('dry' in args.o)"), ["force", "o", "o.dry"]);
    assert_eq!(paths("tool.name == 'x' && args.a == args.a"), ["a"]);
    assert!(paths("server == 'aws'").is_empty());
}

#[test]
fn whether_a_value_is_the_same_for_every_call_of_a_tool_is_known() {
    let is_constant =
        |source: &str| Expression::compile(source, Purpose::Condition).expect(source).is_constant_for_a_tool();
    assert!(is_constant("tool.name == server && pod.labels.app == grant.namespace && has(tool.risk)"));
    for source in ["args.a", "has(args.a)", "size(args) == 0", "session == ''", "now == now", "[1].all(x, args.a)"] {
        assert!(!is_constant(source), "{source}");
    }
}

proptest! {
    #[test]
    fn a_cost_is_never_less_than_the_number(number in 0.0_f64..1e12) {
        let units = cost("args.n", &format!(r#"{{"n":{number:?}}}"#)).expect("a number").expect("in range");
        // Exact in decimal: the units as text, with the point where it belongs, against the number's own digits.
        let (whole, fraction) = (units.0 / 1_000_000, units.0 % 1_000_000);
        let charged: f64 = format!("{whole}.{fraction:06}").parse().expect("a number");
        prop_assert!(charged >= number && charged - number <= 2e-6 + number * 1e-15);
    }
}
