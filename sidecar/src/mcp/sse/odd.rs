//! What some readers take for line ends, or pass over, and the standard does not.
//!
//! Readers that split as their language does (`str.splitlines` of Python, and what is built on it) end lines at such
//! characters too; readers that decode each chunk by itself drop a byte order mark wherever it begins one. They would find other
//! events in a stream than the scanner does, so that a server could hide some from it: none of these characters passes. In JSON
//! they stand only in strings, where each can be written as an escape.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

/// Whether a text holds one.
pub fn has_odd_character(text: &[u8]) -> bool {
    Search::new(text).next().is_some()
}

/// The same JSON, with an escape in the place of each.
pub(super) fn escape(json: &[u8]) -> Cow<'_, [u8]> {
    let mut search = Search::new(json).peekable();
    if search.peek().is_none() {
        return Cow::Borrowed(json);
    }
    let (mut escaped, mut copied) = (Vec::with_capacity(json.len() + 16), 0);
    for found in search {
        escaped.extend_from_slice(&json[copied..found.at]);
        escaped.extend_from_slice(found.escape);
        copied = found.at + found.length;
    }
    escaped.extend_from_slice(&json[copied..]);
    Cow::Owned(escaped)
}

struct Found {
    at: usize,
    length: usize,
    escape: &'static [u8; 6],
}

/// Finds them in order, in one pass whatever the text is made of.
struct Search<'t> {
    text: &'t [u8],
    /// Where the next byte stands with which one may begin, of each of [`BEGINNINGS`]; the text's end for none.
    next: [usize; BEGINNINGS.len()],
}

type Find = fn(&[u8]) -> Option<usize>;

/// How the next byte is found with which one may begin.
const BEGINNINGS: [Find; 3] =
    [|text| memchr3(0xc2, 0xe2, 0xef, text), |text| memchr3(0x0b, 0x0c, 0x1c, text), |text| memchr2(0x1d, 0x1e, text)];

impl<'t> Search<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, next: BEGINNINGS.map(|find| find(text).unwrap_or(text.len())) }
    }

    /// The next byte with which one may begin.
    fn beginning(&mut self) -> Option<usize> {
        let (kind, &at) = self.next.iter().enumerate().min_by_key(|&(_, at)| at)?;
        let rest = self.text.get(at + 1..)?;
        self.next[kind] = BEGINNINGS[kind](rest).map_or(self.text.len(), |found| at + 1 + found);
        Some(at)
    }
}

impl Iterator for Search<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let at = self.beginning()?;
            let (length, escape) = match self.text[at..] {
                [0x0b, ..] => (1, br"\u000b"),
                [0x0c, ..] => (1, br"\u000c"),
                [0x1c, ..] => (1, br"\u001c"),
                [0x1d, ..] => (1, br"\u001d"),
                [0x1e, ..] => (1, br"\u001e"),
                [0xc2, 0x85, ..] => (2, br"\u0085"),
                [0xe2, 0x80, 0xa8, ..] => (3, br"\u2028"),
                [0xe2, 0x80, 0xa9, ..] => (3, br"\u2029"),
                [0xef, 0xbb, 0xbf, ..] => (3, br"\ufeff"),
                _ => continue,
            };
            return Some(Found { at, length, escape });
        }
    }
}
