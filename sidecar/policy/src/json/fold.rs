//! When another parser may take one key for another.
//!
//! Go's `encoding/json` and parsers with a case-insensitive setting match keys without regard to case, and some stop at a NUL
//! character. What they match is a subset of what folds alike here.

/// The characters up to the first NUL, in one case. To lower case, to upper case and back: so that characters which share an
/// upper case but not a lower one (`ſ` and `s`, `ς` and `σ`), and those that only have a lower case (`ẞ`), meet.
pub(super) fn folded(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.take_while(|&character| character != '\0')
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// A text in the case in which texts are alike that other parsers take for one another.
pub(crate) fn in_one_case(text: &str) -> String {
    folded(text.chars()).collect()
}
