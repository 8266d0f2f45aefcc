//! Sets of header names, which every header of every request and answer is looked for in: of most, length and first letter tell
//! that they are in none.

/// A set of names, in lower case.
pub(super) struct Names {
    names: &'static [&'static str],
    /// Which letters the names of each length begin with, a bit for each.
    beginnings: [u32; LENGTHS],
}

/// More than the longest name of any set has bytes.
const LENGTHS: usize = 32;

impl Names {
    /// The set of these, which are neither empty nor longer than 31 bytes.
    pub(super) const fn of(names: &'static [&'static str]) -> Self {
        let mut beginnings = [0; LENGTHS];
        let mut number = 0;
        while number < names.len() {
            let name = names[number].as_bytes();
            beginnings[name.len()] |= bit(name[0]);
            number += 1;
        }
        Self { names, beginnings }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        let beginnings = self.beginnings.get(name.len()).copied().unwrap_or_default();
        name.bytes().next().is_some_and(|first| beginnings & bit(first) != 0) && self.names.contains(&name)
    }
}

/// Of letters; others share theirs.
const fn bit(letter: u8) -> u32 {
    1 << (letter % 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static SOME: Names = Names::of(&["te", "x-real-ip", "x-client-ip", "connection", "cf-connecting-ipv6"]);

    proptest! {
        #[test]
        fn a_set_contains_its_names_and_nothing_else(name in "te|ta|Te|x-real-ip|x-real-iq|connection|cannection|[a-z-]{0,40}|.{0,40}") {
            prop_assert_eq!(SOME.contains(&name), SOME.names.contains(&&*name));
        }
    }
}
