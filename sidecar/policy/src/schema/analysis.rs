//! What is known of a schema before it is compiled: where its references lead, and how much one value can set off.
//!
//! A schema may apply many others to the same value (`allOf`, `anyOf`, `$ref` …), and those again many: a chain of a
//! dozen references can double that often. So the subschemas that one value meets are counted here, through all
//! references, and too many are refused. What remains is going from a value to those in it, which the
//! [`Budget`](super::budget::Budget) counts when it happens; recursive schemas are fine for that reason, unless one
//! refers to itself for the same value.
//!
//! Only references within the schema are followed, and only `$schema`s whose keywords are counted here are accepted.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::SchemaError;
use super::pattern::Pattern;
use super::reference::References;

/// The most subschemas that one value may meet.
const EXPANSION: u64 = 4_096;
/// The most that all of its subschemas meet, added up: compiling a choice looks through what each of its branches
/// applies.
const EXPANSIONS: u64 = 131_072;
/// The most of them in a chain: each takes some of the stack, for every level of the arguments.
const CHAIN: usize = 32;
/// The most bytes that all patterns of a schema may take compiled.
const PATTERNS: usize = 512 * 1_024;
/// The most bytes that the patterns for property names may take compiled: they are matched without looking at the time.
const NAME_PATTERNS: usize = 64 * 1_024;
/// The most branches of one `anyOf` or `oneOf`.
const BRANCHES: usize = 512;

const DRAFTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// What the analysis found.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// The patterns of `pattern`, compiled.
    pub(super) patterns: HashMap<String, Arc<Pattern>>,
    /// The most subschemas that any value meets.
    pub(super) expansion: u64,
    /// The longest chain of them.
    pub(super) chain: usize,
    /// Whether property names are matched against patterns.
    pub(super) matches_names: bool,
}

/// Examines a schema.
///
/// # Errors
/// What it has that is not accepted.
pub(super) fn analyse(root: &Value) -> Result<Analysis, SchemaError> {
    check_draft(root)?;
    let mut walk = Walk {
        references: References::new(root)?,
        extents: HashMap::new(),
        open: Vec::new(),
        analysis: Analysis::default(),
        expanded: 0,
        compiled: 0,
        compiled_for_names: 0,
    };
    walk.open.push(root);
    while let Some(schema) = walk.open.pop() {
        let extent = walk.extent(schema, 0)?;
        walk.analysis.expansion = walk.analysis.expansion.max(extent.visits);
        walk.analysis.chain = walk.analysis.chain.max(extent.chain);
    }
    Ok(walk.analysis)
}

fn check_draft(root: &Value) -> Result<(), SchemaError> {
    match root.get("$schema") {
        None => Ok(()),
        Some(Value::String(draft)) if DRAFTS.contains(&draft.trim_end_matches('#')) => Ok(()),
        Some(draft) => {
            let draft = super::shortened(draft.as_str().unwrap_or("something other than a string"));
            Err(SchemaError(format!(
                "its `$schema` is `{draft}`: 2020-12, 2019-09, draft-07 and draft-06 are supported"
            )))
        }
    }
}

/// How much one value sets off in a subschema.
#[derive(Clone, Copy)]
struct Extent {
    /// Subschemas that are applied to it.
    visits: u64,
    /// Subschemas that are visited to learn what of it they have evaluated.
    marks: u64,
    chain: usize,
}

struct Walk<'s> {
    references: References<'s>,
    /// By the address of the subschema; none while it is being examined.
    extents: HashMap<usize, Option<Extent>>,
    /// Subschemas that apply to values within a value.
    open: Vec<&'s Value>,
    analysis: Analysis,
    /// The visits of all subschemas examined.
    expanded: u64,
    /// Bytes of compiled patterns.
    compiled: usize,
    compiled_for_names: usize,
}

