//! CEL, safely: the only module that knows the `cel` crate.
//!
//! An expression is compiled once, behind a gate on its syntax tree, and evaluated under a budget over values that are
//! read lazily from the call's [`crate::json`] tape. Used by [`crate::compile`] and [`crate::decide`].
//!
//! ```text
//! source ──parse──► tree ──gate──► small tree ──rewrite──► names resolved, ──evaluate──► value ──► condition,
//!          (on a thread with a large stack)                patterns compiled  (metered)             key, cost
//! ```
//!
//! The crate has neither a bound on work nor on the stack, and its errors hold data. What holds instead, and where:
//!
//! | rule | where |
//! |---|---|
//! | at most [`SOURCE`] bytes, parsed and checked on a stack that is large for them, depth and nodes bounded | [`compile`](Expression::compile), `source`, `gate` |
//! | names and functions are those of two tables; anything else is an error at load, with its column | `rewrite`, `variables`, `functions::table` |
//! | loops range over a field or a list of literals, and of nested loops only one over a field; those over literals fit the budget; none hides a name | `gate` |
//! | no objects are written or compared | `gate`, `functions::compare` |
//! | patterns are literals, compiled at load; they read each byte of a text once | `rewrite`, `functions::pattern` |
//! | everything that grows with the call's data is paid for before it is done; a spent budget is the result, whatever `\|\|` or `all` made of it | `meter`, `value`, `evaluate` |
//! | one environment for all evaluations | `functions` |
//! | numbers mix, whole or not, and nothing is rounded silently | `functions::number` |
//! | arguments that are the same number to some servers are not two here | `value::wide`, `functions::number` |
//! | only `true` is true | `outcome` |
//! | an error is a column and fixed words, never data | `failure` |

mod evaluate;
mod exercise;
mod expectations;
mod failure;
mod functions;
mod gate;
mod meter;
mod names;
mod outcome;
mod rewrite;
mod source;
pub(crate) mod spelling;
#[cfg(test)]
mod tests;
mod value;
mod variables;

use std::cell::Cell;
use std::sync::{Arc, LazyLock};
use std::thread;

pub use self::exercise::exercise;
use self::expectations::Expectations;
pub use self::expectations::{Certain, Expectation, Expected, Fact};
use self::failure::{Failure, What};
use self::functions::table::{self, Type};
use self::rewrite::Rewritten;
use crate::catalogue::Tool;
use crate::decide::Subject;
use crate::json::Value;
use crate::limit::Units;
use crate::pace::Pace;
use crate::time::WallTime;

/// The most bytes of an expression's source.
pub const SOURCE: usize = 1_024;

/// The stack of the thread that compiles: far more than the deepest tree of [`SOURCE`] bytes takes. Only what is used of it
/// becomes memory.
const STACK: usize = 64 * 1024 * 1024;

/// What an expression is for; fixes the type it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `when`, `require`: true or false.
    Condition,
    /// `key`: a string, whole number or boolean.
    Key,
    /// `cost`: a number of zero or more.
    Cost,
}

/// A compiled expression; cheap to clone.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    argument_paths: Arc<[Path]>,
    expectations: Arc<Expectations>,
    rewritten: Arc<Rewritten>,
}

/// Why an expression was refused at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct CompileError {
    /// 1-based column (in characters) of the source.
    pub column: usize,
    /// What is wrong and what to write.
    pub message: String,
}

/// Why an evaluation gave no answer. Never holds data of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct EvalError {
    /// 1-based column (in characters) of the source, 1 where it is not known.
    pub column: usize,
    /// Fixed words: `no such key`, `wrong type`, `overflow`, `too much work`, ….
    pub what: &'static str,
}

/// What an expression may read.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// `args`: the arguments of a tool or prompt; the `params` of a resource read. Absent arguments are an empty object.
    pub args: Option<Value<'a>>,
    /// `tool.name`; for a resource or a prompt, its URI or name.
    pub name: &'a str,
    /// `tool.risk` and `tool.annotations`, where known.
    pub tool: Option<&'a Tool>,
    /// `server`, `grant`, `pod`.
    pub subject: &'a Subject,
    /// `session`; the empty string for a call without one.
    pub session: Option<&'a str>,
    /// `now`.
    pub now: WallTime,
}

/// A path into the arguments that an expression reads, such as `["filter", "bucket"]`. Only the fixed part: `args.a[args.i].b` reads
/// `["a"]` and `["i"]`.
pub type Path = Vec<String>;

/// A function that expressions can call, for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written, with the types of what it takes and gives; several ways are separated by `, `.
    pub signature: &'static str,
    /// One line on what it does.
    pub doc: &'static str,
}

/// A variable that expressions can read, for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// How it is written.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// One line on what it is.
    pub doc: &'static str,
}

/// Every function and macro; there are no others.
pub fn reference() -> &'static [Function] {
    static REFERENCE: LazyLock<Vec<Function>> = LazyLock::new(|| table::reference().collect());
    &REFERENCE
}

/// Every variable; there are no others.
pub fn variables() -> &'static [Variable] {
    static VARIABLES: LazyLock<Vec<Variable>> =
        LazyLock::new(|| variables::VARIABLES.iter().map(|entry| entry.variable).collect());
    &VARIABLES
}

