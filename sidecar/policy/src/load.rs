//! Policy files of every dialect → [`Policy`] objects, with every mistake located.
//!
//! Reads McpPolicy and ClusterMcpPolicy manifests (YAML or JSON, several documents), the seed's JSON policy format and its
//! YAML forms. Also the base for reading any other document of ours with located errors (the sidecar's configuration).

use reeve_crds::v1alpha1::Policy;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::compile::Severity;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as it was named.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// JSON pointer into the document as the user wrote it.
    pub pointer: String,
    /// What is wrong and what to do, with the nearest valid spelling where there is one.
    pub message: String,
    /// Whether the file is refused for it.
    pub severity: Severity,
}

/// Where the parts of a document stand in its file.
#[derive(Clone, Debug, Default)]
pub struct Positions {}

impl Positions {
    /// The diagnostic for a problem at a pointer of the *policy object*, told in terms of the file as the user wrote it.
    pub fn diagnose(&self, pointer: &str, message: String, severity: Severity) -> Diagnostic {
        let _ = (pointer, message, severity);
        todo!()
    }
}

/// A policy and where its parts stand.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// Where its parts stand.
    pub positions: Positions,
}

/// Reads the policies of one file. `name` is used in messages and, for the seed's dialects, to name the policy.
///
/// # Errors
/// Every mistake found (structure only; [`crate::compile::check`] finds the rest).
pub fn policies(name: &str, bytes: &[u8]) -> Result<Vec<Loaded<Policy>>, Vec<Diagnostic>> {
    let _ = (name, bytes);
    todo!()
}

/// Reads one JSON or YAML document into a type that describes itself by a schema.
///
/// # Errors
/// Every mistake found.
pub fn document<T: DeserializeOwned + JsonSchema>(
    name: &str,
    bytes: &[u8],
) -> Result<Loaded<T>, Vec<Diagnostic>> {
    let _ = (name, bytes);
    todo!()
}
