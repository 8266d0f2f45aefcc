//! Whether a schema declares a path, for warnings about expressions that read one it does not.

use serde_json::{Map, Value};

use super::reference::References;

/// Schemas that one path is looked up in at most; a warning is not worth more.
const SCHEMAS: usize = 256;

/// Declared names that a misspelling is looked for among.
const NAMES: usize = 1_024;
/// The longest declared name that a misspelling is looked for of.
const NAME: usize = 64;

/// Whether arguments may have a value at this path, as [`super::ArgumentSchema::declares`] says.
pub(super) fn declares(root: &Value, path: &[String]) -> Option<Result<(), Option<String>>> {
    let references = References::new(root).ok()?;
    let mut schemas = vec![root];
    for (depth, name) in path.iter().enumerate() {
        let applied = applied(&schemas, &references)?;
        let declared: Vec<_> = applied.iter().filter_map(|schema| schema.get("properties")?.get(name)).collect();
        if !declared.is_empty() {
            schemas = declared;
            continue;
        }
        if applied.iter().any(|schema| schema.contains_key("patternProperties")) {
            return None;
        }
        let closed = |keyword| applied.iter().any(|schema| schema.get(keyword) == Some(&Value::Bool(false)));
        let closed = closed("additionalProperties") || closed("unevaluatedProperties");
        let declared = applied.iter().filter_map(|schema| schema.get("properties")?.as_object()).flat_map(Map::keys);
        let nearest = nearest(name, declared).map(|name| {
            let before = path[..depth].iter().map(String::as_str);
            before.chain([name]).collect::<Vec<_>>().join(".")
        });
        return (closed || nearest.is_some()).then_some(Err(nearest));
    }
    Some(Ok(()))
}

/// The schemas that apply to a value to which these do; none if they are too many to look through.
fn applied<'s>(schemas: &[&'s Value], references: &References<'s>) -> Option<Vec<&'s Map<String, Value>>> {
    let mut open = schemas.to_vec();
    let mut applied: Vec<&Map<String, Value>> = Vec::new();
    while let Some(schema) = open.pop() {
        let Value::Object(keywords) = schema else { continue };
        if applied.iter().any(|other| std::ptr::eq(*other, keywords)) {
            continue;
        }
        if applied.len() == SCHEMAS {
            return None;
        }
        applied.push(keywords);
        for keyword in ["allOf", "anyOf", "oneOf"] {
            open.extend(keywords.get(keyword).and_then(Value::as_array).into_iter().flatten());
        }
        open.extend(["if", "then", "else"].iter().filter_map(|keyword| keywords.get(*keyword)));
        open.extend(keywords.get("dependentSchemas").and_then(Value::as_object).into_iter().flat_map(Map::values));
        let references = ["$ref", "$dynamicRef", "$recursiveRef"]
            .iter()
            .filter_map(|keyword| references.target(keywords.get(*keyword)?.as_str()?));
        open.extend(references);
    }
    Some(applied)
}

/// The declared name that this one is likely a misspelling of.
pub(super) fn nearest<'s>(name: &str, declared: impl Iterator<Item = &'s String>) -> Option<&'s str> {
    // Comparing takes the product of both lengths.
    let near = declared
        .take(NAMES)
        .filter(|declared| declared.len() <= NAME)
        .filter(|declared| declared.len().abs_diff(name.len()) <= 2)
        .map(|declared| (strsim::damerau_levenshtein(&name.to_lowercase(), &declared.to_lowercase()), declared));
    let (distance, nearest) = near.min()?;
    (distance <= 2 && distance * 3 <= name.chars().count()).then_some(nearest)
}
