//! Operators and calls of functions.

use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT,
    LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, SUBSTRACT,
};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{CelInt, CelString};
use cel::common::value::{CowVal, Val};

use super::paths::fixed_part;
use super::{Rewriter, Slot, Typed, plain_call};
use crate::expr::CompileError;
use crate::expr::failure::Failure;
use crate::expr::functions::operators::{ARGUMENT_DIFFERS, ARGUMENT_EQUALS, ARGUMENT_IN, GET};
use crate::expr::functions::pattern::Pattern;
use crate::expr::functions::table::{self, CALLED_AT_LOAD, Entry, MACROS, Style, Type};
use crate::expr::functions::time;
use crate::expr::meter::Meter;
use crate::expr::names;
use crate::expr::variables::Want;

/// The most patterns in an expression: bounds how long it takes to compile.
const PATTERNS: usize = 8;

/// The evaluator's names of operators, and ours.
const OPERATORS: &[(&str, &str)] = &[
    (ADD, "+"),
    (SUBSTRACT, "-"),
    (MULTIPLY, "*"),
    (DIVIDE, "/"),
    (MODULO, "%"),
    (NEGATE, "-"),
    (LOGICAL_NOT, "!"),
    (LESS, "<"),
    (LESS_EQUALS, "<="),
    (GREATER, ">"),
    (GREATER_EQUALS, ">="),
    (EQUALS, "=="),
    (NOT_EQUALS, "!="),
    (IN, "in"),
    (INDEX, GET),
];

