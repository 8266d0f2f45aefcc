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

use sha2::{Digest as _, Sha256};

use super::text::{Piece, Pieces};
use super::{Kind, Value, number, text};

/// What remains to be written.
enum Step<'d> {
    Value(Value<'d>),
    Element(Value<'d>),
    Member(Cow<'d, str>, Value<'d>),
    /// The separators before all elements and members but the first of each container.
    End(&'static [u8]),
}

/// Writes the canonical form to `sink`, piece by piece. Takes memory for what stands beside the value being written in the
/// containers around it, never for the text.
pub fn canonical(value: Value<'_>, sink: &mut impl FnMut(&[u8])) {
    let mut steps = vec![Step::Value(value)];
    // Whether something stands before the next element or member in its container.
    let mut after = false;
    while let Some(step) = steps.pop() {
        if after && matches!(step, Step::Element(_) | Step::Member(..)) {
            sink(b",");
        }
        let value = match step {
            Step::End(bracket) => {
                sink(bracket);
                after = true;
                continue;
            }
            Step::Member(key, value) => {
                write_text(&key, sink);
                sink(b":");
                value
            }
            Step::Value(value) | Step::Element(value) => value,
        };
        after = !matches!(value.kind(), Kind::Array | Kind::Object);
        let from = steps.len() + 1;
        match value.kind() {
            Kind::Array => {
                sink(b"[");
                steps.push(Step::End(b"]"));
                steps.extend(value.items().map(Step::Element));
                steps[from..].reverse();
            }
            Kind::Object => {
                sink(b"{");
                steps.push(Step::End(b"}"));
                steps.extend(value.members().map(|(key, value)| Step::Member(key, value)));
                steps[from..].sort_unstable_by(|one, other| {
                    utf16_order(other.key()).cmp(utf16_order(one.key()))
                });
            }
            Kind::String => write_string(value, sink),
            Kind::Number => write_number(value, sink),
            Kind::Bool | Kind::Null => sink(value.raw()),
        }
    }
}

/// The SHA-256 of the canonical form.
pub fn hash(value: Value<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    canonical(value, &mut |part| hasher.update(part));
    hasher.finalize().into()
}

impl Step<'_> {
    fn key(&self) -> &str {
        if let Self::Member(key, _) = self {
            key
        } else {
            ""
        }
    }
}

/// Bytes that compare as the UTF-16 code units of the text do: the four-byte sequences, which are surrogates there, come
/// before U+E000 to U+FFFF.
fn utf16_order(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| {
        if matches!(byte, 0xEE | 0xEF) {
            byte + 0x10
        } else {
            byte
        }
    })
}

fn write_number(value: Value<'_>, sink: &mut impl FnMut(&[u8])) {
    let raw = value.raw();
    match raw {
        b"-0" => sink(b"0"),
        _ if raw.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            number::write_double(number::double(text::utf8(raw)), sink);
        }
        _ => sink(raw),
    }
}

fn write_string(value: Value<'_>, sink: &mut impl FnMut(&[u8])) {
    let (content, escapes) = value.content();
    if !escapes {
        return sink(value.raw());
    }
    sink(b"\"");
    for piece in Pieces(content) {
        match piece {
            Piece::Run(run) => sink(run.as_bytes()),
            Piece::Char(character) => write_escaped(character, sink),
        }
    }
    sink(b"\"");
}

/// Writes a decoded string.
fn write_text(text: &str, sink: &mut impl FnMut(&[u8])) {
    sink(b"\"");
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| matches!(character, '\0'..' ' | '"' | '\\')) {
        let (run, from) = rest.split_at(at);
        sink(run.as_bytes());
        let mut characters = from.chars();
        if let Some(character) = characters.next() {
            write_escaped(character, sink);
        }
        rest = characters.as_str();
    }
    sink(rest.as_bytes());
    sink(b"\"");
}

/// Writes one character, escaped only if it must be.
fn write_escaped(character: char, sink: &mut impl FnMut(&[u8])) {
    match character {
        '"' => sink(b"\\\""),
        '\\' => sink(b"\\\\"),
        '\u{8}' => sink(b"\\b"),
        '\u{c}' => sink(b"\\f"),
        '\n' => sink(b"\\n"),
        '\r' => sink(b"\\r"),
        '\t' => sink(b"\\t"),
        '\0'..' ' => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let code = character as usize;
            sink(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]]);
        }
        _ => sink(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
