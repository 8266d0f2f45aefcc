//! What an expression takes for granted of the arguments, for warnings where a tool's schema says otherwise.
//!
//! Read from the syntax tree as it was written, macros expanded. What is certain at a place is followed through `&&`, `||`
//! and `? :`, as in `has(args.n) && args.n <= 5`. An error on one side of `&&` or `||` means nothing if the other side
//! decides, so what one side tests is certain on the other whichever comes first.

mod facts;
mod operands;

use cel::common::ast::operators::{CONDITIONAL, EQUALS, IN, INDEX, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, NOT_EQUALS};
use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr};

use self::facts::Outcome;
use super::functions::table;
use super::rewrite::paths::{fixed_part, path};
use super::source::Positions;
use super::variables::{Key, Step};
use super::{Path, Purpose};
use crate::schema::Kinds;

/// An argument that an expression reads, and what it takes for granted of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The path of the argument. Everything around it must be an object.
    pub path: Path,
    /// What it is taken for.
    pub expected: Expected,
    /// 1-based column (in characters) of the source.
    pub column: usize,
    /// What is certain of it, and of what is around it, where it is read.
    pub certain: Vec<Fact>,
}

/// What an argument is taken for. If it is missing that is an error, but for `Asked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: it is asked whether it is there.
    Asked,
    /// One of these kinds; any other is an error.
    Kinds(Kinds),
    /// One of these kinds, because it is compared with them by `<` or its like; any other is an error.
    Ordered(Kinds),
    /// Compared by `==` or `in` with these kinds, which null never equals; any other is an error.
    Equal(Kinds),
    /// Compared by `!=` with these kinds, from which null always differs; any other is an error.
    Unequal(Kinds),
}

/// Something that is certain of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The argument.
    pub path: Path,
    /// What of it.
    pub certain: Certain,
}

/// What is certain of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certain {
    /// It is there.
    Present,
    /// It is one of these kinds, if it is there.
    Kinds(Kinds),
}

/// What an expression reads and tests.
#[derive(Debug)]
pub(super) struct Expectations {
    /// Everything that it reads of the arguments, as often as it does.
    pub(super) read: Vec<Expectation>,
    /// What is certain of a call for which it is true.
    pub(super) ensured: Vec<Fact>,
}

/// Gathers the expectations of a tree that [`super::gate::check`] has let through.
pub(super) fn gather(tree: &IdedExpr, positions: &Positions<'_>, purpose: Purpose) -> Expectations {
    let mut walk = Walk { positions, certain: Vec::new(), read: Vec::new() };
    let (kinds, ensured) = match purpose {
        Purpose::Condition => (Kinds::BOOLEAN, facts::of(tree, Outcome::True, positions)),
        Purpose::Key => (Kinds::STRING.or(Kinds::WHOLE).or(Kinds::BOOLEAN), Vec::new()),
        Purpose::Cost => (Kinds::NUMBER, Vec::new()),
    };
    walk.node(tree, Expected::Kinds(kinds));
    Expectations { read: walk.read, ensured }
}

/// The argument that a node is: the steps to it from `args`.
fn argument(node: &IdedExpr, positions: &Positions<'_>) -> Option<Vec<Step>> {
    let (name, steps) = path(node, positions)?;
    (name.trim_start_matches('.') == "args").then_some(steps)
}

/// The path of the argument that a node is, if it is at a fixed place.
fn argument_path(node: &IdedExpr, positions: &Positions<'_>) -> Option<Path> {
    let steps = argument(node, positions)?;
    fixed_part(&steps).filter(|path| path.len() == steps.len())
}

const ANYTHING: Expected = Expected::Kinds(Kinds::ANY);
const CONDITION: Expected = Expected::Kinds(Kinds::BOOLEAN);
const OBJECT: Expected = Expected::Kinds(Kinds::OBJECT);
const ITEMS: Expected = Expected::Kinds(Kinds::LIST.or(Kinds::OBJECT));

struct Walk<'p> {
    positions: &'p Positions<'p>,
    /// What is certain at the node.
    certain: Vec<Fact>,
    read: Vec<Expectation>,
}

