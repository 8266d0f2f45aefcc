//! What is known of a server's tools: input schema, annotations and risk, from the configuration or the last `tools/list` seen.
//!
//! Annotations come from the server and are untrusted: they may raise a risk, never lower it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use reeve_crds::v1alpha1::{RiskCategory, Severity};

use crate::json::{Document, Value};
use crate::schema::{ArgumentSchema, SchemaError};

/// The tools of one server that have been seen, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    tools: HashMap<String, Arc<Tool>>,
}

/// One tool as its server describes it.
#[derive(Debug)]
pub struct Tool {
    /// The tool's name.
    pub name: String,
    /// The definition as the server wrote it.
    pub definition: Document,
    /// Its compiled `inputSchema`, or why it cannot be used.
    pub schema: Result<ArgumentSchema, SchemaError>,
    /// What harm it can do.
    pub risk: Risk,
}

/// What harm a tool can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// Its categories; never empty.
    pub categories: BTreeSet<RiskCategory>,
    /// The worst of them.
    pub severity: Severity,
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

    /// A catalogue that also has the tools of this `tools/list` result; tools already known and unchanged are shared.
    /// `replaces`: the list was complete, so that tools it lacks are gone.
    pub fn with_listed(&self, result: Value<'_>, replaces: bool) -> Self {
        let _ = (result, replaces);
        todo!()
    }

    /// The definitions as one JSON array, to be kept and read back with [`Catalogue::read`].
    pub fn write(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads what [`Catalogue::write`] wrote; what cannot be read is left out.
    pub fn read(bytes: &[u8]) -> Self {
        let _ = bytes;
        todo!()
    }
}
