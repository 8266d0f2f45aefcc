//! What a schema permits along a path, for warnings about expressions that take an argument for something else.
//!
//! Read are the keywords that say which kinds of values there may be, and which members an object must have: `type`, `enum`,
//! `const`, `properties`, `required`, `additionalProperties: false`, `allOf`, `anyOf`, `oneOf` and references. What others
//! forbid besides is not known here, so that what is said to be forbidden is.

use serde_json::{Map, Value};

use super::Permitted;
use super::kinds::Kinds;
use super::reference::References;

/// How much of a schema is read for one path at most; a warning is not worth more.
const WORK: usize = 8_192;

/// What arguments may have at each step of a path, as [`super::ArgumentSchema::permits`] says.
pub(super) fn permits(root: &Value, path: &[String]) -> Vec<Permitted> {
    let Ok(references) = References::new(root) else { return Vec::new() };
    let mut reader = Reader { references, work: WORK };
    let known = (1..=path.len()).map_while(|depth| reader.value(root, &path[..depth]).filter(|seen| seen.declared));
    known.map(|Seen { kinds, required, .. }| Permitted { kinds, required }).collect()
}

/// What a schema says of the value at a path.
#[derive(Clone, Copy, Debug)]
struct Seen {
    kinds: Kinds,
    /// Whether it must be there if what is around it is.
    required: bool,
    /// Whether the schema names it.
    declared: bool,
}

impl Seen {
    /// Nothing is said.
    const OPEN: Self = Self { kinds: Kinds::ANY, required: false, declared: false };
    /// There can be no such value.
    const NEVER: Self = Self { kinds: Kinds::NONE, required: true, declared: false };

    /// Both are said.
    fn and(self, other: Self) -> Self {
        Self {
            kinds: self.kinds.and(other.kinds),
            required: self.required || other.required,
            declared: self.declared || other.declared,
        }
    }

    /// One of them is said.
    fn or(self, other: Self) -> Self {
        Self {
            kinds: self.kinds.or(other.kinds),
            required: self.required && other.required,
            declared: self.declared || other.declared,
        }
    }
}

struct Reader<'s> {
    references: References<'s>,
    /// How much may still be read.
    work: usize,
}

impl<'s> Reader<'s> {
    /// What a schema says of the value at a path from one to which it applies; none if that is too much to read.
    fn value(&mut self, schema: &'s Value, path: &[String]) -> Option<Seen> {
        self.spend(1)?;
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(false) => return Some(Seen::NEVER),
            _ => return Some(Seen::OPEN),
        };
        let mut seen = match path {
            [] => Seen { kinds: self.kinds(keywords)?, ..Seen::OPEN },
            [name, rest @ ..] => self.member(keywords, name, rest)?,
        };
        for applied in schemas(keywords, "allOf") {
            seen = seen.and(self.value(applied, path)?);
        }
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let target = keywords.get(keyword).and_then(Value::as_str).and_then(|name| self.references.target(name));
            if let Some(target) = target {
                seen = seen.and(self.value(target, path)?);
            }
        }
        for keyword in ["anyOf", "oneOf"] {
            if keywords.contains_key(keyword) {
                seen = seen.and(self.choice(schemas(keywords, keyword), path)?);
            }
        }
        Some(seen)
    }

    /// What is said where one of these schemas holds. Those that permit no object have no say in what its members are.
    fn choice(&mut self, branches: &'s [Value], path: &[String]) -> Option<Seen> {
        let mut seen = Seen::NEVER;
        for branch in branches {
            if path.is_empty() || self.value(branch, &[])?.kinds.meets(Kinds::OBJECT) {
                seen = seen.or(self.value(branch, path)?);
            }
        }
        Some(seen)
    }

    fn member(&mut self, keywords: &'s Map<String, Value>, name: &str, rest: &[String]) -> Option<Seen> {
        let is_last = rest.is_empty();
        let needed = keywords.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        self.spend(needed.len())?;
        let required = is_last && needed.iter().any(|needed| needed == name);
        if let Some(schema) = keywords.get("properties").and_then(|properties| properties.get(name)) {
            let seen = self.value(schema, rest)?;
            return Some(if is_last { Seen { required, declared: true, ..seen } } else { seen });
        }
        let is_closed = keywords.get("additionalProperties") == Some(&Value::Bool(false));
        let kinds = if is_closed && !keywords.contains_key("patternProperties") { Kinds::NONE } else { Kinds::ANY };
        Some(Seen { kinds, required, declared: false })
    }

    /// The kinds of values that a schema's own keywords permit.
    fn kinds(&mut self, keywords: &Map<String, Value>) -> Option<Kinds> {
        let named = |name: &Value| name.as_str().and_then(Kinds::named).unwrap_or(Kinds::ANY);
        let mut kinds = match keywords.get("type") {
            Some(Value::Array(names)) => names.iter().map(named).fold(Kinds::NONE, Kinds::or),
            Some(name) => named(name),
            None => Kinds::ANY,
        };
        if let Some(values) = keywords.get("enum").and_then(Value::as_array) {
            self.spend(values.len())?;
            kinds = kinds.and(values.iter().map(Kinds::of).fold(Kinds::NONE, Kinds::or));
        }
        Some(keywords.get("const").map_or(kinds, |value| kinds.and(Kinds::of(value))))
    }

    fn spend(&mut self, work: usize) -> Option<()> {
        self.work = self.work.checked_sub(work)?;
        Some(())
    }
}

fn schemas<'s>(keywords: &'s Map<String, Value>, keyword: &str) -> &'s [Value] {
    keywords.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
