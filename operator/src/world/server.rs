//! An McpServer, as far as sidecars are given it.

pub mod faults;

use std::sync::Arc;

use self::faults::Fault;
use super::object::{self, Identity};
use jiff::Timestamp;
use reeve_crds::v1alpha1::{McpServerSpec, ServerStatus};
use reeve_wire::Uid;
use serde::Deserialize as _;
use serde_json::Value;

/// What is kept of an McpServer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// The object.
    pub uid: Uid,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Counts the changes of its `spec`.
    pub generation: i64,
    /// The version of the object.
    pub version: u64,
    /// When it was declared.
    pub created: Timestamp,
    /// What it says, or why that cannot be read.
    pub spec: Result<Arc<McpServerSpec>, String>,
    /// What was last written of it.
    pub status: ServerStatus,
}

impl ServerView {
    /// What is kept of a server. None of what no API server can have sent; one that cannot be used is kept, with why.
    pub fn of(object: &Value) -> Option<Self> {
        let identity = Identity::of_value(object)?;
        Some(Self {
            uid: identity.uid.as_str().into(),
            namespace: identity.namespace?.into(),
            name: identity.name.into(),
            generation: object::generation(object),
            version: identity.version,
            created: identity.created,
            spec: spec(&object["spec"]).map(Arc::new),
            status: object::status(object),
        })
    }
}

/// What a server says, if a sidecar can use it; else the first thing that is wrong with it.
fn spec(value: &Value) -> Result<McpServerSpec, String> {
    let spec = McpServerSpec::deserialize(value).map_err(|error| format!("/spec cannot be read: {error}"))?;
    match faults::of(&spec).into_iter().next() {
        None => Ok(spec),
        Some(Fault { pointer, message }) => Err(format!("{pointer}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(spec: &Value) -> Result<Arc<McpServerSpec>, String> {
        let metadata =
            json!({"name": "aws", "namespace": "clinic", "uid": "s1", "resourceVersion": "3", "generation": 2});
        let view = ServerView::of(&json!({"metadata": metadata, "spec": spec, "status": {"pods": 1}})).unwrap();
        assert_eq!((view.generation, view.version, view.status.pods), (2, 3, 1));
        view.spec
    }

    #[test]
    fn a_server_that_no_sidecar_can_use_is_kept_with_the_reason() {
        let credentials = json!({"secretRef": {"name": "a", "key": "b"}});
        for (spec, why) in [
            (json!({}), "/spec cannot be read: missing field `url`"),
            (json!({"url": "https://x", "ur": 1}), "/spec cannot be read: unknown field `ur`"),
            (json!({"url": "https:// x"}), "/spec/url: "),
            (json!({"url": "ftp://x/mcp"}), "write a URL that begins with http:// or https://"),
            (
                json!({"url": "http://x", "credentials": credentials}),
                "/spec/credentials: a credential is sent over TLS",
            ),
            (json!({"url": "http://x", "tls": {}}), "/spec/tls: "),
            (json!({"url": "https://x", "timeouts": {"connect": "5 apples"}}), "/spec/timeouts/connect: "),
            (
                json!({"url": "https://x", "credentials": {"secretRef": {"name": "a", "key": "b"}, "header": "a b"}}),
                "/spec/credentials/header: \"a b\" is no name of a header",
            ),
        ] {
            let found = server(&spec).unwrap_err();
            assert!(found.contains(why), "{spec}: {found}");
        }
        assert_eq!(server(&json!({"url": "https://x/mcp", "credentials": credentials})).unwrap().url, "https://x/mcp");
    }
}
