//! Ids of requests: echoed byte for byte, compared by what they mean.

use std::borrow::Cow;

use reeve_policy::json::{Kind, Number, Value};

use crate::mcp::rejection::{Cause, Rejection};

/// The longest id, as written. Ids are kept while a request is open; real ones are numbers and UUIDs.
pub const MAX_ID_BYTES: usize = 1_024;

/// The largest whole number that every JSON reader keeps: 2^53 - 1.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// The id of a message.
#[derive(Clone, Debug)]
pub struct Id<'d> {
    raw: &'d [u8],
    meaning: Meaning<'d>,
}

/// What an id means, however it is written. `1` and `"1"` are two ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Meaning<'d> {
    Number(i64),
    Text(Cow<'d, str>),
}

impl<'d> Id<'d> {
    /// Reads an id: a string, or a whole number that is written as one and that every server reads and echoes alike.
    ///
    /// # Errors
    /// If it is anything else: null, a fraction, too large, too long.
    pub fn read(value: Value<'d>) -> Result<Self, Rejection> {
        let raw = value.raw();
        let meaning = match value.kind() {
            Kind::String => value.as_str().map(Meaning::Text),
            Kind::Number => match value.as_number() {
                Some(Number::Int(number)) if whole(raw) && number.unsigned_abs() <= MAX_SAFE => {
                    Some(Meaning::Number(number))
                }
                _ => None,
            },
            _ => None,
        };
        match meaning {
            Some(meaning) if raw.len() <= MAX_ID_BYTES => Ok(Self { raw, meaning }),
            _ => Err(Rejection::new(
                Cause::InvalidId,
                "`id` must be a string of at most 1,022 bytes, or a whole number between -(2^53 - 1) and 2^53 - 1.",
            )),
        }
    }

    /// The id as it was written.
    pub fn raw(&self) -> &'d [u8] {
        self.raw
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<i64> {
        match self.meaning {
            Meaning::Number(number) => Some(number),
            Meaning::Text(_) => None,
        }
    }

    /// The decoded string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.meaning {
            Meaning::Text(text) => Some(text),
            Meaning::Number(_) => None,
        }
    }
}

/// Two ids are one if they mean the same, however they are escaped.
impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.meaning == other.meaning
    }
}

impl Eq for Id<'_> {}

/// Digits with an optional minus, and not `-0`, which servers echo as `0`.
fn whole(raw: &[u8]) -> bool {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    raw != b"-0" && digits.iter().all(u8::is_ascii_digit)
}