impl Rewriter<'_> {
    pub(super) fn call(&mut self, given: CallExpr, column: usize) -> Result<Typed, CompileError> {
        match (given.func_name.as_str(), given.args.len()) {
            (LOGICAL_AND | LOGICAL_OR, 2) => {
                let operands = given.args.into_iter().map(|operand| self.condition(operand));
                let operands = operands.collect::<Result<_, _>>()?;
                Ok((plain_call(&given.func_name, operands), Type::Boolean))
            }
            (CONDITIONAL, 3) => {
                let mut operands = given.args.into_iter();
                let condition = operands.next().map(|condition| self.condition(condition)).transpose()?;
                let branches = operands.map(|branch| self.node(branch)).collect::<Result<Vec<_>, _>>()?;
                let gives = match branches.as_slice() {
                    [(_, then), (_, otherwise)] if then == otherwise => *then,
                    _ => Type::Any,
                };
                let operands = condition.into_iter().chain(branches.into_iter().map(|(branch, _)| branch));
                Ok((plain_call(CONDITIONAL, operands.collect()), gives))
            }
            (name, _) => match OPERATORS.iter().find(|(operator, _)| *operator == name) {
                Some((_, ours)) => self.operator(ours, given.args, column),
                None => self.function(given, column),
            },
        }
    }

    fn operator(&mut self, name: &str, operands: Vec<IdedExpr>, column: usize) -> Result<Typed, CompileError> {
        if let ("in", [key, object]) = (name, operands.as_slice()) {
            self.note_key(key, object);
        }
        let read_before = self.arguments_read;
        let operands = operands.into_iter().map(|operand| self.node(operand));
        let (operands, types): (Vec<_>, Vec<_>) = operands.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let name = match name {
            _ if self.arguments_read == read_before => name,
            "==" => ARGUMENT_EQUALS,
            "!=" => ARGUMENT_DIFFERS,
            "in" => ARGUMENT_IN,
            _ => name,
        };
        let gives = match name {
            "+" | "-" | "*" | "/" | "%" if types.iter().all(|operand| *operand == types[0]) => types[0],
            "+" | "-" | "*" | "/" | "%" | GET => Type::Any,
            _ => Type::Boolean,
        };
        Ok((self.called(name, operands, column), gives))
    }

    /// `'force' in args` reads `args.force`.
    fn note_key(&mut self, key: &IdedExpr, object: &IdedExpr) {
        let Expr::Literal(LiteralValue::String(key)) = &key.expr else {
            return;
        };
        if let Some((name, steps)) = self.variable(object)
            && name == "args"
        {
            let mut path = fixed_part(&steps).unwrap_or_default();
            if path.len() == steps.len() {
                path.push(key.inner().to_owned());
                self.argument_paths.insert(path);
            }
        }
    }

    fn function(&mut self, given: CallExpr, column: usize) -> Result<Typed, CompileError> {
        let name = given.func_name.trim_start_matches('.');
        let refuse = |message: String| Err(CompileError { column, message });
        let Some(entry) = table::find(name) else {
            return refuse(match MACROS.iter().find(|known| known.name == name) {
                Some(known) => format!("`{name}` is written {}", known.signature),
                None => names::unknown_function(name),
            });
        };
        let style = if given.target.is_some() { Style::Method } else { Style::Global };
        let arguments: Vec<_> = given.target.map(|target| *target).into_iter().chain(given.args).collect();
        if (entry.style != Style::Both && entry.style != style) || !entry.arity.contains(&arguments.len()) {
            return refuse(format!("`{name}` is written {}", entry.function.signature));
        }
        if let ("size", [of]) = (name, arguments.as_slice())
            && let Some((name, steps)) = self.variable(of)
        {
            return self.read(&name, &steps, Want::Size, self.column_of_start(of));
        }
        self.apply(entry, arguments, column)
    }

    fn apply(&mut self, entry: &'static Entry, arguments: Vec<IdedExpr>, column: usize) -> Result<Typed, CompileError> {
        let name = entry.function.name;
        if let Some(text) = only_text(&arguments).filter(|_| CALLED_AT_LOAD.contains(&name)) {
            let value = run_now(entry, text, column)?;
            return Ok((self.slot(Slot::Constant(value)), entry.gives));
        }
        let mut rewritten = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.into_iter().enumerate() {
            let column = self.column_of_start(&argument);
            let refuse = |message: String| CompileError { column, message };
            let literal = literal_text(&argument);
            let argument = match (name, index, literal) {
                ("matches", 1, Some(pattern)) => self.pattern(pattern).map_err(refuse)?,
                ("matches", 1, None) => {
                    let advice = "write the pattern as a literal, such as 'a+': one from the call could cost too much";
                    return Err(refuse(advice.to_owned()));
                }
                (_, 1, Some(offset)) if name.starts_with("get") && !time::is_offset(offset) => {
                    return Err(refuse(format!("`{offset}` is not an offset from UTC: write one such as '+02:00'")));
                }
                (_, 0, _) => self.first(entry, argument)?,
                _ => self.node(argument)?.0,
            };
            rewritten.push(argument);
        }
        Ok((self.called(name, rewritten, column), entry.gives))
    }

    fn pattern(&mut self, pattern: &str) -> Result<IdedExpr, String> {
        self.patterns += 1;
        if self.patterns > PATTERNS {
            return Err(format!("the expression has more than {PATTERNS} patterns: join some of them with |"));
        }
        Ok(self.slot(Slot::Constant(Box::new(Pattern::compile(pattern)?))))
    }

    /// The first argument of a function, whose type is checked if it is known.
    fn first(&mut self, entry: &Entry, argument: IdedExpr) -> Result<IdedExpr, CompileError> {
        let column = self.column_of_start(&argument);
        let (argument, gives) = self.node(argument)?;
        if entry.takes == Type::Text && !matches!(gives, Type::Any | Type::Text) {
            let message = format!("here stands {}: `{}` needs a string", gives.describe(), entry.function.name);
            return Err(CompileError { column, message });
        }
        Ok(argument)
    }
}

fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn only_text(arguments: &[IdedExpr]) -> Option<&str> {
    match arguments {
        [argument] => literal_text(argument),
        _ => None,
    }
}

/// Runs a function of one literal, so that a mistake in it is found at load and not paid for by every call.
fn run_now(entry: &Entry, text: &str, column: usize) -> Result<Box<dyn Val>, CompileError> {
    let arguments = vec![
        CowVal::owned(CelString::from(text.to_owned())),
        CowVal::owned(Meter::new()),
        CowVal::owned(CelInt::from(1)),
    ];
    match (entry.run)(arguments) {
        Ok(value) => Ok(value.into_owned()),
        Err(error) => {
            let what = Failure::from(&error).what.words();
            let message = format!("{} cannot read `{text}`: it is {what}", entry.function.name);
            Err(CompileError { column, message })
        }
    }
}
