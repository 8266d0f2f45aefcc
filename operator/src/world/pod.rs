//! A pod, as far as it is governed or should be.

mod object;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reeve_wire::Uid;

pub use self::object::PodObject;

/// What is kept of a pod that has not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// The object.
    pub uid: Uid,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The version of the object.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The ServiceAccount that it runs as.
    pub service_account: Arc<str>,
    /// Whether it has a sidecar.
    pub protection: Protection,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// The workload that made it, to tell of it there; its own name if none did.
    pub owner: Option<Owner>,
}

/// Whether a pod has a sidecar, and what that was told of servers when the pod was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It has none.
    None,
    /// It has one.
    Sidecar {
        /// The servers whose URL was put in place of the agent's.
        routed: Vec<String>,
        /// What was mounted for each server that names Secrets or ConfigMaps.
        mounts: BTreeMap<String, String>,
    },
}

/// The controller of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The object.
    pub uid: String,
}

impl PodView {
    /// What its label says of injection.
    pub fn inject_label(&self) -> Option<&str> {
        self.labels.get(reeve_wire::pod::INJECT_LABEL).map(String::as_str)
    }

    /// Whether it has a sidecar.
    pub fn has_sidecar(&self) -> bool {
        self.protection != Protection::None
    }
}
