//! CEL, safely: the only module that knows the `cel` crate.
//!
//! An expression is compiled once, behind a gate on its syntax tree, and evaluated under a budget over values that are
//! read lazily from the call's [`crate::json`] tape. Used by [`crate::compile`] and [`crate::decide`].

use crate::catalogue::Tool;
use crate::decide::Subject;
use crate::json::Value;
use crate::limit::Units;
use crate::time::WallTime;

/// What an expression is for; fixes the type it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `when`, `require`: true or false.
    Condition,
    /// `key`: a string, whole number or boolean.
    Key,
    /// `cost`: a number of zero or more.
    Cost,
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
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

impl Expression {
    /// Compiles an expression, on a thread with a large stack, refusing whatever could cost too much.
    ///
    /// # Errors
    /// The first thing wrong, with its column.
    pub fn compile(source: &str, purpose: Purpose) -> Result<Self, CompileError> {
        let _ = (source, purpose);
        todo!()
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The paths of `args` that the expression reads.
    pub fn argument_paths(&self) -> &[Path] {
        todo!()
    }

    /// Whether the value depends on nothing but `tool`, `server`, `grant` and `pod`, and so is the same for every call of a tool.
    pub fn is_constant_for_a_tool(&self) -> bool {
        todo!()
    }

    /// Evaluates a condition. Only `Ok(true)` is true.
    ///
    /// # Errors
    /// If it gave anything but a boolean, or too much work.
    pub fn condition(&self, variables: &Variables<'_>) -> Result<bool, EvalError> {
        let _ = variables;
        todo!()
    }

    /// Evaluates a key into the text that tells its values apart (a number and the string of its digits differ).
    ///
    /// # Errors
    /// If it gave anything but a string, whole number or boolean.
    pub fn key(&self, variables: &Variables<'_>) -> Result<String, EvalError> {
        let _ = variables;
        todo!()
    }

    /// Evaluates a cost.
    ///
    /// # Errors
    /// If it could not be evaluated. A value that is no number, negative, not finite or too large is `Ok(None)`
    /// ([`crate::reason::Reason::CostInvalid`]).
    pub fn cost(&self, variables: &Variables<'_>) -> Result<Option<Units>, EvalError> {
        let _ = variables;
        todo!()
    }
}
