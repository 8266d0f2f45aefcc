//! A namespace, as far as it decides who governs its pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::object::Identity;

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
    /// What is kept of a namespace, by its metadata. None of what no API server can have sent.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let identity = Identity::of(metadata)?;
        let labels = metadata.labels.clone().unwrap_or_default();
        Some(Self { name: identity.name.into(), version: identity.version, labels })
    }

    /// What its label says of injection.
    pub fn inject_label(&self) -> Option<&str> {
        self.labels.get(reeve_wire::pod::INJECT_LABEL).map(String::as_str)
    }
}
