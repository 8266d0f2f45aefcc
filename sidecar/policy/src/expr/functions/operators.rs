//! Operators, and the functions that [`crate::expr`] weaves into an expression itself.

use cel::ExecutionError;
use cel::common::functions::Function as Implementation;
use cel::common::types::{CelBool, CelList};
use cel::common::value::{CowVal, Val};

use super::keys::Compared;
use super::members::{for_each, is_list, is_object, length};
use super::number::{self, Arithmetic};
use super::time::{Span, Time};
use super::{Answer, Call, compare, members, run};
use crate::expr::failure::What;
use crate::expr::meter::{self, TEXT};
use crate::expr::value::{Text, as_text, boolean};

/// Every operator: its name in a rewritten tree, how many operands it has, and what runs it.
pub(in crate::expr) const OPERATORS: &[(&str, usize, Implementation)] = &[
    ("+", 2, |arguments| run(&arguments, add)),
    ("-", 2, |arguments| run(&arguments, subtract)),
    ("*", 2, |arguments| run(&arguments, multiply)),
    ("/", 2, |arguments| run(&arguments, divide)),
    ("%", 2, |arguments| run(&arguments, remainder)),
    ("-", 1, |arguments| run(&arguments, negate)),
    ("!", 1, |arguments| run(&arguments, not)),
    ("<", 2, |arguments| run(&arguments, compare::less)),
    ("<=", 2, |arguments| run(&arguments, compare::less_or_equal)),
    (">", 2, |arguments| run(&arguments, compare::greater)),
    (">=", 2, |arguments| run(&arguments, compare::greater_or_equal)),
    ("==", 2, |arguments| run(&arguments, compare::equals)),
    ("!=", 2, |arguments| run(&arguments, compare::differs)),
    ("in", 2, |arguments| run(&arguments, compare::is_in)),
    (ARGUMENT_EQUALS, 2, |arguments| run(&arguments, compare::argument_equals)),
    (ARGUMENT_DIFFERS, 2, |arguments| run(&arguments, compare::argument_differs)),
    (ARGUMENT_IN, 2, |arguments| run(&arguments, compare::argument_is_in)),
    (GET, 2, |arguments| run(&arguments, members::get)),
    (HAS, 2, |arguments| run(&arguments, members::has)),
    (TICK, 1, |arguments| run(&arguments, tick)),
    (CONDITION, 1, condition),
    (RANGE, 2, range),
    (LIST, 1, list),
];

/// `==`, `!=` and `in` where an operand comes from the arguments.
pub(in crate::expr) const ARGUMENT_EQUALS: &str = "args ==";
pub(in crate::expr) const ARGUMENT_DIFFERS: &str = "args !=";
pub(in crate::expr) const ARGUMENT_IN: &str = "args in";
/// Reads a member or element: `x.a`, `x['a']`, `x[0]`.
pub(in crate::expr) const GET: &str = "get";
/// Whether an object has a member.
pub(in crate::expr) const HAS: &str = "has";
/// Pays as many units as its operand says for one turn of a loop; true.
pub(in crate::expr) const TICK: &str = "tick";
/// Its operand, which must be true or false.
pub(in crate::expr) const CONDITION: &str = "condition";
/// Its first operand, which must be something to range over. The second is what keys are [`Compared`] with, if it comes
/// from the arguments.
pub(in crate::expr) const RANGE: &str = "range";
/// Its operand, a list just made, whose elements it pays for.
pub(in crate::expr) const LIST: &str = "list";

fn add<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (left, right) = (call.value(0)?, call.value(1)?);
    if let (Some(left), Some(right)) = (as_text(left), as_text(right)) {
        return join(call, left, right);
    }
    if is_list(left) && is_list(right) {
        return concatenate(call, left, right);
    }
    if let Some(moment) = left.downcast_ref::<Time>() {
        let span = right.downcast_ref::<Span>().ok_or(call.fail(What::WrongType))?;
        return moment.later(*span).map_or(Err(call.fail(What::Overflow)), owned);
    }
    if let Some(span) = left.downcast_ref::<Span>() {
        let sum = match (right.downcast_ref::<Time>(), right.downcast_ref::<Span>()) {
            (Some(moment), _) => return moment.later(*span).map_or(Err(call.fail(What::Overflow)), owned),
            (None, Some(other)) => span.plus(*other),
            (None, None) => return Err(call.fail(What::WrongType)),
        };
        return sum.map_or(Err(call.fail(What::Overflow)), owned);
    }
    number::calculate(call, Arithmetic::Add)
}

