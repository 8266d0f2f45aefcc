//! From a checked syntax tree to the tree that is evaluated.
//!
//! - A path such as `args.a[0].b` becomes one name, `@3`, which [`super::evaluate`] reads straight from the JSON; so do
//!   `has` and `size` of a path, patterns, lists of literals, and calls like `cidr('10.0.0.0/8')`.
//! - Every operator and call becomes a call of a function of [`super::functions`], with the meter and its column as last
//!   arguments. The evaluator's own operators, which are not metered and put data into their errors, are thereby not used,
//!   but for `&&`, `||` and `? :`.
//! - Such a call becomes one name too if all its arguments are literals or names that stand for something. What is left to the
//!   evaluator then is little, and of most expressions nothing.
//! - A turn of a loop is paid for by a `tick` in the loop's condition or step.
//!
//! On the way every name is resolved, so that an unknown one is an error at load.

mod calls;
mod loops;
pub(super) mod paths;
mod slots;

use std::collections::BTreeSet;

use cel::common::ast::operators::CONDITIONAL;
use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue};
use cel::common::types::CelList;

use self::paths::{path, start};
use self::slots::constant;
pub(super) use self::slots::{Called, METER, Slot, slot_named};
use super::functions::keys::Compared;
use super::functions::operators::{CONDITION, GET, HAS, LIST};
use super::functions::table::Type;
use super::functions::url;
use super::source::Positions;
use super::variables::{Key, Step, Want};
use super::{CompileError, Path, names};

/// A tree that can be evaluated.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) tree: IdedExpr,
    pub(super) slots: Vec<Slot>,
    pub(super) argument_paths: BTreeSet<Path>,
    pub(super) reads_arguments: bool,
    /// Whether it reads the arguments, the session or the time.
    pub(super) reads_the_call: bool,
    pub(super) gives: Type,
}

/// Rewrites a tree that [`super::gate::check`] has let through.
pub(super) fn rewrite(tree: IdedExpr, positions: &Positions<'_>) -> Result<Rewritten, CompileError> {
    let mut rewriter = Rewriter {
        positions,
        compared: Compared::of(&tree),
        elements: Vec::new(),
        slots: Vec::new(),
        patterns: 0,
        arguments_read: 0,
        argument_paths: BTreeSet::new(),
        reads_the_call: false,
    };
    let (tree, gives) = rewriter.node(tree)?;
    Ok(Rewritten {
        tree,
        slots: rewriter.slots,
        argument_paths: rewriter.argument_paths,
        reads_arguments: rewriter.arguments_read > 0,
        reads_the_call: rewriter.reads_the_call,
        gives,
    })
}

struct Rewriter<'p> {
    positions: &'p Positions<'p>,
    compared: Compared,
    /// The elements of the loops around the node.
    elements: Vec<Element>,
    slots: Vec<Slot>,
    /// How many patterns there are so far.
    patterns: usize,
    /// How often the arguments have been read so far, in loops over them too: a node that has raised it depends on them.
    arguments_read: usize,
    argument_paths: BTreeSet<Path>,
    reads_the_call: bool,
}

/// The element of a loop: its name, and whether it comes from the arguments.
struct Element {
    name: String,
    is_of_arguments: bool,
}

/// A rewritten node, and what it gives.
type Typed = (IdedExpr, Type);

