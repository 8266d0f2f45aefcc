//! The names that a schema has for the members of each object: arguments are refused where a key is not one of them, but
//! what another parser may take for it, as validation would then have seen another member than the server reads.
//!
//! Names are those of `properties`, `required`, `dependentRequired`, `dependentSchemas`, `dependencies`, and of objects in
//! `const` and `enum`. To one value many subschemas may apply: those of them that name anything are followed side by side.
//! Patterns are not matched: what any of `patternProperties` has to say is taken to apply to every member. A key that one of
//! the subschemas names exactly is the server's own, whatever others name.

mod draft;

use serde_json::Value as Json;

use super::SchemaError;
use super::budget::Budget;
use super::tape::BYTES_PER_STEP;
use crate::json::{Kind, Name, Value};

/// Numbers of the subschemas that apply to a value.
type Applied = Vec<u32>;

/// A schema's names, by subschema.
#[derive(Debug)]
pub(super) struct Naming {
    root: Applied,
    subschemas: Vec<Subschema>,
}

/// What one subschema says of the values in a value, leaving what it applies to the value itself to others.
#[derive(Debug, Default)]
struct Subschema {
    /// In order.
    properties: Vec<(Name, Applied)>,
    /// What applies to every member.
    members: Applied,
    /// What applies to members that it does not name.
    others: Applied,
    /// What applies to the first elements, one by one.
    first: Vec<Applied>,
    /// What applies to elements after those.
    rest: Applied,
    /// What applies to every element.
    elements: Applied,
}

impl Naming {
    /// The names of a schema that was found to be acceptable.
    ///
    /// # Errors
    /// A reference that leads nowhere.
    pub(super) fn new(root: &Json) -> Result<Self, SchemaError> {
        draft::naming(root)
    }

    /// The name that a key of the arguments may be taken for; none if there is no such key, or the budget is spent.
    pub(super) fn twin(&self, arguments: Value<'_>, budget: &Budget) -> Option<&str> {
        self.find(arguments, &self.root, 0, budget).map(Name::as_str)
    }

    fn find(&self, value: Value<'_>, applied: &[u32], depth: usize, budget: &Budget) -> Option<&Name> {
        if applied.is_empty() || value.is_empty() || !budget.admits_depth(depth) {
            return None;
        }
        match value.kind() {
            Kind::Object => self.find_among_members(value, applied, depth, budget),
            Kind::Array => self.find_among_elements(value, applied, depth, budget),
            _ => None,
        }
    }

    fn find_among_members(&self, object: Value<'_>, applied: &[u32], depth: usize, budget: &Budget) -> Option<&Name> {
        let mut inside = Applied::new();
        for (key, member) in object.keyed() {
            let (mut twin, mut is_named) = (None, false);
            inside.clear();
            for subschema in self.these(applied) {
                if !budget.spend(1 + key.written_len() / BYTES_PER_STEP) {
                    return None;
                }
                let alike = key.alike(&subschema.properties, |(name, _)| name);
                let named = alike.iter().find(|(name, _)| key.is(name.as_str()));
                is_named |= named.is_some();
                twin = twin.or(alike.first());
                inside.extend(named.map_or(&subschema.others, |(_, inner)| inner));
                inside.extend(&subschema.members);
            }
            if let Some((name, _)) = twin.filter(|_| !is_named) {
                return Some(name);
            }
            each_once(&mut inside);
            if let Some(name) = self.find(member, &inside, depth + 1, budget) {
                return Some(name);
            }
        }
        None
    }

    fn find_among_elements(&self, array: Value<'_>, applied: &[u32], depth: usize, budget: &Budget) -> Option<&Name> {
        let first = self.these(applied).map(|subschema| subschema.first.len()).max().unwrap_or_default();
        let mut inside = Applied::new();
        for (index, element) in array.items().enumerate() {
            // To all elements after the first ones the same applies.
            if index <= first {
                inside.clear();
                for subschema in self.these(applied) {
                    inside.extend(subschema.first.get(index).unwrap_or(&subschema.rest));
                    inside.extend(&subschema.elements);
                }
                each_once(&mut inside);
            }
            if !budget.spend(if index <= first { applied.len() } else { 1 }) {
                return None;
            }
            if let Some(name) = self.find(element, &inside, depth + 1, budget) {
                return Some(name);
            }
        }
        None
    }

    fn these(&self, applied: &[u32]) -> impl Iterator<Item = &Subschema> {
        applied.iter().map(|&number| &self.subschemas[number as usize])
    }
}

fn each_once(applied: &mut Applied) {
    applied.sort_unstable();
    applied.dedup();
}
