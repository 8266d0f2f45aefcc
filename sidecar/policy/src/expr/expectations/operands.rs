//! Which kinds of values operators and functions take, and which they give, as far as that can be told without a call.

use cel::common::ast::operators::{
    ADD, DIVIDE, GREATER, GREATER_EQUALS, LESS, LESS_EQUALS, MODULO, MULTIPLY, NEGATE, SUBSTRACT,
};
use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::Expected;
use crate::expr::functions::table::{self, Entry, Type};
use crate::expr::variables::VARIABLES;
use crate::schema::Kinds;

/// What the operands of an operator must be; none if it is none of those that compute or order.
pub(super) fn of_operator(operator: &str, operands: &[IdedExpr]) -> Option<Expected> {
    let alike = |able: Kinds| operands.iter().find_map(kinds).filter(|known| known.meets(able)).unwrap_or(able);
    Some(match operator {
        LESS | LESS_EQUALS | GREATER | GREATER_EQUALS => {
            Expected::Ordered(alike(Kinds::NUMBER.or(Kinds::STRING).or(Kinds::BOOLEAN)))
        }
        ADD => Expected::Kinds(alike(Kinds::NUMBER.or(Kinds::STRING).or(Kinds::LIST))),
        SUBSTRACT | MULTIPLY | DIVIDE | NEGATE => Expected::Kinds(Kinds::NUMBER),
        // Of numbers with a fraction there is no remainder.
        MODULO => Expected::Kinds(Kinds::WHOLE),
        _ => return None,
    })
}

/// What the first argument of a function must be.
pub(super) fn of_function(entry: &Entry) -> Kinds {
    match (entry.function.name, entry.takes) {
        // A network has addresses, but no argument is a network.
        ("contains", _) | (_, Type::Text) => Kinds::STRING,
        ("size", _) => Kinds::STRING.or(Kinds::LIST).or(Kinds::OBJECT),
        ("int" | "double", _) => Kinds::NUMBER.or(Kinds::STRING),
        ("string", _) => Kinds::NUMBER.or(Kinds::STRING).or(Kinds::BOOLEAN),
        _ => Kinds::ANY,
    }
}

/// What a node gives, if it is no argument and not null.
pub(super) fn kinds(node: &IdedExpr) -> Option<Kinds> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(_)) => Some(Kinds::STRING),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::Double(_)) => Some(Kinds::NUMBER),
        Expr::Literal(LiteralValue::Boolean(_)) => Some(Kinds::BOOLEAN),
        Expr::List(_) => Some(Kinds::LIST),
        Expr::Call(call) => match call.func_name.as_str() {
            ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO | NEGATE => call.args.iter().find_map(kinds),
            name => of_type(table::find(name.trim_start_matches('.'))?.gives),
        },
        _ => {
            let names = names(node)?;
            of_type(VARIABLES.iter().find(|entry| names == entry.path)?.gives)
        }
    }
}

/// What the elements of a list are, if none of them is null.
pub(super) fn kinds_of_elements(list: &IdedExpr) -> Option<Kinds> {
    let Expr::List(list) = &list.expr else { return None };
    list.elements.iter().try_fold(Kinds::NONE, |all, element| Some(all.or(kinds(element)?)))
}

fn of_type(gives: Type) -> Option<Kinds> {
    match gives {
        Type::Boolean => Some(Kinds::BOOLEAN),
        Type::Number => Some(Kinds::NUMBER),
        Type::Text => Some(Kinds::STRING),
        Type::List => Some(Kinds::LIST),
        Type::Any | Type::Object | Type::Url | Type::Other => None,
    }
}

/// A variable's names: `grant.namespace`.
fn names(node: &IdedExpr) -> Option<Vec<&str>> {
    match &node.expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) if !select.test => {
            let mut names = names(&select.operand)?;
            names.push(&select.field);
            Some(names)
        }
        _ => None,
    }
}

/// A literal string.
pub(super) fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The x of `type(x)`.
pub(super) fn type_is_asked_of(node: &IdedExpr) -> Option<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) if call.func_name.trim_start_matches('.') == "type" => call.args.first(),
        _ => None,
    }
}
