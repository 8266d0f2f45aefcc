//! An McpServer, as far as sidecars are given it.

use std::sync::Arc;

use reeve_crds::v1alpha1::{McpServerSpec, ServerStatus};
use reeve_wire::Uid;

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
    /// What it says, or why that cannot be read.
    pub spec: Result<Arc<McpServerSpec>, String>,
    /// What was last written of it.
    pub status: ServerStatus,
}
