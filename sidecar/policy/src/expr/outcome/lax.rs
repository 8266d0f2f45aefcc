//! What a server whose reading of arguments is lax makes of a text that it wants to be a number, or true or false.
//!
//! `"5"`, `"05"`, `" +5.0"`, `"5_0"`, `"0x5"`, `"0xap-1"`, `"yes"`: the spellings that some reader takes, all together, and of
//! Python's `int`, pydantic, JavaScript's `Number` and Go's `strconv` in particular. As a counter's key is never two where a server sees
//! one, taking in too many of them costs an agent calls, and never permits any.

/// The digit zero of every script that has decimal digits; one to nine follow each.
const ZEROS: [char; 66] = [
    '0',
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e950}',
    '\u{1fbf0}',
];

/// Texts for true and for false.
const TRUE: [&str; 5] = ["true", "t", "yes", "y", "on"];
const FALSE: [&str; 5] = ["false", "f", "no", "n", "off"];

/// The number that a text may be read as; 1 and 0 for true and false.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match text {
        // JavaScript's `Number` of nothing.
        "" => Some(0.0),
        _ if is(&TRUE) => Some(1.0),
        _ if is(&FALSE) => Some(0.0),
        _ => decimal(text).or_else(|| of_another_base(text)),
    }
}

/// White space to any of them: Unicode's, the separators that Python takes for it, and the byte order mark of JavaScript.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}' | '\u{feff}')
}

fn decimal(text: &str) -> Option<f64> {
    let mut plain = String::new();
    for character in text.chars().filter(|character| *character != '_') {
        plain.push(match character {
            '0'..='9' | '.' | '+' | '-' | 'e' | 'E' => character,
            _ => digit(character)?,
        });
    }
    // What overflows is no value to a server, and may be a hash such as `12e4567`.
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The ASCII digit that a digit of another script stands for.
fn digit(character: char) -> Option<char> {
    let script = ZEROS.partition_point(|zero| *zero <= character).checked_sub(1)?;
    char::from_digit(u32::from(character) - u32::from(ZEROS[script]), 10)
}

/// `0x1f`, `0o17`, `0b11`, as JavaScript and Go write them, and `0x1.fp4` as Go does.
fn of_another_base(text: &str) -> Option<f64> {
    let (text, sign) = match text.strip_prefix('-') {
        Some(text) => (text, -1.0),
        None => (text.strip_prefix('+').unwrap_or(text), 1.0),
    };
    let (prefix, digits) = text.split_at_checked(2)?;
    let base = match prefix {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => return None,
    };
    let digits = digits.replace('_', "");
    #[allow(clippy::cast_precision_loss, reason = "servers that read doubles round alike")]
    let whole = u128::from_str_radix(&digits, base).ok().map(|number| number as f64);
    whole.or_else(|| (base == 16).then(|| with_binary_exponent(&digits)).flatten()).map(|number| sign * number)
}

/// `1.fp4`: hexadecimal digits times a power of two.
fn with_binary_exponent(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() && digits.len() < 2 {
        return None;
    }
    let mut number = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent = exponent.parse::<i64>().ok()?.checked_sub(4 * i64::try_from(fraction.len()).ok()?)?;
    let number = number * 2_f64.powi(i32::try_from(exponent).ok()?);
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_of_every_script_is_read() {
        for zero in ZEROS {
            for value in 0..10 {
                let character = char::from_u32(u32::from(zero) + value).expect("a character");
                assert!(character.is_numeric(), "{character:?}");
                assert_eq!(number(&format!(" {character}")), Some(f64::from(value)), "{character:?}");
            }
        }
        assert!(ZEROS.is_sorted());
        for other in ["\u{2167}", "\u{b2}", "\u{2f}", "\u{3a}", "\u{66a}"] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_some_reader_takes_for_a_number_is_that_number() {
        for text in [
            "7",
            " 07",
            "+7",
            "7.0",
            "7.",
            "0.7e1",
            "70E-1",
            "\u{a0}7\n",
            "\u{feff}7",
            "\u{1c}7",
            "0x7",
            "0b1_11",
            "0x7p0",
            "0X0e.0p-1",
            "+0x.e00p3",
            "0x_7p+0",
        ] {
            assert_eq!(number(text), Some(7.0), "{text:?}");
        }
        for (text, value) in [("1_000", 1e3), ("-0X1f", -31.0), ("", 0.0), ("\t", 0.0), ("YES", 1.0), ("Off", 0.0)] {
            assert_eq!(number(text), Some(value), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_texts() {
        for text in [
            "a", "7a", "7 0", "1.2.3", "inf", "NaN", "Infinity", "-", ".", "e", "0x", "0xg", "1,000", "12e4567",
            "0xp1", "0x.p1", "0x1p", "0x1pf", "0x1p9999", "yess", "é7",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }
}
