//! What a string says: its escapes read, piece by piece or all at once.

use std::borrow::Cow;

/// A part of a decoded string.
pub(super) enum Piece<'t> {
    /// Characters that stand for themselves.
    Run(&'t str),
    /// A character that was escaped.
    Char(char),
}

/// The pieces of what stands between a string's quotes. The parser has checked every escape.
pub(super) struct Pieces<'t>(pub(super) &'t str);

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let Some(escape) = self.0.strip_prefix('\\') else {
            let end = self.0.find('\\').unwrap_or(self.0.len());
            let (run, rest) = self.0.split_at(end);
            self.0 = rest;
            return (!run.is_empty()).then_some(Piece::Run(run));
        };
        let (character, length) = match escape.as_bytes().first()? {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'u' => code_point(escape)?,
            &other => (char::from(other), 1),
        };
        self.0 = escape.get(length..)?;
        Some(Piece::Char(character))
    }
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and how many bytes it takes.
fn code_point(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    match char::from_u32(first) {
        Some(character) => Some((character, 5)),
        None => {
            let low = unit(7)?.checked_sub(0xDC00)?;
            Some((char::from_u32(0x1_0000 + (first.checked_sub(0xD800)? << 10) + low)?, 11))
        }
    }
}

/// The characters of a string's content, decoded one by one: what is not read costs nothing.
pub(super) fn chars(content: &[u8]) -> impl Iterator<Item = char> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (this, after) = rest.split_at_checked(width(rest))?;
        rest = after;
        match Pieces(utf8(this)).next()? {
            Piece::Run(run) => run.chars().next(),
            Piece::Char(character) => Some(character),
        }
    })
}

/// How many bytes the first character takes, as it is written.
fn width(content: &[u8]) -> usize {
    match content {
        [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => 12,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        [0..=0x7F, ..] => 1,
        [0..=0xDF, ..] => 2,
        [0..=0xEF, ..] => 3,
        _ => 4,
    }
}

/// The whole string, decoded.
pub(super) fn decode(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    for piece in Pieces(content) {
        match piece {
            Piece::Run(run) => text.push_str(run),
            Piece::Char(character) => text.push(character),
        }
    }
    text
}

/// Whether the string, decoded, is `text`; without decoding it whole.
pub(super) fn equals(content: &str, text: &str) -> bool {
    let mut rest = text;
    for piece in Pieces(content) {
        let stripped = match piece {
            Piece::Run(run) => rest.strip_prefix(run),
            Piece::Char(character) => rest.strip_prefix(character),
        };
        match stripped {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// The decoded text of a string's content; borrowed if it has no escapes.
pub(super) fn read(content: &[u8], escapes: bool) -> Cow<'_, str> {
    let content = utf8(content);
    if escapes { Cow::Owned(decode(content)) } else { Cow::Borrowed(content) }
}

/// Bytes of a document that begin and end between characters. The parser has checked the document as a whole, so that this
/// cannot fail.
pub(super) fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
