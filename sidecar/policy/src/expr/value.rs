//! The call's JSON as values of the evaluator, read lazily and paid for when read.
//!
//! A string without escapes is borrowed from the body. An array or object is a [`Container`]: a handle that reads single
//! members on demand and its elements only when something ranges over them. Cloning any value is cheap, whatever it
//! holds, so that a loop cannot multiply data.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::ExecutionError;
use cel::common::traits::{Indexer, Iterable, Iterator as ValueIterator, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelNull, CelString, CelUInt, LIST_TYPE, MAP_TYPE, STRING_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};

use super::failure::{Failure, What};
use super::functions::number;
use super::meter::{LIST, Meter};
use crate::json::{Kind, Number, Value};

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
            Some(Number::Int(int)) => CowVal::owned(CelInt::from(int)),
            Some(Number::UInt(uint)) => CowVal::owned(CelUInt::from(uint)),
            Some(Number::Float(float)) => CowVal::owned(CelDouble::from(float)),
            None => return Err(place.fail(What::NotANumber)),
        },
        Kind::String => {
            place.meter.charge_text(value.raw().len(), place.column)?;
            match value.as_str() {
                Some(Cow::Borrowed(text)) => CowVal::owned(CelString::from(text)),
                Some(Cow::Owned(text)) => CowVal::owned(Text::from(text)),
                None => return Err(place.fail(What::WrongType)),
            }
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

/// The text of a string, whichever type holds it.
pub(super) fn as_text<'b>(value: &'b (dyn Val + '_)) -> Option<&'b str> {
    match value.downcast_ref::<CelString<'_>>() {
        Some(text) => Some(text.inner()),
        None => value.downcast_ref::<Text>().map(|text| text.0.as_str()),
    }
}

impl Val for Text {
    fn get_type(&self) -> &Type {
        &STRING_TYPE
    }

    fn cel_type() -> &'static Type {
        &STRING_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Text {}

/// An array or object of the call, or labels, which read like one.
pub(super) struct Container<'a> {
    source: Source<'a>,
    place: Place<'a>,
    /// The elements, or the keys of an object, once something ranged over them.
    items: OnceLock<Vec<Box<dyn Val + 'a>>>,
}

/// What a [`Container`] reads from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Array(Value<'a>),
    Object(Value<'a>),
    Labels(&'a BTreeMap<String, String>),
    /// An object without members.
    Nothing,
}

impl Source<'_> {
    /// How many elements or members.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Array(value) | Self::Object(value) => value.len(),
            Self::Labels(labels) => labels.len(),
            Self::Nothing => 0,
        }
    }
}

impl<'a> Container<'a> {
    pub(super) fn new(source: Source<'a>, place: Place<'a>) -> Self {
        Self { source, place, items: OnceLock::new() }
    }

    /// The elements or keys; none, and the evaluation refused, if they are too many to read.
    fn items(&self) -> &[Box<dyn Val + 'a>] {
        self.items.get_or_init(|| {
            self.read_items().unwrap_or_else(|failure| {
                self.place.meter.refuse(failure.what, failure.column);
                Vec::new()
            })
        })
    }

    fn read_items(&self) -> Result<Vec<Box<dyn Val + 'a>>, Failure> {
        let length = self.source.len();
        if length > LIST {
            return Err(self.place.fail(What::ListTooLong));
        }
        self.place.charge(1 + length)?;
        match self.source {
            Source::Array(array) => array.items().map(|item| lift(item, self.place).map(CowVal::into_owned)).collect(),
            Source::Object(object) => object
                .members()
                .map(|(key, _)| {
                    self.place.meter.charge_text(key.len(), self.place.column)?;
                    Ok(Box::new(CelString::from(key)) as Box<dyn Val + 'a>)
                })
                .collect(),
            Source::Labels(labels) => {
                Ok(labels.keys().map(|key| Box::new(CelString::from(key.as_str())) as Box<dyn Val + 'a>).collect())
            }
            Source::Nothing => Ok(Vec::new()),
        }
    }

    fn get(&self, index: &dyn Val) -> Result<CowVal<'a, 'a>, Failure> {
        let wrong = self.place.fail(What::WrongType);
        match self.source {
            Source::Array(array) => {
                let index = usize::try_from(number::index(index).ok_or(wrong)?);
                let element = element(array, index.unwrap_or(usize::MAX), self.place)?;
                lift(element, self.place)
            }
            Source::Object(object) => {
                let key = as_text(index).ok_or(wrong)?;
                refuse_twins(object, key, self.place)?;
                let member = member(object, key, self.place)?;
                lift(member.ok_or(self.place.fail(What::NoSuchKey))?, self.place)
            }
            Source::Labels(labels) => match labels.get(as_text(index).ok_or(wrong)?) {
                Some(value) => Ok(CowVal::owned(CelString::from(value.as_str()))),
                None => Err(self.place.fail(What::NoSuchKey)),
            },
            Source::Nothing => Err(self.place.fail(What::NoSuchKey)),
        }
    }
}

/// Fails for an argument beside which stands another that some servers would read in its stead. The caller must make that
/// the end of the evaluation, so that nothing absorbs it.
pub(super) fn refuse_twins(object: Value<'_>, key: &str, place: Place<'_>) -> Result<(), Failure> {
    if place.origin == Origin::Arguments {
        place.charge(object.len() / 16)?;
        if object.has_case_variant(key) {
            return Err(place.fail(What::AmbiguousKey));
        }
    }
    Ok(())
}

/// The element of an array at an index.
pub(super) fn element<'a>(array: Value<'a>, index: usize, place: Place<'a>) -> Result<Value<'a>, Failure> {
    if array.len() > LIST {
        return Err(place.meter.refuse(What::ListTooLong, place.column));
    }
    place.charge(1 + index.min(array.len()) / 64)?;
    array.items().nth(index).ok_or(place.fail(What::OutOfRange))
}

/// The member of an object.
pub(super) fn member<'a>(object: Value<'a>, key: &str, place: Place<'a>) -> Result<Option<Value<'a>>, Failure> {
    place.charge(1 + object.len() / 64)?;
    Ok(object.get(key))
}

impl fmt::Debug for Container<'_> {
    /// Tells nothing of the call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Container")
    }
}

impl<'a> Val for Container<'a> {
    fn get_type(&self) -> &Type {
        match self.source {
            Source::Array(_) => &LIST_TYPE,
            _ => &MAP_TYPE,
        }
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self::new(self.source, self.place))
    }
}

impl Indexer for Container<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Ok(self.get(index)?)
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Ok(Container::get(&self, index)?.into_owned())
    }
}

impl Iterable for Container<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn ValueIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Items(self.items().iter()))
    }
}

/// Walks the elements of a [`Container`].
struct Items<'b, 'a>(std::slice::Iter<'b, Box<dyn Val + 'a>>);

impl<'b, 'a: 'v, 'v> ValueIterator<'b, 'v> for Items<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|item| &**item as &(dyn Val + 'v))
    }
}

impl Sizer for Container<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.source.len()).unwrap_or(i64::MAX))
    }
}
