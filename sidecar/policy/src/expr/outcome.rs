//! What an expression's value means to its purpose: a condition, the key of a counter, a cost.

mod lax;

use cel::common::types::CelBool;
use cel::common::value::Val;
use sha2::{Digest as _, Sha256};

use super::failure::{Failure, What};
use super::functions::number::{as_number, as_written};
use super::value::as_text;
use crate::json::Number;
use crate::limit::Units;

/// The longest key that is kept as it is; of a longer one the hash is kept, which merges no two.
const KEY: usize = 256;

fn fail(what: What) -> Failure {
    Failure { what, column: 1 }
}

/// Nothing but `true` is true.
pub(super) fn condition(value: &dyn Val) -> Result<bool, Failure> {
    match value.downcast_ref::<CelBool>() {
        Some(value) => Ok(*value.inner()),
        None => Err(fail(What::NotACondition)),
    }
}

/// A text of its own for every value that Reeve itself knows: the letter before it tells the types apart.
pub(super) fn key(value: &dyn Val) -> Result<String, Failure> {
    match as_text(value) {
        Some(text) => Ok(key_of_text(text)),
        None => key_of_scalar(value),
    }
}

/// A text for a value that comes from the arguments, the same for all that a server may take for one: `5`, `5.0`, `"5"`,
/// `"+05"`, whole numbers that are the same double, and 1, true and `"yes"`.
pub(super) fn argument_key(value: &dyn Val) -> Result<String, Failure> {
    let Some(text) = as_text(value) else { return key_of_scalar(value) };
    Ok(lax::number(text).map_or_else(|| key_of_text(text), key_of_number))
}

fn key_of_text(text: &str) -> String {
    if text.len() <= KEY {
        return format!("s{text}");
    }
    let mut key = String::from("h");
    for byte in Sha256::digest(text) {
        key.push_str(&format!("{byte:02x}"));
    }
    key
}

/// The key of what is no text: true is 1, as servers take either for the other.
fn key_of_scalar(value: &dyn Val) -> Result<String, Failure> {
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok(key_of_number(f64::from(u8::from(*value.inner()))));
    }
    let number = as_written(value).map(|(number, _)| number.nearest());
    number.filter(|number| number.fract() == 0.0).map(key_of_number).ok_or(fail(What::NotAKey))
}

/// Whole numbers that are the same double share a key, as servers that read doubles cannot tell them apart.
fn key_of_number(number: f64) -> String {
    if Number::Float(number).is_wide() { format!("n{number:e}") } else { format!("n{}", number + 0.0) }
}

/// A cost in millionths, rounded up; none if the value is no cost.
pub(super) fn cost(value: &dyn Val) -> Option<Units> {
    match as_number(value)? {
        Number::Int(int) => int.checked_mul(Units::ONE.0).filter(|units| *units >= 0).map(Units),
        Number::UInt(_) => None,
        Number::Float(float) => millionths(float).map(Units),
    }
}

/// The number as it is written in decimal, so that 0.1 costs a tenth and not the little more that the nearest double is.
fn millionths(float: f64) -> Option<i64> {
    // Bounds the text below; i64::MAX millionths are some 9.2e12.
    if !(0.0..1e13).contains(&float) {
        return None;
    }
    let text = float.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (counted, rest) = fraction.split_at(fraction.len().min(6));
    let counted: i64 = format!("{counted:0<6}").parse().ok()?;
    let up = i64::from(rest.bytes().any(|digit| digit != b'0'));
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(Units::ONE.0)?.checked_add(counted)?.checked_add(up)
}
