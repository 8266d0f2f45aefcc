//! What is wrong with arguments, in words that name what the schema asks for and never what the call has.

use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::declared::nearest;
use super::{Violation, shortened, shortened_to};

/// Values of the schema, or property names, that are named at most.
const NAMED: usize = 10;
/// The longest pointer that is shown.
const POINTER: usize = 256;

impl Violation {
    pub(super) fn new(pointer: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }

    /// The violation that an error of this schema's evaluator is about.
    pub(super) fn explain(error: &ValidationError<'_>, schema: &Value) -> Self {
        let error = telling(error);
        let pointer = shortened_to(error.instance_path().as_str(), POINTER);
        let message = match error.kind() {
            Kind::AdditionalProperties { unexpected } if unexpected.len() == 1 => {
                let place = error.schema_path().as_str().trim_end_matches("/additionalProperties");
                let declared = schema.pointer(place).and_then(|schema| schema.get("properties")?.as_object());
                match declared.and_then(|declared| nearest(&unexpected[0], declared.keys())) {
                    Some(nearest) => format!("{}: did you mean {}?", describe(error.kind()), quoted(nearest)),
                    None => describe(error.kind()),
                }
            }
            Kind::FalseSchema if error.schema_path().as_str().ends_with("Properties") => "takes no properties".into(),
            kind => describe(kind),
        };
        Self { pointer, message }
    }
}

/// Of a choice in which nothing matches, the error of the one branch that is of the value's own type, if there is one:
/// an optional object is `anyOf` it and null, and what is wrong is inside it.
fn telling<'e, 'i>(error: &'e ValidationError<'i>) -> &'e ValidationError<'i>
where
    'i: 'e,
{
    let mut telling = error;
    while let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = telling.kind() {
        let place = telling.instance_path().as_str();
        let of_another_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == place
        };
        let mut branches = context.iter().filter(|errors| !errors.iter().any(of_another_type));
        match (branches.next().and_then(|errors| errors.first()), branches.next()) {
            (Some(only), None) => telling = only,
            _ => break,
        }
    }
    telling
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(kind) } => format!("must be {}", article(*kind)),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => format!("must be {}", one_of(kinds.iter())),
        Kind::Required { property: Value::String(name) } => format!("needs the property {}", quoted(name)),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("does not take the {}", properties(unexpected))
        }
        Kind::Enum { options } => format!("must be one of {}", values(options)),
        Kind::Constant { expected_value } => format!("must be {}", shortened(&expected_value.to_string())),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must be at least {limit} characters long"),
        Kind::MaxLength { limit } => format!("must be at most {limit} characters long"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::UnevaluatedItems { .. } => "has items that the schema does not allow".into(),
        Kind::MinProperties { limit } => format!("must have at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        Kind::UniqueItems => "must not have the same item twice".into(),
        Kind::Contains => "does not have the items that the schema's `contains` asks for".into(),
        Kind::PropertyNames { error } => format!("has a property whose name {}", describe(error.kind())),
        Kind::FalseSchema => "is not allowed".into(),
        Kind::Not { .. } => "is what the schema's `not` excludes".into(),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives(context),
        Kind::OneOfMultipleValid { .. } => {
            "matches more than one of the alternatives of which it must match one".into()
        }
        Kind::Custom { message, .. } => message.clone(),
        _ => "does not match the schema".into(),
    }
}

/// What would pass if the branches of a choice only differ in their types or values; else that nothing did.
fn alternatives(context: &[Vec<ValidationError<'_>>]) -> String {
    let mut types = Vec::new();
    for branch in context {
        match branch.as_slice() {
            [error] => match error.kind() {
                Kind::Type { kind: TypeKind::Single(kind) } => types.push(*kind),
                Kind::Type { kind: TypeKind::Multiple(kinds) } => types.extend(kinds.iter()),
                _ => return "matches none of the alternatives that the schema has".into(),
            },
            _ => return "matches none of the alternatives that the schema has".into(),
        }
    }
    types.sort_unstable();
    types.dedup();
    format!("must be {}", one_of(types.into_iter()))
}

fn article(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

fn one_of(kinds: impl Iterator<Item = JsonType>) -> String {
    let kinds: Vec<_> = kinds.map(article).collect();
    match kinds.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => kinds.concat(),
    }
}

fn quoted(text: &str) -> String {
    // As JSON writes it, so that no name can look like more than one.
    Value::from(shortened(text)).to_string()
}

fn properties(names: &[String]) -> String {
    let mut text = if names.len() == 1 { "property".to_owned() } else { "properties".to_owned() };
    for (index, name) in names.iter().take(NAMED).enumerate() {
        let before = if index == 0 { " " } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}{}", quoted(name));
    }
    text + &and_more(names.len())
}

fn values(options: &Value) -> String {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let shown: Vec<_> = options.iter().take(NAMED).map(|option| shortened(&option.to_string())).collect();
    shown.join(", ") + &and_more(options.len())
}

fn and_more(count: usize) -> String {
    if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() }
}
