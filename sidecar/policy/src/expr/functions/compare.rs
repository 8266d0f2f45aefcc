//! Comparisons: of numbers by value, of lists element by element, of two objects never, of two types only if neither value
//! comes from the arguments.
//!
//! Servers whose reading of arguments is lax take `"7"` for 7, 0 for false, and a text of JSON for a list: an expression that
//! told such values apart would pass what the server then takes for the other.

use std::cmp::Ordering;

use cel::common::types::{CelBool, Kind};
use cel::common::value::Val;

use super::members::{for_each, is_list, is_object, length, presence};
use super::number;
use super::time::{Span, Time};
use super::{Answer, Call};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{as_text, boolean};

pub(super) fn less<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_lt()))
}

pub(super) fn less_or_equal<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_le()))
}

pub(super) fn greater<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_gt()))
}

pub(super) fn greater_or_equal<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_ge()))
}

/// How two numbers (whole or not), strings, booleans, times or durations compare.
fn compare(call: &Call<'_, '_, '_>) -> Result<Ordering, Failure> {
    let (left, right) = (call.value(0)?, call.value(1)?);
    let wrong = call.fail(What::WrongType);
    if let Some(order) = number::compare(call, left, right)? {
        return Ok(order);
    }
    if let Some(left) = as_text(left) {
        let right = as_text(right).ok_or(wrong)?;
        call.charge_text(left.len().min(right.len()))?;
        return Ok(left.cmp(right));
    }
    if let Some(left) = left.downcast_ref::<CelBool>() {
        return Ok(left.cmp(right.downcast_ref().ok_or(wrong)?));
    }
    if let Some(left) = left.downcast_ref::<Time>() {
        return Ok(left.cmp(right.downcast_ref().ok_or(wrong)?));
    }
    let left = left.downcast_ref::<Span>().ok_or(wrong)?;
    Ok(left.cmp(right.downcast_ref().ok_or(wrong)?))
}

/// What becomes of a comparison for equality of values of two types, neither of them null.
#[derive(Clone, Copy)]
enum TwoTypes {
    /// They differ, as both are known for what they are.
    Differ,
    /// An error: one comes from the arguments, and a server may take it for the other.
    Fail,
}

pub(super) fn equals<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(equal(call, call.value(0)?, call.value(1)?, TwoTypes::Differ)?))
}

pub(super) fn differs<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(!equal(call, call.value(0)?, call.value(1)?, TwoTypes::Differ)?))
}

pub(super) fn is_in<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    contains(call, TwoTypes::Differ)
}

/// `==` with an operand from the arguments.
pub(super) fn argument_equals<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(equal(call, call.value(0)?, call.value(1)?, TwoTypes::Fail)?))
}

/// `!=` with an operand from the arguments.
pub(super) fn argument_differs<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(!equal(call, call.value(0)?, call.value(1)?, TwoTypes::Fail)?))
}

/// `in` with an operand from the arguments.
pub(super) fn argument_is_in<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    contains(call, TwoTypes::Fail)
}

/// Whether two values are equal: numbers by value, lists element by element, null only to null. Two objects cannot be
/// compared: the answer would be a guess at what the server makes of them.
fn equal(
    call: &Call<'_, '_, '_>,
    left: &(dyn Val + '_),
    right: &(dyn Val + '_),
    two_types: TwoTypes,
) -> Result<bool, Failure> {
    if let (Some(left), Some(right)) = (as_text(left), as_text(right)) {
        call.charge_text(left.len().min(right.len()))?;
        return Ok(left == right);
    }
    if let Some(order) = number::compare(call, left, right)? {
        return Ok(order.is_eq());
    }
    if is_object(left) && is_object(right) {
        return Err(call.fail(What::ObjectsCompared));
    }
    if is_list(left) && is_list(right) {
        return lists_are_equal(call, left, right, two_types);
    }
    match two_types {
        TwoTypes::Fail if are_of_two_types(left, right) => Err(call.fail(What::TypesDiffer)),
        _ => Ok(left.equals(right)),
    }
}

/// Whether two values, not both numbers, are of two types. Null is of every type, but for the text that JSON has for it.
fn are_of_two_types(left: &(dyn Val + '_), right: &(dyn Val + '_)) -> bool {
    let (kind, other) = (left.get_type().kind(), right.get_type().kind());
    if kind == Kind::NullType || other == Kind::NullType {
        return is_text_for_null(left) || is_text_for_null(right);
    }
    kind != other || (kind == Kind::Unspecified && left.get_type().name() != right.get_type().name())
}

fn is_text_for_null(value: &(dyn Val + '_)) -> bool {
    as_text(value).is_some_and(|text| text.trim_matches([' ', '\t', '\n', '\r']) == "null")
}

fn lists_are_equal(
    call: &Call<'_, '_, '_>,
    left: &(dyn Val + '_),
    right: &(dyn Val + '_),
    two_types: TwoTypes,
) -> Result<bool, Failure> {
    if length(left) != length(right) {
        return Ok(false);
    }
    let (Some(left), Some(right)) = (left.as_iterable(), right.as_iterable()) else {
        return Err(call.fail(What::WrongType));
    };
    let (mut left, mut right) = (left.iter(), right.iter());
    while let (Some(left), Some(right)) = (left.next(), right.next()) {
        call.charge(1)?;
        if !equal(call, left, right, two_types)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a list has an element, or an object a member. An element that cannot be compared is an error only if none is equal.
fn contains<'b, 'v>(call: &Call<'_, 'b, 'v>, two_types: TwoTypes) -> Answer<'b, 'v> {
    let (needle, hay) = (call.value(0)?, call.value(1)?);
    if is_object(hay) {
        return presence(call, hay, needle);
    }
    if !is_list(hay) {
        return Err(call.fail(What::WrongType));
    }
    let (mut found, mut unlike) = (false, None);
    for_each(hay, |item| {
        call.charge(1)?;
        match equal(call, item, needle, two_types) {
            Ok(is_equal) => found = is_equal,
            Err(failure) if failure.what == What::TypesDiffer => unlike = Some(failure),
            Err(failure) => return Err(failure),
        }
        Ok(!found)
    })?;
    match unlike {
        Some(failure) if !found => Err(failure),
        _ => Ok(boolean(found)),
    }
}
