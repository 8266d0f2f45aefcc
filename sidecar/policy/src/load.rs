//! Policy files of every dialect → [`Policy`] objects, with every mistake located.
//!
//! ```text
//! bytes ──► file (size, UTF-8, JSON or YAML) ──► Node tree ──► manifest ──► structure ──► Policy, Positions
//!                                                        └───► seed ─────► structure ──► convert ─┘
//! ```
//!
//! Reads McpPolicy and ClusterMcpPolicy manifests (YAML or JSON, several documents, as `kubectl get -o yaml` writes them), the
//! seed's JSON policy format and its YAML forms. Also the base for reading any other document of ours with located errors (the
//! sidecar's configuration). [`stored`] reads an object as the API server keeps it, by the same checks. What a policy *means* is checked by [`crate::compile::check`], whose pointers
//! [`Positions::diagnose`] turns into places in the file.

pub mod convert;
mod file;
mod json;
mod manifest;
mod node;
mod positions;
mod salvage;
mod seed;
mod stored;
mod structure;
mod suggest;
mod yaml;

use std::fmt;
use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use self::node::{Mark, below};
pub use self::positions::Positions;
use self::salvage::Wrong;
pub use self::stored::{Stored, stored};
use self::structure::Schema;
use crate::catalogue::Catalogue;
use crate::compile::{self, Problem, Severity};

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as it was named.
    pub file: String,
    /// 1-based. 0 for what has no place in a file: that it cannot be read, or a flag.
    pub line: usize,
    /// 1-based, in characters; 0 like the line.
    pub column: usize,
    /// JSON pointer into the document as the user wrote it.
    pub pointer: String,
    /// What is wrong and what to do, with the nearest valid spelling where there is one.
    pub message: String,
    /// Whether the file is refused for it.
    pub severity: Severity,
}

impl fmt::Display for Diagnostic {
    /// `policy.yaml:12:9: /spec/rules/0/tols: unknown field …`, the form that editors and terminals link.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, pointer, message, .. } = self;
        let separator = if pointer.is_empty() { "" } else { ": " };
        if *line == 0 {
            return write!(f, "{file}: {pointer}{separator}{message}");
        }
        write!(f, "{file}:{line}:{column}: {pointer}{separator}{message}")
    }
}

/// A policy and where its parts stand.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// Where its parts stand.
    pub positions: Positions,
    /// What is legal but likely not what was meant.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the policies of one file. `name` is used in messages and, for the seed's dialects, to name the policy.
///
/// # Errors
/// Every mistake of structure. What a policy that loads means may still be wrong: [`compile::check`] and [`check`] tell.
pub fn policies(name: &str, bytes: &[u8]) -> Result<Vec<Loaded<Policy>>, Vec<Diagnostic>> {
    let read = read_policies(name, bytes);
    if read.mistakes.is_empty() { Ok(read.sound) } else { Err(in_order(read.mistakes)) }
}

/// Everything that is wrong, or likely wrong, with the policies of one file, in the order of the file: mistakes of structure,
/// and what [`compile::check`] finds in everything that has none. `catalogue` is what is known of the server's tools.
pub fn check(name: &str, bytes: &[u8], catalogue: Option<&Catalogue>) -> Vec<Diagnostic> {
    let read = read_policies(name, bytes);
    let mut diagnostics = read.mistakes;
    let sound = read.sound.into_iter().map(|loaded| (loaded, Wrong::default()));
    for (Loaded { value, positions, warnings }, wrong) in sound.chain(read.salvaged) {
        diagnostics.extend(warnings);
        let problems =
            compile::check(&value, catalogue).into_iter().filter(|problem| !wrong.explains(problem, &positions));
        diagnostics.extend(
            problems.map(|Problem { pointer, message, severity }| positions.diagnose(&pointer, message, severity)),
        );
    }
    in_order(diagnostics)
}

