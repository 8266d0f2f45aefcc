//! One evaluation: the variables behind the names of a rewritten tree, the meter, and the result.

use std::sync::Arc;

use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, Value};

use super::Variables;
use super::failure::Failure;
use super::functions::ENVIRONMENT;
use super::meter::Meter;
use super::rewrite::{METER, Rewritten, Slot};

/// Evaluates a tree and gives its value to `read`. Whatever the evaluator returns, a spent meter is the failure: `||`, `all`
/// and `exists` may have absorbed it.
pub(super) fn evaluate<T>(
    expression: &Rewritten,
    variables: &Variables<'_>,
    read: impl FnOnce(&dyn Val) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let evaluation = Evaluation { slots: &expression.slots, variables, meter: Meter::new() };
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(&evaluation);
    let result = Value::resolve_val(&expression.tree, &context);
    if let Some(refused) = evaluation.meter.refused() {
        return Err(refused);
    }
    match result {
        Ok(value) => read(&*value),
        Err(error) => Err(evaluation.failure(&error)),
    }
}

/// What the evaluator asks for variables.
struct Evaluation<'a> {
    slots: &'a [Slot],
    variables: &'a Variables<'a>,
    meter: Meter,
}

impl Evaluation<'_> {
    fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.get(name.strip_prefix('@')?.parse::<usize>().ok()?)
    }

    /// What an error of the evaluator stands for. It only says which name could not be read, so that is read again.
    fn failure(&self, error: &ExecutionError) -> Failure {
        if let ExecutionError::UndeclaredReference(name) = error
            && let Some(Slot::Read(read)) = self.slot(name)
            && let Err(failure) = read.value(self.variables, &self.meter)
        {
            return failure;
        }
        Failure::from(error)
    }
}

impl VariableResolver for Evaluation<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if name == METER {
            return Some(CowVal::Borrowed(&self.meter));
        }
        match self.slot(name)? {
            Slot::Constant(value) => Some(CowVal::Borrowed(&**value)),
            Slot::Read(read) => read.value(self.variables, &self.meter).ok(),
        }
    }
}
