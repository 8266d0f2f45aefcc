//! What a schema names, read from its keywords, once.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json};

use super::{Applied, Naming, Subschema, each_once};
use crate::json::Name;
use crate::schema::SchemaError;
use crate::schema::analysis::applied;
use crate::schema::reference::References;

/// The names of a schema that was found to be acceptable.
///
/// # Errors
/// A reference that leads nowhere.
pub(super) fn naming(root: &Json) -> Result<Naming, SchemaError> {
    let mut draft = Draft { references: References::new(root)?, numbers: HashMap::new(), open: Vec::new() };
    let root = draft.applied(root)?;
    let mut subschemas = Vec::new();
    while let Some(place) = draft.open.get(subschemas.len()).cloned() {
        subschemas.push(match place {
            Place::Schema(keywords) => draft.subschema(keywords)?,
            Place::Values(values) => draft.values(&values),
        });
    }
    Ok(Naming { root, subschemas })
}

/// What a number stands for.
#[derive(Clone)]
enum Place<'s> {
    Schema(&'s Map<String, Json>),
    /// Values that `const` and `enum` have at one place.
    Values(Vec<&'s Json>),
}

struct Draft<'s> {
    references: References<'s>,
    /// By the address of the subschema.
    numbers: HashMap<usize, u32>,
    /// By number.
    open: Vec<Place<'s>>,
}

impl<'s> Draft<'s> {
    /// The subschemas that apply to a value to which this one does, of those that say something of what is inside it.
    fn applied(&mut self, schema: &'s Json) -> Result<Applied, SchemaError> {
        let mut numbers = Applied::new();
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            let Json::Object(keywords) = schema else { continue };
            let address = std::ptr::from_ref(keywords) as usize;
            if keywords.iter().any(|(keyword, value)| says_of_inside(keyword, value)) {
                numbers.push(match self.numbers.get(&address) {
                    Some(&number) => number,
                    None => {
                        let number = self.number(Place::Schema(keywords));
                        self.numbers.insert(address, number);
                        number
                    }
                });
            }
            open.extend(applied(keywords, &self.references)?);
        }
        each_once(&mut numbers);
        Ok(numbers)
    }

    fn number(&mut self, place: Place<'s>) -> u32 {
        self.open.push(place);
        u32::try_from(self.open.len() - 1).unwrap_or(u32::MAX)
    }

    fn all(&mut self, schemas: impl IntoIterator<Item = &'s Json>) -> Result<Applied, SchemaError> {
        let mut all = Applied::new();
        for schema in schemas {
            all.extend(self.applied(schema)?);
        }
        Ok(all)
    }

    fn subschema(&mut self, keywords: &'s Map<String, Json>) -> Result<Subschema, SchemaError> {
        let mut properties: BTreeMap<&str, Applied> = BTreeMap::new();
        let mut subschema = Subschema::default();
        let mut values = Vec::new();
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("properties", Json::Object(schemas)) => {
                    for (name, schema) in schemas {
                        let inner = self.applied(schema)?;
                        properties.entry(name).or_default().extend(inner);
                    }
                }
                ("required", Json::Array(names)) => name_all(&mut properties, names),
                ("dependentRequired" | "dependencies" | "dependentSchemas", Json::Object(dependents)) => {
                    for (name, needed) in dependents {
                        properties.entry(name).or_default();
                        name_all(&mut properties, needed.as_array().into_iter().flatten());
                    }
                }
                ("patternProperties", Json::Object(schemas)) => subschema.members.extend(self.all(schemas.values())?),
                ("additionalProperties" | "unevaluatedProperties", schema) => {
                    subschema.others.extend(self.applied(schema)?);
                }
                ("prefixItems" | "items", Json::Array(schemas)) => {
                    for schema in schemas {
                        let inner = self.applied(schema)?;
                        subschema.first.push(inner);
                    }
                }
                ("items" | "additionalItems", schema) => subschema.rest.extend(self.applied(schema)?),
                ("contains" | "unevaluatedItems", schema) => subschema.elements.extend(self.applied(schema)?),
                ("const", value) => values.push(value),
                ("enum", Json::Array(choices)) => values.extend(choices),
                _ => {}
            }
        }
        let Subschema { properties: named, elements, .. } = self.values(&values);
        subschema.elements.extend(elements);
        for (name, inner) in &named {
            properties.entry(name.as_str()).or_default().extend(inner);
        }
        subschema.properties = in_order(properties);
        Ok(subschema)
    }

    /// What values that arguments are compared with say.
    fn values(&mut self, values: &[&'s Json]) -> Subschema {
        let mut members: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
        for (name, value) in values.iter().filter_map(|value| value.as_object()).flatten() {
            members.entry(name).or_default().push(value);
        }
        let elements: Vec<_> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        let mut inside = |values: Vec<&'s Json>| {
            let any = values.iter().any(|value| value.is_object() || value.is_array());
            if any { vec![self.number(Place::Values(values))] } else { Applied::new() }
        };
        let elements = inside(elements);
        let properties = in_order(members.into_iter().map(|(name, values)| (name, inside(values))));
        Subschema { properties, elements, ..Subschema::default() }
    }
}

fn name_all<'s>(properties: &mut BTreeMap<&'s str, Applied>, names: impl IntoIterator<Item = &'s Json>) {
    for name in names.into_iter().filter_map(Json::as_str) {
        properties.entry(name).or_default();
    }
}

fn in_order<'s>(properties: impl IntoIterator<Item = (&'s str, Applied)>) -> Vec<(Name, Applied)> {
    let mut properties: Vec<_> = properties.into_iter().map(|(name, inner)| (Name::new(name), inner)).collect();
    properties.sort_unstable();
    properties
}

/// Whether a keyword says something of the values in a value.
fn says_of_inside(keyword: &str, value: &Json) -> bool {
    let holds = |value: &Json| value.is_object() || value.is_array();
    match keyword {
        "const" => holds(value),
        "enum" => value.as_array().is_some_and(|choices| choices.iter().any(holds)),
        "properties" | "required" | "dependentRequired" | "dependentSchemas" | "dependencies" | "patternProperties"
        | "items" | "prefixItems" | "contains" => true,
        "additionalProperties" | "unevaluatedProperties" | "additionalItems" | "unevaluatedItems" => value.is_object(),
        _ => false,
    }
}
