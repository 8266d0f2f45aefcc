//! What a schema says, and the words for it.

use serde_json::{Map, Number, Value};

use crate::load::node::{Data, Node, Step, quoted};

/// Every pattern that our types use, and what it asks for.
const PATTERNS: [(&str, &str); 3] = [
    (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "use lower-case letters, digits and -, with a letter or digit at both ends"),
    (
        r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        "use lower-case letters, digits, - and ., with a letter or digit at both ends",
    ),
    (
        r"^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$",
        "use letters, digits, -, _ and ., with a letter or digit at both ends",
    ),
];

/// What a pattern asks for.
pub(super) fn pattern(pattern: &str) -> String {
    let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
    known.map_or_else(|| format!("it must match {pattern}"), |(_, words)| (*words).to_owned())
}

/// The words that a schema permits, if it permits only words.
pub(super) fn of(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const") {
        return Some(vec![word.as_str()?]);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::as_str).collect();
    }
    let variants = schema.get("oneOf").and_then(Value::as_array)?;
    variants.iter().map(|variant| variant.get("const").and_then(Value::as_str)).collect()
}

/// The words that the schema of a field permits, if it permits only words.
pub(super) fn of_field<'a>(root: &'a Value, schema: &'a Value) -> Option<Vec<&'a str>> {
    let schema = resolved(root, schema)?;
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(choices) => of(resolved(root, only_choice(choices)?)?),
        None => of(schema),
    }
}

/// The schema that a reference stands for.
pub(super) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(target) => resolved(root, root.pointer(target.strip_prefix('#')?)?),
        None => schema.as_object(),
    }
}

/// The one choice that is not null, if there is just one.
pub(super) fn only_choice(choices: &[Value]) -> Option<&Value> {
    let mut others = choices.iter().filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    others.next().filter(|_| others.next().is_none())
}

/// The types that a schema names; none if it names none.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if of(schema).is_some() => vec!["string"],
        _ if schema.contains_key("oneOf") => vec!["object"],
        _ => Vec::new(),
    }
}

/// Whether a value has a type, by JSON Schema's name of it.
pub(super) fn is(node: &Node, kind: &str) -> bool {
    match &node.data {
        Data::Null => kind == "null",
        Data::Bool(_) => kind == "boolean",
        Data::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Data::String(_) => kind == "string",
        Data::Array(_) => kind == "array",
        Data::Object(_) => kind == "object",
    }
}

/// A type in words.
pub(super) fn kind(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

/// The field that tells variants apart: each has it, and each with a word of its own.
pub(super) fn tag(variants: &[Value]) -> Option<&str> {
    let fields = variants.first()?.get("properties")?.as_object()?.keys();
    fields.map(String::as_str).find(|field| {
        let words: Vec<_> = variants.iter().filter_map(|variant| tag_value(variant, field)).collect();
        words.len() == variants.len() && (1..words.len()).all(|index| !words[..index].contains(&words[index]))
    })
}

/// The word by which a variant is known.
pub(super) fn tag_value<'a>(variant: &'a Value, tag: &str) -> Option<&'a str> {
    variant.get("properties")?.get(tag)?.get("const")?.as_str()
}

/// What a path leads to, by its last key: `rules[0]`.
pub(super) fn name(path: &[Step<'_>]) -> String {
    let key = path.iter().rposition(|step| matches!(step, Step::Key(_)));
    let mut name = match key.map(|at| path[at]) {
        Some(Step::Key(key)) if is_plain(key) => key.to_owned(),
        Some(Step::Key(key)) => quoted(key),
        _ => "the document".to_owned(),
    };
    for step in &path[key.map_or(0, |at| at + 1)..] {
        if let Step::Index(index) = step {
            name.push_str(&format!("[{index}]"));
        }
    }
    name
}

fn is_plain(key: &str) -> bool {
    key.len() <= 60 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A number of entries in words.
pub(super) fn entries(count: u64) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

/// A bound that is a count.
pub(super) fn bound(schema: &Map<String, Value>, keyword: &str) -> Option<u64> {
    schema.get(keyword).and_then(Value::as_u64)
}

/// What is wrong with a number that is out of the schema's range.
pub(super) fn out_of_range(number: &Number, schema: &Map<String, Value>) -> Option<String> {
    let value = number.as_f64()?;
    let limit = |keyword: &str| schema.get(keyword).filter(|limit| limit.is_number());
    let least = limit("minimum").filter(|least| least.as_f64().is_some_and(|least| value < least));
    let most = limit("maximum").filter(|most| most.as_f64().is_some_and(|most| value > most));
    match (least, most) {
        (Some(least), _) => Some(format!("must be at least {least}, not {number}")),
        (_, Some(most)) => Some(format!("must be at most {most}, not {number}")),
        _ => None,
    }
}
