//! What an unquoted YAML scalar is: the core schema of YAML 1.2 (section 10.3), and where YAML 1.1 differs.

use serde_json::Number;

use crate::load::node::{Data, Unquoted};

/// The key by which YAML 1.1 merges another object into this one.
pub(super) const MERGE: &str = "<<";

/// The words that YAML 1.1 takes for booleans and YAML 1.2 does not, in lower case.
const BOOLEANS_1_1: [&str; 6] = ["y", "yes", "n", "no", "on", "off"];

/// Resolves an unquoted scalar, and keeps how it was written where some reader takes it for more than text.
pub(super) fn resolve(text: &str) -> (Data, Option<Unquoted>) {
    let data = resolve_1_2(text);
    let yaml_1_1 = match data {
        Data::String(_) => more_than_text_in_1_1(text),
        _ => None,
    };
    let is_text = matches!(data, Data::String(_)) && yaml_1_1.is_none();
    let unquoted = (!is_text).then(|| Unquoted { text: text.to_owned(), yaml_1_1 });
    (data, unquoted)
}

fn resolve_1_2(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Data::String(text.to_owned()), Data::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(unsigned(digits)?, 16).ok().map(Number::from);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || has_leading_zero(digits) {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
        if let Ok(whole) = whole {
            return Some(whole);
        }
    }
    is_float(digits).then(|| text.parse().ok().and_then(Number::from_f64)).flatten()
}

/// `from_str_radix` would take a sign.
fn unsigned(digits: &str) -> Option<&str> {
    (!digits.starts_with(['+', '-'])).then_some(digits)
}

/// YAML 1.1 reads `010` as eight and YAML 1.2 as ten: neither is taken.
fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit()
}

/// `[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?` with a digit before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

fn more_than_text_in_1_1(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if BOOLEANS_1_1.contains(&lower.as_str()) {
        return Some("a boolean");
    }
    if text == MERGE {
        return Some("a merge");
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    // YAML 1.1 permits `_` anywhere in a number, and numbers to the base of sixty.
    let digits = lower.replace('_', "");
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    let number = match digits.get(..2) {
        Some("0x" | "0b" | "0o") => digits[2..].bytes().all(|byte| byte.is_ascii_hexdigit()),
        _ => is_float(&digits.replace(':', "")),
    };
    let named = matches!(digits, ".inf" | ".nan");
    (number || named).then_some("a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> String {
        match resolve(text).0 {
            Data::Null => "null".into(),
            Data::Bool(value) => value.to_string(),
            Data::Number(number) => format!("number {number}"),
            Data::String(text) => format!("text {text}"),
            _ => unreachable!("a scalar"),
        }
    }

    #[test]
    fn scalars_resolve_by_the_core_schema_of_yaml_1_2() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("nULL", "text nULL"),
            ("true", "true"),
            ("FALSE", "false"),
            ("tRue", "text tRue"),
            ("0", "number 0"),
            ("-12", "number -12"),
            ("+12", "number 12"),
            ("18446744073709551615", "number 18446744073709551615"),
            ("0x1F", "number 31"),
            ("0x+1", "text 0x+1"),
            ("1.5", "number 1.5"),
            (".5", "number 0.5"),
            ("1e3", "number 1000.0"),
            ("1e", "text 1e"),
            (".", "text ."),
            ("-", "text -"),
            ("1e999", "text 1e999"),
            ("10/minute", "text 10/minute"),
            ("1m", "text 1m"),
            ("yes", "text yes"),
            ("args.x == 1", "text args.x == 1"),
        ] {
            assert_eq!(data(text), expected, "{text}");
        }
    }

    #[test]
    fn what_yaml_1_1_takes_for_more_than_text_is_marked() {
        for text in [
            "y", "N", "yes", "On", "OFF", "010", "-07", "1_000", "0b11", "0o17", "1:30", "-_3", "2e6_", "<<", ".inf",
            "-.Inf", ".NaN",
        ] {
            let (data, unquoted) = resolve(text);
            assert!(matches!(data, Data::String(_)), "{text}");
            assert!(unquoted.is_some_and(|unquoted| unquoted.yaml_1_1.is_some()), "{text}");
        }
    }

    #[test]
    fn plain_words_are_text_to_every_reader() {
        for text in [
            "Deny",
            "get_*",
            "s3://bucket/",
            "1m",
            "1d",
            "90s",
            "10/minute",
            "10.0.0.1",
            "reeve.dev/v1alpha1",
            "yes please",
            "nope",
        ] {
            assert_eq!(resolve(text).1, None, "{text}");
        }
    }
}
