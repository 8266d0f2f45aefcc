//! A ClusterMcpPolicy of one test, over that test's namespace alone.

use serde_json::{Value, json};

use super::{Namespace, kubectl};

/// A policy that is deleted with this value.
#[derive(Debug)]
pub struct ClusterPolicy {
    /// Its name: of the namespace, and a word.
    pub name: String,
}

impl ClusterPolicy {
    /// A policy of this tier, with what else its spec has.
    pub fn new(namespace: &Namespace, tier: &str, mut spec: Value) -> Self {
        let name = format!("{}-{}", namespace.name, tier.to_lowercase());
        spec["tier"] = json!(tier);
        spec["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace.name}});
        let manifest = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": name},
            "spec": spec});
        namespace.apply(manifest);
        Self { name }
    }

    /// How `kubectl` names it.
    pub fn object(&self) -> String {
        format!("clustermcppolicy/{}", self.name)
    }
}

impl Drop for ClusterPolicy {
    fn drop(&mut self) {
        let _ = kubectl::kubectl(&["delete", &self.object()]);
    }
}
