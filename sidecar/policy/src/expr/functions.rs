//! The functions of the language: one table of what exists, and how each is called: by the evaluator or, where its
//! arguments stand behind names, without it.
//!
//! The evaluator runs in an environment that has these functions and nothing else: what is not in the table cannot be
//! called. [`super::rewrite`] turns every call and operator into a call of one of them, with two arguments more: the
//! [`Meter`] that pays for it and the column at which it stands.

pub(super) mod address;
mod calendar;
mod compare;
pub(super) mod keys;
mod members;
pub(super) mod number;
pub(super) mod operators;
pub(super) mod pattern;
pub(super) mod table;
pub(super) mod text;
pub(super) mod time;
pub(super) mod url;

use std::sync::{Arc, LazyLock};

use cel::common::functions::Function as Implementation;
use cel::common::types::{CelInt, DYN_TYPE};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Env, ExecutionError};

use super::failure::{Failure, What};
use super::meter::Meter;
use super::value::as_text;

/// What a function gives.
pub(super) type Answer<'b, 'v> = Result<CowVal<'b, 'v>, Failure>;

/// One call of a function: its arguments (the receiver first), who pays, and where it stands.
pub(super) struct Call<'c, 'b, 'v> {
    pub(super) arguments: &'c [CowVal<'b, 'v>],
    pub(super) meter: &'c Meter,
    pub(super) column: usize,
}

impl<'c, 'b, 'v> Call<'c, 'b, 'v> {
    fn of(arguments: &'c [CowVal<'b, 'v>]) -> Option<Self> {
        let [arguments @ .., meter, column] = arguments else {
            return None;
        };
        Some(Self {
            arguments,
            meter: meter.downcast_ref()?,
            column: usize::try_from(*column.downcast_ref::<CelInt>()?.inner()).ok()?,
        })
    }

    pub(super) fn fail(&self, what: What) -> Failure {
        Failure { what, column: self.column }
    }

    /// Ends the evaluation, whatever absorbs errors: a server may read another number than this expression does.
    pub(super) fn refuse_number(&self) -> Failure {
        self.meter.refuse(What::AmbiguousNumber, self.column)
    }

    pub(super) fn charge(&self, units: usize) -> Result<(), Failure> {
        self.meter.charge(units, self.column)
    }

    /// Pays for reading or making this many bytes of text.
    pub(super) fn charge_text(&self, bytes: usize) -> Result<(), Failure> {
        self.meter.charge_text(bytes, self.column)
    }

    pub(super) fn value(&self, index: usize) -> Result<&'c (dyn Val + 'v), Failure> {
        match self.arguments.get(index) {
            Some(value) => Ok(value.as_ref()),
            None => Err(self.fail(What::WrongType)),
        }
    }

    /// An argument that must be a string; pays for reading it.
    pub(super) fn text(&self, index: usize) -> Result<&'c str, Failure> {
        let text = as_text(self.value(index)?).ok_or(self.fail(What::WrongType))?;
        self.charge_text(text.len())?;
        Ok(text)
    }

    /// An argument that must be of a type of our own.
    pub(super) fn own<T: StaticVal>(&self, index: usize) -> Result<&'c T, Failure> {
        self.value(index)?.downcast_ref::<T>().ok_or(self.fail(What::WrongType))
    }

    /// An argument that must be a whole number of zero or more; none if it was not given.
    pub(super) fn count(&self, index: usize) -> Result<Option<usize>, Failure> {
        if index >= self.arguments.len() {
            return Ok(None);
        }
        let count = self.value(index)?.downcast_ref::<CelInt>();
        let count = *count.ok_or(self.fail(What::WrongType))?.inner();
        usize::try_from(count).map(Some).map_err(|_| self.fail(What::OutOfRange))
    }
}

/// Runs a function of ours as one of the evaluator's.
pub(super) fn run<'b, 'v>(
    arguments: &[CowVal<'b, 'v>],
    function: for<'c> fn(&Call<'c, 'b, 'v>) -> Answer<'b, 'v>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let call = Call::of(arguments).ok_or(Failure { what: What::Unexpected, column: 1 })?;
    call.charge(1)?;
    Ok(function(&call)?)
}

/// The environment that every evaluation shares.
pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::default().with_optional_support(false);
    for (name, arity, run) in all() {
        declare(&mut environment, name, arity, run);
    }
    Arc::new(environment)
});

/// Every function and operator: its name, how many arguments it takes, and what runs it.
fn all() -> impl Iterator<Item = (&'static str, usize, Implementation)> {
    let functions = table::FUNCTIONS
        .iter()
        .flat_map(|entry| entry.arity.clone().map(move |arity| (entry.function.name, arity, entry.run)));
    functions.chain(operators::OPERATORS.iter().copied())
}

/// What runs the function or operator of this name that takes so many arguments.
pub(super) fn find(name: &str, arity: usize) -> Option<Implementation> {
    all().find(|(known, takes, _)| *known == name && *takes == arity).map(|(.., run)| run)
}

fn declare(environment: &mut Env, name: &str, arity: usize, run: Implementation) {
    let parameters = (0..arity + 2).map(|_| DYN_TYPE).collect();
    // A name that the table gives twice keeps its first meaning; a test checks that there is none.
    let _ = environment.add_overload(name, &format!("{name}/{arity}"), parameters, run);
}
