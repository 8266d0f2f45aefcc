//! Arguments of another type than a tool declares, which servers whose reading is lax take for what the tool wants: no
//! comparison tells apart what they do not.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const WORDS: &str =
    "values of two types, which a server may take for one another: send the type that the tool asks for";

#[test]
fn values_of_two_types_cannot_be_compared_if_one_comes_from_the_arguments() {
    let args = r#"{"n":7,"s":"7","yes":true,"l":[7,"x"],"texts":["7"],"json":"[7]","o":{"a":"7"}}"#;
    all_fail(
        args,
        &[
            ("args.s == 7", 8, WORDS),
            ("7 == args.s", 3, WORDS),
            ("args.s != 7", 8, WORDS),
            ("args.n == '7'", 8, WORDS),
            ("args.yes == 1", 10, WORDS),
            ("args.n != true", 8, WORDS),
            ("args.yes == 'true'", 10, WORDS),
            ("args.o.a == 7", 10, WORDS),
            ("args.s == args.n", 8, WORDS),
            ("args.s == size(args.l)", 8, WORDS),
            ("args.n == server", 8, WORDS),
            ("args.s in [7, 8]", 8, WORDS),
            ("args.s in [7, 'x']", 8, WORDS),
            ("7 in args.texts", 3, WORDS),
            ("'y' in args.l", 5, WORDS),
            ("args.texts == [7]", 12, WORDS),
            ("args.json == [7]", 11, WORDS),
            ("args.o != 'x'", 8, WORDS),
            ("args.texts.exists(x, x == 7)", 24, WORDS),
            ("[7, 8].exists(x, x == args.s)", 20, WORDS),
            ("[7].all(x, args.texts.all(y, x != y))", 32, WORDS),
            ("(args.yes ? '7' : 'x') == 7", 24, WORDS),
            ("!(args.s == 7)", 10, WORDS),
            ("args.s == 7 || args.yes == 1", 25, WORDS),
        ],
    );
}

#[test]
fn null_and_a_type_that_is_tested_can_be_asked_of_everything() {
    let args = r#"{"n":7,"s":"7","nil":null,"l":[7,"x",null]}"#;
    all_true(
        args,
        &[
            "args.nil != 7 && args.s != null && !(args.n == null) && args.nil == null",
            "type(args.s) == string && args.s == '7'",
            "type(args.s) == int ? args.s == 7 : args.s == '7'",
            "!(type(args.s) == int && args.s == 7)",
            "args.s == 7 || args.n == 7",
            "args.s in ['7', 8] && args.n in ['8', 7] && 'x' in args.l && null in args.l",
            "args.n == 7.0 && args.nil in [1, null] && args.l.exists(x, x == 7)",
        ],
    );
}

#[test]
fn the_text_of_null_cannot_be_compared_with_null() {
    let args = r#"{"s":"null","spaced":" null\n","other":"nil","l":["null"]}"#;
    all_fail(
        args,
        &[
            ("args.s == null", 8, WORDS),
            ("args.s != null", 8, WORDS),
            ("null == args.spaced", 6, WORDS),
            ("args.s in ['x', null]", 8, WORDS),
            ("null in args.l", 6, WORDS),
        ],
    );
    all_true(
        args,
        &["args.s == 'null' && args.s != 'x'", "args.other != null", "args.s in ['null', null]", "server != null"],
    );
}

#[test]
fn what_reeve_knows_is_what_it_is() {
    all_true(
        r#"{"n":1}"#,
        &["server != 5", "'1' != 1 && !('1' in [1])", "session == 5 || true", "tool.annotations.destructiveHint != 1"],
    );
}

/// JSON scalars, in which everything is that a lax reader takes for something else.
const SCALARS: [&str; 26] = [
    "7", "7.0", "7e0", "\"7\"", "\" 07\"", "\"+7.0\"", "\"7_0\"", "\"70\"", "70", "0", "-0.0", "\"0\"", "1", "1.0",
    "\"1\"", "true", "false", "\"true\"", "\"TRUE\"", "\"no\"", "\"off\"", "\"f\"", "\"y\"", "\"x\"", "null", "\"\"",
];

/// Whether a reader that wants what `wanted` is takes `given` for it, as pydantic does where it is lax.
fn is_taken_for(given: &str, wanted: &str) -> bool {
    let number = |json: &str| -> Option<f64> {
        match json {
            "true" => Some(1.0),
            "false" => Some(0.0),
            _ => json.trim_matches('"').trim().replace('_', "").parse().ok(),
        }
    };
    let truth = |json: &str| match json.trim_matches('"').to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" | "-0.0" => Some(false),
        _ => None,
    };
    match wanted {
        "null" => given == "null",
        "true" | "false" => given != "null" && truth(given).is_some() && truth(given) == truth(wanted),
        text if text.starts_with('"') => {
            given == text || number(given).is_some_and(|_| given == text.trim_matches('"'))
        }
        _ => number(given).is_some() && number(given) == number(wanted),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_denied_value_never_passes_as_what_a_server_takes_for_it(
        given in select(&SCALARS[..]),
        wanted in select(&SCALARS[..]),
        denies in select(&["args.x == WANTED", "args.x in [WANTED]", "args.x in ['other', WANTED]", "[WANTED].exists(y, y == args.x)",
            "!(args.x != WANTED)", "WANTED in args.l", "args.l.exists(x, x == WANTED)", "args.l == [WANTED]", "has(args.x) && args.x == WANTED"][..]),
    ) {
        let args = format!(r#"{{"x":{given},"l":[{given}]}}"#);
        let denied = condition(&denies.replace("WANTED", wanted), &args);
        if is_taken_for(given, wanted) {
            prop_assert_ne!(denied, Ok(false), "{} of {}", denies.replace("WANTED", wanted), given);
        }
    }

    #[test]
    fn what_a_server_takes_for_one_number_has_one_counter(given in select(&SCALARS[..]), wanted in select(&SCALARS[..])) {
        let key = |json: &str| with("args.x", Purpose::Key, &format!(r#"{{"x":{json}}}"#), Expression::key);
        if let (Ok(one), Ok(other)) = (key(given), key(wanted)) && is_taken_for(given, wanted) {
            prop_assert_eq!(one, other, "{} and {}", given, wanted);
        }
    }
}
