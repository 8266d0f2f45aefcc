//! Policies → manifests.

mod emit;

use reeve_crds::v1alpha1::Policy;

use super::json;
use super::node::{Data, Mark, Node};

/// The policy as a YAML manifest for `kubectl apply`, in the order of the types, without what has its default. Every reader of
/// YAML 1.1 or 1.2 reads the same from it.
pub fn to_manifest_yaml(policy: &Policy) -> String {
    let mut manifest = to_node(policy);
    if let Data::Object(members) = &mut manifest.data {
        // The tag of the enum comes first otherwise.
        members.sort_by_key(|member| member.key != "apiVersion");
    }
    emit::document(&manifest)
}

/// The policy as a document, in the order of the types.
pub(super) fn to_node(policy: &Policy) -> Node {
    let read = serde_json::to_string(policy).ok().and_then(|text| json::read(&text).ok());
    // Neither step can fail: the types serialize to strict JSON of little depth.
    read.unwrap_or_else(|| Node::new(Mark::START, Data::Null))
}

#[cfg(test)]
mod tests;
