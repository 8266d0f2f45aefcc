//! Where strings and numbers end, and whether they are what RFC 8259 allows. The inner loops of the parser.

use super::{ParseError, ParseErrorKind};

/// A string that was read over.
pub(super) struct Scanned {
    /// The byte after the closing quote.
    pub(super) end: usize,
    pub(super) escapes: bool,
}

/// How many bytes the escape of a code unit takes: `\uXXXX`.
pub(super) const UNIT: usize = 6;

/// Reads over what is left of a string from `at` on, which is after its opening quote or an escape. Most have no escapes: those
/// that have are left to a function of its own.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<Scanned, ParseError> {
    let at = plain_run(bytes, at);
    match bytes.get(at) {
        Some(b'"') => Ok(Scanned { end: at + 1, escapes: false }),
        _ => escaped(bytes, at),
    }
}

/// The same from an escape on, if there is one at `at`.
#[inline(never)]
fn escaped(bytes: &[u8], mut at: usize) -> Result<Scanned, ParseError> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(Scanned { end: at + 1, escapes: true }),
            Some(b'\\') => at = plain_run(bytes, escape(bytes, at)?),
            _ => return Err(fault(ParseErrorKind::Syntax, at)),
        }
    }
}

/// The first byte from `at` on that is not plain: a quote, a backslash, a control character, or the end.
fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        // The lowest high bit that is set is exact: borrows only disturb the bytes above it.
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = word ^ (ONES * b'"' as u64);
        let quote = quote.wrapping_sub(ONES) & !quote;
        let slash = word ^ (ONES * b'\\' as u64);
        let slash = slash.wrapping_sub(ONES) & !slash;
        let found = (control | quote | slash) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, ..0x20 | b'"' | b'\\')) {
        at += 1;
    }
    at
}

/// Reads over the escape whose backslash is at `at`, a surrogate pair as one.
fn escape(bytes: &[u8], at: usize) -> Result<usize, ParseError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(at + 2),
        Some(b'u') => {}
        _ => return Err(fault(ParseErrorKind::Syntax, at)),
    }
    match unit(bytes, at)? {
        0xDC00..=0xDFFF => Err(fault(ParseErrorKind::LoneSurrogate, at)),
        0xD800..=0xDBFF => {
            let second = at + UNIT;
            if bytes.get(second..second + 2) == Some(b"\\u".as_slice())
                && (0xDC00..=0xDFFF).contains(&unit(bytes, second)?)
            {
                Ok(second + UNIT)
            } else {
                Err(fault(ParseErrorKind::LoneSurrogate, at))
            }
        }
        _ => Ok(at + UNIT),
    }
}

/// The code unit of the `\uXXXX` whose backslash is at `at`.
fn unit(bytes: &[u8], at: usize) -> Result<u32, ParseError> {
    let digits = bytes.get(at + 2..at + 6).ok_or(fault(ParseErrorKind::Syntax, at))?;
    digits.iter().try_fold(0, |unit, &digit| {
        let value = char::from(digit).to_digit(16).ok_or(fault(ParseErrorKind::Syntax, at))?;
        Ok(unit << 4 | value)
    })
}

/// A number that was read over.
pub(super) struct Numeral {
    /// The byte after it.
    pub(super) end: usize,
    /// Whether it has a fraction or an exponent.
    pub(super) fractional: bool,
}

/// Reads over a number that starts at `start` with a minus or a digit.
pub(super) fn number(bytes: &[u8], start: usize) -> Result<Numeral, ParseError> {
    let first = start + usize::from(bytes[start] == b'-');
    let whole = digits(bytes, first)?;
    if bytes[first] == b'0' && whole > first + 1 {
        return Err(fault(ParseErrorKind::Number, start));
    }
    let mut end = whole;
    let mut exponent = whole..whole;
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        let from = end + 1 + usize::from(signed);
        end = digits(bytes, from)?;
        exponent = from..end;
    }
    // 200 digits and a power of ten below 100 are far from the largest f64, about 1.8e308.
    let surely_finite = whole - first <= 200 && exponent.len() <= 2;
    if !surely_finite && !is_finite(&bytes[start..end]) {
        return Err(fault(ParseErrorKind::Number, start));
    }
    Ok(Numeral { end, fractional: end > whole })
}

/// The byte after the digits at `at`, of which there must be one.
fn digits(bytes: &[u8], at: usize) -> Result<usize, ParseError> {
    let mut end = at;
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if end == at { Err(fault(ParseErrorKind::Number, at)) } else { Ok(end) }
}

fn is_finite(number: &[u8]) -> bool {
    std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

pub(super) fn fault(kind: ParseErrorKind, offset: usize) -> ParseError {
    ParseError { kind, offset }
}
