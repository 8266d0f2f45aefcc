//! Operators, and the functions that [`crate::expr`] weaves into an expression itself.

use std::cmp::Ordering;

use cel::ExecutionError;
use cel::common::functions::Function as Implementation;
use cel::common::types::{CelBool, CelList, CelString, Kind};
use cel::common::value::{CowVal, Val};

use super::number::{self, Arithmetic};
use super::time::{Span, Time};
use super::{Answer, Call, run};
use crate::expr::failure::{Failure, What};
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
    ("<", 2, |arguments| run(&arguments, less)),
    ("<=", 2, |arguments| run(&arguments, less_or_equal)),
    (">", 2, |arguments| run(&arguments, greater)),
    (">=", 2, |arguments| run(&arguments, greater_or_equal)),
    ("==", 2, |arguments| run(&arguments, equals)),
    ("!=", 2, |arguments| run(&arguments, differs)),
    ("in", 2, |arguments| run(&arguments, is_in)),
    (GET, 2, |arguments| run(&arguments, get)),
    (HAS, 2, |arguments| run(&arguments, has)),
    (TICK, 1, |arguments| run(&arguments, tick)),
    (CONDITION, 1, condition),
    (RANGE, 1, range),
    (LIST, 1, list),
];

/// Reads a member or element: `x.a`, `x['a']`, `x[0]`.
pub(in crate::expr) const GET: &str = "get";
/// Whether an object has a member.
pub(in crate::expr) const HAS: &str = "has";
/// Pays as many units as its operand says for one turn of a loop; true.
pub(in crate::expr) const TICK: &str = "tick";
/// Its operand, which must be true or false.
pub(in crate::expr) const CONDITION: &str = "condition";
/// Its operand, which must be something to range over.
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

fn less<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_lt()))
}

fn less_or_equal<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_le()))
}

fn greater<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_gt()))
}

fn greater_or_equal<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(compare(call)?.is_ge()))
}

/// How two numbers (whole or not), strings, booleans, times or durations compare.
fn compare(call: &Call<'_, '_, '_>) -> Result<Ordering, Failure> {
    let (left, right) = (call.value(0)?, call.value(1)?);
    let wrong = call.fail(What::WrongType);
    if let Some(left) = number::as_number(left) {
        let right = number::as_number(right).ok_or(wrong)?;
        return number::order(left, right).ok_or(wrong);
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

fn equals<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(equal(call, call.value(0)?, call.value(1)?)?))
}

fn differs<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(!equal(call, call.value(0)?, call.value(1)?)?))
}

/// Whether two values are equal: numbers by value, lists element by element, values of different types never. Two objects
/// cannot be compared: the answer would be a guess at what the server makes of them.
fn equal(call: &Call<'_, '_, '_>, left: &(dyn Val + '_), right: &(dyn Val + '_)) -> Result<bool, Failure> {
    if let (Some(left), Some(right)) = (as_text(left), as_text(right)) {
        call.charge_text(left.len().min(right.len()))?;
        return Ok(left == right);
    }
    if let (Some(left), Some(right)) = (number::as_number(left), number::as_number(right)) {
        return Ok(number::order(left, right).is_some_and(Ordering::is_eq));
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

fn is_in<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
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

fn has<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    presence(call, call.value(0)?, call.value(1)?)
}

fn presence<'b, 'v>(call: &Call<'_, 'b, 'v>, object: &(dyn Val + '_), key: &(dyn Val + '_)) -> Answer<'b, 'v> {
    match member(call, object, key) {
        Ok(_) => Ok(boolean(true)),
        Err(failure) if failure.what == What::NoSuchKey => Ok(boolean(false)),
        Err(failure) => Err(failure),
    }
}

fn get<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    member(call, call.value(0)?, call.value(1)?)
}

/// The member or element of a value, with the column of the access.
fn member<'b, 'v>(call: &Call<'_, 'b, 'v>, value: &(dyn Val + 'v), key: &(dyn Val + '_)) -> Answer<'b, 'v> {
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let index = number::index(key).ok_or(call.fail(What::WrongType))?;
        let element = usize::try_from(index).ok().and_then(|index| list.inner().get(index));
        let element = element.ok_or(call.fail(What::OutOfRange))?;
        return Ok(CowVal::Owned(element.clone_as_boxed()));
    }
    let indexer = value.as_indexer().ok_or(call.fail(What::WrongType))?;
    match indexer.get(key) {
        Ok(member) => Ok(CowVal::Owned(member.into_owned())),
        Err(error) => match Failure::from(&error).what {
            What::AmbiguousKey => Err(call.meter.refuse(What::AmbiguousKey, call.column)),
            what => Err(call.fail(what)),
        },
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

/// Checks, before the evaluator makes room for them, that the elements are few enough to range over.
fn range<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    run(&arguments, |call| {
        let range = call.value(0)?;
        if range.as_iterable().is_none() {
            return Err(call.fail(What::WrongType));
        }
        if length(range) > meter::LIST {
            return Err(call.meter.refuse(What::ListTooLong, call.column));
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

fn is_list(value: &(dyn Val + '_)) -> bool {
    value.get_type().kind() == Kind::List
}

fn is_object(value: &(dyn Val + '_)) -> bool {
    value.get_type().kind() == Kind::Map
}

/// How many elements or members; 0 for what has none.
fn length(value: &(dyn Val + '_)) -> usize {
    value.as_sizer().and_then(|sizer| usize::try_from(*sizer.size().inner()).ok()).unwrap_or(0)
}

/// Visits the elements of a list until one says to stop.
fn for_each<'v>(
    list: &(dyn Val + 'v),
    mut visit: impl FnMut(&(dyn Val + 'v)) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    if let Some(list) = list.as_iterable() {
        let mut items = list.iter();
        while let Some(item) = items.next() {
            if !visit(item)? {
                break;
            }
        }
    }
    Ok(())
}

/// `size`: characters of a string, elements of a list, members of an object.
pub(in crate::expr) fn size<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let value = call.value(0)?;
    if as_text(value).is_some() {
        return Ok(number::whole(call.text(0)?.chars().count()));
    }
    match value.downcast_ref::<CelString<'_>>() {
        None if value.as_sizer().is_some() => Ok(number::whole(length(value))),
        _ => Err(call.fail(What::WrongType)),
    }
}
