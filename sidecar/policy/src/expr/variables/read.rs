//! How a path is read: straight from the call's JSON, step by step.

use cel::common::types::{CelList, CelString};
use cel::common::value::{CowVal, Val};
use reeve_crds::v1alpha1::{RiskCategory, Severity};

use super::{Key, Root, Step};
use crate::expr::Variables;
use crate::expr::failure::{Failure, What};
use crate::expr::functions::number;
use crate::expr::functions::time::Time;
use crate::expr::meter::Meter;
use crate::expr::value::{Container, Origin, Place, Source, as_text, boolean, element, lift, member, refuse_twins};
use crate::json::{Kind, Value};

/// What a path is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Want {
    Value,
    /// Whether the last step leads anywhere.
    Presence,
    /// How many elements, members or characters there are.
    Size,
}

/// A path that an expression reads.
#[derive(Clone, Debug)]
pub(in crate::expr) struct Read {
    pub(in crate::expr) root: Root,
    pub(in crate::expr) steps: Vec<Step>,
    pub(in crate::expr) want: Want,
    pub(in crate::expr) column: usize,
}

impl Read {
    /// Reads the path.
    pub(in crate::expr) fn value<'a>(
        &'a self,
        variables: &'a Variables<'a>,
        meter: &'a Meter,
    ) -> Result<CowVal<'a, 'a>, Failure> {
        let origin = if self.root == Root::Arguments { Origin::Arguments } else { Origin::Known };
        let place = Place { meter, column: self.column, origin };
        match self.want {
            Want::Value => self.walk(&self.steps, variables, place)?.lift(place),
            Want::Size => Ok(number::whole(self.walk(&self.steps, variables, place)?.size(place)?)),
            Want::Presence => {
                let found = match self.steps.split_last() {
                    Some((last, before)) => {
                        let twins = before.iter().any(|step| matches!(step.key, Key::Index(_)));
                        self.walk(before, variables, place)?.step(last, twins, place)
                    }
                    None => self.walk(&[], variables, place),
                };
                match found {
                    Ok(_) => Ok(boolean(true)),
                    Err(failure) if failure.what == What::NoSuchKey => Ok(boolean(false)),
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    fn walk<'a>(&self, steps: &'a [Step], variables: &'a Variables<'a>, place: Place<'a>) -> Result<Held<'a>, Failure> {
        let mut held = Held::load(self.root, variables).ok_or(place.fail(What::NoSuchKey))?;
        let mut is_indexed = false;
        for step in steps {
            held = held.step(step, is_indexed, place)?;
            is_indexed |= matches!(step.key, Key::Index(_));
        }
        Ok(held)
    }
}

/// What stands at some step of a path.
enum Held<'a> {
    Json(Value<'a>),
    /// An object that is not JSON.
    Object(Source<'a>),
    Text(&'a str),
    Words(Vec<&'static str>),
    Time(Time),
}

impl<'a> Held<'a> {
    /// What a path begins with; none if it is not known.
    fn load(root: Root, variables: &'a Variables<'a>) -> Option<Self> {
        let subject = variables.subject;
        Some(match root {
            Root::Arguments => variables.args.map_or(Self::Object(Source::Nothing), Self::Json),
            Root::Name => Self::Text(variables.name),
            Root::Risk => variables.tool.map(|_| Self::Object(Source::Nothing))?,
            Root::Categories => Self::Words(variables.tool?.risk.categories.iter().copied().map(category).collect()),
            Root::Severity => Self::Text(severity(variables.tool?.risk.severity)),
            Root::Annotations => {
                let definition = variables.tool.map(|tool| tool.definition.root());
                let annotations = definition.and_then(|definition| definition.get("annotations"));
                annotations.map_or(Self::Object(Source::Nothing), Self::Json)
            }
            Root::Server => Self::Text(&subject.server),
            Root::Namespace => Self::Text(&subject.namespace),
            Root::ServiceAccount => Self::Text(&subject.service_account),
            Root::PodName => Self::Text(&subject.pod),
            Root::PodLabels => Self::Object(Source::Labels(&subject.labels)),
            Root::Session => Self::Text(variables.session.unwrap_or_default()),
            Root::Now => Self::Time(Time::from(variables.now)),
        })
    }

    /// Takes a step. Below an array's element no one has checked the keys yet for twins, so that it must be done here.
    fn step(self, step: &Step, refuse_twin: bool, place: Place<'a>) -> Result<Self, Failure> {
        let place = Place { column: step.column, ..place };
        let missing = place.fail(What::NoSuchKey);
        match (self, &step.key) {
            (Self::Json(object), Key::Field(key)) if object.kind() == Kind::Object => {
                if refuse_twin {
                    refuse_twins(object, key, place)
                        .map_err(|failure| place.meter.refuse(failure.what, failure.column))?;
                }
                member(object, key, place)?.map(Self::Json).ok_or(missing)
            }
            (Self::Json(array), Key::Index(index)) if array.kind() == Kind::Array => {
                element(array, *index, place).map(Self::Json)
            }
            (Self::Object(Source::Labels(labels)), Key::Field(key)) => {
                labels.get(key).map(|label| Self::Text(label)).ok_or(missing)
            }
            (Self::Object(_), Key::Field(_)) => Err(missing),
            (Self::Words(words), Key::Index(index)) => {
                words.get(*index).map(|word| Self::Text(word)).ok_or(place.fail(What::OutOfRange))
            }
            _ => Err(place.fail(What::WrongType)),
        }
    }

    fn lift(self, place: Place<'a>) -> Result<CowVal<'a, 'a>, Failure> {
        Ok(match self {
            Self::Json(value) => return lift(value, place),
            Self::Object(source) => CowVal::owned(Container::new(source, place)),
            Self::Text(text) => CowVal::owned(CelString::from(text)),
            Self::Words(words) => {
                let boxed = |word| Box::new(CelString::from(word)) as Box<dyn Val>;
                CowVal::owned(CelList::from(words.into_iter().map(boxed).collect::<Vec<_>>()))
            }
            Self::Time(time) => CowVal::owned(time),
        })
    }

    fn size(self, place: Place<'a>) -> Result<usize, Failure> {
        match self {
            Self::Json(value) if matches!(value.kind(), Kind::Array | Kind::Object) => Ok(value.len()),
            Self::Object(source) => Ok(source.len()),
            Self::Words(words) => Ok(words.len()),
            text => {
                let text = text.lift(place)?;
                let text = as_text(text.as_ref()).ok_or(place.fail(What::WrongType))?;
                Ok(text.chars().count())
            }
        }
    }
}

fn category(category: RiskCategory) -> &'static str {
    match category {
        RiskCategory::Read => "Read",
        RiskCategory::Write => "Write",
        RiskCategory::Execute => "Execute",
        RiskCategory::Destructive => "Destructive",
        RiskCategory::Financial => "Financial",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}
