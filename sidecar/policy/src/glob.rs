//! Patterns that select tools, prompts, resources and server URLs, and sets of them that are matched in one walk.
//!
//! Names: `*` stands for any run of characters, everything else for itself, matched on the whole decoded name. URIs: `*`
//! stops at `/`, `**` crosses it. Used by [`crate::compile`] (rules → [`Set`]) and by the choice of policies that govern.
//!
//! | part | does |
//! |---|---|
//! | `chunk` | matches one pattern, in time linear in the text |
//! | `set` | matches many at once |
//! | `uri` | the canonical form of URIs |
//! | `satisfiable` | whether a pattern can match anything |

mod chunk;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod satisfiable;
mod set;
#[cfg(test)]
mod tests;
mod uri;

use chunk::Chunk;
pub use set::Set;
pub use uri::{alike, is_canonical_uri, is_unreserved, may_begin_canonical_uri, unescaped};
pub(crate) use uri::{check_path, is_dots};

/// How `*` behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Tool and prompt names: `*` is any run of characters.
    Name,
    /// URIs: `*` is any run of characters but `/`, `**` any run at all. What is matched is to be canonical
    /// ([`is_canonical_uri`]), and made [`alike`] as patterns are: a pattern is refused that can only match what is not.
    Uri,
}

/// One pattern. Case counts, and there are no escapes: a `*` in a name can be matched, but not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// What stands between the runs of any characters; a single one if there are none.
    chunks: Box<[Chunk]>,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is empty.
    #[error("an empty pattern matches nothing: write a name, or * for every one")]
    Empty,
    /// The pattern can match nothing that may exist: a reason for people.
    #[error("`{pattern}` can match nothing: {why}")]
    MatchesNothing {
        /// The pattern.
        pattern: String,
        /// Why, and what to write.
        why: &'static str,
    },
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it can match nothing.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let why = match dialect {
            Dialect::Name => satisfiable::name_fault(text),
            Dialect::Uri => satisfiable::uri_fault(text),
        };
        match why {
            Some(why) => Err(PatternError::MatchesNothing { pattern: text.escape_debug().to_string(), why }),
            None => {
                let text = if dialect == Dialect::Uri { alike(text) } else { text.into() };
                Ok(Self { chunks: chunk::split(&text, dialect), text: text.into() })
            }
        }
    }

    /// The pattern as it is compared.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name that this pattern stands for, if it has no `*`.
    pub fn exact(&self) -> Option<&str> {
        (!self.text.contains('*')).then_some(&*self.text)
    }

    /// Whether the whole of `text` matches. Takes time linear in the text for a name, and for a URI at worst the product of
    /// the lengths.
    pub fn matches(&self, text: &str) -> bool {
        self.chunks.iter().try_fold(0, |from, chunk| chunk.find(text, from)).is_some()
    }

    /// What stands before the first `*`: every match begins with it.
    fn prefix(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// Whether everything that begins with the prefix matches.
    fn is_prefix_only(&self) -> bool {
        self.chunks.len() == 2 && self.chunks[0].is(self.prefix()) && self.chunks[1].is("")
    }
}
