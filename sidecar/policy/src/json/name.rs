//! Names that are looked for among an object's keys, and keys that another parser may take for one.
//!
//! Names are folded once. A key is compared with all of them at a time and no further than where it differs from each: however
//! many names there are, going through a document's keys takes time linear in its bytes, and no memory.

use super::{fold, text};

/// A name. In their order, those that other parsers take for one another stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    folded: Box<str>,
    written: Box<str>,
}

impl Name {
    /// Folds a name.
    pub fn new(name: &str) -> Self {
        Self { folded: fold::in_one_case(name).into(), written: name.into() }
    }

    /// The name as it is.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// The key of a member, not yet decoded.
#[derive(Clone, Copy)]
pub struct Key<'d> {
    content: &'d [u8],
    has_escapes: bool,
}

impl<'d> Key<'d> {
    pub(super) fn new(content: &'d [u8], has_escapes: bool) -> Self {
        Self { content, has_escapes }
    }

    /// How many bytes it takes in the document.
    pub fn written_len(self) -> usize {
        self.content.len()
    }

    /// Whether the key, decoded, is `name`.
    pub fn is(self, name: &str) -> bool {
        if self.has_escapes { text::equals(text::utf8(self.content), name) } else { self.content == name.as_bytes() }
    }

    /// Whether the key is `name`, or what another parser may take for it.
    #[inline]
    pub fn is_like(self, name: &str) -> bool {
        let both = || self.content.iter().zip(name.as_bytes());
        let differ = both().position(|(one, other)| !is_plain(*one) || !one.eq_ignore_ascii_case(other));
        let alike = match differ {
            Some(at) if is_plain(self.content[at]) && is_plain(name.as_bytes()[at]) => return false,
            Some(at) => at,
            None => both().len(),
        };
        self.folds_to(name, alike)
    }

    /// Whether the key folds as the name does from a byte on up to which they are alike, letter by letter.
    #[inline(never)]
    fn folds_to(self, name: &str, from: usize) -> bool {
        fold::folded(text::chars(&self.content[from..])).eq(fold::folded(name[from..].chars()))
    }

    /// Of entries in the order of their names, those whose name is the key or what another parser may take for it.
    pub fn alike<T>(self, entries: &[T], name: impl Fn(&T) -> &Name) -> &[T] {
        // Among one there is nothing to search.
        if let [only] = entries {
            return if self.is_like(name(only).as_str()) { entries } else { &[] };
        }
        let mut search = Search { entries, at: 0, name };
        for (at, &byte) in self.content.iter().enumerate() {
            if is_plain(byte) {
                if !search.narrow(byte.to_ascii_lowercase()) {
                    return &[];
                }
                continue;
            }
            let mut buffer = [0; 4];
            for character in fold::folded(text::chars(&self.content[at..])) {
                if !character.encode_utf8(&mut buffer).bytes().all(|byte| search.narrow(byte)) {
                    return &[];
                }
            }
            break;
        }
        search.ended()
    }
}

/// Whether a byte of a key stands for itself and, but for its case, folds to itself.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && byte != b'\\' && byte != 0
}

/// Those of some entries, in the order of their names, whose folded name begins as a folded key does.
struct Search<'n, T, N> {
    entries: &'n [T],
    /// How many bytes of the key were read.
    at: usize,
    name: N,
}

impl<'n, T, N: Fn(&T) -> &Name> Search<'n, T, N> {
    /// Goes on to the key's next byte; false if nothing is left.
    fn narrow(&mut self, byte: u8) -> bool {
        let here = |entry: &T| (self.name)(entry).folded.as_bytes().get(self.at).copied();
        let from = self.entries.partition_point(|entry| here(entry) < Some(byte));
        let rest = &self.entries[from..];
        self.entries = &rest[..rest.partition_point(|entry| here(entry) == Some(byte))];
        self.at += 1;
        !self.entries.is_empty()
    }

    /// What is left at the key's end.
    fn ended(self) -> &'n [T] {
        let ends = |entry: &T| (self.name)(entry).folded.len() == self.at;
        &self.entries[..self.entries.partition_point(ends)]
    }
}
