//! Lists without what policy hides.
//!
//! The items that stay keep their bytes: a filtered answer is the server's answer with pieces cut out. Cursors and pages
//! that have become empty stay, since a cursor is how the agent reaches the next page. What is not understood is an error,
//! and the list does not pass.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use reeve_policy::json::{Document, Kind, Value};

use super::envelope::{Envelope, is_case_variant};
use super::method::List;
use super::version::Era;

/// Why a list cannot be filtered. The texts go on after "the server's answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The result has no such list.
    #[error("has no array `{0}` in its result")]
    NoArray(&'static str),
    /// An item does not say what it is.
    #[error("holds an item of `{0}` without a name")]
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
    /// What calls name it by: a tool's or prompt's name, a resource's URI, a template's.
    pub name: Cow<'d, str>,
    /// The server's definition of it.
    pub definition: Value<'d>,
}

impl List {
    /// Every kind of list.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Resources, Self::ResourceTemplates, Self::Prompts];

    /// The member of a result that is the list, and the member of an item by which it is called.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Tools => ("tools", "name"),
            Self::Resources => ("resources", "uri"),
            Self::ResourceTemplates => ("resourceTemplates", "uriTemplate"),
            Self::Prompts => ("prompts", "name"),
        }
    }

    /// The list that this result is, judged by its content: for results of requests that nobody remembers, such as those
    /// of a stream that is resumed after a restart. No other result of the protocol has these arrays.
    pub fn looks_like(result: Value<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|list| {
            let array = result.get(list.keys().0);
            array.is_some_and(|array| array.kind() == Kind::Array)
        })
    }
}

/// The message `document`, whose result is this kind of list, without the items that `keep` does not keep. None if nothing
/// changes: the message is then relayed as it is, as is one that is an error.
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
    let (array_key, name_key) = list.keys();
    let found = Members::find(result, array_key)?;
    let array = found.array.filter(|array| array.kind() == Kind::Array).ok_or(ListError::NoArray(array_key))?;
    let mut edits = Edits::default();
    let mut kept = Vec::new();
    let mut hidden = false;
    for definition in array.items() {
        let item = Item { list, name: name(definition, array_key, name_key)?, definition };
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
    if era == Era::Modern {
        found.make_uncacheable(result, &mut edits);
    }
    Ok(edits.apply(document.bytes()))
}

/// The name of an item, if no reader can take another one for it.
fn name<'d>(item: Value<'d>, array_key: &'static str, name_key: &'static str) -> Result<Cow<'d, str>, ListError> {
    let mut name = None;
    for (key, value) in item.members() {
        if key == name_key {
            name = value.as_str();
        } else if is_case_variant(&key, name_key) {
            return Err(ListError::CaseVariant(name_key));
        }
    }
    name.ok_or(ListError::NoName(array_key))
}

/// The members of a result that matter to its filtering.
struct Members<'d> {
    array: Option<Value<'d>>,
    ttl: Option<Value<'d>>,
    scope: Option<Value<'d>>,
}

impl<'d> Members<'d> {
    fn find(result: Value<'d>, array_key: &'static str) -> Result<Self, ListError> {
        let mut found = Self { array: None, ttl: None, scope: None };
        for (key, value) in result.members() {
            for (known, slot) in
                [(array_key, &mut found.array), ("ttlMs", &mut found.ttl), ("cacheScope", &mut found.scope)]
            {
                if key == known {
                    *slot = Some(value);
                } else if is_case_variant(&key, known) {
                    return Err(ListError::CaseVariant(known));
                }
            }
        }
        Ok(found)
    }

    /// Writes both hints, in place where they stand, else at the front.
    fn make_uncacheable(&self, result: Value<'d>, edits: &mut Edits) {
        let front = result.span().start + 1;
        for (key, member, value) in [("ttlMs", self.ttl, "0"), ("cacheScope", self.scope, "\"private\"")] {
            match member {
                Some(member) if member.raw() == value.as_bytes() => {}
                Some(member) => edits.push(member.span(), value.into()),
                None => edits.push(front..front, format!("\"{key}\":{value},").into_bytes()),
            }
        }
    }
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
