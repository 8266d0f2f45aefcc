//! What is true of any pattern and any text: for property tests, and for fuzzing.

use regex::Regex;

use super::{Dialect, Pattern, Set, alike, chunk, is_canonical_uri};

/// Checks that the pattern matches the text if and only if its regular expression does, alone and in a set, and
/// that a canonical URI is a pattern of itself.
///
/// # Panics
/// If it does not.
pub fn hold(pattern: &str, dialect: Dialect, text: &str) {
    // An expression too large to compile says nothing.
    let Ok(reference) = reference(pattern, dialect) else { return };
    let pattern = unchecked(pattern, dialect);
    let matches = reference.is_match(text);
    assert_eq!(pattern.matches(text), matches, "{pattern:?} {text:?}");
    let mut numbers = Vec::new();
    Set::new([(pattern, 1)]).matches(text, &mut numbers);
    assert_eq!(numbers.len(), usize::from(matches), "{text:?}");
    if !text.contains('*') {
        let of_itself = Pattern::parse(text, Dialect::Uri).is_ok_and(|pattern| pattern.matches(&alike(text)));
        assert_eq!(of_itself, is_canonical_uri(text), "{text:?}");
    }
}

/// The pattern, though it may match nothing that may exist.
pub(super) fn unchecked(text: &str, dialect: Dialect) -> Pattern {
    Pattern { text: text.into(), chunks: chunk::split(text, dialect) }
}

/// What a pattern means, told in another language.
fn reference(text: &str, dialect: Dialect) -> Result<Regex, regex::Error> {
    let literals = |text: &str| text.split('*').map(regex::escape).collect::<Vec<_>>();
    let source = match dialect {
        Dialect::Name => literals(text).join(".*"),
        Dialect::Uri => text.split("**").map(|part| literals(part).join("[^/]*")).collect::<Vec<_>>().join(".*"),
    };
    Regex::new(&format!("(?s)^(?:{source})$"))
}
