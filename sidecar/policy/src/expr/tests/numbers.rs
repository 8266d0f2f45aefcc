//! What a server that reads every number as a double cannot tell apart, no expression does.

use proptest::prelude::*;

use super::*;

const AMBIGUOUS: &str = "a whole number of 2^53 or more, which servers may round to another";

/// Whole numbers beside which others are the same double, and some beside which none is.
const WHOLE: [i64; 11] = [
    0,
    5,
    -3,
    (1 << 53) - 1,
    1 << 53,
    (1 << 53) + 1,
    -(1 << 53) - 1,
    10_000_000_000_000_000,
    20_000_000_000_000_001,
    i64::MAX - 600,
    i64::MAX,
];

#[test]
fn a_number_that_a_server_may_round_to_one_that_is_named_is_neither_that_nor_another() {
    let args = r#"{"a":10000000000000000,"b":10000000000000001,"f":1e16,"l":[10000000000000001]}"#;
    all_true(args, &["args.a == 10000000000000000", "args.b == 10000000000000001", "args.f == 10000000000000000"]);
    all_fail(
        args,
        &[
            ("args.b == 10000000000000000", 8, AMBIGUOUS),
            ("args.a != 10000000000000001", 8, AMBIGUOUS),
            ("args.f == 10000000000000001", 8, AMBIGUOUS),
            ("args.b > 10000000000000000", 8, AMBIGUOUS),
            ("args.b <= 10000000000000000", 8, AMBIGUOUS),
            ("args.b in [1, 10000000000000000]", 8, AMBIGUOUS),
            ("args.l == [10000000000000000]", 8, AMBIGUOUS),
            ("args.l.exists(x, x == 10000000000000000)", 20, AMBIGUOUS),
            ("args.a == args.b", 8, AMBIGUOUS),
            ("int(args.f) == 10000000000000001", 13, AMBIGUOUS),
            ("args.b == 10000000000000000 || true", 8, AMBIGUOUS),
        ],
    );
}

#[test]
fn what_rounding_does_not_change_can_be_asked_of_every_number() {
    let args = r#"{"id":123456789012345678,"big":18446744073709551615,"huge":1e300}"#;
    all_true(
        args,
        &[
            "args.id == 123456789012345678",
            "args.id != 5 && args.id > 0 && args.id <= 200000000000000000",
            "args.id in [1, 123456789012345678]",
            "args.id != null && type(args.id) == int",
            "args.big > 9223372036854775807 && args.huge > args.big",
        ],
    );
}

#[test]
fn of_a_number_that_servers_may_round_nothing_else_is_made() {
    let args = r#"{"n":9007199254740993}"#;
    all_fail(
        args,
        &[
            ("args.n - 9007199254740992 == 1", 8, AMBIGUOUS),
            ("args.n % 2 == 1", 8, AMBIGUOUS),
            ("args.n * 1.5 > 0", 8, AMBIGUOUS),
            ("-args.n < 0", 1, AMBIGUOUS),
            ("string(args.n) == '9007199254740993'", 1, AMBIGUOUS),
            ("int(args.n) == 9007199254740992", 13, AMBIGUOUS),
        ],
    );
}

