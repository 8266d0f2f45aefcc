//! Where the parts of a document stand in its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Diagnostic;
use super::node::{Data, Mark, Node, push_key, steps};
use crate::compile::Severity;

/// Where the parts of a document stand in its file. Keeps the document; drop it once nothing is left to report.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    file: Arc<str>,
    root: Option<Arc<Node>>,
    /// Where the object stands in the file's document: the empty pointer, or an element of a list.
    base: String,
    /// For an object that was generated: pointers into it → pointers into what it was generated from.
    sources: Arc<BTreeMap<String, String>>,
}

impl Positions {
    /// The positions of an object that stands at `base` in a document.
    pub(super) fn new(file: Arc<str>, root: Arc<Node>, base: String) -> Self {
        Self { file, root: Some(root), base, sources: Arc::default() }
    }

    /// The positions of an object that was generated from this one.
    pub(super) fn generated(self, sources: BTreeMap<String, String>) -> Self {
        Self { sources: Arc::new(sources), ..self }
    }

    /// The diagnostic for a problem at a pointer of the *policy object*, told in terms of the file as the user wrote it. Where
    /// the file does not have that part, the nearest part around it is named.
    pub fn diagnose(&self, pointer: &str, message: String, severity: Severity) -> Diagnostic {
        let source = self.source(pointer);
        let (pointer, mark) = match &self.root {
            Some(root) => locate(root, &source),
            None => (source, Mark::START),
        };
        let Mark { line, column } = mark;
        Diagnostic { file: self.file.to_string(), line, column, pointer, message, severity }
    }

    /// The pointer into the document as the user wrote it, whether the document has that part or not.
    pub(super) fn source(&self, pointer: &str) -> String {
        if self.sources.is_empty() {
            return format!("{}{pointer}", self.base);
        }
        let mut known = pointer;
        loop {
            if let Some(source) = self.sources.get(known) {
                return format!("{}{source}{}", self.base, &pointer[known.len()..]);
            }
            match known.rfind('/') {
                Some(end) => known = &known[..end],
                None => return self.base.clone(),
            }
        }
    }
}

/// The longest part of a pointer that the document has, and where it stands: scalars and the elements of lists at the value,
/// lists and objects at their key.
fn locate(root: &Node, pointer: &str) -> (String, Mark) {
    let mut node = root;
    let mut mark = root.mark;
    let mut found = String::new();
    for step in steps(pointer) {
        match &node.data {
            Data::Object(members) => {
                let Some(member) = members.iter().find(|member| member.key == step) else { break };
                push_key(&mut found, &step);
                node = &member.value;
                mark = member.place();
            }
            Data::Array(items) => {
                let Some(item) = step.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                push_key(&mut found, &step);
                node = item;
                mark = item.mark;
            }
            _ => break,
        }
    }
    (found, mark)
}
