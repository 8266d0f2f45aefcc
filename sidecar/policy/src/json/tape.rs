//! The tape: a document's values in the order they were written, one word for a scalar or key, two for a container.
//!
//! ```text
//! first word   63    62..60  59..30  29..0
//!              mark  kind    start   length       in bytes of the document, quotes and brackets included
//! second word  63..32                    31..0
//!              elements or members       the node after the container's last one
//! ```
//!
//! What the mark says depends on the kind: a string has escapes, a number has a fraction or an exponent, a boolean is true,
//! an object has an index of its keys ([`super::keys`]) and its second word says where instead of how many. A string in which half a
//! surrogate pair was mended is of a kind of its own.
//! While a container is still open, the second word holds its parent instead of the node after it: the parser's stack.

use super::Kind;

const FIELD: u32 = 30;
const FIELD_MASK: u64 = (1 << FIELD) - 1;
const MARK: u64 = 1 << 63;
/// Beside the code of a string: half a surrogate pair was mended in it.
const TORN: u64 = 4 << (2 * FIELD);

/// The longest document a tape can describe, in bytes.
pub(super) const MAX_BYTES: usize = (1 << FIELD) - 1;

/// The first word of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Self {
        let code: u64 = match kind {
            Kind::Null => 0,
            Kind::Bool => 1,
            Kind::Number => 2,
            Kind::String => 3,
            Kind::Array => 4,
            Kind::Object => 5,
        };
        Self(code << (2 * FIELD) | (start as u64) << FIELD | (end - start) as u64)
    }

    /// The same of a container that was just begun, and ends here.
    pub(super) fn ended(self, end: usize) -> Self {
        Self(self.0 | (end - self.start()) as u64)
    }

    pub(super) fn marked(self, mark: bool) -> Self {
        Self(if mark { self.0 | MARK } else { self.0 })
    }

    /// The same of a string that is torn.
    pub(super) fn torn(self) -> Self {
        Self(self.0 | TORN)
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 >> (2 * FIELD) & 7 {
            0 => Kind::Null,
            1 => Kind::Bool,
            2 => Kind::Number,
            3 | 7 => Kind::String,
            4 => Kind::Array,
            _ => Kind::Object,
        }
    }

    pub(super) fn is_torn(self) -> bool {
        self.0 >> (2 * FIELD) & 7 == 7
    }

    pub(super) fn is_container(self) -> bool {
        self.0 >> (2 * FIELD) & 6 == 4
    }

    pub(super) fn is_marked(self) -> bool {
        self.0 & MARK != 0
    }

    pub(super) fn start(self) -> usize {
        low(self.0 >> FIELD & FIELD_MASK)
    }

    pub(super) fn end(self) -> usize {
        self.start() + low(self.0 & FIELD_MASK)
    }

    /// The bytes between a string's quotes, escapes as they are written.
    pub(super) fn content(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start() + 1..self.end() - 1]
    }
}

/// The second word of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Elements or members; in an object with an index of its keys, where in the index it begins.
    pub(super) count: u32,
    /// The node after the container; its parent while it is open.
    pub(super) link: u32,
}

impl Extent {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.count) << 32 | u64::from(self.link)
    }

    #[allow(clippy::cast_possible_truncation, reason = "each half has 32 bits")]
    pub(super) fn unpack(word: u64) -> Self {
        Self { count: (word >> 32) as u32, link: word as u32 }
    }
}

/// The node after this one and all it holds.
pub(super) fn next(tape: &[u64], node: usize) -> usize {
    if Word(tape[node]).is_container() { Extent::unpack(tape[node + 1]).link as usize } else { node + 1 }
}

/// Narrows a number that is known to have at most 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "callers mask or bound it")]
pub(super) fn low(word: u64) -> usize {
    word as usize
}
