//! Patterns that select tools, prompts, resources and server URLs, and sets of them that are matched in one walk.
//!
//! Names: `*` stands for any run of characters, everything else for itself, matched on the whole decoded name. URIs: `*`
//! stops at `/`, `**` crosses it. Used by [`crate::compile`] (rules → [`Set`]) and by the choice of policies that govern.

/// How `*` behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Tool and prompt names: `*` is any run of characters.
    Name,
    /// URIs: `*` stops at `/`, `**` crosses it.
    Uri,
}

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    // Replaced by the implementation.
    text: String,
    dialect: Dialect,
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
        let _ = (text, dialect);
        todo!()
    }

    /// The name that this pattern stands for, if it has no `*`.
    pub fn exact(&self) -> Option<&str> {
        todo!()
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let _ = (text, &self.text, self.dialect);
        todo!()
    }
}

/// Many patterns, each with a number, matched together: exact names by hash, the rest by a trie over their fixed prefix.
/// The cost of a look-up does not grow with the number of patterns that do not match.
#[derive(Clone, Debug, Default)]
pub struct Set {}

impl Set {
    /// A set of these patterns; several may carry the same number.
    pub fn new(patterns: impl IntoIterator<Item = (Pattern, u32)>) -> Self {
        let _ = patterns.into_iter();
        todo!()
    }

    /// The numbers of all patterns that match, ascending, each once, appended to `into`.
    pub fn matches(&self, text: &str, into: &mut Vec<u32>) {
        let _ = (text, into);
        todo!()
    }
}

/// Whether a URI is in canonical form (RFC 3986 section 6.2.2): lower-case scheme and host, no `.` or `..` segment, no escape of an
/// unreserved character, upper-case escapes, no control characters, no backslash, no user information, no default port. Only such a
/// URI is matched against `resources`, so that two spellings of one resource cannot be told apart by a server alone.
pub fn is_canonical_uri(uri: &str) -> bool {
    let _ = uri;
    todo!()
}
