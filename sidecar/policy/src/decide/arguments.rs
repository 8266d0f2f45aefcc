//! What rules say of a call's arguments: keys that servers could read otherwise, the tool's schema, requirements.

use std::sync::Arc;
use std::time::Duration;

use super::plan::{Plan, Selected};
use super::{Call, Refusal, Target};
use crate::compile::Ruleset;
use crate::compile::model::{Located, Rule};
use crate::expr::{EvalError, Path, Variables};
use crate::json::{Kind, Value};
use crate::reason::Reason;

/// How long arguments may take to be validated; a call that takes longer is refused.
const VALIDATION_DEADLINE: Duration = Duration::from_millis(50);

/// A call, made ready for expressions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Examined<'c> {
    pub(super) call: &'c Call<'c>,
    pub(super) variables: Variables<'c>,
    doubt: Option<Doubt>,
}

/// Why a server may read other arguments than a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// A key that a selecting rule reads has a sibling that differs only in case: servers in Go would read that one.
    Case,
    /// They are not an object, and what servers make of that differs.
    Shape,
}

impl Ruleset {
    /// Makes a call ready for the expressions of its plan.
    pub(super) fn examine<'c>(&'c self, call: &'c Call<'c>, plan: &Plan) -> Examined<'c> {
        // `null` is how some clients write that there are none.
        let args = call.arguments.filter(|arguments| !arguments.is_null());
        let variables = Variables {
            args,
            name: call.target.name(),
            tool: call.tool.map(AsRef::as_ref),
            subject: &self.subject,
            session: call.session,
            now: call.now,
        };
        let doubt = args.and_then(|arguments| {
            if arguments.kind() != Kind::Object {
                return Some(Doubt::Shape);
            }
            ambiguous(arguments, &plan.paths).map(|_| Doubt::Case)
        });
        Examined { call, variables, doubt }
    }

    /// Whether the arguments are such that the rules that apply can be trusted to have read them, and satisfy them.
    pub(super) fn check_arguments(&self, applied: &[Selected], examined: &Examined<'_>) -> Result<(), Refusal> {
        let rules = || applied.iter().map(|selected| &self.rules[selected.rule as usize]);
        if examined.doubt.is_some() {
            rules().flat_map(Rule::expressions).try_for_each(|located| examined.trust(located))?;
        }
        rules().try_for_each(|rule| examined.validate(rule))?;
        rules().try_for_each(|rule| examined.require(rule))
    }
}

impl Examined<'_> {
    /// Whether a rule that selects the call applies to it.
    pub(super) fn applies(&self, rule: &Rule) -> Result<bool, Refusal> {
        let Some(when) = &rule.when else { return Ok(true) };
        self.trust(when)?;
        when.expression.condition(&self.variables).map_err(|error| expression_error(when, &error))
    }

    /// Refuses arguments that a server may read otherwise than this expression does.
    fn trust(&self, located: &Located) -> Result<(), Refusal> {
        match (self.doubt, self.variables.args) {
            (Some(Doubt::Shape), _) => {
                let message = "the arguments must be an object";
                Err(Refusal::new(Reason::ArgumentsInvalid, &located.pointer, Some(message.into())))
            }
            (Some(Doubt::Case), Some(arguments)) => match ambiguous(arguments, located.expression.argument_paths()) {
                None => Ok(()),
                Some(key) => {
                    let message =
                        format!("the arguments have a key that differs from `{key}` only in case: write `{key}`, once");
                    Err(Refusal::new(Reason::ArgumentsAmbiguous, &located.pointer, Some(message.into())))
                }
            },
            _ => Ok(()),
        }
    }

    fn validate(&self, rule: &Rule) -> Result<(), Refusal> {
        let Some(pointer) = &rule.validate_arguments else { return Ok(()) };
        if !matches!(self.call.target, Target::Tool(_)) {
            return Ok(());
        }
        let unknown = |message: String| Refusal::new(Reason::SchemaUnknown, pointer, Some(message.into()));
        let Some(tool) = self.call.tool else {
            return Err(unknown("the tool's input schema is not known yet: list the tools, then call again".into()));
        };
        let schema =
            tool.schema().map_err(|error| unknown(format!("the tool's input schema cannot be used: {error}")))?;
        schema
            .validate(self.variables.args, VALIDATION_DEADLINE)
            .map_err(|violation| Refusal::new(Reason::ArgumentsInvalid, pointer, Some(violation.to_string().into())))
    }

    fn require(&self, rule: &Rule) -> Result<(), Refusal> {
        for requirement in &rule.require {
            let condition = &requirement.condition;
            match condition.expression.condition(&self.variables) {
                Ok(true) => {}
                Ok(false) => {
                    let message = Arc::clone(&requirement.message);
                    return Err(Refusal::new(Reason::RequirementFailed, &condition.pointer, Some(message)));
                }
                Err(error) => return Err(expression_error(condition, &error)),
            }
        }
        Ok(())
    }
}

/// The refusal of a call on which an expression could not be evaluated.
pub(super) fn expression_error(located: &Located, error: &EvalError) -> Refusal {
    let message = format!("the expression `{}` cannot be evaluated on this call: {error}", located.expression.source());
    let reason = if error.is_ambiguous_key() { Reason::ArgumentsAmbiguous } else { Reason::ExpressionError };
    Refusal::new(reason, &located.pointer, Some(message.into()))
}

/// The first key of any of these paths that has a sibling which differs from it only in case.
fn ambiguous<'p>(arguments: Value<'_>, paths: &'p [Path]) -> Option<&'p str> {
    paths.iter().find_map(|path| {
        let mut object = arguments;
        for key in path {
            if object.kind() != Kind::Object {
                return None;
            }
            if object.has_case_variant(key) {
                return Some(key.as_str());
            }
            object = object.get(key)?;
        }
        None
    })
}
