//! Names for what the format does not name, or names in words that a policy may not use.

use std::collections::{HashMap, HashSet};

/// The longest name of a rule or counter.
const LONGEST: usize = 63;

/// Names for the policies of one file: its own, then numbered.
pub(in crate::load) struct PolicyNames {
    stem: String,
    given: usize,
}

impl PolicyNames {
    /// From a path or a bare name.
    pub(in crate::load) fn of_file(file: &str) -> Self {
        let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        Self { stem: label(stem, "policy"), given: 0 }
    }

    /// The next name.
    pub(in crate::load) fn next(&mut self) -> String {
        self.given += 1;
        match self.given {
            1 => self.stem.clone(),
            count => suffixed(&self.stem, &format!("-{count}")),
        }
    }
}

/// Names that are given once.
#[derive(Default)]
pub(super) struct Unique {
    taken: HashSet<String>,
    /// How often a name was wanted, so that the search for a free number goes on where it ended.
    wanted: HashMap<String, u32>,
}

impl Unique {
    /// Keeps a name from being given.
    pub(super) fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// The wanted name, or if it was given before, the same with a number.
    pub(super) fn take(&mut self, wanted: &str, separator: char) -> String {
        let count = self.wanted.entry(wanted.to_owned()).or_default();
        loop {
            *count += 1;
            let name = match *count {
                1 => wanted.to_owned(),
                count => suffixed(wanted, &format!("{separator}{count}")),
            };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// A DNS label that resembles the text: lower-case letters, digits and single hyphens.
pub(super) fn label(text: &str, otherwise: &str) -> String {
    let mut label = String::new();
    for character in text.chars() {
        match character.to_ascii_lowercase() {
            character @ ('a'..='z' | '0'..='9') => label.push(character),
            _ if label.is_empty() || label.ends_with('-') => {}
            _ => label.push('-'),
        }
        if label.len() == LONGEST {
            break;
        }
    }
    let label = label.trim_end_matches('-');
    if label.is_empty() { otherwise.to_owned() } else { label.to_owned() }
}

/// A counter's name that resembles the text: what a counter's name may not hold becomes `_`.
pub(super) fn counter(text: &str) -> String {
    let permitted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = text.chars().map(|c| if permitted(c) { c } else { '_' }).take(LONGEST).collect();
    let name = name.trim_matches(['-', '_', '.']);
    if name.is_empty() { "counter".to_owned() } else { name.to_owned() }
}

fn suffixed(name: &str, suffix: &str) -> String {
    let kept = name.len().min(LONGEST - suffix.len());
    // Both kinds of name are ASCII.
    format!("{}{suffix}", name[..kept].trim_end_matches(['-', '_', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_after_its_file() {
        for (file, name) in [
            ("examples/start-dicom-export-job.json", "start-dicom-export-job"),
            ("/etc/Policies/My Policy.v2.yaml", "my-policy-v2"),
            ("C:\\policies\\prod.yml", "prod"),
            ("policy", "policy"),
            ("-.json", "policy"),
            ("日本.yaml", "policy"),
            ("", "policy"),
        ] {
            assert_eq!(PolicyNames::of_file(file).next(), name, "{file}");
        }
        let mut names = PolicyNames::of_file("all.yaml");
        assert_eq!([names.next(), names.next(), names.next()], ["all", "all-2", "all-3"]);
    }

    #[test]
    fn names_that_collide_are_numbered_and_stay_within_bounds() {
        let mut unique = Unique::default();
        assert_eq!(unique.take("get-x", '-'), "get-x");
        assert_eq!(unique.take("get-x", '-'), "get-x-2");
        assert_eq!(unique.take("get-x-2", '-'), "get-x-2-2");
        let long = "a".repeat(63);
        assert_eq!(unique.take(&long, '-').len(), 63);
        assert_eq!(unique.take(&long, '-'), format!("{}-2", "a".repeat(61)));
    }

    #[test]
    fn every_text_becomes_a_label_and_a_counter() {
        for (text, expected) in [("get_datastore", "get-datastore"), ("a__B  c", "a-b-c"), ("*", "rule"), ("é", "rule")]
        {
            assert_eq!(label(text, "rule"), expected);
        }
        for (text, expected) in [("a/b", "a_b"), ("_rate_minute", "rate_minute"), ("*", "counter")] {
            assert_eq!(counter(text), expected);
        }
        assert_eq!(label(&"x-".repeat(100), "rule").len(), 63);
        assert_eq!(counter(&"x".repeat(100)).len(), 63);
    }
}
