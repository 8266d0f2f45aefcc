//! What is certain of the arguments where a condition turned out true, or false.
//!
//! Only of tests that are themselves no error where the opposite holds: `has(args.n)` of an `n` that is missing, `args.n == 5`
//! of one that is null. An `args.n > 5` that fails guards nothing, and of an `n` that is a string `args.n == 5` does.

use cel::common::ast::operators::{EQUALS, IN, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, NOT_EQUALS};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::{Certain, Fact, argument, argument_path, operands};
use crate::expr::rewrite::paths::fixed_part;
use crate::expr::source::Positions;
use crate::schema::Kinds;

const NOT_NULL: Kinds = Kinds::ANY.without(Kinds::NULL);

/// How a condition turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    True,
    False,
}

impl Outcome {
    fn opposite(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
        }
    }
}

/// What is certain where a condition has an outcome.
pub(super) fn of(condition: &IdedExpr, outcome: Outcome, positions: &Positions<'_>) -> Vec<Fact> {
    match &condition.expr {
        Expr::Select(select) if select.test && outcome == Outcome::True => {
            let Some(mut path) = member_path(&select.operand, positions) else { return Vec::new() };
            path.push(select.field.clone());
            vec![Fact { path, certain: Certain::Present }]
        }
        Expr::Call(call) => of_call(call, outcome, positions),
        _ => Vec::new(),
    }
}

fn of_call(call: &CallExpr, outcome: Outcome, positions: &Positions<'_>) -> Vec<Fact> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (LOGICAL_NOT, [operand]) => of(operand, outcome.opposite(), positions),
        (operator @ (LOGICAL_AND | LOGICAL_OR), [left, right]) => {
            let mut facts = of(left, outcome, positions);
            let others = of(right, outcome, positions);
            // Which operand decided is known only of a true `&&` and a false `||`: both.
            if (operator == LOGICAL_AND) == (outcome == Outcome::True) {
                facts.extend(others);
            } else {
                facts.retain(|fact| others.contains(fact));
            }
            facts
        }
        (EQUALS, [left, right]) => of_equality(left, right, outcome, positions),
        (NOT_EQUALS, [left, right]) => of_equality(left, right, outcome.opposite(), positions),
        (IN, [left, right]) if outcome == Outcome::True => of_membership(left, right, positions),
        _ => Vec::new(),
    }
}

/// Of `left == right`.
fn of_equality(left: &IdedExpr, right: &IdedExpr, outcome: Outcome, positions: &Positions<'_>) -> Vec<Fact> {
    let one_way = |subject: &IdedExpr, other: &IdedExpr| {
        let (path, kinds) = if let Some(subject) = operands::type_is_asked_of(subject) {
            (argument_path(subject, positions)?, kinds_of_type(other, outcome)?)
        } else {
            let is_null = matches!(other.expr, Expr::Literal(LiteralValue::Null));
            let kinds = match outcome {
                Outcome::True if is_null => Kinds::NULL,
                Outcome::False if is_null => NOT_NULL,
                Outcome::True => operands::kinds(other).map(|_| NOT_NULL)?,
                Outcome::False => return None,
            };
            (argument_path(subject, positions)?, kinds)
        };
        Some(Fact { path, certain: Certain::Kinds(kinds) })
    };
    one_way(left, right).or_else(|| one_way(right, left)).into_iter().collect()
}

/// Of `'key' in args.object` and `args.n in [1, 2]`.
fn of_membership(left: &IdedExpr, right: &IdedExpr, positions: &Positions<'_>) -> Vec<Fact> {
    if let (Some(key), Some(mut path)) = (operands::text(left), member_path(right, positions)) {
        path.push(key.to_owned());
        return vec![Fact { path, certain: Certain::Present }];
    }
    let fact = argument_path(left, positions).zip(operands::kinds_of_elements(right));
    fact.map(|(path, _)| Fact { path, certain: Certain::Kinds(NOT_NULL) }).into_iter().collect()
}

/// The path of an argument of which a member is asked for: all of them, or one.
fn member_path(node: &IdedExpr, positions: &Positions<'_>) -> Option<Vec<String>> {
    let steps = argument(node, positions)?;
    let path = fixed_part(&steps).unwrap_or_default();
    (path.len() == steps.len()).then_some(path)
}

/// The kinds of values whose `type` is this one, or another.
fn kinds_of_type(name: &IdedExpr, outcome: Outcome) -> Option<Kinds> {
    let Expr::Ident(name) = &name.expr else { return None };
    // A number of one of these types may be whole either way: `1.0` is a double.
    let (is, is_certainly) = match name.as_str() {
        "int" | "uint" => (Kinds::WHOLE, Kinds::NONE),
        "double" => (Kinds::NUMBER, Kinds::FRACTION),
        "string" => (Kinds::STRING, Kinds::STRING),
        "bool" => (Kinds::BOOLEAN, Kinds::BOOLEAN),
        "list" => (Kinds::LIST, Kinds::LIST),
        "map" => (Kinds::OBJECT, Kinds::OBJECT),
        "null_type" => (Kinds::NULL, Kinds::NULL),
        _ => return None,
    };
    Some(match outcome {
        Outcome::True => is,
        Outcome::False => Kinds::ANY.without(is_certainly),
    })
}
