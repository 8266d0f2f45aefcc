//! The canonical form of a value: one text for all texts that say the same, so that a hash of it stands for the arguments of
//! a call in the audit log and in an approval.
//!
//! It is that of RFC 8785, but for whole numbers:
//! - no white space; members by their keys, as sequences of UTF-16 code units;
//! - strings with the escapes `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u00xx` for other control characters, and no others;
//! - a number written without fraction or exponent is its digits, however many (`-0` is `0`), so that two that a double cannot
//!   tell apart have different forms;
//! - any other number is the nearest double as ECMAScript writes it: `1.0` is `1`, `1e2` is `100`, `1e21` is `1e+21`.

use std::borrow::Cow;
use std::cmp::Ordering;

use sha2::{Digest as _, Sha256};
use smallvec::{SmallVec, smallvec};

use super::text::{Piece, Pieces};
use super::{Items, Kind, Value, number, text};

/// As many steps as usual arguments take at once: they need no allocation.
const FEW: usize = 16;

/// What remains to be written.
enum Step<'d> {
    Value(Value<'d>),
    Items(Items<'d>),
    /// The decoded key, in UTF-8, and the value.
    Member(Cow<'d, [u8]>, Value<'d>),
    /// The end of an object.
    End,
}

/// Writes the canonical form to `sink`, piece by piece. Takes memory for the members of the objects around the value that
/// is being written, but not for their text.
pub fn canonical(value: Value<'_>, sink: &mut impl FnMut(&[u8])) {
    let mut steps: SmallVec<[Step<'_>; FEW]> = smallvec![Step::Value(value)];
    let mut separator: &[u8] = b"";
    while let Some(step) = steps.pop() {
        let value = match step {
            Step::End => {
                sink(b"}");
                separator = b",";
                continue;
            }
            Step::Value(value) => value,
            Step::Items(mut items) => {
                let Some(item) = items.next() else {
                    sink(b"]");
                    separator = b",";
                    continue;
                };
                steps.push(Step::Items(items));
                sink(separator);
                item
            }
            Step::Member(key, value) => {
                sink(separator);
                write_key(key, sink);
                value
            }
        };
        match value.kind() {
            Kind::Array => {
                sink(b"[");
                steps.push(Step::Items(value.items()));
                separator = b"";
            }
            Kind::Object => {
                sink(b"{");
                steps.push(Step::End);
                let members = steps.len();
                steps.extend(value.members_as_bytes().map(|(key, value)| Step::Member(key, value)));
                steps[members..].sort_unstable_by(|one, other| utf16_order(other.key(), one.key()));
                separator = b"";
            }
            kind => {
                write_scalar(kind, value, sink);
                separator = b",";
            }
        }
    }
}

/// The SHA-256 of the canonical form.
pub fn hash(value: Value<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    canonical(value, &mut |piece| hasher.update(piece));
    hasher.finalize().into()
}

impl Step<'_> {
    fn key(&self) -> &[u8] {
        if let Self::Member(key, _) = self { key } else { b"" }
    }
}

/// How two texts in UTF-8 compare as UTF-16 code units: the four-byte sequences, which are surrogates there, come before U+E000 to
/// U+FFFF.
fn utf16_order(one: &[u8], other: &[u8]) -> Ordering {
    let weight = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte + 0x10 } else { byte };
    let differing = one.iter().zip(other).find(|(one, other)| one != other);
    differing.map_or_else(|| one.len().cmp(&other.len()), |(&one, &other)| weight(one).cmp(&weight(other)))
}

/// Writes a key, which is owned only if it had escapes, and its colon.
fn write_key(key: Cow<'_, [u8]>, sink: &mut impl FnMut(&[u8])) {
    sink(b"\"");
    match key {
        Cow::Borrowed(plain) => sink(plain),
        Cow::Owned(decoded) => text::utf8(&decoded).chars().for_each(|character| write_character(character, sink)),
    }
    sink(b"\":");
}

fn write_scalar(kind: Kind, value: Value<'_>, sink: &mut impl FnMut(&[u8])) {
    let raw = value.raw();
    match kind {
        Kind::String if value.has_escapes() => {
            sink(b"\"");
            for piece in Pieces(text::utf8(&raw[1..raw.len() - 1])) {
                match piece {
                    Piece::Run(run) => sink(run.as_bytes()),
                    Piece::Char(character) => write_character(character, sink),
                }
            }
            sink(b"\"");
        }
        Kind::Number if value.is_fractional() => number::write_double(number::double(text::utf8(raw)), sink),
        Kind::Number if raw == b"-0" => sink(b"0"),
        _ => sink(raw),
    }
}

/// Writes one character of a string, escaped only if it must be.
fn write_character(character: char, sink: &mut impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match character {
        '"' => sink(b"\\\""),
        '\\' => sink(b"\\\\"),
        '\u{8}' => sink(b"\\b"),
        '\u{c}' => sink(b"\\f"),
        '\n' => sink(b"\\n"),
        '\r' => sink(b"\\r"),
        '\t' => sink(b"\\t"),
        '\0'..' ' => {
            let code = character as usize;
            sink(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]]);
        }
        _ => sink(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
