//! Strict JSON: one pass over the bytes to a flat tape, and values that read from it.
//!
//! A body is parsed once, checked for everything in which JSON parsers differ, decided on, and forwarded byte for byte.
//! There is no tree of values: a [`Value`] is an index into the tape of its [`Document`], and strings are decoded only when
//! read. Used by the proxy (requests, responses), by [`crate::expr`], [`crate::schema`] and [`crate::load`].

use std::borrow::Cow;

use bytes::Bytes;

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
    #[error("data after the document")]
    TrailingData,
}

/// A parsed document. Owns its bytes, so that it can move to a worker thread.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    tape: Vec<u64>,
}

impl Document {
    /// Parses exactly one JSON document.
    ///
    /// # Errors
    /// The first thing wrong, and where.
    pub fn parse(bytes: Bytes, limits: Limits) -> Result<Self, ParseError> {
        let _ = (bytes, limits);
        todo!()
    }

    /// The whole document's value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, node: 0 }
    }

    /// The bytes that were parsed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "JSON's own words")]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A number, as exactly as Rust's own types can hold it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number written without fraction or exponent that fits.
    Int(i64),
    /// A whole number above `i64::MAX` that fits.
    UInt(u64),
    /// Any other.
    Float(f64),
}

/// A value of a document; as cheap to copy as a reference.
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    document: &'d Document,
    node: usize,
}

impl<'d> Value<'d> {
    /// What the value is.
    pub fn kind(self) -> Kind {
        todo!()
    }

    /// True or false.
    pub fn as_bool(self) -> Option<bool> {
        todo!()
    }

    /// The number.
    pub fn as_number(self) -> Option<Number> {
        todo!()
    }

    /// The decoded string; borrowed from the document where it has no escapes.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        todo!()
    }

    /// How many elements or members; 0 for scalars.
    pub fn len(self) -> usize {
        todo!()
    }

    /// Whether there are no elements or members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of this (decoded) name.
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        let _ = key;
        todo!()
    }

    /// The elements of an array, in order; none for anything else.
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        std::iter::empty()
    }

    /// The members of an object, in order, keys decoded; none for anything else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        std::iter::empty()
    }

    /// The value exactly as it was written.
    pub fn raw(self) -> &'d [u8] {
        todo!()
    }

    /// Where the value begins and ends in the document's bytes.
    pub fn span(self) -> std::ops::Range<usize> {
        todo!()
    }
}
