//! What an expression's value means to its purpose: a condition, the key of a counter, a cost.

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

/// A text of its own for every value: the letter before it tells the types apart. `5` and `5.0` are one number, and so are
/// whole numbers that are the same double, as servers that read doubles cannot tell them apart.
pub(super) fn key(value: &dyn Val) -> Result<String, Failure> {
    if let Some(text) = as_text(value) {
        return Ok(if text.len() <= KEY {
            format!("s{text}")
        } else {
            let mut key = String::from("h");
            for byte in Sha256::digest(text) {
                key.push_str(&format!("{byte:02x}"));
            }
            key
        });
    }
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok(format!("b{}", value.inner()));
    }
    match as_written(value) {
        Some((number, _)) if number.is_wide() => Ok(format!("n{:e}", number.nearest())),
        Some((Number::Int(int), _)) => Ok(format!("n{int}")),
        Some((Number::Float(float), _)) if float.fract() == 0.0 => Ok(format!("n{}", float + 0.0)),
        _ => Err(fail(What::NotAKey)),
    }
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
