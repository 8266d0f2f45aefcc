//! What an expression takes for granted of the arguments, for warnings where a tool's schema says otherwise.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::Rewriter;
use super::paths::fixed_part;
use crate::expr::functions::table::Type;
use crate::expr::variables::Step;
use crate::expr::{Expectation, Expected};

impl Rewriter<'_> {
    /// Notes that a node, if it is an argument, should be of this type.
    pub(super) fn expect(&mut self, node: &IdedExpr, of: Type) {
        let expected = match of {
            Type::Text => Expected::Text,
            Type::Number => Expected::Number,
            Type::Boolean => Expected::Boolean,
            Type::List | Type::Object => Expected::Items,
            Type::Any | Type::Url | Type::Other => return,
        };
        if let Some((name, steps)) = self.variable(node) {
            self.note(&name, &steps, expected);
        }
    }

    /// Notes that `has` needs the object that it looks into.
    pub(super) fn expect_presence(&mut self, name: &str, steps: &[Step]) {
        self.note(name, steps, Expected::Present);
    }

    /// Notes that the operands should be of the type of a literal among them.
    pub(super) fn expect_alike(&mut self, operands: &[IdedExpr]) {
        let Some(of) = operands.iter().find_map(type_of_literal) else {
            return;
        };
        for operand in operands {
            self.expect(operand, of);
        }
    }

    fn note(&mut self, name: &str, steps: &[Step], expected: Expected) {
        let Some(path) = fixed_part(steps).filter(|path| name == "args" && path.len() == steps.len()) else {
            return;
        };
        let column = steps.last().map_or(1, |step| step.column);
        let expectation = Expectation { path, expected, column };
        if !self.expectations.contains(&expectation) {
            self.expectations.push(expectation);
        }
    }
}

fn type_of_literal(node: &IdedExpr) -> Option<Type> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(_)) => Some(Type::Text),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::Double(_)) => Some(Type::Number),
        Expr::Literal(LiteralValue::Boolean(_)) => Some(Type::Boolean),
        _ => None,
    }
}
