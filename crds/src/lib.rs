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
//!
//! Feature `kube` adds what the API server is told of these types: the derives of the objects, rules in CEL, keys of lists, and
//! the definitions themselves, which the program `crdgen` writes to `crds/*.yaml`.

pub mod conditions;
#[cfg(feature = "kube")]
pub mod definition;
pub mod v1alpha1;

/// The API group of every Reeve resource.
pub const GROUP: &str = "reeve.dev";
