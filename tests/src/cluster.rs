//! A real Kubernetes: the cluster that `tests/cluster/run` starts, as a test sees it.
//!
//! ```text
//! tests/cluster/run ──► etcd, API server, kubelet, containerd …
//!        └─ a test: Namespace::new() ──kubectl──► apply, wait, exec, logs        deleted with the value
//!                   Alone::new()     ──part─────► freeze, kill, cut              mended with the value
//! ```
//!
//! Everything goes through `kubectl`, so that a test meets the words that users meet. Tests share the cluster; those that
//! make a part of it fail are [`alone::Alone`] in it meanwhile. If a test fails, what its namespace held is told.

pub mod admission;
pub mod alone;
pub mod caller;
pub mod clinic;
pub mod clock;
pub mod cluster_policy;
pub mod container;
pub mod events;
pub mod helm;
pub mod image;
pub mod installed;
pub mod kubectl;
pub mod namespace;
pub mod operator;
pub mod pod;
pub mod prometheus;
mod report;
pub mod token;
mod watch;
pub mod workload;

pub use alone::Alone;
pub use namespace::Namespace;
