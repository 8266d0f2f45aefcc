//! Paths from variables: `args.filter.bucket`, `pod.labels['app']`.

use cel::common::ast::operators::INDEX;
use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::CelType;

use super::{Rewriter, Slot, Typed};
use crate::expr::CompileError;
use crate::expr::functions::table::{self, Type};
use crate::expr::gate::TYPES;
use crate::expr::names;
use crate::expr::source::Positions;
use crate::expr::variables::{Entry, Key, Read, Root, Step, VARIABLES, Want};

/// The node that a path begins with; the node itself if it is none.
pub(super) fn start(node: &IdedExpr) -> &IdedExpr {
    match &node.expr {
        Expr::Select(select) => start(&select.operand),
        Expr::Call(call) if call.func_name == INDEX => call.args.first().map_or(node, start),
        _ => node,
    }
}

/// The name that a node begins with and the steps from there, if it is nothing but members and elements at fixed places.
pub(in crate::expr) fn path(node: &IdedExpr, positions: &Positions<'_>) -> Option<(String, Vec<Step>)> {
    let (operand, key) = match &node.expr {
        Expr::Ident(name) => return Some((name.clone(), Vec::new())),
        Expr::Select(select) if !select.test => (&*select.operand, Key::Field(select.field.clone())),
        Expr::Call(call) if call.func_name == INDEX => {
            let [operand, index] = call.args.as_slice() else {
                return None;
            };
            let key = match &index.expr {
                Expr::Literal(LiteralValue::String(key)) => Key::Field(key.inner().to_owned()),
                Expr::Literal(LiteralValue::Int(index)) => Key::Index(usize::try_from(*index.inner()).ok()?),
                _ => return None,
            };
            (operand, key)
        }
        _ => return None,
    };
    let (name, mut steps) = path(operand, positions)?;
    steps.push(Step { key, column: positions.column(node.id) });
    Some((name, steps))
}

impl Rewriter<'_> {
    /// A path that begins with a variable.
    pub(super) fn read(
        &mut self,
        name: &str,
        steps: &[Step],
        want: Want,
        column: usize,
    ) -> Result<Typed, CompileError> {
        if steps.is_empty() && TYPES.contains(&name) {
            return Ok((self.slot(Slot::Constant(Box::new(CelType::new(name)))), Type::Other));
        }
        let entry = find(name, steps, want).map_err(|(depth, message)| {
            let wrong = depth.checked_sub(1).and_then(|step| steps.get(step));
            CompileError { column: wrong.map_or(column, |step| step.column), message }
        })?;
        let steps = steps[entry.path.len() - 1..].to_vec();
        if entry.root == Root::Arguments {
            self.argument_paths.extend(fixed_part(&steps));
            self.arguments_read += 1;
        }
        self.reads_the_call |= entry.root.is_of_the_call();
        let gives = match want {
            Want::Presence => Type::Boolean,
            Want::Size => Type::Number,
            Want::Value if steps.is_empty() => entry.gives,
            Want::Value if matches!(entry.root, Root::PodLabels | Root::Categories) => Type::Text,
            Want::Value => Type::Any,
        };
        let read = Read { root: entry.root, steps, want, column };
        Ok((self.slot(Slot::Read(read)), gives))
    }
}

/// The fields of a path up to its first element of an array.
pub(in crate::expr) fn fixed_part(steps: &[Step]) -> Option<Vec<String>> {
    let fields = steps.iter().map_while(|step| match &step.key {
        Key::Field(field) => Some(field.clone()),
        Key::Index(_) => None,
    });
    let fields: Vec<_> = fields.collect();
    (!fields.is_empty()).then_some(fields)
}

/// The variable that a path begins with; else how many names of it are right, and what to say of the next.
fn find(name: &str, steps: &[Step], want: Want) -> Result<&'static Entry, (usize, String)> {
    let name = name.trim_start_matches('.');
    let fields = steps.iter().map_while(|step| match &step.key {
        Key::Field(field) => Some(field.as_str()),
        Key::Index(_) => None,
    });
    let given: Vec<&str> = std::iter::once(name).chain(fields).collect();
    let known = VARIABLES.iter().filter(|entry| given.starts_with(entry.path));
    let Some(entry) = known.max_by_key(|entry| entry.path.len()) else {
        return Err(unknown(&given));
    };
    let rest = &steps[entry.path.len() - 1..];
    let is_whole = rest.is_empty() && want == Want::Presence;
    if entry.root == Root::Risk && !is_whole {
        return Err(unknown(&given));
    }
    let fits = match entry.gives {
        Type::Object => true,
        Type::List => !matches!(rest.first(), Some(Step { key: Key::Field(_), .. })),
        _ => rest.is_empty(),
    };
    if fits {
        return Ok(entry);
    }
    let variable = &entry.variable;
    Err((entry.path.len(), format!("`{}` is a {}, which has no members", variable.name, variable.kind)))
}

/// What to say of a path that leads to no variable.
fn unknown(given: &[&str]) -> (usize, String) {
    let name = given[0];
    // The longest part of the path that exists, and what could stand behind it.
    let depth = (1..=given.len()).rev().find(|&depth| children(&given[..depth]).next().is_some()).unwrap_or(0);
    let mut choices: Vec<&str> = children(&given[..depth]).collect();
    choices.dedup();
    let list = match choices.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    let advice = |wrong: &str| match names::nearest(wrong, choices.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write {list}"),
    };
    let message = match (depth, given.get(depth)) {
        (0, _) if table::find(name).is_some() => format!("`{name}` is a function: call it"),
        (0, _) => format!("there is no variable `{name}`: {}", advice(name)),
        (_, Some(field)) => format!("`{}` has no member `{field}`: {}", given[..depth].join("."), advice(field)),
        (_, None) => {
            let whole = given.join(".");
            format!("`{whole}` is an object: write one of its members, {list}")
        }
    };
    (depth, message)
}

/// The names that may follow these; with none, those of the variables.
fn children<'g>(names: &'g [&'g str]) -> impl Iterator<Item = &'static str> + 'g {
    VARIABLES
        .iter()
        .filter(|entry| entry.path.len() > names.len() && entry.path.starts_with(names))
        .map(|entry| entry.path[names.len()])
}