#[test]
fn a_number_without_a_fraction_is_a_whole_one_however_it_is_written() {
    for five in ["5", "5.0", "50e-1", "0.5e1"] {
        let args = format!(r#"{{"n":{five}}}"#);
        all_true(&args, &["args.n / 2 == 2", "args.n % 2 == 1", "type(args.n) == int", "string(args.n) == '5'"]);
    }
    all_true(r#"{"n":-0.0}"#, &["string(args.n) == '0'"]);
}

/// Conditions about the argument `n`, the elements of `l` and the argument `m`, in which LITERAL stands for a number.
const CONDITIONS: &[&str] = &[
    "args.n == LITERAL",
    "args.n != LITERAL",
    "args.n < LITERAL",
    "args.n <= LITERAL",
    "LITERAL < args.n",
    "LITERAL <= args.n",
    "args.n in [LITERAL, 1]",
    "LITERAL in args.l",
    "args.l == [LITERAL]",
    "args.l != [LITERAL]",
    "args.l.all(x, x <= LITERAL)",
    "args.l.exists_one(x, x == LITERAL)",
    "size(args.l.filter(x, x > LITERAL)) == 0",
    "args.n == args.m",
    "args.n < args.m",
    "args.n - LITERAL == 0",
    "args.n + args.m > LITERAL",
    "args.n / 2 == 2",
    "args.n * 0.5 == 2.5",
    "args.n % 2 == 0",
    "-args.n == LITERAL",
    "int(args.n) == LITERAL",
    "double(args.n) == LITERAL",
    "string(args.n) == 'LITERAL'",
    "string(args.n).endsWith('0')",
    "string(int(args.n)) == 'LITERAL'",
    "type(args.n) == int",
    "args.l[args.n] == 1",
    "args.n == LITERAL || args.m == 1",
    "args.n == LITERAL && args.m != 1",
    "!(args.n == LITERAL)",
    "args.n == LITERAL ? args.m == LITERAL : args.m != LITERAL",
];

/// A number near one of [`WHOLE`], written in two ways that are the same double.
fn twins() -> impl Strategy<Value = (String, String)> {
    let spelled = |around: i128, off: i128, form: u8| {
        let number = around + off;
        let double = number as f64;
        match form {
            0 => number.to_string(),
            1 => format!("{number}.0"),
            2 => format!("{double:?}"),
            3 => format!("{double:e}"),
            4 => format!("{number}.25"),
            _ => format!("{double:.0}"),
        }
    };
    (0..WHOLE.len(), -2..3_i128, -600..600_i128, -2..3_i128, 0..6_u8, 0..6_u8).prop_map(
        move |(around, off, far, near, form, other)| {
            let around = i128::from(WHOLE[around]) + off;
            let nudge = if around.abs() > 1 << 62 { far } else { near };
            let one = spelled(around, 0, form);
            let same = |other: &String| one.parse::<f64>() == other.parse::<f64>();
            let others = [spelled(around, nudge, other), spelled(around, 0, other)];
            let other = others.into_iter().find(same).unwrap_or_else(|| one.clone());
            (one, other)
        },
    )
}

fn literal() -> impl Strategy<Value = String> {
    let whole = (0..WHOLE.len(), -1..2_i64).prop_map(|(at, off)| WHOLE[at].saturating_add(off).to_string());
    prop_oneof![4 => whole, 1 => (0..WHOLE.len()).prop_map(|at| format!("{:?}", WHOLE[at] as f64))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn of_two_numbers_that_a_double_cannot_tell_apart_no_condition_is_true_of_one_and_false_of_the_other(
        (n, other_n) in twins(),
        (m, other_m) in twins(),
        literal in literal(),
        source in prop::sample::select(CONDITIONS),
    ) {
        let source = source.replace("LITERAL", &literal);
        let one = condition(&source, &format!(r#"{{"n":{n},"m":{m},"l":[{n}]}}"#));
        let other = condition(&source, &format!(r#"{{"n":{other_n},"m":{other_m},"l":[{other_n}]}}"#));
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one, other, "{} of {} and {}", source, n, other_n);
        }
    }

    #[test]
    fn two_numbers_that_a_double_cannot_tell_apart_share_a_counter_and_cost_the_same(
        (one, other) in twins(),
        source in prop::sample::select(&["args.n", "int(args.n)", "string(args.n)", "args.n / 2", "args.n * 0.5"][..]),
    ) {
        let args = |number: &str| format!(r#"{{"n":{number}}}"#);
        let key = |number: &str| with(source, Purpose::Key, &args(number), Expression::key);
        if let (Ok(one), Ok(other)) = (key(&one), key(&other)) {
            prop_assert_eq!(one, other);
        }
        if source == "args.n" && one.parse::<f64>().unwrap().fract() == 0.0 {
            prop_assert!(key(&one).is_ok());
        }
        let cost = |number: &str| with("args.n", Purpose::Cost, &args(number), Expression::cost);
        prop_assert_eq!(cost(&one), cost(&other));
    }
}
