//! How far each policy and server is in force, as values that follow from the world, the plans and what sidecars said.
//!
//! ```text
//! pods with one plan ──► Group: how many run what ──► Reach of a policy: counted and named ──► PolicyStatus
//! pods of a namespace ──► Tally of a server ────────────────────────────────────────────────► ServerStatus
//! ```
//!
//! A condition is True only if what is known proves it: a pod that was not heard of is not counted as programmed. All of it
//! follows from what is, and not from how that came to be.

pub(crate) mod conditions;
pub(crate) mod groups;
pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod policy;
pub(crate) mod reach;
pub(crate) mod server;
