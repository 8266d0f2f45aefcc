//! Conditions of the format → CEL.
//!
//! A path that is missing or null makes every comparison false, and with it a `deny_if`; a `require` fails.

use serde_json::Value;

use super::equality::{literal, one_of};
use super::format::{Condition, Operator};
use crate::expr::spelling::{is_identifier, member, presence, text};
use crate::load::node::quoted;

/// Why a condition cannot be mapped: the field, and what is wrong with it.
pub(super) type Unmappable = (&'static str, String);

/// The expression that is true where the condition holds of the argument at a path.
///
/// # Errors
/// What cannot be mapped.
pub(super) fn expression(path: &Path<'_>, condition: &Condition) -> Result<String, Unmappable> {
    let present = path.present();
    let value = condition.value.as_ref();
    if condition.op == Operator::Exists {
        return match value {
            Some(Value::Bool(true)) => Ok(present),
            Some(Value::Bool(false)) => Ok(format!("!({present})")),
            _ => Err(needs("exists", "true or false")),
        };
    }
    let value = value.ok_or_else(|| ("", "a condition needs a value to compare with".to_owned()))?;
    Ok(format!("{present} && {}", comparison(condition.op, path, value)?))
}

fn comparison(op: Operator, path: &Path<'_>, value: &Value) -> Result<String, Unmappable> {
    let access = path.access();
    match op {
        Operator::Eq => equality(&access, &[value], "eq"),
        Operator::Neq => Ok(format!("!({})", equality(&access, &[value], "neq")?)),
        Operator::In => equality(&access, &list(value, "in")?, "in"),
        Operator::NotIn => Ok(format!("!({})", equality(&access, &list(value, "not_in")?, "not_in")?)),
        Operator::Lt => ordering(&access, "<", value, "lt"),
        Operator::Lte => ordering(&access, "<=", value, "lte"),
        Operator::Gt => ordering(&access, ">", value, "gt"),
        Operator::Gte => ordering(&access, ">=", value, "gte"),
        Operator::Regex => match value {
            Value::String(pattern) => Ok(format!("{access}.matches({})", text(pattern))),
            _ => Err(needs("regex", "a pattern in quotes")),
        },
        Operator::Contains => contains(path, value),
        Operator::Exists => Err(needs("exists", "true or false")),
    }
}

fn equality(access: &str, values: &[&Value], op: &str) -> Result<String, Unmappable> {
    if values.is_empty() {
        return Err(needs(op, "at least one value"));
    }
    one_of(access, values).ok_or_else(|| needs(op, "text, numbers or booleans"))
}

fn list<'v>(value: &'v Value, op: &str) -> Result<Vec<&'v Value>, Unmappable> {
    value.as_array().map(|values| values.iter().collect()).ok_or_else(|| needs(op, "a list"))
}

fn ordering(path: &str, sign: &str, value: &Value, op: &str) -> Result<String, Unmappable> {
    match value {
        Value::Number(number) => Ok(format!("{path} {sign} {}", literal(number))),
        _ => Err(needs(op, "a number")),
    }
}

/// Text contains a part, a list an element.
fn contains(path: &Path<'_>, value: &Value) -> Result<String, Unmappable> {
    let wrong = || needs("contains", "text, a number or a boolean");
    let access = path.access();
    let own = match value {
        Value::String(part) => text(part),
        Value::Number(number) => literal(number),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(wrong()),
    };
    let equal = one_of("element", &[value]).ok_or_else(wrong)?;
    // No loop ranges over what may be found by index or by key: there the types must agree.
    let in_list = if equal.starts_with('(') && !path.has_indices() {
        format!("{access}.exists(element, {equal})")
    } else {
        format!("{own} in {access}")
    };
    match value {
        Value::String(_) => Ok(format!("(type({access}) == string ? {access}.contains({own}) : {in_list})")),
        _ => Ok(format!("({in_list})")),
    }
}

