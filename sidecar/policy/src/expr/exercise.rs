//! What is true of any expression on any arguments, for tests that make them up and for fuzz targets.

use bytes::Bytes;

use super::failure::What;
use super::{EvalError, Expression, Purpose, Variables};
use crate::decide::Subject;
use crate::json::{Document, Limits};
use crate::time::WallTime;

/// Compiles a source for every purpose and evaluates it on these arguments, if they are JSON. Must return, and without an
/// error, whatever they are.
///
/// # Errors
/// A sentence that says what should not have happened: an error without a place in the source or without words.
pub fn exercise(source: &str, arguments: &[u8]) -> Result<(), String> {
    let length = source.chars().count();
    let document = Document::parse(Bytes::copy_from_slice(arguments), Limits::default()).ok();
    let subject = Subject::default();
    let variables = Variables {
        args: document.as_ref().map(Document::root),
        name: "tool",
        tool: None,
        subject: &subject,
        session: None,
        now: WallTime(1_767_225_600_000_000_000),
    };
    for purpose in [Purpose::Condition, Purpose::Key, Purpose::Cost] {
        let expression = match Expression::compile(source, purpose) {
            Ok(expression) => expression,
            Err(error) if (1..=length + 1).contains(&error.column) && !error.message.is_empty() => continue,
            Err(error) => return Err(format!("`{source}` is refused nowhere: {error}")),
        };
        let result = match purpose {
            Purpose::Condition => expression.condition(&variables).map(drop),
            Purpose::Key => expression.key(&variables).map(drop),
            Purpose::Cost => expression.cost(&variables).map(drop),
        };
        if let Err(error) = result
            && !is_explained(&error, length)
        {
            return Err(format!("`{source}` fails without a reason: {error}"));
        }
    }
    Ok(())
}

fn is_explained(error: &EvalError, length: usize) -> bool {
    let mut known = What::ALL.iter().filter(|what| **what != What::Unexpected);
    (1..=length).contains(&error.column) && known.any(|what| what.words() == error.what)
}
