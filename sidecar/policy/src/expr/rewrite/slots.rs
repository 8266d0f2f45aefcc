//! What stands behind the names of a rewritten tree.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::functions::Function as Implementation;
use cel::common::types::CelInt;
use cel::common::value::Val;

use super::{Rewriter, bare, literal, plain_call};
use crate::expr::functions;
use crate::expr::value::Text;
use crate::expr::variables::Read;

/// The name under which the meter is found.
pub(in crate::expr) const METER: &str = "@meter";

/// What stands behind a name such as `@3`.
#[derive(Debug)]
pub(in crate::expr) enum Slot {
    Read(Read),
    Constant(Box<dyn Val>),
    Call(Called),
}

/// A call of a function whose arguments all stand behind names.
#[derive(Debug)]
pub(in crate::expr) struct Called {
    pub(in crate::expr) run: Implementation,
    /// The slots of its arguments.
    pub(in crate::expr) arguments: Vec<usize>,
    pub(in crate::expr) column: CelInt,
}

/// The slot that a name such as `@3` stands for.
pub(in crate::expr) fn slot_named(name: &str) -> Option<usize> {
    name.strip_prefix('@')?.parse().ok()
}

impl Rewriter<'_> {
    /// Puts something behind a name, and gives the name.
    pub(super) fn slot(&mut self, slot: Slot) -> IdedExpr {
        self.slots.push(slot);
        bare(Expr::Ident(format!("@{}", self.slots.len() - 1)))
    }

    /// A call of one of our functions: behind a name if its arguments are literals or stand behind names themselves.
    pub(super) fn called(&mut self, name: &str, arguments: Vec<IdedExpr>, column: usize) -> IdedExpr {
        let column = CelInt::from(i64::try_from(column).unwrap_or(1));
        if arguments.iter().all(stands_alone)
            && let Some(run) = functions::find(name, arguments.len())
            && let Some(arguments) = arguments.iter().map(|argument| self.slot_of(argument)).collect()
        {
            return self.slot(Slot::Call(Called { run, arguments, column }));
        }
        call(name, arguments, column)
    }

    /// The slot of a node that [`stands_alone`].
    fn slot_of(&mut self, node: &IdedExpr) -> Option<usize> {
        if let Expr::Ident(name) = &node.expr {
            return slot_named(name);
        }
        self.slots.push(Slot::Constant(constant(node.clone())?));
        Some(self.slots.len() - 1)
    }
}

/// Whether a node is a literal, or a name that stands for something.
fn stands_alone(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(_) => true,
        Expr::Ident(name) => slot_named(name).is_some(),
        _ => false,
    }
}

/// A literal as a value whose clones are cheap.
pub(super) fn constant(node: IdedExpr) -> Option<Box<dyn Val>> {
    match node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(Box::new(Text::from(text.into_inner()))),
        Expr::Literal(literal) => Some(literal.to_val().into_owned()),
        _ => None,
    }
}

/// A call of one of our functions, by the evaluator.
fn call(name: &str, mut arguments: Vec<IdedExpr>, column: CelInt) -> IdedExpr {
    arguments.push(bare(Expr::Ident(METER.to_owned())));
    arguments.push(literal(LiteralValue::Int(column)));
    plain_call(name, arguments)
}
