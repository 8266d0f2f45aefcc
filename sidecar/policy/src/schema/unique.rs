//! `uniqueItems` over the tape.
//!
//! Elements are told apart by a keyed hash and only compared when it is the same, so that no choice of elements makes
//! it quadratic.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};

use super::tape::BYTES_PER_STEP;
use crate::json::{Kind, Number, Value};

/// Takes steps; false if there are none left.
type Spend<'s> = &'s dyn Fn(usize) -> bool;

/// Whether no element of an array equals another, numbers by their value. When the steps run out the answer means
/// nothing.
pub(super) fn is_unique(array: Value<'_>, spend: Spend<'_>) -> bool {
    if array.len() < 2 {
        return true;
    }
    let state = RandomState::new();
    // Each element by its hash; of elements that share one without being equal, the first.
    let mut seen: HashMap<u64, Value<'_>> = HashMap::new();
    let mut collided: Vec<Value<'_>> = Vec::new();
    for element in array.items() {
        match seen.entry(hash(element, &state, spend)) {
            Entry::Vacant(vacant) => {
                vacant.insert(element);
            }
            Entry::Occupied(first) => {
                if equal(*first.get(), element, spend) || collided.iter().any(|other| equal(*other, element, spend)) {
                    return false;
                }
                collided.push(element);
            }
        }
        if !spend(1) {
            return true;
        }
    }
    true
}

/// A number as what it equals: whole numbers are the same however they are written.
#[derive(Hash, PartialEq)]
enum Quantity {
    Whole(i128),
    Fraction(u64),
}

impl From<Number> for Quantity {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => Self::Whole(number.into()),
            Number::UInt(number) => Self::Whole(number.into()),
            #[allow(clippy::cast_possible_truncation, reason = "a whole double in this range is a whole i128")]
            Number::Float(number) if number.fract() == 0.0 && number.abs() < 1e38 => Self::Whole(number as i128),
            Number::Float(number) => Self::Fraction(number.to_bits()),
        }
    }
}

fn hash(value: Value<'_>, state: &RandomState, spend: Spend<'_>) -> u64 {
    let kind = value.kind();
    let text = if kind == Kind::String { value.span().len() } else { 0 };
    if !spend(1 + text / BYTES_PER_STEP) {
        return 0;
    }
    let mut hasher = state.build_hasher();
    (kind as u8).hash(&mut hasher);
    match kind {
        Kind::Null => {}
        Kind::Bool => value.as_bool().hash(&mut hasher),
        Kind::Number => value.as_number().map(Quantity::from).hash(&mut hasher),
        Kind::String => value.as_str().hash(&mut hasher),
        Kind::Array => value.items().for_each(|item| hash(item, state, spend).hash(&mut hasher)),
        // The order of members does not matter.
        Kind::Object => {
            let members = value.members().map(|(name, value)| state.hash_one((name, hash(value, state, spend))));
            members.fold(0, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn equal(one: Value<'_>, other: Value<'_>, spend: Spend<'_>) -> bool {
    if !spend(1) || one.kind() != other.kind() || one.len() != other.len() {
        return false;
    }
    match one.kind() {
        Kind::Null => true,
        Kind::Bool => one.as_bool() == other.as_bool(),
        Kind::Number => one.as_number().map(Quantity::from) == other.as_number().map(Quantity::from),
        Kind::String => one.as_str() == other.as_str(),
        Kind::Array => one.items().zip(other.items()).all(|(one, other)| equal(one, other, spend)),
        Kind::Object => {
            one.members().all(|(name, value)| other.get(&name).is_some_and(|other| equal(value, other, spend)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};

    fn unique(text: &str) -> bool {
        let document = Document::parse(text.to_owned().into(), Limits::default()).expect("JSON");
        is_unique(document.root(), &|_| true)
    }

    #[test]
    fn elements_are_equal_by_what_they_mean() {
        for text in [
            "[1, 1.0]",
            "[0, -0.0]",
            "[100, 1e2]",
            "[0.5, 5e-1]",
            r#"["a", "\u0061"]"#,
            r#"[{"a":1,"b":[2]}, 0, {"b":[2.0],"a":1}]"#,
            "[[1,[]],[1,[]]]",
            "[null, 1, null]",
            "[9223372036854775808, 9223372036854775808.0]",
        ] {
            assert!(!unique(text), "{text}");
        }
        for text in [
            "[]",
            "[1]",
            r#"[1, "1", true, null, [], {}, [1], {"a":1}]"#,
            "[[1,2],[2,1]]",
            r#"[{"a":1},{"b":1},{"a":1,"b":1}]"#,
            "[9007199254740992, 9007199254740993]",
            "[[[]],[]]",
        ] {
            assert!(unique(text), "{text}");
        }
    }
}
