//! What a syntax tree may be: small, flat, and without what could cost too much or mean something else than it seems.
//!
//! The tree is as the parser left it, macros expanded. It may be far deeper than a usual stack can walk, so this runs on the
//! thread that parsed it.

use cel::common::ast::operators::INDEX;
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};

use super::CompileError;
use super::functions::table::{self, MACROS};
use super::meter::UNITS;
use super::source::Positions;
use super::variables::VARIABLES;

/// The deepest nesting, and the most nodes, of a tree.
const DEPTH: usize = 40;
const NODES: usize = 256;

/// Names of types, for `type(x) == string`.
pub(super) const TYPES: &[&str] = &["bool", "int", "uint", "double", "string", "list", "map", "null_type"];

/// Checks a tree.
pub(super) fn check(tree: &IdedExpr, positions: &Positions<'_>) -> Result<(), CompileError> {
    Gate { positions, nodes: 0, loops: Vec::new() }.node(tree, 1).map(drop)
}

struct Gate<'p> {
    positions: &'p Positions<'p>,
    nodes: usize,
    /// The comprehensions around the node.
    loops: Vec<Loop>,
}

struct Loop {
    variable: String,
    /// It ranges over a field path, and so over as many elements as the call cares to send.
    is_over_path: bool,
}

impl Gate<'_> {
    /// Checks a node; gives the units of work that its loops take if none ends early and a field that one ranges over has one
    /// element. A loop ends early for one of its outcomes only, so that what takes more units than there are could never
    /// have the other. Operators and functions in them are not counted here, as they need not run; the meter counts them.
    fn node(&mut self, node: &IdedExpr, depth: usize) -> Result<usize, CompileError> {
        self.nodes += 1;
        if self.nodes > NODES {
            let advice = "split it into several requirements, or shorten it";
            return self.refuse(node, format!("the expression has more than {NODES} parts: {advice}"));
        }
        if depth > DEPTH {
            let advice = "split it into several requirements, or use a list with `in` or `exists`";
            return self.refuse(node, format!("the expression is nested more than {DEPTH} deep: {advice}"));
        }
        let units = match &node.expr {
            Expr::Ident(_) => 0,
            Expr::Literal(literal) => self.literal(node, literal).map(|()| 0)?,
            Expr::Select(select) => self.node(&select.operand, depth + 1)?,
            Expr::List(list) => self.all(&list.elements, depth + 1)?,
            Expr::Call(call) => self.all(call.target.as_deref().into_iter().chain(&call.args), depth + 1)?,
            Expr::Comprehension(comprehension) => self.comprehension(node, comprehension, depth + 1)?,
            Expr::Map(_) | Expr::Struct(_) => {
                let what = "objects cannot be written in an expression: compare their fields one by one";
                return self.refuse(node, what.to_owned());
            }
            Expr::Unspecified => return self.refuse(node, "the expression cannot be read".to_owned()),
        };
        if units > UNITS as usize {
            let advice = "shorten the lists, or nest fewer loops";
            let what = format!("the loops take more than the {UNITS} units of work that an evaluation has: {advice}");
            return self.refuse(node, what);
        }
        Ok(units)
    }

    fn all<'n>(&mut self, nodes: impl IntoIterator<Item = &'n IdedExpr>, depth: usize) -> Result<usize, CompileError> {
        nodes.into_iter().try_fold(0, |units, node| Ok(units + self.node(node, depth)?))
    }

    fn literal(&self, node: &IdedExpr, literal: &LiteralValue) -> Result<(), CompileError> {
        match literal {
            LiteralValue::Bytes(_) => self.refuse(node, "bytes are not supported: write a string without b".to_owned()),
            LiteralValue::UInt(_) => {
                self.refuse(node, "unsigned numbers are not supported: leave the u out".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn comprehension(
        &mut self,
        node: &IdedExpr,
        comprehension: &ComprehensionExpr,
        depth: usize,
    ) -> Result<usize, CompileError> {
        let variable = &comprehension.iter_var;
        self.name(node, variable)?;
        let is_over_path = is_path(&comprehension.iter_range);
        let literals = literal_list(&comprehension.iter_range);
        if !is_over_path && literals.is_none() {
            let what = "it must range over a field such as args.items, or a list of literals";
            return self.refuse(node, what.to_owned());
        }
        if is_over_path && self.loops.iter().any(|outer| outer.is_over_path) {
            let what =
                "of loops inside one another, only one may range over a field, the others over lists of literals";
            return self.refuse(node, what.to_owned());
        }
        self.all([&comprehension.iter_range, &comprehension.accu_init], depth)?;
        self.loops.push(Loop { variable: variable.clone(), is_over_path });
        let inside = self.all([&comprehension.loop_cond, &comprehension.loop_step], depth)?;
        self.loops.pop();
        self.node(&comprehension.result, depth)?;
        let turns = literals.map_or(1, <[IdedExpr]>::len);
        Ok(turns * (turn(&comprehension.loop_step) + inside))
    }

    /// Refuses a loop variable that would hide something.
    fn name(&self, node: &IdedExpr, name: &str) -> Result<(), CompileError> {
        let taken = if VARIABLES.iter().any(|variable| variable.path[0] == name) {
            "a variable"
        } else if table::find(name).is_some() || MACROS.iter().any(|known| known.name == name) {
            "a function"
        } else if TYPES.contains(&name) {
            "a type"
        } else if self.loops.iter().any(|outer| outer.variable == name) {
            "the name of a loop around this one"
        } else {
            return Ok(());
        };
        self.refuse(node, format!("`{name}` is {taken}: choose another name for the element"))
    }

    fn refuse<T>(&self, node: &IdedExpr, message: String) -> Result<T, CompileError> {
        Err(CompileError { column: self.positions.column(node.id), message })
    }
}

/// Whether a node is a name, or members and elements of one at fixed places.
fn is_path(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => !select.test && is_path(&select.operand),
        Expr::Call(call) => match call.args.as_slice() {
            [array, index] if call.func_name == INDEX => is_path(array) && matches!(index.expr, Expr::Literal(_)),
            _ => false,
        },
        _ => false,
    }
}

/// The elements of a list of nothing but literals.
pub(super) fn literal_list(node: &IdedExpr) -> Option<&[IdedExpr]> {
    match &node.expr {
        Expr::List(list) if list.elements.iter().all(|element| matches!(element.expr, Expr::Literal(_))) => {
            Some(&list.elements)
        }
        _ => None,
    }
}

/// The units that a turn of a loop takes, loops inside it apart. A turn pays for its nodes, because not every node pays for
/// itself.
pub(super) fn turn(step: &IdedExpr) -> usize {
    1 + nodes(step) / 8
}

fn nodes(node: &IdedExpr) -> usize {
    let children = match &node.expr {
        Expr::Select(select) => nodes(&select.operand),
        Expr::List(list) => list.elements.iter().map(nodes).sum(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).map(nodes).sum(),
        Expr::Comprehension(inner) => nodes(&inner.iter_range) + nodes(&inner.loop_step),
        _ => 0,
    };
    1 + children
}
