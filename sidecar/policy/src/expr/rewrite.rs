//! From a checked syntax tree to the tree that is evaluated.
//!
//! - A path such as `args.a[0].b` becomes one name, `@3`, which [`super::evaluate`] reads straight from the JSON; so do
//!   `has` and `size` of a path, patterns, lists of literals, and calls like `cidr('10.0.0.0/8')`.
//! - Every operator and call becomes a call of a function of [`super::functions`], with the meter and its column as last
//!   arguments. The evaluator's own operators, which are not metered and put data into their errors, are thereby not used,
//!   but for `&&`, `||` and `? :`.
//! - A turn of a loop is paid for by a `tick` in the loop's condition or step.
//!
//! On the way every name is resolved, so that an unknown one is an error at load.

mod calls;
mod paths;

use std::collections::BTreeSet;

use cel::common::ast::operators::{ADD, CONDITIONAL, LOGICAL_AND, LOGICAL_OR};
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue};
use cel::common::types::{CelInt, CelList};
use cel::common::value::Val;

use self::paths::start;
use super::functions::operators::{CONDITION, GET, HAS, LIST, RANGE, TICK};
use super::functions::table::Type;
use super::functions::url;
use super::source::Positions;
use super::value::Text;
use super::variables::{Key, Read, Step, Want};
use super::{CompileError, Path, gate, names};

/// The name under which the meter is found.
pub(super) const METER: &str = "@meter";

/// What stands behind a name such as `@3`.
#[derive(Debug)]
pub(super) enum Slot {
    Read(Read),
    Constant(Box<dyn Val>),
}

/// A tree that can be evaluated.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) tree: IdedExpr,
    pub(super) slots: Vec<Slot>,
    pub(super) argument_paths: BTreeSet<Path>,
    /// Whether it reads the arguments, the session or the time.
    pub(super) reads_the_call: bool,
    pub(super) gives: Type,
}

/// Rewrites a tree that [`gate::check`] has let through.
pub(super) fn rewrite(tree: IdedExpr, positions: &Positions<'_>) -> Result<Rewritten, CompileError> {
    let mut rewriter = Rewriter {
        positions,
        elements: Vec::new(),
        slots: Vec::new(),
        argument_paths: BTreeSet::new(),
        reads_the_call: false,
    };
    let (tree, gives) = rewriter.node(tree)?;
    Ok(Rewritten {
        tree,
        slots: rewriter.slots,
        argument_paths: rewriter.argument_paths,
        reads_the_call: rewriter.reads_the_call,
        gives,
    })
}

struct Rewriter<'p> {
    positions: &'p Positions<'p>,
    /// The names of the elements of the loops around the node.
    elements: Vec<String>,
    slots: Vec<Slot>,
    argument_paths: BTreeSet<Path>,
    reads_the_call: bool,
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
            Expr::Ident(element) => Ok((bare(Expr::Ident(element)), Type::Any)),
            Expr::Select(select) if select.test => {
                if let Some((name, mut steps)) = self.variable(&select.operand) {
                    let start = self.column_of_start(&select.operand);
                    steps.push(Step { key: Key::Field(select.field), column });
                    return self.read(&name, &steps, Want::Presence, start);
                }
                let (operand, _) = self.node(*select.operand)?;
                Ok((call(HAS, vec![operand, text(select.field)], column), Type::Boolean))
            }
            Expr::Select(select) => {
                let operand = self.node(*select.operand)?;
                member(operand, select.field, column)
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
        self.path(node).filter(|(name, _)| !self.elements.contains(name))
    }

    fn column_of_start(&self, node: &IdedExpr) -> usize {
        self.positions.column(start(node).id)
    }

    /// A node where true or false must stand.
    fn condition(&mut self, node: IdedExpr) -> Result<IdedExpr, CompileError> {
        let column = self.column_of_start(&node);
        match self.node(node)? {
            (node, Type::Boolean) => Ok(node),
            (node, Type::Any) => Ok(call(CONDITION, vec![node], column)),
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
        Ok((call(LIST, vec![list], column), Type::List))
    }

    /// Puts something behind a name, and gives the name.
    fn slot(&mut self, slot: Slot) -> IdedExpr {
        self.slots.push(slot);
        bare(Expr::Ident(format!("@{}", self.slots.len() - 1)))
    }

    fn comprehension(&mut self, mut loops: ComprehensionExpr) -> Result<Typed, CompileError> {
        let column = self.column_of_start(&loops.iter_range);
        let is_constant = gate::is_literal_list(&loops.iter_range);
        let (range, over) = self.node(loops.iter_range)?;
        if !matches!(over, Type::Any | Type::List | Type::Object) {
            let message = format!("here stands {}: a loop needs a list or an object", over.describe());
            return Err(CompileError { column, message });
        }
        loops.iter_range = if is_constant { range } else { call(RANGE, vec![range], column) };
        let weight = LiteralValue::Int(CelInt::from(1 + nodes(&loops.loop_step) / 8));
        let tick = call(TICK, vec![literal(weight)], column);
        self.elements.push(loops.iter_var.clone());
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

/// How many nodes a tree has. A turn of a loop pays for them, because not every node pays for itself.
fn nodes(node: &IdedExpr) -> i64 {
    let children = match &node.expr {
        Expr::Select(select) => nodes(&select.operand),
        Expr::List(list) => list.elements.iter().map(nodes).sum(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).map(nodes).sum(),
        Expr::Comprehension(inner) => nodes(&inner.iter_range) + nodes(&inner.loop_step),
        _ => 0,
    };
    1 + children
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

/// A member of what a node gives.
fn member(operand: Typed, field: String, column: usize) -> Result<Typed, CompileError> {
    let gives = match operand.1 {
        Type::Any | Type::Object => Type::Any,
        Type::Url if url::PARTS.contains(&field.as_str()) => {
            if field == "port" {
                Type::Number
            } else {
                Type::Text
            }
        }
        Type::Url => {
            let near = names::nearest(&field, url::PARTS.iter().copied());
            let advice = near.map_or("its parts are scheme, host, port, path, query and fragment".to_owned(), |near| {
                format!("did you mean `{near}`?")
            });
            return Err(CompileError { column, message: format!("a URL has no part `{field}`: {advice}") });
        }
        other => {
            let message = format!("here stands {}, which has no member `{field}`", other.describe());
            return Err(CompileError { column, message });
        }
    };
    Ok((call(GET, vec![operand.0, text(field)], column), gives))
}

/// A literal as a value whose clones are cheap.
fn constant(node: IdedExpr) -> Option<Box<dyn Val>> {
    match node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(Box::new(Text::from(text.into_inner()))),
        Expr::Literal(literal) => Some(literal.to_val().into_owned()),
        _ => None,
    }
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

/// A call of one of our functions.
fn call(name: &str, mut arguments: Vec<IdedExpr>, column: usize) -> IdedExpr {
    arguments.push(bare(Expr::Ident(METER.to_owned())));
    let column = CelInt::from(i64::try_from(column).unwrap_or(1));
    arguments.push(literal(LiteralValue::Int(column)));
    plain_call(name, arguments)
}

/// A call of one of the evaluator's operators.
fn plain_call(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    bare(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

fn either(condition: IdedExpr, then: IdedExpr, otherwise: IdedExpr) -> IdedExpr {
    plain_call(CONDITIONAL, vec![condition, then, otherwise])
}
