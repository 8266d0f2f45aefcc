//! Views of objects, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reeve_crds::v1alpha1::{PolicyStatus, ServerStatus};
use reeve_policy::load;
use reeve_wire::Uid;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::world::{NamespaceView, PodView, PolicyView, Protection, ServerView};

fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A namespace with labels.
pub(crate) fn namespace_view(name: &str, with: &[(&str, &str)]) -> NamespaceView {
    NamespaceView { name: name.into(), version: 1, labels: labels(with) }
}

/// A pod with labels and without a sidecar.
pub(crate) fn pod_view(namespace: &str, name: &str, with: &[(&str, &str)]) -> PodView {
    PodView {
        uid: Uid::from(name),
        namespace: namespace.into(),
        name: name.into(),
        version: 1,
        created: Timestamp::UNIX_EPOCH,
        labels: labels(with),
        service_account: "default".into(),
        protection: Protection::None,
        is_terminating: false,
        owner: None,
    }
}

/// A server that names no Secret.
pub(crate) fn server_view(namespace: &str, name: &str, url: &str) -> ServerView {
    ServerView {
        uid: Uid::from(name),
        namespace: namespace.into(),
        name: name.into(),
        generation: 1,
        version: 1,
        created: Timestamp::UNIX_EPOCH,
        spec: Ok(Arc::new(serde_json::from_value(json!({"url": url})).unwrap())),
        status: ServerStatus::default(),
    }
}

/// A policy as it is stored.
pub(crate) fn policy_view(object: &Value) -> PolicyView {
    let source = load::stored(object).source;
    let metadata = source.policy().metadata().clone();
    PolicyView {
        uid: Uid::from(metadata.name.as_str()),
        key: source.policy().key().into(),
        namespace: metadata.namespace.as_deref().map(Into::into),
        generation: 1,
        version: 1,
        source,
        problems: Vec::new(),
        object: to_raw_value(object).unwrap().into(),
        status: PolicyStatus::default(),
    }
}
