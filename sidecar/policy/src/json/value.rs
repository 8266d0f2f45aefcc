//! Values: what is read from a document, one at a time, when it is asked for.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::tape::{self, Extent, Word, low};
use super::{Document, Key, Number, keys, number, text};

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

/// A value of a document; as cheap to copy as a reference.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    node: usize,
}

impl<'d> Value<'d> {
    pub(super) fn at(document: &'d Document, node: usize) -> Self {
        Self { document, node }
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        self.word().kind()
    }

    /// Whether the value is null.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// True or false.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.word().is_marked())
    }

    /// The number.
    pub fn as_number(self) -> Option<Number> {
        (self.kind() == Kind::Number).then(|| number::read(text::utf8(self.raw()), self.is_fractional()))
    }

    /// The decoded string; borrowed from the document where it has no escapes. None if it is torn: readers differ in what it says.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        self.is_text().then(|| self.document.read(self.word()))
    }

    /// Whether the value is a string that, decoded, is `text`. Allocates nothing.
    pub fn is_str(self, text: &str) -> bool {
        self.is_text() && keys::is(&self.document.bytes, self.word(), text)
    }

    /// Whether the value is a string in which half of a surrogate pair stands alone ([`Document::parse_torn`]).
    pub fn is_torn(self) -> bool {
        self.word().is_torn()
    }

    fn is_text(self) -> bool {
        self.kind() == Kind::String && !self.word().is_torn()
    }

    /// How many elements or members; 0 for scalars.
    pub fn len(self) -> usize {
        match (self.extent(), self.word().is_marked()) {
            (None, _) => 0,
            (Some(extent), false) => extent.count as usize,
            (Some(extent), true) => low(self.document.index[extent.count as usize]),
        }
    }

    /// Whether there are no elements or members.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of this (decoded) name; none for anything but an object.
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let Document { bytes, tape, index, .. } = self.document;
        let key = if self.word().is_marked() {
            let from = self.extent()?.count as usize;
            keys::find(bytes, tape, &index[from + 1..=from + low(index[from])], key)
        } else {
            self.key_nodes().find(|&node| keys::is(bytes, Word(tape[node]), key))
        };
        key.map(|node| Self::at(self.document, node + 1))
    }

    /// The elements of an array, in order; none for anything else.
    pub fn items(self) -> Items<'d> {
        Items { document: self.document, nodes: self.inside(Kind::Array) }
    }

    /// The members of an object, in order, keys decoded; none for anything else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        self.key_nodes()
            .map(move |node| (self.document.read(Word(self.document.tape[node])), Self::at(self.document, node + 1)))
    }

    /// The members of an object, keys as they are written; none for anything else.
    pub fn keyed(self) -> impl Iterator<Item = (Key<'d>, Value<'d>)> {
        let Document { bytes, tape, .. } = self.document;
        self.key_nodes().map(move |node| {
            let key = Word(tape[node]);
            (Key::new(key.content(bytes), key.is_marked()), Self::at(self.document, node + 1))
        })
    }

    /// Whether an object has a member whose key is not `key`, but is what another parser may take for it: the same but for
    /// case (Unicode's, so that `ſ` is an `s` and the Kelvin sign a `k`), or for what follows a NUL character.
    pub fn has_case_variant(self, key: &str) -> bool {
        self.keyed().any(|(other, _)| other.is_like(key) && !other.is(key))
    }

    /// The value exactly as it was written, mended if it was torn.
    pub fn raw(self) -> &'d [u8] {
        &self.document.bytes[self.span()]
    }

    /// Where the value begins and ends in the document's bytes.
    pub fn span(self) -> Range<usize> {
        self.word().start()..self.word().end()
    }

    fn word(self) -> Word {
        Word(self.document.tape[self.node])
    }

    /// Whether a string is written with escapes.
    pub(super) fn has_escapes(self) -> bool {
        self.kind() == Kind::String && self.word().is_marked()
    }

    /// Whether a number is written with a fraction or an exponent.
    pub(super) fn is_fractional(self) -> bool {
        self.kind() == Kind::Number && self.word().is_marked()
    }

    /// The members of an object, in order, keys decoded, as bytes of UTF-8 that nobody need check again to compare them; none
    /// for anything else.
    pub fn members_as_bytes(self) -> impl Iterator<Item = (Cow<'d, [u8]>, Value<'d>)> {
        let Document { bytes, tape, .. } = self.document;
        self.key_nodes().map(move |node| {
            let key = Word(tape[node]);
            let content = key.content(bytes);
            let decoded =
                if key.is_marked() { text::decode(text::utf8(content)).into_bytes().into() } else { content.into() };
            (decoded, Self::at(self.document, node + 1))
        })
    }

    fn extent(self) -> Option<Extent> {
        self.word().is_container().then(|| Extent::unpack(self.document.tape[self.node + 1]))
    }

    /// The nodes inside a value of this kind; none inside any other.
    fn inside(self, kind: Kind) -> Range<usize> {
        match self.extent() {
            Some(extent) if self.kind() == kind => self.node + 2..extent.link as usize,
            _ => 0..0,
        }
    }

    /// The nodes of an object's keys; each value is the node after its key.
    fn key_nodes(self) -> impl Iterator<Item = usize> {
        let tape = &self.document.tape;
        let Range { start: mut node, end } = self.inside(Kind::Object);
        std::iter::from_fn(move || {
            let this = (node < end).then_some(node)?;
            node = tape::next(tape, this + 1);
            Some(this)
        })
    }
}

/// The elements of an array that are still to come.
#[derive(Clone, Debug)]
pub struct Items<'d> {
    document: &'d Document,
    nodes: Range<usize>,
}

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        let node = (!self.nodes.is_empty()).then_some(self.nodes.start)?;
        self.nodes.start = tape::next(&self.document.tape, node);
        Some(Value::at(self.document, node))
    }
}

impl Document {
    fn read(&self, string: Word) -> Cow<'_, str> {
        text::read(string.content(&self.bytes), string.is_marked())
    }
}

impl fmt::Debug for Value<'_> {
    /// Its kind and place alone: what a document says is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.span())
    }
}
