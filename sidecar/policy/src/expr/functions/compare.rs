//! Comparisons: of numbers by value, of lists element by element, of two objects never.

use std::cmp::Ordering;

use cel::common::types::CelBool;
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

pub(super) fn equals<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(equal(call, call.value(0)?, call.value(1)?)?))
}

pub(super) fn differs<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(!equal(call, call.value(0)?, call.value(1)?)?))
}

/// Whether two values are equal: numbers by value, lists element by element, values of different types never. Two objects
/// cannot be compared: the answer would be a guess at what the server makes of them.
fn equal(call: &Call<'_, '_, '_>, left: &(dyn Val + '_), right: &(dyn Val + '_)) -> Result<bool, Failure> {
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
        return lists_are_equal(call, left, right);
    }
    Ok(left.equals(right))
}

fn lists_are_equal(call: &Call<'_, '_, '_>, left: &(dyn Val + '_), right: &(dyn Val + '_)) -> Result<bool, Failure> {
    if length(left) != length(right) {
        return Ok(false);
    }
    let (Some(left), Some(right)) = (left.as_iterable(), right.as_iterable()) else {
        return Err(call.fail(What::WrongType));
    };
    let (mut left, mut right) = (left.iter(), right.iter());
    while let (Some(left), Some(right)) = (left.next(), right.next()) {
        call.charge(1)?;
        if !equal(call, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn is_in<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (needle, hay) = (call.value(0)?, call.value(1)?);
    if is_object(hay) {
        return presence(call, hay, needle);
    }
    if !is_list(hay) {
        return Err(call.fail(What::WrongType));
    }
    let mut found = false;
    for_each(hay, |item| {
        call.charge(1)?;
        found = equal(call, item, needle)?;
        Ok(!found)
    })?;
    Ok(boolean(found))
}
