//! Numbers: JSON does not tell `1` from `1.0`, so whole and fractional numbers mix in arithmetic and comparisons.
//!
//! Nothing is rounded silently: a whole number too large for a fraction to hold exactly is an overflow, and so is a result
//! that is not finite. Of a [`Wide`] number of the arguments only that can be had which no server's rounding changes.

use std::cmp::Ordering;

use cel::common::types::{CelDouble, CelInt, CelType, CelUInt};
use cel::common::value::{CowVal, Val};

use super::address::Address;
use super::time::{Span, Time};
use super::{Answer, Call};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{Text, Wide, as_text};
use crate::json::Number;

/// Up to here every whole number is an `f64`.
const EXACT: u64 = 1 << 53;

/// The two-sided operations.
#[derive(Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// The number that a value is; none too if it is [`Wide`].
pub(in crate::expr) fn as_number(value: &(dyn Val + '_)) -> Option<Number> {
    if let Some(int) = value.downcast_ref::<CelInt>() {
        Some(Number::Int(*int.inner()))
    } else if let Some(float) = value.downcast_ref::<CelDouble>() {
        Some(Number::Float(*float.inner()))
    } else {
        let uint = value.downcast_ref::<CelUInt>()?;
        Some(Number::UInt(*uint.inner()))
    }
}

/// The number that a value is, and whether it is [`Wide`].
pub(in crate::expr) fn as_written(value: &(dyn Val + '_)) -> Option<(Number, bool)> {
    let wide = || value.downcast_ref::<Wide>().map(|wide| (wide.0, true));
    as_number(value).map(|number| (number, false)).or_else(wide)
}

/// An argument that must be a number to calculate with.
fn operand(call: &Call<'_, '_, '_>, index: usize) -> Result<Number, Failure> {
    let value = call.value(index)?;
    match as_number(value) {
        Some(number) => Ok(number),
        None if value.downcast_ref::<Wide>().is_some() => Err(call.refuse_number()),
        None => Err(call.fail(What::WrongType)),
    }
}

/// The whole number that a value is, written with a fraction or not.
pub(in crate::expr) fn index(value: &(dyn Val + '_)) -> Option<i64> {
    match as_number(value)? {
        Number::Int(int) => Some(int),
        Number::Float(float) if float.fract() == 0.0 => truncate(float),
        _ => None,
    }
}

/// A length as a value.
pub(in crate::expr) fn whole<'b, 'v>(length: usize) -> CowVal<'b, 'v> {
    CowVal::owned(CelInt::from(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// How two values compare as numbers: exactly, and a call is refused on which their nearest doubles do not compare alike. None
/// if one is not a number.
pub(super) fn compare(
    call: &Call<'_, '_, '_>,
    left: &(dyn Val + '_),
    right: &(dyn Val + '_),
) -> Result<Option<Ordering>, Failure> {
    let (Some((left, left_is_wide)), Some((right, right_is_wide))) = (as_written(left), as_written(right)) else {
        return Ok(None);
    };
    let order = order(left, right);
    if (left_is_wide || right_is_wide) && order != left.nearest().partial_cmp(&right.nearest()) {
        return Err(call.refuse_number());
    }
    Ok(order)
}

/// How two numbers compare, exactly.
fn order(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right),
        (Number::Float(left), right) => order_mixed(integer(right), left).map(Ordering::reverse),
        (left, Number::Float(right)) => order_mixed(integer(left), right),
        (left, right) => Some(integer(left).cmp(&integer(right))),
    }
}

fn integer(number: Number) -> i128 {
    match number {
        Number::Int(int) => int.into(),
        Number::UInt(uint) => uint.into(),
        Number::Float(_) => 0,
    }
}

fn order_mixed(int: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Beyond 2^64 every whole number here is nearer to zero; below it the conversion is exact.
    let bound = 18_446_744_073_709_551_616.0;
    if float.abs() >= bound {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    #[allow(clippy::cast_possible_truncation, reason = "bounded above, and the fraction is compared below")]
    let floor = float.floor() as i128;
    let fraction = float > float.floor();
    Some(int.cmp(&floor).then(if fraction { Ordering::Less } else { Ordering::Equal }))
}

/// A number as a fraction, if that loses nothing.
fn exact(number: Number) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "bounded by EXACT")]
    match number {
        Number::Float(float) => Some(float),
        Number::Int(int) => (int.unsigned_abs() <= EXACT).then_some(int as f64),
        Number::UInt(_) => None,
    }
}

/// The operation on the first two arguments.
pub(super) fn calculate<'b, 'v>(call: &Call<'_, 'b, 'v>, operation: Arithmetic) -> Answer<'b, 'v> {
    let wrong = call.fail(What::WrongType);
    let (left, right) = (operand(call, 0)?, operand(call, 1)?);
    let overflow = call.fail(What::Overflow);
    if let (Number::Int(left), Number::Int(right)) = (left, right) {
        if right == 0 && matches!(operation, Arithmetic::Divide | Arithmetic::Remainder) {
            return Err(call.fail(What::DivisionByZero));
        }
        let result = match operation {
            Arithmetic::Add => left.checked_add(right),
            Arithmetic::Subtract => left.checked_sub(right),
            Arithmetic::Multiply => left.checked_mul(right),
            Arithmetic::Divide => left.checked_div(right),
            Arithmetic::Remainder => left.checked_rem(right),
        };
        return Ok(CowVal::owned(CelInt::from(result.ok_or(overflow)?)));
    }
    let left = exact(left).ok_or(overflow)?;
    let right = exact(right).ok_or(overflow)?;
    let result = match operation {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide if right == 0.0 => return Err(call.fail(What::DivisionByZero)),
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => return Err(wrong),
    };
    if result.is_finite() { Ok(CowVal::owned(CelDouble::from(result))) } else { Err(overflow) }
}

pub(super) fn negate<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match operand(call, 0)? {
        Number::Int(int) => match int.checked_neg() {
            Some(int) => Ok(CowVal::owned(CelInt::from(int))),
            None => Err(call.fail(What::Overflow)),
        },
        Number::Float(float) => Ok(CowVal::owned(CelDouble::from(-float))),
        Number::UInt(_) => Err(call.fail(What::Overflow)),
    }
}

/// `int`: from a number (cut off towards zero), a decimal string, or a time (seconds since 1970).
pub(super) fn to_int<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let value = call.value(0)?;
    let overflow = call.fail(What::Overflow);
    let Some((number, is_wide)) = as_written(value) else {
        let int = match value.downcast_ref::<Time>() {
            Some(time) => time.seconds(),
            None => call.text(0)?.parse().map_err(|_| call.fail(What::NotANumber))?,
        };
        return Ok(CowVal::owned(CelInt::from(int)));
    };
    let int = match number {
        Number::Int(int) => int,
        Number::UInt(_) => return Err(overflow),
        Number::Float(float) => truncate(float).ok_or(overflow)?,
    };
    Ok(if is_wide { CowVal::owned(Wide(Number::Int(int))) } else { CowVal::owned(CelInt::from(int)) })
}

fn truncate(float: f64) -> Option<i64> {
    let bound = 9_223_372_036_854_775_808.0;
    #[allow(clippy::cast_possible_truncation, reason = "in range, and meant to cut off the fraction")]
    (float > -bound && float < bound).then_some(float as i64)
}

/// `double`: from a number or a decimal string.
pub(super) fn to_double<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let value = call.value(0)?;
    let double = match as_written(value) {
        Some((number, is_wide)) => {
            let double = exact(number).ok_or(call.fail(What::Overflow))?;
            if is_wide {
                return Ok(CowVal::owned(Wide(Number::Float(double))));
            }
            double
        }
        None => {
            let parsed = call.text(0)?.parse::<f64>().ok();
            parsed.filter(|double| double.is_finite()).ok_or(call.fail(What::NotANumber))?
        }
    };
    Ok(CowVal::owned(CelDouble::from(double)))
}

/// `string`: of a string, number, boolean, time, duration or address.
pub(super) fn to_string<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let value = call.value(0)?;
    let text = if as_text(value).is_some() {
        call.text(0)?.to_owned()
    } else if let Some(number) = as_number(value) {
        match number {
            Number::Int(int) => int.to_string(),
            Number::UInt(uint) => uint.to_string(),
            Number::Float(float) => float.to_string(),
        }
    } else if value.downcast_ref::<Wide>().is_some() {
        return Err(call.refuse_number());
    } else if let Some(flag) = value.downcast_ref::<cel::common::types::CelBool>() {
        flag.inner().to_string()
    } else if let Some(time) = value.downcast_ref::<Time>() {
        time.to_string()
    } else if let Some(span) = value.downcast_ref::<Span>() {
        span.to_string()
    } else {
        call.own::<Address>(0)?.to_string()
    };
    Ok(CowVal::owned(Text::from(text)))
}

/// `type`: what a value is.
pub(super) fn type_of<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelType::from(call.value(0)?.get_type())))
}
