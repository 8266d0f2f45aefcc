//! Arguments against a tool's own `inputSchema` (JSON Schema 2020-12, crate `jsonschema`), within bounds.
//!
//! ```text
//! inputSchema ──► analysis: references, expansion, patterns ──► jsonschema: Validator ──┐
//!                                                                                       ▼
//! arguments on their tape ──► naming: keys taken for others? ──► tape: nodes that spend a budget ──► valid? ──► violation, in words
//! ```
//!
//! The schema comes from a server and the arguments from an agent: neither is trusted to be cheap. No `$ref` leaves the
//! document, patterns run on a linear engine, the schema's expansion is bounded at load and an evaluation has a
//! deadline. `format`, `contentEncoding`, `contentMediaType` and `contentSchema` are annotations: they assert nothing.

mod analysis;
mod budget;
mod declared;
mod kinds;
mod naming;
mod pattern;
mod permitted;
mod reference;
mod tape;
mod unique;
mod violation;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonschema::{Keyword, PatternOptions, ValidationError, Validator};

use crate::json::Value;
use analysis::Analysis;
use budget::{Budget, Reading};
pub use kinds::Kinds;
use naming::Naming;
use pattern::{Pattern, PatternKeyword};
use tape::{Node, Tape};

/// The most bytes of a schema.
pub const LARGEST: usize = 256 * 1_024;

/// The most subschemas that one value may meet for its violation to be explained by the evaluator, which collects the
/// errors of every branch.
const EXPLAINED: u64 = 256;

/// How many subschemas may be open at once, one within the other: what fits a stack of 2 MiB.
const OPEN: usize = 1_024;

/// The longest property name that is matched against patterns.
const NAME: usize = 256;

/// A compiled schema. Clones share it.
#[derive(Clone)]
pub struct ArgumentSchema {
    compiled: Arc<Compiled>,
}

struct Compiled {
    schema: serde_json::Value,
    validator: Validator<Tape>,
    naming: Naming,
    limits: Limits,
}

/// What keeps an evaluation within its bounds.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The deepest arguments.
    depth: usize,
    /// The longest property name.
    name: usize,
    /// Whether a violation is explained.
    explained: bool,
}

/// What arguments may have at a path, if they match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// What it may be.
    pub kinds: Kinds,
    /// Whether it must be there if the object around it is.
    pub required: bool,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub String);

/// Why arguments are not taken for what the schema asks for. Never holds a value of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A server may read another member than the schema was held against: the name of that one.
    #[error("the arguments have a key that differs from `{0}` only in case: write `{0}`, once")]
    Ambiguous(String),
    /// They do not match.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Why arguments do not match. Never holds a value of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violation {
    /// JSON pointer into the arguments; empty for the arguments themselves.
    pub pointer: String,
    /// What the schema asks for, such as `must be a string`, `needs the property "datastore_id"`.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            write!(f, "the arguments object {}", self.message)
        } else {
            write!(f, "the argument `{}` {}", self.pointer, self.message)
        }
    }
}

impl ArgumentSchema {
    /// Compiles a tool's `inputSchema`.
    ///
    /// # Errors
    /// What the schema has that is not accepted.
    pub fn compile(schema: Value<'_>) -> Result<Self, SchemaError> {
        let raw = schema.raw();
        if raw.len() > LARGEST {
            return Err(SchemaError("it is larger than 256 KiB".into()));
        }
        let schema: serde_json::Value =
            serde_json::from_slice(raw).map_err(|_| SchemaError("it is nested too deeply".into()))?;
        if !schema.is_object() {
            return Err(SchemaError("it is not an object".into()));
        }
        let Analysis { patterns, expansion, chain, matches_names } = analysis::analyse(&schema)?;
        let validator = build(&schema, patterns)?;
        let naming = Naming::new(&schema)?;
        let limits = Limits {
            depth: OPEN / chain.max(1),
            name: if matches_names { NAME } else { usize::MAX },
            explained: expansion <= EXPLAINED,
        };
        Ok(Self { compiled: Arc::new(Compiled { schema, validator, naming, limits }) })
    }

