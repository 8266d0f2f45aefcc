//! Lists without what policy hides.
//!
//! The items that stay keep their bytes: a filtered answer is the server's answer with pieces cut out. Cursors and pages
//! that have become empty stay, since a cursor is how the agent reaches the next page. What is not understood is an error,
//! and the list does not pass.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use reeve_policy::json::{Document, Key, Kind, Value};

use super::envelope::Envelope;
use super::method::List;
use super::version::Era;

/// Why a list cannot be filtered. The texts go on after "the server's answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The result has no such list.
    #[error("has no array `{0}` in its result")]
    NoArray(&'static str),
    /// An item does not say what it is.
    #[error("holds an item of `{0}` without a name that can be read")]
    NoName(&'static str),
    /// A key could be read as another one.
    #[error("holds a key that differs only in case from `{0}`")]
    CaseVariant(&'static str),
}

/// One item of a list.
#[derive(Clone, Debug)]
pub struct Item<'d> {
    /// What kind of list it stands in.
    pub list: List,
    /// What calls name it by: a tool's or prompt's name, a resource's URI, a template's, a task's id.
    pub name: Cow<'d, str>,
}

impl List {
    /// Every kind of list.
    pub const ALL: [Self; 5] = [Self::Tools, Self::Resources, Self::ResourceTemplates, Self::Prompts, Self::Tasks];

    /// The member of a result that is the list, and the member of an item by which it is called.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Tools => ("tools", "name"),
            Self::Resources => ("resources", "uri"),
            Self::ResourceTemplates => ("resourceTemplates", "uriTemplate"),
            Self::Prompts => ("prompts", "name"),
            Self::Tasks => ("tasks", "taskId"),
        }
    }

    /// Whether a member of a result is this list, or something that a reader could take for it. No other result of the protocol
    /// has one.
    fn is_at(self, key: Key<'_>) -> bool {
        let (array, _) = self.keys();
        key.is_like(array)
    }

    /// The list that this result is, judged by its content: for results of requests that nobody remembers, such as those
    /// of a stream that is resumed after a restart.
    pub fn looks_like(result: Value<'_>) -> Option<Self> {
        let number = |key: Key<'_>| Self::ALL.iter().position(|list| list.is_at(key));
        result.keyed().filter_map(|(key, _)| number(key)).min().map(|number| Self::ALL[number])
    }
}

/// The message `document`, whose result is this kind of list, without the items that `keep` does not keep. None if nothing
/// changes: the message is then relayed as it is, as is one that is an error. Other lists that stand in the result are
/// filtered with it.
///
/// In the modern era the result is made uncacheable (`ttlMs: 0`, `cacheScope: "private"`) even if nothing is cut out,
/// because what the list holds depends on a policy that may change. In the legacy era nothing is added.
///
/// # Errors
/// If the result is not understood. The proxy then answers the request with an error.
pub fn filter<'d>(
    document: &'d Document,
    envelope: &Envelope<'d>,
    list: List,
    era: Era,
    keep: &mut dyn FnMut(&Item<'d>) -> bool,
) -> Result<Option<Bytes>, ListError> {
    let Some(result) = envelope.result() else {
        return Ok(None);
    };
    let has = |list: List| result.keyed().any(|(key, _)| list.is_at(key));
    let mut edits = Edits::default();
    for list in List::ALL.into_iter().filter(|other| *other == list || has(*other)) {
        cut(result, list, keep, &mut edits)?;
    }
    if era == Era::Modern {
        make_uncacheable(result, &mut edits)?;
    }
    Ok(edits.apply(document.bytes()))
}

/// Cuts out of one list what is not kept.
fn cut<'d>(
    result: Value<'d>,
    list: List,
    keep: &mut dyn FnMut(&Item<'d>) -> bool,
    edits: &mut Edits,
) -> Result<(), ListError> {
    let (array_key, name_key) = list.keys();
    let array = unambiguous(result, array_key)?.filter(|array| array.kind() == Kind::Array);
    let array = array.ok_or(ListError::NoArray(array_key))?;
    let mut kept = Vec::new();
    let mut hidden = false;
    for definition in array.items() {
        let item = Item { list, name: name(definition, array_key, name_key)? };
        if keep(&item) {
            kept.push(definition.raw());
        } else {
            hidden = true;
        }
    }
    if hidden {
        let mut bytes = Vec::with_capacity(array.raw().len());
        bytes.push(b'[');
        bytes.extend_from_slice(&kept.join(&b','));
        bytes.push(b']');
        edits.push(array.span(), bytes);
    }
    Ok(())
}

/// The name of an item, if no reader can take another one for it.
fn name<'d>(item: Value<'d>, array_key: &'static str, name_key: &'static str) -> Result<Cow<'d, str>, ListError> {
    unambiguous(item, name_key)?.and_then(Value::as_str).ok_or(ListError::NoName(array_key))
}

/// The member of this name, if no other could be taken for it.
fn unambiguous<'d>(object: Value<'d>, key: &'static str) -> Result<Option<Value<'d>>, ListError> {
    if object.has_case_variant(key) {
        return Err(ListError::CaseVariant(key));
    }
    Ok(object.get(key))
}

/// Writes both hints, in place where they stand, else at the front of the result, which has at least its list.
fn make_uncacheable(result: Value<'_>, edits: &mut Edits) -> Result<(), ListError> {
    let front = result.span().start + 1;
    for (key, value) in [("ttlMs", "0"), ("cacheScope", "\"private\"")] {
        match unambiguous(result, key)? {
            Some(member) if member.raw() == value.as_bytes() => {}
            Some(member) => edits.push(member.span(), value.into()),
            None => edits.push(front..front, format!("\"{key}\":{value},").into_bytes()),
        }
    }
    Ok(())
}

/// Replacements in a document.
#[derive(Default)]
struct Edits(Vec<(Range<usize>, Vec<u8>)>);

impl Edits {
    fn push(&mut self, span: Range<usize>, bytes: Vec<u8>) {
        self.0.push((span, bytes));
    }

    fn apply(mut self, document: &Bytes) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|(span, _)| span.start);
        let mut out = Vec::with_capacity(document.len() + 64);
        let mut at = 0;
        for (span, bytes) in self.0 {
            out.extend_from_slice(&document[at..span.start]);
            out.extend_from_slice(&bytes);
            at = span.end;
        }
        out.extend_from_slice(&document[at..]);
        Some(out.into())
    }
}

#[cfg(test)]
mod tests;