impl Rewriter<'_> {
    fn node(&mut self, node: IdedExpr) -> Result<Typed, CompileError> {
        let column = self.positions.column(node.id);
        if let Some((name, steps)) = self.variable(&node) {
            return self.read(&name, &steps, Want::Value, self.column_of_start(&node));
        }
        match node.expr {
            Expr::Literal(literal) => {
                let gives = match literal {
                    LiteralValue::Boolean(_) => Type::Boolean,
                    LiteralValue::Int(_) | LiteralValue::Double(_) => Type::Number,
                    LiteralValue::String(_) => Type::Text,
                    _ => Type::Other,
                };
                Ok((bare(Expr::Literal(literal)), gives))
            }
            Expr::Ident(name) => {
                let is_of_arguments = |element: &Element| element.name == name && element.is_of_arguments;
                self.arguments_read += usize::from(self.elements.iter().any(is_of_arguments));
                Ok((bare(Expr::Ident(name)), Type::Any))
            }
            Expr::Select(select) if select.test => {
                if let Some((name, mut steps)) = self.variable(&select.operand) {
                    let start = self.column_of_start(&select.operand);
                    steps.push(Step { key: Key::Field(select.field), column });
                    return self.read(&name, &steps, Want::Presence, start);
                }
                let (operand, _) = self.node(*select.operand)?;
                Ok((self.called(HAS, vec![operand, text(select.field)], column), Type::Boolean))
            }
            Expr::Select(select) => {
                let operand = self.node(*select.operand)?;
                self.member(operand, select.field, column)
            }
            Expr::List(list) => self.list(list, column),
            Expr::Call(call) => self.call(call, column),
            Expr::Comprehension(comprehension) => self.comprehension(*comprehension),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(CompileError { column, message: "the expression cannot be read".to_owned() })
            }
        }
    }

    /// The variable and the steps from it, if a node is a path that begins with one.
    fn variable(&self, node: &IdedExpr) -> Option<(String, Vec<Step>)> {
        path(node, self.positions).filter(|(name, _)| self.elements.iter().all(|element| element.name != *name))
    }

    fn column_of_start(&self, node: &IdedExpr) -> usize {
        self.positions.column(start(node).id)
    }

    /// A node where true or false must stand.
    fn condition(&mut self, node: IdedExpr) -> Result<IdedExpr, CompileError> {
        let column = self.column_of_start(&node);
        match self.node(node)? {
            (node, Type::Boolean) => Ok(node),
            (node, Type::Any) => Ok(self.called(CONDITION, vec![node], column)),
            (_, gives) => {
                let message = format!("here stands {}: write something that is true or false", gives.describe());
                Err(CompileError { column, message })
            }
        }
    }

    fn list(&mut self, list: ListExpr, column: usize) -> Result<Typed, CompileError> {
        let is_constant = |element: &IdedExpr| matches!(element.expr, Expr::Literal(_));
        if list.elements.iter().all(is_constant) {
            let elements = list.elements.into_iter().filter_map(constant).collect::<Vec<_>>();
            return Ok((self.slot(Slot::Constant(Box::new(CelList::from(elements)))), Type::List));
        }
        let elements = list.elements.into_iter().map(|element| Ok(self.node(element)?.0));
        let elements = elements.collect::<Result<_, CompileError>>()?;
        let list = bare(Expr::List(ListExpr::new(elements)));
        Ok((self.called(LIST, vec![list], column), Type::List))
    }

    /// A member of what a node gives.
    fn member(&mut self, operand: Typed, field: String, column: usize) -> Result<Typed, CompileError> {
        let gives = member(operand.1, &field, column)?;
        Ok((self.called(GET, vec![operand.0, text(field)], column), gives))
    }
}

/// What a member of something of this type is.
fn member(of: Type, field: &str, column: usize) -> Result<Type, CompileError> {
    let message = match of {
        Type::Any | Type::Object => return Ok(Type::Any),
        Type::Url if field == "port" => return Ok(Type::Number),
        Type::Url if url::PARTS.contains(&field) => return Ok(Type::Text),
        Type::Url => {
            let near = names::nearest(field, url::PARTS.iter().copied());
            let advice = near.map_or("its parts are scheme, host, port, path, query and fragment".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
            format!("a URL has no part `{field}`: {advice}")
        }
        other => format!("here stands {}, which has no member `{field}`", other.describe()),
    };
    Err(CompileError { column, message })
}

/// A node that stands for nothing in the source.
fn bare(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn literal(literal: LiteralValue) -> IdedExpr {
    bare(Expr::Literal(literal))
}

fn text(text: String) -> IdedExpr {
    literal(LiteralValue::String(text.into()))
}

/// A call of one of the evaluator's operators.
fn plain_call(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    bare(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

fn either(condition: IdedExpr, then: IdedExpr, otherwise: IdedExpr) -> IdedExpr {
    plain_call(CONDITIONAL, vec![condition, then, otherwise])
}
