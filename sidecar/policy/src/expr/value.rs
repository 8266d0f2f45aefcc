//! The call's JSON as values of the evaluator, read lazily and paid for when read.
//!
//! A string without escapes is borrowed from the body. An array or object is a [`Container`]: a handle that reads single
//! members on demand and its elements only when something ranges over them. Cloning any value is cheap, whatever it
//! holds, so that a loop cannot multiply data.

mod container;
mod plain;
mod wide;

use std::borrow::Cow;
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelNull, CelString, CelUInt, STRING_TYPE};
use cel::common::value::{CowVal, Val};

use super::failure::{Failure, What};
use super::meter::Meter;
use crate::json::{Kind, Number, Value};

pub(super) use self::container::{Container, Source, element, member, refuse_twins};
pub(in crate::expr) use self::plain::plain_value;
pub(super) use self::wide::Wide;

/// Where a value comes from: who pays for reading it, and what to blame if that fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) meter: &'a Meter,
    /// The column of the path in the expression.
    pub(super) column: usize,
    pub(super) origin: Origin,
}

/// Whose data it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The call's arguments: what the server reads too, and may read differently.
    Arguments,
    /// What Reeve itself knows.
    Known,
}

impl Place<'_> {
    pub(super) fn fail(&self, what: What) -> Failure {
        Failure { what, column: self.column }
    }

    fn charge(&self, units: usize) -> Result<(), Failure> {
        self.meter.charge(units, self.column)
    }
}

static TRUE: CelBool = CelBool::TRUE;
static FALSE: CelBool = CelBool::FALSE;
static NULL: CelNull = CelNull;

/// A boolean of the evaluator.
pub(super) fn boolean<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::Borrowed(if value { &TRUE } else { &FALSE })
}

/// A JSON value as a value of the evaluator.
pub(super) fn lift<'b, 'a>(value: Value<'a>, place: Place<'a>) -> Result<CowVal<'b, 'a>, Failure> {
    Ok(match value.kind() {
        Kind::Null => CowVal::Borrowed(&NULL),
        Kind::Bool => boolean(value.as_bool().unwrap_or_default()),
        Kind::Number => match value.as_number() {
            Some(number) if place.origin == Origin::Arguments => wide::argument(number),
            Some(Number::Int(int)) => CowVal::owned(CelInt::from(int)),
            Some(Number::UInt(uint)) => CowVal::owned(CelUInt::from(uint)),
            Some(Number::Float(float)) => CowVal::owned(CelDouble::from(float)),
            None => return Err(place.fail(What::NotANumber)),
        },
        Kind::String => {
            place.meter.charge_text(value.raw().len(), place.column)?;
            CowVal::Owned(shared(value.as_str().ok_or(place.fail(What::WrongType))?))
        }
        Kind::Array => CowVal::owned(Container::new(Source::Array(value), place)),
        Kind::Object => CowVal::owned(Container::new(Source::Object(value), place)),
    })
}

/// A text that the evaluation made; shared by its clones.
#[derive(Clone, Debug)]
pub(super) struct Text(Arc<String>);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Arc::new(text))
    }
}

/// A string of the call: borrowed, or if it had to be decoded shared by its clones.
fn shared<'a>(text: Cow<'a, str>) -> Box<dyn Val + 'a> {
    match text {
        Cow::Borrowed(text) => Box::new(CelString::from(text)),
        Cow::Owned(text) => Box::new(Text::from(text)),
    }
}

/// The text of a string, whichever type holds it.
pub(super) fn as_text<'b>(value: &'b (dyn Val + '_)) -> Option<&'b str> {
    match value.downcast_ref::<CelString<'_>>() {
        Some(text) => Some(text.inner()),
        None => value.downcast_ref::<Text>().map(|text| text.0.as_str()),
    }
}

plain_value!(Text, STRING_TYPE);
