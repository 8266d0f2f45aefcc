//! Matching one pattern without backtracking.
//!
//! A pattern is cut at its runs of any characters (`*` in a name, `**` in a URI) into chunks, and a chunk of a URI at each
//! `*` into pieces. It is enough to find for each chunk the match that ends first, for that leaves most to the next. Within
//! a chunk a `*` does not cross a `/`, so that if the pieces after the first do not follow one beginning, they follow no other
//! within the same segment of the text either: the search goes on in the next segment.

use super::Dialect;

/// Where an end of a chunk must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// At the text's own end.
    Fixed,
    /// Anywhere.
    Free,
}

/// Pieces of fixed text, with runs between them that do not cross a `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    first: Box<str>,
    others: Box<[Box<str>]>,
    from: Edge,
    to: Edge,
}

/// The chunks of a pattern, in order; at least one.
pub(super) fn split(text: &str, dialect: Dialect) -> Box<[Chunk]> {
    let parts: Vec<&str> = match dialect {
        Dialect::Name => text.split('*').collect(),
        Dialect::Uri => text.split("**").collect(),
    };
    let edge_if = |at_end: bool| if at_end { Edge::Fixed } else { Edge::Free };
    let chunk = |(at, part): (usize, &&str)| {
        let mut pieces = part.split('*').map(Box::from);
        Chunk {
            first: pieces.next().unwrap_or_default(),
            others: pieces.collect(),
            from: edge_if(at == 0),
            to: edge_if(at + 1 == parts.len()),
        }
    };
    parts.iter().enumerate().map(chunk).collect()
}

impl Chunk {
    /// Whether the chunk is this fixed text.
    pub(super) fn is(&self, text: &str) -> bool {
        self.others.is_empty() && *self.first == *text
    }

    /// Where the match that begins at `from` or later, and ends first, ends.
    pub(super) fn find(&self, text: &str, mut from: usize) -> Option<usize> {
        if self.from == Edge::Fixed {
            return if text[from..].starts_with(&*self.first) {
                self.follow(text, from + self.first.len())
            } else {
                None
            };
        }
        if self.to == Edge::Fixed && self.others.is_empty() {
            return text[from..].ends_with(&*self.first).then_some(text.len());
        }
        loop {
            let start = from + text[from..].find(&*self.first)?;
            if let Some(end) = self.follow(text, start + self.first.len()) {
                return Some(end);
            }
            from = start + text[start..].find('/')? + 1;
        }
    }

    /// Where the match ends of which the first piece ends at `end`.
    fn follow(&self, text: &str, mut end: usize) -> Option<usize> {
        for (at, piece) in self.others.iter().enumerate() {
            let segment_end = text[end..].find('/').map_or(text.len(), |length| end + length);
            let start = if self.to == Edge::Fixed && at + 1 == self.others.len() {
                text[end..].ends_with(&**piece).then(|| text.len() - piece.len())?
            } else {
                end + window(text, end, segment_end + piece.len()).find(&**piece)?
            };
            if start > segment_end {
                return None;
            }
            end = start + piece.len();
        }
        (self.to == Edge::Free || end == text.len()).then_some(end)
    }
}

/// The text from `start` to `end`, or to the end of the character that `end` is within.
fn window(text: &str, start: usize, end: usize) -> &str {
    let mut end = end.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    &text[start..end]
}
