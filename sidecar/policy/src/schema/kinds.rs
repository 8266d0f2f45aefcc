//! Kinds of JSON values as sets: what a schema permits, and what an expression takes a value to be.

use std::fmt;

use serde_json::Value;

/// A set of kinds of JSON values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// No value.
    pub const NONE: Self = Self(0);
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `true` and `false`.
    pub const BOOLEAN: Self = Self(1 << 1);
    /// Whole numbers, also those written with a fraction of zero.
    pub const WHOLE: Self = Self(1 << 2);
    /// Numbers that are not whole.
    pub const FRACTION: Self = Self(1 << 3);
    /// Strings.
    pub const STRING: Self = Self(1 << 4);
    /// Arrays.
    pub const LIST: Self = Self(1 << 5);
    /// Objects.
    pub const OBJECT: Self = Self(1 << 6);
    /// Numbers.
    pub const NUMBER: Self = Self::WHOLE.or(Self::FRACTION);
    /// Any value.
    pub const ANY: Self = Self((1 << 7) - 1);

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is something in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether everything here is in the other, too.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// What a value is.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() != 0.0) => Self::FRACTION,
            Value::Number(_) => Self::WHOLE,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// What a schema's `type` calls so; none if it is no type's name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::WHOLE,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }
}

/// In the words of expressions.
const WORDS: [(Kinds, &str); 8] = [
    (Kinds::STRING, "a string"),
    (Kinds::NUMBER, "a number"),
    (Kinds::WHOLE, "a whole number"),
    (Kinds::FRACTION, "a number with a fraction"),
    (Kinds::BOOLEAN, "a boolean"),
    (Kinds::LIST, "a list"),
    (Kinds::OBJECT, "an object"),
    (Kinds::NULL, "null"),
];

impl fmt::Display for Kinds {
    /// `a string, a number or null`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = *self;
        let mut words = Vec::new();
        for (kinds, word) in WORDS {
            if kinds.is_within(rest) {
                words.push(word);
                rest = rest.without(kinds);
            }
        }
        match words.split_last() {
            None => f.write_str("nothing"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
        }
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kinds({self})")
    }
}
