//! Names and descriptions, taken apart into lower-case words.

/// The most characters that are looked at: both come from a server.
const LONGEST: usize = 1_024;

/// The words of a name: `deleteDataStore`, `delete_data-store` and `delete.data.store` are the same three.
pub(super) fn of_name(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().take(LONGEST).collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| characters[before]);
        let next = characters.get(at + 1);
        // `getHTTPStatus`: an upper-case letter begins a word after a lower-case one, or before one.
        let hump = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase) || next.is_some_and(|next| next.is_lowercase()));
        if (hump || !c.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The words of a text, in order.
pub(super) fn of_text(text: &str) -> impl Iterator<Item = String> {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    text[..end].split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// What a word may be a form of: `deletes`, `deleted` and `deleting` of `delete`.
pub(super) fn stems(word: &str) -> impl Iterator<Item = String> {
    let endings = [("", ""), ("s", ""), ("es", ""), ("ies", "y"), ("d", ""), ("ed", ""), ("ing", ""), ("ing", "e")];
    endings.into_iter().filter_map(move |(ending, instead)| Some(format!("{}{instead}", word.strip_suffix(ending)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_at_separators_and_humps() {
        for name in
            ["deleteDataStore", "delete_data-store", "delete.data.store", "DELETE DATA STORE", "delete/data/store2"]
        {
            assert_eq!(of_name(name), ["delete", "data", "store"], "{name}");
        }
        assert_eq!(of_name("getHTTPStatus"), ["get", "http", "status"]);
        assert!(of_name("42").is_empty());
    }

    #[test]
    fn a_word_in_any_form_leads_to_its_stem() {
        for (word, stem) in [("deletes", "delete"), ("creating", "create"), ("lists", "list"), ("modifies", "modify")] {
            assert!(stems(word).any(|found| found == stem), "{word}");
        }
    }
}