fn owned<'b, 'v, T: Val + 'v>(value: T) -> Answer<'b, 'v> {
    Ok(CowVal::owned(value))
}

fn join<'b, 'v>(call: &Call<'_, 'b, 'v>, left: &str, right: &str) -> Answer<'b, 'v> {
    let length = left.len() + right.len();
    if length > TEXT {
        return Err(call.fail(What::TextTooLong));
    }
    call.charge_text(length)?;
    owned(Text::from([left, right].concat()))
}

fn concatenate<'b, 'v>(call: &Call<'_, 'b, 'v>, left: &(dyn Val + 'v), right: &(dyn Val + 'v)) -> Answer<'b, 'v> {
    let length = length(left) + length(right);
    if length > meter::LIST {
        return Err(call.fail(What::ListTooLong));
    }
    call.charge(length)?;
    let mut all = Vec::with_capacity(length);
    for list in [left, right] {
        for_each(list, |item| {
            all.push(item.clone_as_boxed());
            Ok(true)
        })?;
    }
    owned(CelList::from(all))
}

fn subtract<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (left, right) = (call.value(0)?, call.value(1)?);
    let overflow = Err(call.fail(What::Overflow));
    match (left.downcast_ref::<Time>(), right.downcast_ref::<Time>()) {
        (Some(left), Some(right)) => return left.since(*right).map_or(overflow, owned),
        (Some(left), None) => {
            let span = right.downcast_ref::<Span>().ok_or(call.fail(What::WrongType))?;
            let earlier = span.negative().and_then(|span| left.later(span));
            return earlier.map_or(overflow, owned);
        }
        _ => {}
    }
    match (left.downcast_ref::<Span>(), right.downcast_ref::<Span>()) {
        (Some(left), Some(right)) => right.negative().and_then(|right| left.plus(right)).map_or(overflow, owned),
        _ => number::calculate(call, Arithmetic::Subtract),
    }
}

fn multiply<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    number::calculate(call, Arithmetic::Multiply)
}

fn divide<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    number::calculate(call, Arithmetic::Divide)
}

fn remainder<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    number::calculate(call, Arithmetic::Remainder)
}

fn negate<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match call.value(0)?.downcast_ref::<Span>() {
        Some(span) => span.negative().map_or(Err(call.fail(What::Overflow)), owned),
        None => number::negate(call),
    }
}

fn not<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match call.value(0)?.downcast_ref::<CelBool>() {
        Some(value) => Ok(boolean(!*value.inner())),
        None => Err(call.fail(What::WrongType)),
    }
}

fn tick<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    call.charge(call.count(0)?.unwrap_or(1))?;
    Ok(boolean(true))
}

fn condition<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    run(&arguments, |call| match call.value(0)?.downcast_ref::<CelBool>() {
        Some(_) => Ok(boolean(true)),
        None => Err(call.fail(What::NotACondition)),
    })?;
    Ok(arguments.swap_remove(0))
}

/// Checks, before the evaluator makes room for them, that the elements are few enough to range over, and that no key of the
/// arguments is one to some servers, and another to those comparisons that the loop may make.
fn range<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    run(&arguments, |call| {
        let range = call.value(0)?;
        if range.as_iterable().is_none() {
            return Err(call.fail(What::WrongType));
        }
        if length(range) > meter::LIST {
            return Err(call.meter.refuse(What::ListTooLong, call.column));
        }
        if let (true, Some(compared)) = (is_object(range), call.value(1)?.downcast_ref::<Compared>()) {
            compared.check(call, range)?;
        }
        Ok(boolean(true))
    })?;
    Ok(arguments.swap_remove(0))
}

fn list<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    run(&arguments, |call| {
        call.charge(length(call.value(0)?))?;
        Ok(boolean(true))
    })?;
    Ok(arguments.swap_remove(0))
}
