//! Strict JSON: one pass over the bytes to a flat tape, and values that read from it.
//!
//! A body is parsed once, checked for everything in which JSON parsers differ, decided on, and forwarded byte for byte.
//! There is no tree of values: a [`Value`] is an index into the tape of its [`Document`], and strings are decoded only when
//! read. Used by the proxy (requests, responses), by [`crate::expr`], [`crate::schema`] and [`crate::load`].

mod canonical;
mod fold;
mod keys;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod name;
mod number;
mod parse;
mod scan;
mod tape;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::fmt;

use bytes::Bytes;

pub use canonical::{canonical, hash};
pub(crate) use fold::in_one_case;
pub use name::{Key, Name};
pub use number::Number;
pub use value::{Items, Kind, Value};

/// Bounds of one document.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The deepest nesting of arrays and objects.
    pub depth: usize,
    /// The most tokens: values and keys.
    pub tokens: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, tokens: 131_072 }
    }
}

/// Why bytes are not one strict JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, counted from the first byte.
    pub offset: usize,
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "each variant is its message")]
pub enum ParseErrorKind {
    #[error("the document is empty")]
    Empty,
    #[error("a byte order mark")]
    ByteOrderMark,
    #[error("not JSON")]
    Syntax,
    #[error("invalid UTF-8")]
    InvalidUtf8,
    #[error("a lone surrogate escape")]
    LoneSurrogate,
    #[error("a number out of range or not JSON")]
    Number,
    #[error("a key that occurs twice in one object")]
    DuplicateKey,
    #[error("nesting too deep")]
    TooDeep,
    #[error("too many values")]
    TooManyTokens,
    #[error("a document of more than 1 GiB")]
    TooLong,
    #[error("data after the document")]
    TrailingData,
}

/// What becomes of half a surrogate pair in a string that is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halves {
    /// The document is refused.
    Refused,
    /// U+FFFD takes its place.
    Mended,
}

/// A parsed document. Owns its bytes, so that it can move to a worker thread.
#[derive(Clone)]
pub struct Document {
    bytes: Bytes,
    /// See [`tape`]: every value, in the order they were written.
    tape: Vec<u64>,
    /// See [`keys`]: where the keys of large objects are.
    index: Vec<u64>,
    is_torn: bool,
}

impl Document {
    /// Parses exactly one JSON document, of any kind, as RFC 8259 has it and nothing beyond: no byte order mark, no comments,
    /// no NaN, and only the four white space bytes. Also refused is everything that two parsers read differently: a key that
    /// occurs twice in one object (compared decoded), an escaped surrogate without its other half, and a number that no `f64`
    /// can hold. Takes time linear in the bytes, but for sorting the keys of large objects.
    ///
    /// # Errors
    /// What is wrong, and where. Invalid UTF-8 is found first, then what comes first in the document; a duplicate key is
    /// found where its object ends, and located at the second of the two.
    pub fn parse(bytes: Bytes, limits: Limits) -> Result<Self, ParseError> {
        let parse::Parsed { tape, index, .. } = parse::parse(&bytes, limits, Halves::Refused)?;
        Ok(Self { bytes, tape, index, is_torn: false })
    }

    /// The same, but for strings in which half of a surrogate pair is escaped alone, as programs write that cut a text between two
    /// UTF-16 units. Readers make different things of one. So it is a string, but of no text that could be decided on:
    /// [`Value::as_str`] gives none. Nowhere else is half a pair accepted, in no key.
    ///
    /// The document's bytes, and what is taken from them, have U+FFFD in its place (`\ufffd`), which every reader reads alike.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_torn(bytes: Bytes, limits: Limits) -> Result<Self, ParseError> {
        let parse::Parsed { tape, index, mended } = parse::parse(&bytes, limits, Halves::Mended)?;
        let is_torn = mended.is_some();
        Ok(Self { bytes: mended.map_or(bytes, Bytes::from), tape, index, is_torn })
    }

    /// Whether half of a surrogate pair stands alone in a string.
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// The whole document's value.
    pub fn root(&self) -> Value<'_> {
        Value::at(self, 0)
    }

    /// The bytes that were parsed, mended if they were torn.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Debug for Document {
    /// Its size alone: what a document says is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}
