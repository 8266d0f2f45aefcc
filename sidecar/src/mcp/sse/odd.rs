//! What some readers take for line ends, or pass over, and the standard does not.
//!
//! Readers that split as their language does (`str.splitlines` of Python, and what is built on it) end lines at such
//! characters too; readers that decode each chunk by itself drop a byte order mark wherever it begins one. They would find other
//! events in a stream than the scanner does, so that a server could hide some from it: none of these characters passes. In JSON
//! they stand only in strings, where each can be written as an escape.

use std::borrow::Cow;

/// Whether a text holds one.
pub fn has_odd_character(text: &[u8]) -> bool {
    next(text).is_some()
}

/// The same JSON, with an escape in the place of each.
pub(super) fn escape(json: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut found) = next(json) else { return Cow::Borrowed(json) };
    let (mut escaped, mut rest) = (Vec::with_capacity(json.len() + 16), json);
    loop {
        escaped.extend_from_slice(&rest[..found.at]);
        escaped.extend_from_slice(format!("\\u{:04x}", found.code).as_bytes());
        rest = &rest[found.at + found.length..];
        match next(rest) {
            Some(another) => found = another,
            None => break,
        }
    }
    escaped.extend_from_slice(rest);
    Cow::Owned(escaped)
}

struct Found {
    at: usize,
    length: usize,
    code: u32,
}

fn next(text: &[u8]) -> Option<Found> {
    let begins = |byte: &u8| matches!(byte, 0x0b | 0x0c | 0x1c..=0x1e | 0xc2 | 0xe2 | 0xef);
    let mut from = 0;
    while let Some(next) = text[from..].iter().position(begins) {
        let at = from + next;
        match text[at..] {
            [0xc2, 0x85, ..] => return Some(Found { at, length: 2, code: 0x85 }),
            [0xe2, 0x80, 0xa8, ..] => return Some(Found { at, length: 3, code: 0x2028 }),
            [0xe2, 0x80, 0xa9, ..] => return Some(Found { at, length: 3, code: 0x2029 }),
            [0xef, 0xbb, 0xbf, ..] => return Some(Found { at, length: 3, code: 0xfeff }),
            [control, ..] if control < 0x20 => return Some(Found { at, length: 1, code: control.into() }),
            _ => from = at + 1,
        }
    }
    None
}