impl<'s> Walk<'s> {
    fn extent(&mut self, schema: &'s Value, depth: usize) -> Result<Extent, SchemaError> {
        let keywords = match schema {
            Value::Bool(_) => return Ok(Extent { visits: 1, marks: 1, chain: 1 }),
            Value::Object(keywords) => keywords,
            _ => return Err(SchemaError("it has a subschema that is neither an object nor a boolean".into())),
        };
        if depth > CHAIN {
            return Err(SchemaError(format!(
                "it applies more than {CHAIN} subschemas to a value, one through the other"
            )));
        }
        let address = std::ptr::from_ref(schema) as usize;
        match self.extents.get(&address) {
            Some(Some(extent)) => return self.bounded(*extent, depth),
            Some(None) => {
                return Err(SchemaError("it has a reference that leads back to itself for the same value".into()));
            }
            None => {}
        }
        self.extents.insert(address, None);
        self.compile_patterns(keywords)?;
        self.open_inner(keywords)?;
        let mut visits: u64 = 1;
        let mut marks: u64 = 1;
        let mut chain = 0;
        for applied in applied(keywords, &self.references)? {
            let extent = self.extent(applied, depth + 1)?;
            visits = visits.saturating_add(extent.visits);
            marks = marks.saturating_add(extent.visits).saturating_add(extent.marks);
            chain = chain.max(extent.chain);
        }
        if keywords.contains_key("unevaluatedProperties") || keywords.contains_key("unevaluatedItems") {
            visits = visits.saturating_add(marks);
        }
        let extent = Extent { visits, marks, chain: chain + 1 };
        if visits > EXPANSION {
            return Err(SchemaError(format!("it expands to more than {EXPANSION} subschemas for one value")));
        }
        self.expanded += visits;
        if self.expanded > EXPANSIONS {
            return Err(SchemaError(format!("it expands to more than {EXPANSIONS} subschemas")));
        }
        self.extents.insert(address, Some(extent));
        Ok(extent)
    }

    /// A subschema that was examined before may be too much at the end of this chain.
    fn bounded(&self, extent: Extent, depth: usize) -> Result<Extent, SchemaError> {
        if depth + extent.chain > CHAIN + 1 {
            return Err(SchemaError(format!(
                "it applies more than {CHAIN} subschemas to a value, one through the other"
            )));
        }
        Ok(extent)
    }

    /// Notes the subschemas that apply to values within the value.
    fn open_inner(&mut self, keywords: &'s Map<String, Value>) -> Result<(), SchemaError> {
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("properties" | "patternProperties", Value::Object(schemas)) => self.open.extend(schemas.values()),
                ("items" | "prefixItems", Value::Array(schemas)) => self.open.extend(schemas),
                (
                    "additionalProperties"
                    | "unevaluatedProperties"
                    | "propertyNames"
                    | "items"
                    | "additionalItems"
                    | "unevaluatedItems"
                    | "contains",
                    schema,
                ) => self.open.push(schema),
                _ => {}
            }
        }
        Ok(())
    }

    fn compile_patterns(&mut self, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        if let Some(Value::String(source)) = keywords.get("pattern")
            && !self.analysis.patterns.contains_key(source)
        {
            let pattern = Pattern::compile(source).map_err(SchemaError)?;
            self.compiled += pattern.size();
            self.analysis.patterns.insert(source.clone(), Arc::new(pattern));
        }
        if let Some(Value::Object(schemas)) = keywords.get("patternProperties") {
            self.analysis.matches_names |= !schemas.is_empty();
            for source in schemas.keys() {
                self.compiled_for_names += Pattern::compile(source).map_err(SchemaError)?.size();
            }
        }
        if self.compiled > PATTERNS || self.compiled_for_names > NAME_PATTERNS {
            return Err(SchemaError("its patterns are too large together".into()));
        }
        Ok(())
    }
}

/// The subschemas that one applies to the value it applies to.
///
/// # Errors
/// A reference that is not followed.
pub(super) fn applied<'s>(
    keywords: &'s Map<String, Value>,
    references: &References<'s>,
) -> Result<Vec<&'s Value>, SchemaError> {
    let mut applied = Vec::new();
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("anyOf" | "oneOf", Value::Array(branches)) if branches.len() > BRANCHES => {
                return Err(SchemaError(format!("its `{keyword}` has more than {BRANCHES} branches")));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => applied.extend(schemas),
            ("not" | "if" | "then" | "else", schema) => applied.push(schema),
            ("dependentSchemas", Value::Object(schemas)) => applied.extend(schemas.values()),
            ("dependencies", Value::Object(schemas)) => {
                applied.extend(schemas.values().filter(|schema| !schema.is_array()));
            }
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                applied.push(references.resolve(reference)?);
            }
            _ => {}
        }
    }
    Ok(applied)
}
