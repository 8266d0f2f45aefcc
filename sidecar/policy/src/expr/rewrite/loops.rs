//! Loops: what a user wrote in one is rewritten, and each turn is paid for.

use cel::common::ast::operators::{ADD, CONDITIONAL, LOGICAL_AND, LOGICAL_OR};
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue};
use cel::common::types::CelInt;

use super::{Element, Rewriter, Slot, Typed, bare, either, literal};
use crate::expr::functions::keys::Compared;
use crate::expr::functions::operators::{RANGE, TICK};
use crate::expr::functions::table::Type;
use crate::expr::{CompileError, gate};

impl Rewriter<'_> {
    pub(super) fn comprehension(&mut self, mut loops: ComprehensionExpr) -> Result<Typed, CompileError> {
        let column = self.column_of_start(&loops.iter_range);
        let is_constant = gate::literal_list(&loops.iter_range).is_some();
        let read_before = self.arguments_read;
        let (range, over) = self.node(loops.iter_range)?;
        if !matches!(over, Type::Any | Type::List | Type::Object) {
            let message = format!("here stands {}: a loop needs a list or an object", over.describe());
            return Err(CompileError { column, message });
        }
        let is_of_arguments = self.arguments_read > read_before;
        loops.iter_range = if is_constant {
            range
        } else {
            let compared = if is_of_arguments { self.compared.clone() } else { Compared::default() };
            let compared = self.slot(Slot::Constant(Box::new(compared)));
            self.called(RANGE, vec![range, compared], column)
        };
        let units = i64::try_from(gate::turn(&loops.loop_step)).unwrap_or(i64::MAX);
        let tick = self.called(TICK, vec![literal(LiteralValue::Int(CelInt::from(units)))], column);
        self.elements.push(Element { name: loops.iter_var.clone(), is_of_arguments });
        let step = self.step(loops.loop_step)?;
        self.elements.pop();
        let gives = if let Expr::List(_) = loops.accu_init.expr {
            // `map` and `filter`: the evaluator knows this form, and appends in place.
            loops.loop_step = guarded(tick, step, loops.result.clone());
            Type::List
        } else {
            loops.loop_step = step;
            loops.loop_cond = either(tick, loops.loop_cond, literal(LiteralValue::Boolean(false.into())));
            Type::Boolean
        };
        Ok((bare(Expr::Comprehension(Box::new(loops))), gives))
    }

    /// The step of a loop as the macros write it: `@result && p`, `@result || p`, `@result + [x]`, `@result + 1`, or one of the
    /// latter two behind a condition. The names and operators of the macro stay, what the user wrote is rewritten.
    fn step(&mut self, step: IdedExpr) -> Result<IdedExpr, CompileError> {
        let Expr::Call(mut step) = step.expr else {
            return Ok(step);
        };
        let arguments = std::mem::take(&mut step.args);
        step.args = match (step.func_name.as_str(), <[IdedExpr; 2]>::try_from(arguments)) {
            (LOGICAL_AND | LOGICAL_OR, Ok([result, condition])) => vec![result, self.condition(condition)?],
            (ADD, Ok([result, item])) => match item.expr {
                Expr::List(list) => {
                    let items = list.elements.into_iter().map(|item| Ok(self.node(item)?.0));
                    let items = items.collect::<Result<_, CompileError>>()?;
                    vec![result, bare(Expr::List(ListExpr::new(items)))]
                }
                _ => vec![result, item],
            },
            (_, Err(arguments)) => match <[IdedExpr; 3]>::try_from(arguments) {
                Ok([condition, then, otherwise]) => {
                    vec![self.condition(condition)?, self.step(then)?, otherwise]
                }
                Err(arguments) => arguments,
            },
            (_, Ok(arguments)) => arguments.into(),
        };
        Ok(bare(Expr::Call(step)))
    }
}

/// A loop's step behind one more condition.
fn guarded(condition: IdedExpr, step: IdedExpr, result: IdedExpr) -> IdedExpr {
    match step.expr {
        Expr::Call(mut step) if step.func_name == CONDITIONAL => {
            if let Some(guard) = step.args.first_mut() {
                let no = literal(LiteralValue::Boolean(false.into()));
                *guard = either(condition, std::mem::take(guard), no);
            }
            bare(Expr::Call(step))
        }
        step => either(condition, bare(step), result),
    }
}
