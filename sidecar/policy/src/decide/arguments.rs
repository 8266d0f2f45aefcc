//! What rules say of a call's arguments: keys that servers could read otherwise, the tool's schema, requirements.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::plan::{Plan, Selected};
use super::{Call, Refusal, Target};
use crate::compile::Ruleset;
use crate::compile::model::{Located, Rule};
use crate::expr::{EvalError, Variables};
use crate::json::{Kind, Name, Value};
use crate::reason::Reason;
use crate::schema::Mismatch;

/// How long arguments may take to be validated; a call that takes longer is refused.
const VALIDATION_DEADLINE: Duration = Duration::from_millis(50);

/// A call, made ready for expressions.
#[derive(Debug)]
pub(super) struct Examined<'c> {
    pub(super) call: &'c Call<'c>,
    pub(super) variables: Variables<'c>,
    doubt: Option<Doubt<'c>>,
    /// What the tool's schema says of the arguments, once a rule has asked.
    validated: OnceCell<Result<(), (Reason, Arc<str>)>>,
}

/// Why a server may read other arguments than a rule does.
#[derive(Debug)]
enum Doubt<'c> {
    /// Keys that a selecting rule reads have a sibling that differs only in case: servers in Go would read that one. The
    /// paths of those keys.
    Twins(Twins<'c>),
    /// They are not an object, and what servers make of that differs.
    Shape,
}

/// Paths of keys, of which another parser may read another member.
type Twins<'p> = BTreeSet<&'p [Name]>;

impl Ruleset {
    /// Makes a call ready for the expressions of its plan.
    pub(super) fn examine<'c>(&'c self, call: &'c Call<'c>, plan: &'c Plan) -> Examined<'c> {
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
            let mut twins = Twins::new();
            find_twins(arguments, 0, &plan.reads, &mut twins);
            (!twins.is_empty()).then_some(Doubt::Twins(twins))
        });
        Examined { call, variables, doubt, validated: OnceCell::new() }
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
        match &self.doubt {
            None => Ok(()),
            Some(Doubt::Shape) => {
                let message = "the arguments must be an object";
                Err(Refusal::new(Reason::ArgumentsInvalid, &located.pointer, Some(message.into())))
            }
            Some(Doubt::Twins(twins)) => {
                let steps = located.reads.iter().flat_map(|path| (1..=path.len()).map(|length| &path[..length]));
                let Some(name) = steps.filter(|path| twins.contains(path)).find_map(<[Name]>::last) else {
                    return Ok(());
                };
                let message = Mismatch::Ambiguous(name.as_str().into()).to_string();
                Err(Refusal::new(Reason::ArgumentsAmbiguous, &located.pointer, Some(message.into())))
            }
        }
    }

    fn validate(&self, rule: &Rule) -> Result<(), Refusal> {
        let Some(pointer) = &rule.validate_arguments else { return Ok(()) };
        if !matches!(self.call.target, Target::Tool(_)) {
            return Ok(());
        }
        let validated = self.validated.get_or_init(|| self.validated());
        let refusal =
            |(reason, message): &(Reason, Arc<str>)| Refusal::new(*reason, pointer, Some(Arc::clone(message)));
        validated.as_ref().map_err(refusal).copied()
    }

    /// What the tool's schema says of the arguments: the same to every rule.
    fn validated(&self) -> Result<(), (Reason, Arc<str>)> {
        let unknown = |message: String| (Reason::SchemaUnknown, message.into());
        let Some(tool) = self.call.tool else {
            return Err(unknown("the tool's input schema is not known yet: list the tools, then call again".into()));
        };
        let schema =
            tool.schema().map_err(|error| unknown(format!("the tool's input schema cannot be used: {error}")))?;
        schema.validate(self.variables.args, VALIDATION_DEADLINE).map_err(|mismatch| {
            let reason = match mismatch {
                Mismatch::Ambiguous(_) => Reason::ArgumentsAmbiguous,
                Mismatch::Violation(_) => Reason::ArgumentsInvalid,
            };
            (reason, mismatch.to_string().into())
        })
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
    let reason = if error.is_ambiguous() { Reason::ArgumentsAmbiguous } else { Reason::ExpressionError };
    Refusal::new(reason, &located.pointer, Some(message.into()))
}

/// Notes which keys of these paths, in order and alike up to `depth`, have a sibling that differs from them only in case. Looks
/// at each object once, and at those alone that a path leads to.
fn find_twins<'p>(object: Value<'_>, depth: usize, paths: &'p [Arc<[Name]>], twins: &mut Twins<'p>) {
    let paths = &paths[paths.partition_point(|path| path.len() <= depth)..];
    if paths.is_empty() {
        return;
    }
    for (key, value) in object.keyed() {
        let mut alike = key.alike(paths, |path| &path[depth]);
        while let Some(first) = alike.first() {
            let (same, others) = alike.split_at(alike.partition_point(|path| path[depth] == first[depth]));
            if key.is(first[depth].as_str()) {
                find_twins(value, depth + 1, same, twins);
            } else {
                twins.insert(&first[..=depth]);
            }
            alike = others;
        }
    }
}
