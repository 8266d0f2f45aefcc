//! `uniqueItems` over the tape.
//!
//! Elements are told apart by a keyed hash and only compared when it is the same, so that no choice of elements makes
//! it quadratic.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};

use super::budget::Budget;
use super::tape::BYTES_PER_STEP;
use crate::json::{Kind, Number, Value};

/// Whether no element of an array equals another, numbers by their value. When the steps run out the answer means
/// nothing.
pub(super) fn is_unique(array: Value<'_>, budget: &Budget) -> bool {
    if array.len() < 2 {
        return true;
    }
    let state = RandomState::new();
    // Each element by its hash; of elements that share one without being equal, the first.
    let mut seen: HashMap<u64, Value<'_>> = HashMap::new();
    let mut collided: Vec<Value<'_>> = Vec::new();
    for element in array.items() {
        match seen.entry(hash(element, &state, budget)) {
            Entry::Vacant(vacant) => {
                vacant.insert(element);
            }
            Entry::Occupied(first) => {
                if equal(*first.get(), element, budget) || collided.iter().any(|other| equal(*other, element, budget)) {
                    return false;
                }
                collided.push(element);
            }
        }
        if !budget.spend(1) {
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

fn quantity(value: Value<'_>, budget: &Budget) -> Option<Quantity> {
    value.as_number().map(|number| budget.read(number).into())
}

fn hash(value: Value<'_>, state: &RandomState, budget: &Budget) -> u64 {
    let kind = value.kind();
    let text = if kind == Kind::String { value.span().len() } else { 0 };
    if !budget.spend(1 + text / BYTES_PER_STEP) {
        return 0;
    }
    let mut hasher = state.build_hasher();
    (kind as u8).hash(&mut hasher);
    match kind {
        Kind::Null => {}
        Kind::Bool => value.as_bool().hash(&mut hasher),
        Kind::Number => quantity(value, budget).hash(&mut hasher),
        Kind::String => value.as_str().hash(&mut hasher),
        Kind::Array => value.items().for_each(|item| hash(item, state, budget).hash(&mut hasher)),
        // The order of members does not matter.
        Kind::Object => {
            let members = value.members().map(|(name, value)| state.hash_one((name, hash(value, state, budget))));
            members.fold(0, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn equal(one: Value<'_>, other: Value<'_>, budget: &Budget) -> bool {
    if !budget.spend(1) || one.kind() != other.kind() || one.len() != other.len() {
        return false;
    }
    match one.kind() {
        Kind::Null => true,
        Kind::Bool => one.as_bool() == other.as_bool(),
        Kind::Number => quantity(one, budget) == quantity(other, budget),
        Kind::String => one.as_str() == other.as_str(),
        Kind::Array => one.items().zip(other.items()).all(|(one, other)| equal(one, other, budget)),
        Kind::Object => {
            one.members().all(|(name, value)| other.get(&name).is_some_and(|other| equal(value, other, budget)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::Limits;
    use super::super::budget::Reading;
    use super::*;
    use crate::json::{Document, Limits as Bounds};

    fn unique_as(reading: Reading, text: &str) -> bool {
        let document = Document::parse(text.to_owned().into(), Bounds::default()).expect("JSON");
        let limits = Limits { depth: 100, name: 100, explained: false };
        is_unique(document.root(), &Budget::until(Instant::now() + Duration::from_secs(60), limits, reading))
    }

    fn unique(text: &str) -> bool {
        unique_as(Reading::Exact, text)
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

    #[test]
    fn elements_that_a_server_cannot_tell_apart_are_equal_to_one_that_rounds() {
        assert!(!unique_as(Reading::Rounded, "[9007199254740992, 9007199254740993]"));
        assert!(!unique_as(Reading::Rounded, "[18446744073709551615, 18446744073709551616]"));
        assert!(unique_as(Reading::Rounded, "[9007199254740992, 9007199254740994]"));
    }
}
