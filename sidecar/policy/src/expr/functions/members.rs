//! What has members or elements: reading them, asking for them, counting them.

use cel::common::types::{CelList, Kind};
use cel::common::value::{CowVal, Val};

use super::{Answer, Call, number};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{as_text, boolean};

pub(super) fn has<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    presence(call, call.value(0)?, call.value(1)?)
}

pub(super) fn presence<'b, 'v>(
    call: &Call<'_, 'b, 'v>,
    object: &(dyn Val + '_),
    key: &(dyn Val + '_),
) -> Answer<'b, 'v> {
    match member(call, object, key) {
        Ok(_) => Ok(boolean(true)),
        Err(failure) if failure.what == What::NoSuchKey => Ok(boolean(false)),
        Err(failure) => Err(failure),
    }
}

pub(super) fn get<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
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

pub(super) fn is_list(value: &(dyn Val + '_)) -> bool {
    value.get_type().kind() == Kind::List
}

pub(super) fn is_object(value: &(dyn Val + '_)) -> bool {
    value.get_type().kind() == Kind::Map
}

/// How many elements or members; 0 for what has none.
pub(super) fn length(value: &(dyn Val + '_)) -> usize {
    value.as_sizer().and_then(|sizer| usize::try_from(*sizer.size().inner()).ok()).unwrap_or(0)
}

/// Visits the elements of a list until one says to stop.
pub(super) fn for_each<'v>(
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
pub(super) fn size<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let value = call.value(0)?;
    if as_text(value).is_some() {
        return Ok(number::whole(call.text(0)?.chars().count()));
    }
    if is_list(value) || is_object(value) {
        return Ok(number::whole(length(value)));
    }
    Err(call.fail(What::WrongType))
}
