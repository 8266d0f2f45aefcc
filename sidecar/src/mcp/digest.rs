//! What entries of the protocol's tables are found by: digests of what identifies them.
//!
//! Nothing is kept by its name. So entries have one size whatever a server or an agent chooses, two servers cannot take over
//! each other's, and a log of them holds nothing that somebody who reads it could use.

use sha2::{Digest, Sha256};

/// The first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// The digest of these parts, which are told apart by their lengths.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As 32 hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(32), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
            text
        })
    }

    /// From 32 hexadecimal digits; none of any other text.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 16];
        if text.len() != 2 * key.len() || !text.is_ascii() {
            return None;
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_their_lengths() {
        let key = |parts: &[&str]| Key::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(key(&["aw", "s1"]), key(&["aw", "s1"]));
        assert_ne!(key(&["aw", "s1"]), key(&["aws", "1"]));
        assert_ne!(key(&["aw"]), key(&["aw", ""]));
    }

    #[test]
    fn hexadecimal_digits_are_read_as_they_were_written() {
        let key = Key::of([&b"x"[..]]);
        assert_eq!(Key::from_hex(&key.hex()), Some(key));
        for wrong in ["", "zz", &key.hex()[1..], &format!("{}0", key.hex()), &format!("é{}", &key.hex()[2..])] {
            assert_eq!(Key::from_hex(wrong), None, "{wrong}");
        }
    }
}
