//! JSON files → [`Node`]s, through the strict parser that also reads calls.

use bytes::Bytes;

use super::Finding;
use super::node::{Data, MAX_DEPTH, MAX_NODES, Mark, Member, Node};
use crate::json::{Document, Kind, Limits, Number, ParseError, ParseErrorKind, Value};

/// Why a file was not read as JSON.
pub(super) enum Failure {
    /// It is not JSON; it may be YAML.
    NotJson(Finding),
    /// It is JSON that no other reading mends.
    Refused(Finding),
}

/// Reads a file of one JSON document.
///
/// # Errors
/// The first thing wrong.
pub(super) fn read(text: &str) -> Result<Node, Failure> {
    let limits = Limits { depth: MAX_DEPTH, tokens: MAX_NODES };
    let document =
        Document::parse(Bytes::copy_from_slice(text.as_bytes()), limits).map_err(|error| fail(text, error))?;
    let mut cursor = Cursor { text, offset: 0, mark: Mark::START };
    Ok(node(document.root(), &mut cursor))
}

fn fail(text: &str, error: ParseError) -> Failure {
    let mark = mark_of(text, error.offset);
    match error.kind {
        ParseErrorKind::Syntax | ParseErrorKind::TrailingData => {
            Failure::NotJson(Finding::new(mark, String::new(), format!("this is not JSON: {}", error.kind)))
        }
        kind => Failure::Refused(Finding::new(mark, String::new(), kind.to_string())),
    }
}

/// The place of a byte offset.
pub(super) fn mark_of(text: &str, offset: usize) -> Mark {
    let mut cursor = Cursor { text, offset: 0, mark: Mark::START };
    cursor.advance(offset)
}

/// Turns ascending byte offsets into places in one pass over the text.
struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    mark: Mark,
}

impl Cursor<'_> {
    fn advance(&mut self, to: usize) -> Mark {
        let to = to.min(self.text.len());
        for byte in &self.text.as_bytes()[self.offset.min(to)..to] {
            match byte {
                b'\n' => self.mark = Mark { line: self.mark.line + 1, column: 1 },
                // Continuation bytes belong to the character before them.
                0x80..=0xBF => {}
                _ => self.mark.column += 1,
            }
        }
        self.offset = self.offset.max(to);
        self.mark
    }
}

fn node(value: Value<'_>, cursor: &mut Cursor<'_>) -> Node {
    let span = value.span();
    let mark = cursor.advance(span.start);
    let data = match value.kind() {
        Kind::Null => Data::Null,
        Kind::Bool => Data::Bool(value.as_bool().unwrap_or_default()),
        Kind::Number => Data::Number(number(value)),
        Kind::String => Data::String(value.as_str().unwrap_or_default().into_owned()),
        Kind::Array => Data::Array(value.items().map(|item| node(item, cursor)).collect()),
        Kind::Object => Data::Object(members(value, span.start, cursor)),
    };
    Node::new(mark, data)
}

fn number(value: Value<'_>) -> serde_json::Number {
    match value.as_number() {
        Some(Number::Int(value)) => value.into(),
        Some(Number::UInt(value)) => value.into(),
        Some(Number::Float(value)) => serde_json::Number::from_f64(value).unwrap_or_else(|| 0.into()),
        None => 0.into(),
    }
}

/// The tape keeps no place for keys: a key begins at the first quote after what stands before it.
fn members(object: Value<'_>, start: usize, cursor: &mut Cursor<'_>) -> Vec<Member> {
    let mut before = start + 1;
    let mut members = Vec::with_capacity(object.len());
    for (key, value) in object.members() {
        let quote = cursor.text.as_bytes()[before..].iter().position(|byte| *byte == b'"').unwrap_or(0);
        let mark = cursor.advance(before + quote);
        before = value.span().end;
        members.push(Member { mark, key: key.into_owned(), unquoted: None, value: node(value, cursor) });
    }
    members
}
