//! Text for audit lines: JSON strings that are safe to print, and times.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;

use reeve_policy::time::WallTime;

/// Appends a JSON string, quotes included, of at most `limit` bytes; a longer text is cut and ends in `…`. `text`: UTF-8, which
/// is checked only where it matters.
///
/// Names come from agents and servers, and lines are read on terminals: control characters (C1 too) and the marks that
/// reverse the direction of text are written as escapes.
pub(super) fn push_string(out: &mut Vec<u8>, text: &(impl AsRef<[u8]> + ?Sized), limit: usize) {
    const CUT: &str = "…";
    let text = text.as_ref();
    if text.len() + 2 <= limit && is_all_plain(text) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    let end = out.len() + limit - 1;
    out.push(b'"');
    let mut safe = out.len();
    for character in String::from_utf8_lossy(text).chars() {
        let before = out.len();
        push_character(out, character);
        if out.len() > end {
            out.truncate(safe);
            out.extend_from_slice(CUT.as_bytes());
            break;
        }
        // Where the text can still be cut with room for the mark.
        if out.len() + CUT.len() <= end {
            safe = out.len();
        } else if before + CUT.len() <= end {
            safe = before;
        }
    }
    out.push(b'"');
}

/// Appends JSON that is already valid, with the characters that are not safe to print written as escapes. They can only stand
/// in its strings.
pub(super) fn push_json(out: &mut Vec<u8>, json: &str) {
    for character in json.chars() {
        if is_unsafe(character) {
            push_escape(out, character);
        } else {
            push_utf8(out, character);
        }
    }
}

fn push_character(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        _ if is_unsafe(character) => push_escape(out, character),
        _ => push_utf8(out, character),
    }
}

/// The bytes that stand for themselves: almost all names have no others.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

/// Looks at every byte, which takes less than to stop at the first one that is not plain.
fn is_all_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & PLAIN[usize::from(*byte)])
}

fn is_unsafe(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

fn push_utf8(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Every unsafe character is of the basic plane, so that one escape does.
fn push_escape(out: &mut Vec<u8>, character: char) {
    push_formatted(out, format_args!("\\u{:04x}", u32::from(character)));
}

/// Appends bytes as hexadecimal digits.
pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    for (pair, byte) in out[start..].chunks_exact_mut(2).zip(bytes) {
        (pair[0], pair[1]) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
    }
}

/// The most digits of a number.
const MOST_DIGITS: usize = 20;

/// Appends a number in decimal digits, with zeros before it if it has fewer than `least`. Each line has a dozen of them, for
/// which the formatting machinery would take longer than the rest of the line.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64, least: usize) {
    let mut digits = [b'0'; MOST_DIGITS];
    let mut start = MOST_DIGITS;
    while number > 0 {
        start -= 1;
        digits[start] = b"0123456789"[low_digit(number)];
        number /= 10;
    }
    out.extend_from_slice(&digits[start.min(MOST_DIGITS - least.clamp(1, MOST_DIGITS))..]);
}

#[allow(clippy::cast_possible_truncation, reason = "a digit is less than ten")]
fn low_digit(number: u64) -> usize {
    (number % 10) as usize
}

/// Appends formatted text; a `Vec` takes everything.
pub(super) fn push_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// Appends a time as RFC 3339, UTC, with microseconds: `2026-11-03T10:15:00.000001Z`.
pub(super) fn push_time(out: &mut Vec<u8>, time: WallTime) {
    let micros = time.0.div_euclid(1_000);
    let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, second / 3_600),
        (14..16, second / 60 % 60),
        (17..19, second % 60),
        (20..26, micros),
    ];
    for (place, number) in parts {
        // Of none of them is there a negative one: 64 bits of nanoseconds reach back to the year 1677.
        set_digits(&mut text[place], number.unsigned_abs());
    }
    out.extend_from_slice(&text);
}

/// Writes a number's last digits, as many as there is room for.
fn set_digits(room: &mut [u8], mut number: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789"[low_digit(number)];
        number /= 10;
    }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years are taken from March on, so that the
/// leap day is a year's last, and in eras of 400 years, which have 146,097 days each.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Eight hexadecimal digits that differ from run to run.
pub(super) fn random_hex() -> String {
    format!("{:08x}", RandomState::new().hash_one(0) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &str, limit: usize) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text, limit);
        String::from_utf8(out).unwrap()
    }

    fn time(nanos: i64) -> String {
        let mut out = Vec::new();
        push_time(&mut out, WallTime(nanos));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_rfc_3339_with_microseconds() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(1_793_701_999_999_999_999), "2026-11-03T10:33:19.999999Z");
        assert_eq!(time(951_782_400_000_001_000), "2000-02-29T00:00:00.000001Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_could_steer_a_terminal_or_break_a_line_is_escaped() {
        assert_eq!(
            string("a\n\u{1b}[2J\u{9b}\u{202e}\u{2028}\"\\é", 100),
            r#""a\u000a\u001b[2J\u009b\u202e\u2028\"\\é""#
        );
        let mut out = Vec::new();
        push_json(&mut out, "{\"a\":\"\u{9b}b\"}");
        assert_eq!(out, br#"{"a":"\u009bb"}"#);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(string("abcdefgh", 10), "\"abcdefgh\"");
        assert_eq!(string("abcdefghi", 10), "\"abcde…\"");
        assert_eq!(string("abcd\n\n", 10), "\"abcd…\"");
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 7, 10, 999_999, u64::MAX] {
            for least in [1, 3, 6] {
                let mut out = Vec::new();
                push_number(&mut out, number, least);
                assert_eq!(String::from_utf8(out).unwrap(), format!("{number:0least$}"));
            }
        }
    }

    #[test]
    fn bytes_are_two_digits_each() {
        let mut out = b"0x".to_vec();
        push_hex(&mut out, &[0, 0x0f, 0xa5, 0xff]);
        assert_eq!(out, b"0x000fa5ff");
    }

    proptest! {
        #[test]
        fn any_text_gives_valid_json_within_its_limit(text in "\\PC*|.*", limit in 8_usize..64) {
            let written = string(&text, limit);
            prop_assert!(written.len() <= limit);
            let read: String = serde_json::from_str(&written).unwrap();
            prop_assert!(text == read || text.starts_with(read.strip_suffix('…').unwrap()));
        }

        #[test]
        fn dates_follow_each_other_without_a_gap(day in -1_000_000_i64..1_000_000) {
            let (today, tomorrow) = (civil_from_days(day), civil_from_days(day + 1));
            let (year, month, date) = today;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month { 4 | 6 | 9 | 11 => 30, 2 => 28 + i64::from(leap), _ => 31 };
            let expected = match (month, date) {
                (12, 31) => (year + 1, 1, 1),
                (_, date) if date == length => (year, month + 1, 1),
                _ => (year, month, date + 1),
            };
            prop_assert_eq!(tomorrow, expected);
        }
    }
}
