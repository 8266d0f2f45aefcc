//! Arrays and objects: handles that read single members on demand, and their elements only when something ranges over them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Indexer, Iterable, Iterator as ValueIterator, Sizer};
use cel::common::types::{CelInt, CelString, LIST_TYPE, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};

use super::{Origin, Place, as_text, lift, shared};
use crate::expr::failure::{Failure, What};
use crate::expr::functions::number;
use crate::expr::meter::LIST;
use crate::json::Value;

/// An array or object of the call, or labels, which read like one.
pub(in crate::expr) struct Container<'a> {
    source: Source<'a>,
    place: Place<'a>,
    /// The elements, or the keys of an object, once something ranged over them.
    items: OnceLock<Vec<Box<dyn Val + 'a>>>,
}

/// What a [`Container`] reads from.
#[derive(Clone, Copy)]
pub(in crate::expr) enum Source<'a> {
    Array(Value<'a>),
    Object(Value<'a>),
    Labels(&'a BTreeMap<String, String>),
    /// An object without members.
    Nothing,
}

impl Source<'_> {
    /// How many elements or members.
    pub(in crate::expr) fn len(&self) -> usize {
        match self {
            Self::Array(value) | Self::Object(value) => value.len(),
            Self::Labels(labels) => labels.len(),
            Self::Nothing => 0,
        }
    }
}

impl<'a> Container<'a> {
    pub(in crate::expr) fn new(source: Source<'a>, place: Place<'a>) -> Self {
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
                    Ok(shared(key))
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
pub(in crate::expr) fn refuse_twins(object: Value<'_>, key: &str, place: Place<'_>) -> Result<(), Failure> {
    if place.origin == Origin::Arguments {
        // What folding case takes at the worst: keys that all begin alike.
        place.charge(object.raw().len().min(object.len().saturating_mul(key.len())) / 16)?;
        if object.has_case_variant(key) {
            return Err(place.fail(What::AmbiguousKey));
        }
    }
    Ok(())
}

/// The element of an array at an index.
pub(in crate::expr) fn element<'a>(array: Value<'a>, index: usize, place: Place<'a>) -> Result<Value<'a>, Failure> {
    if array.len() > LIST {
        return Err(place.meter.refuse(What::ListTooLong, place.column));
    }
    place.charge(1 + index.min(array.len()) / 64)?;
    array.items().nth(index).ok_or(place.fail(What::OutOfRange))
}

/// The member of an object.
pub(in crate::expr) fn member<'a>(
    object: Value<'a>,
    key: &str,
    place: Place<'a>,
) -> Result<Option<Value<'a>>, Failure> {
    place.meter.charge_text(key.len(), place.column)?;
    place.charge(object.len() / 64)?;
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