fn needs(op: &str, what: &str) -> Unmappable {
    ("/value", format!("{op} compares with {what}"))
}

/// A path into the arguments.
///
/// A step of digits alone is the index of a list's element and the key of an object's member alike: which of them it is, the
/// call says. Any other step through a list is an error of the evaluation, so that the call is refused either way.
pub(super) struct Path<'p> {
    steps: Vec<Step<'p>>,
}

/// The most steps of a path: what tests for all of them then fits an expression, or is soon seen not to.
const MOST_STEPS: usize = 24;
/// The most steps of digits alone, each of which triples what stands before it.
const MOST_INDICES: usize = 2;

enum Step<'p> {
    /// What can follow a dot in CEL.
    Identifier(&'p str),
    /// Any other key.
    Key(&'p str),
    /// Digits, and the index that they write.
    Index(&'p str, i64),
}

impl<'p> Path<'p> {
    /// Reads `args.x.y`.
    ///
    /// # Errors
    /// What a path looks like.
    pub(super) fn parse(path: &'p str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for key in path.strip_prefix("args.").unwrap_or_default().split('.').take(MOST_STEPS + 1) {
            if key.is_empty() {
                return Err(format!("{} is no path to an argument: write args.NAME, or args.NAME.NAME", quoted(path)));
            }
            steps.push(Step::parse(key)?);
        }
        let indices = steps.iter().filter(|step| step.is_index()).count();
        let excess = match (steps.len() > MOST_STEPS, indices > MOST_INDICES) {
            (true, _) => format!("more than {MOST_STEPS} steps"),
            (_, true) => format!("more than {MOST_INDICES} steps that are numbers"),
            _ => return Ok(Self { steps }),
        };
        let advice = "write an McpPolicy, with an expression that reads the argument";
        Err(format!("{} has {excess}: {advice}", quoted(path)))
    }

    /// A path that stands where another could not be read.
    pub(super) fn any() -> Self {
        Self { steps: vec![Step::Identifier("any")] }
    }

    /// The argument.
    pub(super) fn access(&self) -> String {
        self.steps.iter().fold("args".to_owned(), |parent, step| step.access(&parent))
    }

    /// Whether it leads through what may be a list or an object.
    fn has_indices(&self) -> bool {
        self.steps.iter().any(Step::is_index)
    }

    /// Whether the argument is there and not null. Each level is tested, as a test below what is missing or null would be an
    /// error.
    pub(super) fn present(&self) -> String {
        let mut parent = "args".to_owned();
        let mut tests = Vec::new();
        for step in &self.steps {
            tests.push(step.present(&parent));
            parent = step.access(&parent);
            tests.push(format!("{parent} != null"));
        }
        tests.join(" && ")
    }
}

impl<'p> Step<'p> {
    fn parse(key: &'p str) -> Result<Self, String> {
        if is_identifier(key) {
            return Ok(Self::Identifier(key));
        }
        if !key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Key(key));
        }
        let index = key
            .parse()
            .map_err(|_| format!("{} is no index that a list can have: write a smaller one", quoted(key)))?;
        Ok(Self::Index(key, index))
    }

    fn is_index(&self) -> bool {
        matches!(self, Self::Index(..))
    }

    fn access(&self, parent: &str) -> String {
        match self {
            Self::Identifier(key) | Self::Key(key) => member(parent, key),
            Self::Index(key, index) => {
                format!("(type({parent}) == list ? {parent}[{index}] : {})", member(parent, key))
            }
        }
    }

    fn present(&self, parent: &str) -> String {
        match self {
            Self::Identifier(key) => presence(parent, key),
            // In a list, `in` would look for an element; to read it by a key is the error that `has` would be.
            Self::Key(key) => {
                format!("(type({parent}) == list ? {} != null : {})", member(parent, key), presence(parent, key))
            }
            Self::Index(key, index) => {
                format!("(type({parent}) == list ? size({parent}) > {index} : {})", presence(parent, key))
            }
        }
    }
}