fn read_policies(name: &str, bytes: &[u8]) -> manifest::Policies {
    let file: Arc<str> = name.into();
    let read = file::read(name, bytes);
    let is_empty = read.documents.is_empty();
    let mut policies = manifest::Policies::new(file.clone());
    for document in read.documents {
        policies.add(document);
    }
    policies.mistakes.extend(locate(&file, read.findings));
    if policies.mistakes.is_empty() && policies.sound.is_empty() {
        let what = if is_empty { "the file is empty" } else { "the file holds no policy" };
        let message = format!("{what}: write an McpPolicy, or a policy with version and tools");
        policies.mistakes.push(Finding::new(Mark::START, String::new(), message).in_file(name));
    }
    policies
}

/// Reads one JSON or YAML document into a type that describes itself by a schema.
///
/// # Errors
/// Every mistake found.
pub fn document<T: DeserializeOwned + JsonSchema>(name: &str, bytes: &[u8]) -> Result<Loaded<T>, Vec<Diagnostic>> {
    let file: Arc<str> = name.into();
    let read = file::read(name, bytes);
    let mut findings = read.findings;
    let mut documents = read.documents.into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        let message = "a second document begins here: this file may hold only one".to_owned();
        findings.push(Finding::new(second.mark, String::new(), message));
    }
    let Some(first) = first else {
        if findings.is_empty() {
            findings.push(Finding::new(Mark::START, String::new(), "the file is empty".into()));
        }
        return Err(in_order(locate(&file, findings)));
    };
    findings.extend(Schema::of::<T>().check(&first));
    if findings.is_empty() {
        match first.read() {
            Ok(value) => {
                let positions = Positions::new(file, Arc::new(first), String::new());
                return Ok(Loaded { value, positions, warnings: Vec::new() });
            }
            Err(error) => findings.push(Finding::new(first.mark, String::new(), error.to_string())),
        }
    }
    Err(in_order(locate(&file, findings)))
}

/// The JSON Schema (2020-12) of a policy file in its manifest form, for editors.
pub fn schema() -> serde_json::Value {
    manifest::schema()
}

/// The most mistakes that are told of one file, so that no file takes long to refuse.
const MAX_MISTAKES: usize = 1_000;

/// A mistake and where it is, within a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    mark: Mark,
    pointer: String,
    message: String,
    lost: Lost,
}

/// What of the document nobody can know for a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lost {
    /// The value at its pointer.
    Value,
    /// A field that the object at its pointer does not have.
    Field(String),
    /// The value at its pointer, which is no field, and the field of the same object that was probably meant.
    Stray(Option<String>),
    /// Nothing: the value can be read as it stands.
    Nothing,
}

impl Finding {
    fn new(mark: Mark, pointer: String, message: String) -> Self {
        Self { mark, pointer, message, lost: Lost::Value }
    }

    /// The pointers to what is not known.
    fn lost(&self) -> Vec<String> {
        match &self.lost {
            Lost::Value => vec![self.pointer.clone()],
            Lost::Field(name) => vec![below(&self.pointer, name)],
            Lost::Stray(meant) => {
                let object = self.pointer.rsplit_once('/').map_or("", |(object, _)| object);
                let meant = meant.iter().map(|name| below(object, name));
                std::iter::once(self.pointer.clone()).chain(meant).collect()
            }
            Lost::Nothing => Vec::new(),
        }
    }

    fn in_file(self, file: &str) -> Diagnostic {
        let Self { mark: Mark { line, column }, pointer, message, .. } = self;
        Diagnostic { file: file.to_owned(), line, column, pointer, message, severity: Severity::Error }
    }
}

fn locate(file: &str, findings: Vec<Finding>) -> Vec<Diagnostic> {
    findings.into_iter().map(|finding| finding.in_file(file)).collect()
}

/// As one reads the file, each once, as far as anyone will.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics
        .sort_by(|a, b| (a.line, a.column, &a.pointer, &a.message).cmp(&(b.line, b.column, &b.pointer, &b.message)));
    diagnostics.dedup();
    if diagnostics.len() > MAX_MISTAKES {
        diagnostics.truncate(MAX_MISTAKES + 1);
        if let Some(last) = diagnostics.last_mut() {
            last.pointer.clear();
            last.message = format!("there are more than {MAX_MISTAKES} mistakes: mend these first");
        }
    }
    diagnostics
}

#[cfg(test)]
mod tests;
