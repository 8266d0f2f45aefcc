//! What an expression can read, and how a path into it is read.

use cel::common::types::{CelList, CelString};
use cel::common::value::{CowVal, Val};
use reeve_crds::v1alpha1::{RiskCategory, Severity};

use super::failure::{Failure, What};
use super::functions::number;
use super::functions::table::Type;
use super::functions::time::Time;
use super::meter::Meter;
use super::value::{Container, Origin, Place, Source, as_text, boolean, element, lift, member, refuse_twins};
use super::{Variable, Variables};
use crate::json::{Kind, Value};

/// A variable, or the part of one that a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Arguments,
    Name,
    Risk,
    Categories,
    Severity,
    Annotations,
    Server,
    Namespace,
    ServiceAccount,
    PodName,
    PodLabels,
    Session,
    Now,
}

impl Root {
    /// Whether its value may differ between two calls of one tool.
    pub(super) fn is_of_the_call(self) -> bool {
        matches!(self, Self::Arguments | Self::Session | Self::Now)
    }
}

/// One variable: the names that lead to it, what it is, and what users read of it.
pub(super) struct Entry {
    pub(super) path: &'static [&'static str],
    pub(super) root: Root,
    pub(super) gives: Type,
    pub(super) variable: Variable,
}

macro_rules! entry {
    ($root:ident, $gives:ident, $path:expr, $name:literal, $kind:literal, $doc:literal) => {
        Entry {
            path: $path,
            root: Root::$root,
            gives: Type::$gives,
            variable: Variable { name: $name, kind: $kind, doc: $doc },
        }
    };
}

/// Every variable.
pub(super) const VARIABLES: &[Entry] = &[
    entry!(
        Arguments,
        Object,
        &["args"],
        "args",
        "object",
        "The arguments of a tool or prompt, the params of a resource read; an empty object if there are none."
    ),
    entry!(
        Name,
        Text,
        &["tool", "name"],
        "tool.name",
        "string",
        "The tool's name; for a resource or prompt, its URI or name."
    ),
    entry!(
        Risk,
        Object,
        &["tool", "risk"],
        "tool.risk",
        "object",
        "Absent, as has(tool.risk) tells, unless the tool has been seen."
    ),
    entry!(
        Categories,
        List,
        &["tool", "risk", "categories"],
        "tool.risk.categories",
        "list of string",
        "Of Read, Write, Execute, Destructive and Financial, those that the tool has."
    ),
    entry!(
        Severity,
        Text,
        &["tool", "risk", "severity"],
        "tool.risk.severity",
        "string",
        "Low, Medium, High or Critical."
    ),
    entry!(
        Annotations,
        Object,
        &["tool", "annotations"],
        "tool.annotations",
        "object",
        "The annotations that the server gives the tool, such as readOnlyHint; an empty object if there are none. A server can write what it likes here."
    ),
    entry!(Server, Text, &["server"], "server", "string", "The name of the server."),
    entry!(Namespace, Text, &["grant", "namespace"], "grant.namespace", "string", "The namespace of the pod."),
    entry!(
        ServiceAccount,
        Text,
        &["grant", "serviceAccount"],
        "grant.serviceAccount",
        "string",
        "The pod's ServiceAccount; standalone, the name of the grant."
    ),
    entry!(PodName, Text, &["pod", "name"], "pod.name", "string", "The name of the pod; standalone, of the host."),
    entry!(PodLabels, Object, &["pod", "labels"], "pod.labels", "object of string", "The labels of the pod."),
    entry!(Session, Text, &["session"], "session", "string", "The session; the empty string for a call without one."),
    entry!(Now, Other, &["now"], "now", "timestamp", "The time of the call."),
];

/// One step of a path, and the column at which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) column: usize,
}

/// Where a step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Field(String),
    Index(usize),
}

/// What a path is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Value,
    /// Whether the last step leads anywhere.
    Presence,
    /// How many elements, members or characters there are.
    Size,
}

/// A path that an expression reads.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
    pub(super) want: Want,
    pub(super) column: usize,
}

impl Read {
    /// Reads the path.
    pub(super) fn value<'a>(
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