impl Expression {
    /// Compiles an expression, on a thread with a large stack, refusing whatever could cost too much.
    ///
    /// # Errors
    /// The first thing wrong, with its column.
    pub fn compile(source: &str, purpose: Purpose) -> Result<Self, CompileError> {
        let refuse = |column: usize, message: String| Err(CompileError { column, message });
        if source.len() > SOURCE {
            return refuse(1, format!("the expression is {} bytes long: {SOURCE} is the most", source.len()));
        }
        if source.trim().is_empty() {
            return refuse(1, "the expression is empty".to_owned());
        }
        let prepare = if HAS_ROOM.get() { prepare } else { prepare_with_room };
        let (rewritten, expectations) = prepare(source, purpose)?;
        let (fits, advice) = match purpose {
            Purpose::Condition => (&[Type::Boolean][..], "write something that is true or false"),
            Purpose::Key => {
                (&[Type::Boolean, Type::Number, Type::Text][..], "a key is a string, whole number or boolean")
            }
            Purpose::Cost => (&[Type::Number][..], "a cost is a number"),
        };
        if rewritten.gives != Type::Any && !fits.contains(&rewritten.gives) {
            return refuse(1, format!("the expression gives {}: {advice}", rewritten.gives.describe()));
        }
        Ok(Self {
            source: source.into(),
            argument_paths: rewritten.argument_paths.iter().cloned().collect(),
            expectations: Arc::new(expectations),
            rewritten: Arc::new(rewritten),
        })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The paths of `args` that the expression reads, in order.
    pub fn argument_paths(&self) -> &[Path] {
        &self.argument_paths
    }

    /// What the expression reads of the arguments, and takes for granted of them.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations.read
    }

    /// What is certain of the arguments of a call for which the condition is true.
    pub fn ensures(&self) -> &[Fact] {
        &self.expectations.ensured
    }

    /// Whether the value depends on nothing but `tool`, `server`, `grant` and `pod`, and so is the same for every call of a tool.
    pub fn is_constant_for_a_tool(&self) -> bool {
        !self.rewritten.reads_the_call
    }

    /// Evaluates a condition. Only `Ok(true)` is true.
    ///
    /// # Errors
    /// If it gave anything but a boolean, or too much work.
    pub fn condition(&self, variables: &Variables<'_>) -> Result<bool, EvalError> {
        Ok(evaluate::evaluate(&self.rewritten, variables, outcome::condition)?)
    }

    /// Evaluates a key into the text that tells its values apart. Of the arguments, those that a server may take for one another
    /// are one: a number and the string of its digits.
    ///
    /// # Errors
    /// If it gave anything but a string, whole number or boolean.
    pub fn key(&self, variables: &Variables<'_>) -> Result<String, EvalError> {
        let key = if self.rewritten.reads_arguments { outcome::argument_key } else { outcome::key };
        Ok(evaluate::evaluate(&self.rewritten, variables, key)?)
    }

    /// Evaluates a cost.
    ///
    /// # Errors
    /// If it could not be evaluated. A value that is no number, negative, not finite or too large is `Ok(None)`
    /// ([`crate::reason::Reason::CostInvalid`]).
    pub fn cost(&self, variables: &Variables<'_>) -> Result<Option<Units>, EvalError> {
        Ok(evaluate::evaluate(&self.rewritten, variables, |value| Ok(outcome::cost(value)))?)
    }
}

impl EvalError {
    /// Whether some servers would read another argument ([`crate::reason::Reason::ArgumentsAmbiguous`]): that of a key beside the
    /// one that was read, which is left to the caller where [`Expression::argument_paths`] names the key, or another number.
    pub fn is_ambiguous(&self) -> bool {
        [What::AmbiguousKey, What::AmbiguousNumber].iter().any(|what| self.what == what.words())
    }
}

impl From<Failure> for EvalError {
    fn from(failure: Failure) -> Self {
        Self { column: failure.column, what: failure.what.words() }
    }
}

/// Does work that compiles many expressions on one thread with a large stack, where else each would take a thread of its
/// own.
pub fn compiling<T: Send>(mut work: impl FnMut() -> T + Send) -> T {
    let pace = Pace::here();
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let run = || {
            HAS_ROOM.set(true);
            pace.keep(&mut work)
        };
        thread.spawn_scoped(scope, run).ok()?.join().ok()
    });
    // Without memory for the thread, each expression asks for one again, and is refused.
    done.unwrap_or_else(work)
}

thread_local! {
    /// Whether this thread has the stack that compiling takes.
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

fn prepare_with_room(source: &str, purpose: Purpose) -> Result<(Rewritten, Expectations), CompileError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        match thread.spawn_scoped(scope, || prepare(source, purpose)) {
            Ok(thread) => thread.join().unwrap_or_else(|_| refuse_all("the expression cannot be read")),
            Err(_) => refuse_all("there is no memory for a thread to compile the expression on"),
        }
    })
}

fn prepare(source: &str, purpose: Purpose) -> Result<(Rewritten, Expectations), CompileError> {
    let (tree, positions) = source::parse(source)?;
    gate::check(&tree, &positions)?;
    let expectations = expectations::gather(&tree, &positions, purpose);
    Ok((rewrite::rewrite(tree, &positions)?, expectations))
}

fn refuse_all<T>(message: &str) -> Result<T, CompileError> {
    Err(CompileError { column: 1, message: message.to_owned() })
}
