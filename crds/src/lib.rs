//! The types of Reeve's Kubernetes resources, group `reeve.dev`.
//!
//! ```text
//! user's YAML ──► reeve-crds (these types) ──► reeve-policy (compiles and decides)
//!                       ▲
//!                       └── the same types whether a file, the API server or the operator brings them
//! ```
//!
//! Plain serde types with a JSON Schema (`schemars`), so that the sidecar and editors can read them without linking a
//! Kubernetes client. Nothing here decides anything: what the fields *mean* is in `reeve-policy`.

pub mod v1alpha1;

/// The API group of every Reeve resource.
pub const GROUP: &str = "reeve.dev";
