//! What a syntax tree may be: small, flat, and without what could cost too much or mean something else than it seems.
//!
//! The tree is as the parser left it, macros expanded. It may be far deeper than a usual stack can walk, so this runs on the
//! thread that parsed it.

use cel::common::ast::operators::INDEX;
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};

use super::CompileError;
use super::functions::table::{self, MACROS};
use super::source::Positions;
use super::variables::VARIABLES;

/// The deepest nesting, and the most nodes, of a tree.
const DEPTH: usize = 40;
const NODES: usize = 256;

/// Names of types, for `type(x) == string`.
pub(super) const TYPES: &[&str] = &["bool", "int", "uint", "double", "string", "list", "map", "null_type"];

/// Checks a tree.
pub(super) fn check(tree: &IdedExpr, positions: &Positions<'_>) -> Result<(), CompileError> {
    Gate { positions, nodes: 0, loops: Vec::new() }.node(tree, 1)
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
    fn node(&mut self, node: &IdedExpr, depth: usize) -> Result<(), CompileError> {
        self.nodes += 1;
        if self.nodes > NODES {
            let advice = "split it into several requirements, or shorten it";
            return self.refuse(node, format!("the expression has more than {NODES} parts: {advice}"));
        }
        if depth > DEPTH {
            let advice = "split it into several requirements, or use a list with `in` or `exists`";
            return self.refuse(node, format!("the expression is nested more than {DEPTH} deep: {advice}"));
        }
        match &node.expr {
            Expr::Ident(_) => Ok(()),
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Select(select) => self.node(&select.operand, depth + 1),
            Expr::List(list) => self.all(&list.elements, depth + 1),
            Expr::Call(call) => {
                if let Some(target) = &call.target {
                    self.node(target, depth + 1)?;
                }
                self.all(&call.args, depth + 1)
            }
            Expr::Comprehension(comprehension) => self.comprehension(node, comprehension, depth + 1),
            Expr::Map(_) | Expr::Struct(_) => self
                .refuse(node, "objects cannot be written in an expression: compare their fields one by one".to_owned()),
            Expr::Unspecified => self.refuse(node, "the expression cannot be read".to_owned()),
        }
    }

    fn all(&mut self, nodes: &[IdedExpr], depth: usize) -> Result<(), CompileError> {
        nodes.iter().try_for_each(|node| self.node(node, depth))
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
    ) -> Result<(), CompileError> {
        let variable = &comprehension.iter_var;
        self.name(node, variable)?;
        let is_over_path = is_path(&comprehension.iter_range);
        if !is_over_path && !is_literal_list(&comprehension.iter_range) {
            let what = "it must range over a field such as args.items, or a list of literals";
            return self.refuse(node, what.to_owned());
        }
        if is_over_path && self.loops.iter().any(|outer| outer.is_over_path) {
            let what =
                "of loops inside one another, only one may range over a field, the others over lists of literals";
            return self.refuse(node, what.to_owned());
        }
        self.node(&comprehension.iter_range, depth)?;
        self.node(&comprehension.accu_init, depth)?;
        self.loops.push(Loop { variable: variable.clone(), is_over_path });
        self.node(&comprehension.loop_cond, depth)?;
        self.node(&comprehension.loop_step, depth)?;
        self.loops.pop();
        self.node(&comprehension.result, depth)
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

    fn refuse(&self, node: &IdedExpr, message: String) -> Result<(), CompileError> {
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

/// Whether a node is a list of nothing but literals.
pub(super) fn is_literal_list(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::List(list) => list.elements.iter().all(|element| matches!(element.expr, Expr::Literal(_))),
        _ => false,
    }
}
