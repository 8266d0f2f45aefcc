//! The fields of a document as a table: path, type, bounds and meaning, from the JSON Schema of its type.

use serde_json::Value;

use super::tables::rows;

/// The types whose fields are shown, as they stand in the code: a schema does not keep the order of fields.
const SOURCES: [&str; 7] = [
    include_str!("../../src/audit/line.rs"),
    include_str!("../../src/config.rs"),
    include_str!("../../src/config/server.rs"),
    include_str!("../../../crds/src/v1alpha1/cluster_policy.rs"),
    include_str!("../../../crds/src/v1alpha1/limit.rs"),
    include_str!("../../../crds/src/v1alpha1/policy.rs"),
    include_str!("../../../crds/src/v1alpha1/rule.rs"),
];

/// The fields of a schema, depth first. The fields of a type in `apart` are not shown: another table has them.
pub(crate) fn fields(schema: &Value, apart: &[&str]) -> String {
    let mut table = Table { root: schema, apart, rows: Vec::new() };
    let title = schema["title"].as_str().unwrap_or_default();
    table.object(schema, title, "");
    rows("field | type | meaning", table.rows)
}

struct Table<'s> {
    root: &'s Value,
    apart: &'s [&'s str],
    rows: Vec<Vec<String>>,
}

/// A schema, and the name of its type if it has one.
#[derive(Clone, Copy)]
struct Resolved<'s> {
    schema: &'s Value,
    name: &'s str,
}

impl<'s> Table<'s> {
    fn object(&mut self, schema: &'s Value, name: &str, path: &str) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let mut properties: Vec<_> = properties.iter().collect();
        properties.sort_by_key(|(property, _)| position(name, property));
        for (property, value) in properties {
            let target = self.resolve(value);
            let (inner, suffix) = match target.schema.get("items") {
                Some(items) => (self.resolve(items), "[]"),
                None => (target, ""),
            };
            let separator = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{separator}{property}{suffix}");
            let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == property));
            let kind = self.kind(value);
            self.rows.push(vec![format!("`{path}`"), kind, meaning(value, target.schema, required)]);
            if !self.apart.contains(&inner.name) {
                self.object(inner.schema, inner.name, &path);
            }
        }
    }

    /// Follows references, and takes what a schema is if it is not null.
    fn resolve(&self, schema: &'s Value) -> Resolved<'s> {
        let choices = ["allOf", "anyOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array);
        let schema = choices.and_then(|all| all.iter().find(|one| one["type"] != "null")).unwrap_or(schema);
        let reference = schema.get("$ref").and_then(Value::as_str);
        match reference.and_then(|reference| self.root.pointer(reference.strip_prefix('#')?)) {
            Some(target) => {
                let name = reference.and_then(|reference| reference.rsplit('/').next());
                Resolved { name: name.unwrap_or_default(), ..self.resolve(target) }
            }
            None => Resolved { schema, name: "" },
        }
    }

    fn kind(&self, schema: &'s Value) -> String {
        let target = self.resolve(schema).schema;
        let (base, bounds) = (self.base(target), bounds(target));
        let each = target.get("items").and_then(|items| self::bounds(self.resolve(items).schema));
        let parts = [Some(base), bounds, each.map(|each| format!("each {each}"))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The type without its bounds.
    fn base(&self, target: &'s Value) -> String {
        if let Some(words) = words(target) {
            return words.join(", ");
        }
        let name = match target.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap(),
            _ if target.get("oneOf").is_some() => "object",
            _ => "any",
        };
        match (name, target.get("items"), target.get("additionalProperties")) {
            ("array", Some(items), _) => format!("list of {}", self.base(self.resolve(items).schema)),
            ("object", _, Some(values @ Value::Object(_))) => {
                format!("object of {}", self.base(self.resolve(values).schema))
            }
            _ => name.to_owned(),
        }
    }
}

fn meaning(property: &Value, target: &Value, required: bool) -> String {
    let description = property.get("description").or_else(|| target.get("description"));
    let mut text = description.and_then(Value::as_str).unwrap_or_default().to_owned();
    match property.get("default") {
        Some(Value::String(word)) if !word.is_empty() => text += &format!(" Default: `{word}`."),
        Some(value @ (Value::Number(_) | Value::Bool(true))) => text += &format!(" Default: `{value}`."),
        _ => {}
    }
    if required {
        text += " **Required.**";
    }
    text
}

/// The words of an enumeration, if the schema is one.
fn words(schema: &Value) -> Option<Vec<String>> {
    let quote = |value: &Value| value.as_str().map(|word| format!("`{word}`"));
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(quote).collect();
    }
    let one = schema.get("oneOf").and_then(Value::as_array)?;
    one.iter().map(|case| case.get("const").and_then(quote)).collect()
}

/// What a schema says of size.
fn bounds(schema: &Value) -> Option<String> {
    let sizes =
        [("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " entries")];
    sizes.into_iter().find_map(|(least, most, what)| {
        let number = |key| schema.get(key).and_then(Value::as_i64);
        match (number(least).filter(|least| *least > 0 || what.is_empty()), number(most)) {
            (Some(least), Some(most)) => Some(format!("{} to {}{what}", grouped(least), grouped(most))),
            (None, Some(most)) => Some(format!("at most {}{what}", grouped(most))),
            (Some(least), None) if least > 0 && what.is_empty() => Some(format!("at least {}", grouped(least))),
            _ => None,
        }
    })
}

/// `1,000,000`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where a field stands in its type.
fn position(type_name: &str, field: &str) -> usize {
    let head = format!("pub struct {type_name} {{");
    let body = SOURCES.iter().find_map(|source| source.split_once(&head));
    let body = body.and_then(|(_, rest)| rest.split("\n}").next()).unwrap_or_default();
    let folded = |name: &str| name.replace('_', "").to_lowercase();
    let declared = body.lines().filter_map(|line| line.trim_start().strip_prefix("pub ")?.split(':').next());
    let place = declared.into_iter().position(|name| folded(name.trim_start_matches("r#")) == folded(field));
    place.unwrap_or_else(|| panic!("{type_name} has no field {field}: is its file among the sources?"))
}