    /// Validates arguments; absent arguments are an empty object. Whole numbers beyond 2^53 must do both as written and as the
    /// nearest doubles, as servers read them one way or the other.
    ///
    /// # Errors
    /// A key that some servers take for one that the schema names, else the first violation, or one that says that
    /// validation took too long.
    pub fn validate(&self, arguments: Option<Value<'_>>, deadline: Duration) -> Result<(), Mismatch> {
        let Compiled { naming, limits, .. } = &*self.compiled;
        let deadline = Instant::now() + deadline;
        let budget = Budget::until(deadline, *limits, Reading::Exact);
        let twin = arguments.and_then(|arguments| naming.twin(arguments, &budget));
        match (twin, budget.exhausted()) {
            (Some(name), _) => Err(Mismatch::Ambiguous(shortened(name))),
            (None, Some(exhausted)) => Err(Violation::new("", exhausted).into()),
            (None, None) => Ok(self.evaluate(arguments, deadline)?),
        }
    }

    fn evaluate(&self, arguments: Option<Value<'_>>, deadline: Instant) -> Result<(), Violation> {
        if !self.evaluate_as(Reading::Exact, arguments, deadline)? {
            return Ok(());
        }
        self.evaluate_as(Reading::Rounded, arguments, deadline).map(|_| ()).map_err(|Violation { pointer, message }| {
            let message = format!("{message}, as servers read it that round numbers beyond 2^53");
            Violation { pointer, message }
        })
    }

    /// Whether another reading of the numbers could have another result.
    fn evaluate_as(
        &self,
        reading: Reading,
        arguments: Option<Value<'_>>,
        deadline: Instant,
    ) -> Result<bool, Violation> {
        let Compiled { schema, validator, limits, .. } = &*self.compiled;
        let budget = Budget::until(deadline, *limits, reading);
        let valid = validator.is_valid(Node::new(arguments, &budget));
        if let Some(exhausted) = budget.exhausted() {
            return Err(Violation::new("", exhausted));
        }
        if valid {
            return Ok(budget.has_met_wide());
        }
        let budget = Budget::until(deadline, *limits, reading);
        let explained = limits.explained.then(|| validator.validate(Node::new(arguments, &budget)));
        match explained {
            Some(Err(error)) if budget.exhausted().is_none() => Err(Violation::explain(&error, schema)),
            _ => Err(Violation::new("", "does not match the tool's input schema")),
        }
    }

    /// Whether the schema lets arguments have a value at this path: `None` if it does not tell, else whether and, if
    /// not, the nearest path it does have, with dots. For warnings about expressions.
    ///
    /// A path is declared if any subschema that may apply declares it. A name that none declares is an error where a
    /// subschema forbids other properties, and where it is likely a misspelling of one that is declared.
    pub fn declares(&self, path: &[String]) -> Option<Result<(), Option<String>>> {
        declared::declares(&self.compiled.schema, path)
    }

    /// What arguments that match may have at each step of a path, up to the last that the schema declares. For warnings
    /// about expressions.
    pub fn permits(&self, path: &[String]) -> Vec<Permitted> {
        permitted::permits(&self.compiled.schema, path)
    }
}

impl fmt::Debug for ArgumentSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArgumentSchema").field("limits", &self.compiled.limits).finish_non_exhaustive()
    }
}

/// Compiles what the analysis has accepted.
fn build(schema: &serde_json::Value, patterns: HashMap<String, Arc<Pattern>>) -> Result<Validator<Tape>, SchemaError> {
    let mut options = jsonschema::options_for::<Tape>()
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(PatternOptions::regex().size_limit(128 * 1_024).dfa_size_limit(128 * 1_024))
        .with_keyword("pattern", move |_, source, _| match source.as_str().and_then(|source| patterns.get(source)) {
            Some(pattern) => Ok(Box::new(PatternKeyword(Arc::clone(pattern)))),
            None => Err(ValidationError::custom("is not a pattern")),
        });
    for annotation in ["contentEncoding", "contentMediaType", "contentSchema"] {
        options = options.with_keyword(annotation, |_, _, _| Ok(Box::new(Annotation)));
    }
    options.build(schema).map_err(|error| {
        let Violation { pointer, message } = Violation::explain(&error, &serde_json::Value::Null);
        SchemaError(format!("it is not a JSON Schema: `{pointer}` {message}"))
    })
}

/// A keyword that asserts nothing.
struct Annotation;

impl<'i> Keyword<'i, Tape> for Annotation {
    fn validate(&self, _: Node<'i>) -> Result<(), ValidationError<'i>> {
        Ok(())
    }

    fn is_valid(&self, _: Node<'i>) -> bool {
        true
    }
}

/// A text of the schema or of the agent that is shown, at most 100 bytes of it.
fn shortened(text: &str) -> String {
    shortened_to(text, 100)
}

fn shortened_to(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests;
