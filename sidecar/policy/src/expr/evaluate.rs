//! One evaluation: the variables behind the names of a rewritten tree, the meter, and the result.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cel::common::ast::Expr;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, ExecutionError, Value};

use super::Variables;
use super::failure::Failure;
use super::functions::ENVIRONMENT;
use super::meter::Meter;
use super::rewrite::{Called, METER, Rewritten, Slot, slot_named};

/// Evaluates a tree and gives its value to `read`. Whatever the evaluator returns, a spent meter is the failure: `||`, `all`
/// and `exists` may have absorbed it.
pub(super) fn evaluate<T>(
    expression: &Rewritten,
    variables: &Variables<'_>,
    read: impl FnOnce(&dyn Val) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let evaluation =
        Evaluation { slots: &expression.slots, variables, meter: Meter::new(), failures: Mutex::default() };
    if let Expr::Ident(name) = &expression.tree.expr
        && let Some(slot) = slot_named(name)
    {
        return evaluation.end(evaluation.value(slot), read);
    }
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(&evaluation);
    let result = Value::resolve_val(&expression.tree, &context);
    evaluation.end(result.map_err(|error| evaluation.failure(&error)), read)
}

/// What stands behind the names, for the evaluator or in its place.
struct Evaluation<'a> {
    slots: &'a [Slot],
    variables: &'a Variables<'a>,
    meter: Meter,
    /// Why slots have no value: the evaluator's errors only say which. One thread uses them at a time; the lock is there only
    /// because the evaluator's values must be shareable.
    failures: Mutex<Vec<(usize, Failure)>>,
}

impl Evaluation<'_> {
    /// What stands behind a name.
    fn value(&self, slot: usize) -> Result<CowVal<'_, '_>, Failure> {
        match &self.slots[slot] {
            Slot::Constant(value) => Ok(CowVal::Borrowed(&**value)),
            Slot::Read(read) => read.value(self.variables, &self.meter),
            Slot::Call(call) => self.call(call),
        }
    }

    fn call<'b>(&'b self, Called { run, arguments, column }: &'b Called) -> Result<CowVal<'b, 'b>, Failure> {
        let mut values = Vec::with_capacity(arguments.len() + 2);
        for &argument in arguments {
            values.push(self.value(argument)?);
        }
        values.extend([CowVal::Borrowed(&self.meter as &dyn Val), CowVal::Borrowed(column)]);
        run(values).map_err(|error| Failure::from(&error))
    }

    fn end<T>(
        &self,
        result: Result<CowVal<'_, '_>, Failure>,
        read: impl FnOnce(&dyn Val) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.meter.refused() {
            Some(refused) => Err(refused),
            None => read(&*result?),
        }
    }

    /// Notes why a slot has no value: each time the same.
    fn note(&self, slot: usize, failure: Failure) {
        let mut failures = self.failures();
        if failures.iter().all(|(noted, _)| *noted != slot) {
            failures.push((slot, failure));
        }
    }

    /// What an error of the evaluator stands for.
    fn failure(&self, error: &ExecutionError) -> Failure {
        if let ExecutionError::UndeclaredReference(name) = error
            && let Some(slot) = slot_named(name)
            && let Some((_, failure)) = self.failures().iter().find(|(noted, _)| *noted == slot)
        {
            return *failure;
        }
        Failure::from(error)
    }

    fn failures(&self) -> MutexGuard<'_, Vec<(usize, Failure)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VariableResolver for Evaluation<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if name == METER {
            return Some(CowVal::Borrowed(&self.meter));
        }
        let slot = slot_named(name)?;
        self.value(slot).inspect_err(|failure| self.note(slot, *failure)).ok()
    }
}
