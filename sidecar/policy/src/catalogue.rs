//! What is known of a server's tools: input schema, annotations and risk, from the last `tools/list` seen.
//!
//! All of it comes from the server and is untrusted. It is bounded, a schema is compiled within bounds ([`crate::schema`]),
//! and what a server says of a tool may raise its risk, never lower it ([`risk`]).

mod repeated;
pub mod risk;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::json::{Document, Kind, Limits, Value};
use crate::schema::{ArgumentSchema, SchemaError};

pub use self::repeated::{PREFIX as REPEATED_PREFIX, Repeated};
pub use self::risk::Risk;

/// The most tools that are kept of one server. What is beyond is not known, and so governed as such.
const MOST_TOOLS: usize = 4_096;
/// The most bytes that the definitions of one server may have together.
const MOST_BYTES: usize = 8 << 20;
/// The longest name of a tool, in bytes. The protocol recommends at most 128.
const LONGEST_NAME: usize = 1_024;

/// The tools of one server that have been seen, by name.
#[derive(Clone, Default)]
pub struct Catalogue {
    tools: HashMap<Arc<str>, Arc<Tool>, RandomState>,
    /// How long the definitions are together.
    bytes: usize,
}

/// One tool as its server describes it.
#[derive(Debug)]
pub struct Tool {
    /// The tool's name.
    pub name: Arc<str>,
    /// The definition as the server wrote it, whatever was torn in it mended.
    pub definition: Document,
    schema: OnceLock<Result<ArgumentSchema, SchemaError>>,
    repeated: OnceLock<Vec<Repeated>>,
    /// What harm it can do.
    pub risk: Risk,
}

impl Tool {
    /// Reads a definition: one element of `tools`; nothing if it is no object with a name.
    pub fn read(definition: Value<'_>) -> Option<Self> {
        let name = definition.get("name")?.as_str().filter(|name| name.len() <= LONGEST_NAME)?;
        let bytes = Bytes::copy_from_slice(definition.raw());
        let document = Document::parse(bytes, Limits::default()).ok()?;
        // As it is kept: what is torn in what the server wrote could not be read, and hides nothing here.
        let risk = Risk::assess(&name, document.root());
        let name = name.as_ref().into();
        Some(Self { name, definition: document, schema: OnceLock::new(), repeated: OnceLock::new(), risk })
    }

    /// Its compiled `inputSchema`, or why it cannot be used. Compiled when first asked for: a list may show thousands of
    /// tools, of which rules that validate arguments need a few.
    pub fn schema(&self) -> Result<&ArgumentSchema, &SchemaError> {
        let compiled = self.schema.get_or_init(|| match self.definition.root().get("inputSchema") {
            Some(schema) => ArgumentSchema::compile(schema),
            None => Err(SchemaError("the tool has no inputSchema".into())),
        });
        compiled.as_ref()
    }

    /// The arguments that requests repeat in headers. Read from the `inputSchema` when first asked for.
    pub fn repeated(&self) -> &[Repeated] {
        self.repeated.get_or_init(|| self.definition.root().get("inputSchema").map_or_else(Vec::new, repeated::read))
    }

    fn len(&self) -> usize {
        self.definition.bytes().len()
    }
}

impl Catalogue {
    /// The tool of this name, if it has been seen.
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// Every tool seen, in no order.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values()
    }

    /// A catalogue that also has the tools of this `tools/list` result; tools already known and unchanged are shared. Of two
    /// definitions of one name in a list the first counts. `extent` says what becomes of tools that the list lacks.
    pub fn with_listed(&self, result: Value<'_>, extent: Extent) -> Self {
        let mut listed = Self::default();
        let definitions = result.get("tools").filter(|tools| tools.kind() == Kind::Array);
        for definition in definitions.into_iter().flat_map(Value::items) {
            let Some(name) = definition.get("name").and_then(Value::as_str) else { continue };
            if listed.tools.contains_key(&*name) {
                continue;
            }
            let known = self.tools.get(&*name).filter(|tool| tool.definition.bytes() == definition.raw());
            if let Some(tool) = known.cloned().or_else(|| Tool::read(definition).map(Arc::new)) {
                listed.keep(tool);
            }
        }
        if extent == Extent::Older {
            let mut known = self.clone();
            listed.tools.into_values().for_each(|tool| known.keep(tool));
            return known;
        }
        if extent == Extent::Part {
            for tool in self.tools.values().filter(|tool| !listed.tools.contains_key(&tool.name)).collect::<Vec<_>>() {
                listed.keep(Arc::clone(tool));
            }
        }
        listed
    }

    /// Whether the other has the same definitions. Cheap where they are shared, as after [`Catalogue::with_listed`].
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |tool: &Arc<Tool>| other.tool(&tool.name).is_some_and(|known| Arc::ptr_eq(known, tool));
        self.tools.len() == other.tools.len() && self.tools.values().all(same)
    }

    /// The definitions as one JSON array, to be kept and read back with [`Catalogue::read`].
    pub fn write(&self) -> Vec<u8> {
        let mut tools: Vec<_> = self.tools.values().collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        let mut bytes = Vec::with_capacity(self.bytes + tools.len() + 2);
        bytes.push(b'[');
        for (number, tool) in tools.into_iter().enumerate() {
            if number > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(tool.definition.bytes());
        }
        bytes.push(b']');
        bytes
    }

    /// Reads what [`Catalogue::write`] wrote; what cannot be read is left out.
    pub fn read(bytes: &[u8]) -> Self {
        let mut catalogue = Self::default();
        let limits = Limits { tokens: MOST_BYTES, ..Limits::default() };
        if let Ok(document) = Document::parse(Bytes::copy_from_slice(bytes), limits) {
            document.root().items().filter_map(Tool::read).for_each(|tool| catalogue.keep(Arc::new(tool)));
        }
        catalogue
    }

    /// Adds a tool if there is room and none of its name.
    fn keep(&mut self, tool: Arc<Tool>) {
        let bytes = self.bytes.saturating_add(tool.len());
        if self.tools.len() < MOST_TOOLS && bytes <= MOST_BYTES && !self.tools.contains_key(&tool.name) {
            self.bytes = bytes;
            self.tools.insert(Arc::clone(&tool.name), tool);
        }
    }
}

/// How much of a server's tools a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of them: tools that it lacks are gone.
    Whole,
    /// One page of several: tools that it lacks are kept.
    Part,
    /// An older one than what is known comes from: it adds tools that are not known, and tells nothing of others.
    Older,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}
