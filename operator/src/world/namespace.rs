//! A namespace, as far as it decides who governs its pods.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is kept of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceView {
    /// Its name.
    pub name: Arc<str>,
    /// The version of the object.
    pub version: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl NamespaceView {
    /// What its label says of injection.
    pub fn inject_label(&self) -> Option<&str> {
        self.labels.get(reeve_wire::pod::INJECT_LABEL).map(String::as_str)
    }
}
