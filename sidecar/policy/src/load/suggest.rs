//! The nearest valid spelling of a word.

/// Longer words are never compared: the cost grows with the product of the lengths.
const LONGEST: usize = 64;

/// The candidate that `word` most likely stands for, if any is near enough to be worth naming.
///
/// Case, `_` and `-` do not count. What remains may differ in a third of its letters, at least one; two letters changing places
/// count as one difference.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = folded(word);
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn either<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 6] = ["tools", "resources", "serverRefs", "matchLabels", "action", "approval"];

    #[test]
    fn a_misspelling_finds_the_field() {
        for (wrong, right) in [
            ("tols", "tools"),
            ("tool", "tools"),
            ("Tools", "tools"),
            ("server_refs", "serverRefs"),
            ("serverrefs", "serverRefs"),
            ("matchLabel", "matchLabels"),
            ("acton", "action"),
            ("atcion", "action"),
        ] {
            assert_eq!(nearest(wrong, FIELDS), Some(right), "{wrong}");
        }
    }

    #[test]
    fn what_resembles_nothing_gets_no_suggestion() {
        for word in ["x", "", "colour", "podSelector", &"tools".repeat(1_000_000)] {
            assert_eq!(nearest(word, FIELDS), None, "{}", word.len());
        }
    }

    #[test]
    fn lists_of_words_read_as_a_sentence() {
        assert_eq!(either(&["a"]), "a");
        assert_eq!(either(&["a", "b"]), "a or b");
        assert_eq!(either(&["a", "b", "c"]), "a, b or c");
    }
}