impl Walk<'_> {
    /// A node that is taken for something.
    fn node(&mut self, node: &IdedExpr, expected: Expected) {
        if let Some(steps) = argument(node, self.positions) {
            return self.note(&steps, expected);
        }
        match &node.expr {
            Expr::Select(select) if select.test => {
                self.node(&select.operand, OBJECT);
                if let Some(mut steps) = argument(&select.operand, self.positions) {
                    let column = self.positions.column(node.id);
                    steps.push(Step { key: Key::Field(select.field.clone()), column });
                    self.note(&steps, Expected::Asked);
                }
            }
            Expr::Select(select) => self.node(&select.operand, OBJECT),
            Expr::List(ListExpr { elements, .. }) => self.each(elements, ANYTHING),
            Expr::Call(call) => self.call(node, call, expected),
            Expr::Comprehension(loops) => {
                self.node(&loops.iter_range, ITEMS);
                self.node(&loops.loop_step, ANYTHING);
            }
            _ => {}
        }
    }

    fn each<'n>(&mut self, nodes: impl IntoIterator<Item = &'n IdedExpr>, expected: Expected) {
        nodes.into_iter().for_each(|node| self.node(node, expected));
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr, expected: Expected) {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (LOGICAL_AND, [left, right]) => self.both(left, right, Outcome::True),
            (LOGICAL_OR, [left, right]) => self.both(left, right, Outcome::False),
            (LOGICAL_NOT, [operand]) => self.node(operand, CONDITION),
            (CONDITIONAL, [condition, then, otherwise]) => {
                self.node(condition, CONDITION);
                self.assuming(condition, Outcome::True, then, expected);
                self.assuming(condition, Outcome::False, otherwise, expected);
            }
            (EQUALS | NOT_EQUALS | IN, [left, right]) => self.comparison(node, &call.func_name, left, right),
            (INDEX, [list, place]) => {
                self.node(list, ITEMS);
                self.node(place, ANYTHING);
            }
            (operator, operands) => match operands::of_operator(operator, operands) {
                Some(expected) => self.each(operands, expected),
                None => self.function(call),
            },
        }
    }

    /// The operands of `&&` or `||`. Each matters only if the other has this outcome.
    fn both(&mut self, left: &IdedExpr, right: &IdedExpr, other: Outcome) {
        self.assuming(right, other, left, CONDITION);
        self.assuming(left, other, right, CONDITION);
    }

    /// A node that matters only if a condition has this outcome.
    fn assuming(&mut self, condition: &IdedExpr, outcome: Outcome, node: &IdedExpr, expected: Expected) {
        let before = self.certain.len();
        self.certain.extend(facts::of(condition, outcome, self.positions));
        self.node(node, expected);
        self.certain.truncate(before);
    }

    fn comparison(&mut self, node: &IdedExpr, operator: &str, left: &IdedExpr, right: &IdedExpr) {
        let with = |other: &IdedExpr| match operands::kinds(other) {
            Some(kinds) if operator == NOT_EQUALS => Expected::Unequal(kinds),
            Some(kinds) => Expected::Equal(kinds),
            None => ANYTHING,
        };
        if operator != IN {
            self.node(left, with(right));
            self.node(right, with(left));
            return;
        }
        self.node(left, operands::kinds_of_elements(right).map_or(ANYTHING, Expected::Equal));
        self.node(right, ITEMS);
        // `'force' in args` asks for `args.force`.
        if let (Some(key), Some(mut steps)) = (operands::text(left), argument(right, self.positions)) {
            steps.push(Step { key: Key::Field(key.to_owned()), column: self.positions.column(node.id) });
            self.note(&steps, Expected::Asked);
        }
    }

    fn function(&mut self, call: &CallExpr) {
        let mut arguments = call.target.as_deref().into_iter().chain(&call.args);
        if let (Some(entry), Some(first)) = (table::find(call.func_name.trim_start_matches('.')), arguments.next()) {
            self.node(first, Expected::Kinds(operands::of_function(entry)));
        }
        self.each(arguments, ANYTHING);
    }

    /// Notes what is read, up to the first element of a list.
    fn note(&mut self, steps: &[Step], expected: Expected) {
        let Some(path) = fixed_part(steps) else { return };
        let expected = if path.len() == steps.len() { expected } else { Expected::Kinds(Kinds::LIST) };
        let column = steps[path.len() - 1].column;
        let certain = self.certain.iter().filter(|fact| path.starts_with(&fact.path)).cloned().collect();
        let expectation = Expectation { path, expected, column, certain };
        if !self.read.contains(&expectation) {
            self.read.push(expectation);
        }
    }
}
