//! What survives a restart of the container: the cache directory (`--cache-dir`, in a pod an `emptyDir`).
//!
//! | file | holds | written |
//! |---|---|---|
//! | `limits` | what the limits have counted | within a second of a change, and at the end |
//! | `limits.synced` | the same, older but safely on the disk | every 30 seconds while there are changes, and at the end |
//! | `bindings` | which grant each session and task belongs to | at once, by appending; rewritten when it has grown |
//! | `catalogue-…` | the tools last seen of one server | within a second of a change |
//! | `configuration` | what the operator has assigned last, if the sidecar runs under one | at once, safely on the disk |
//! | `vouched` | when the operator has last said that it holds | at once; with each word of the operator where that binds |
//! | `trust` | by which authorities to know the operator | at once, safely on the disk |
//!
//! Nothing is written on the serving thread. What can be lost:
//! - the process is killed: the units counted in the last second (they could be used a second time), the sessions and tasks begun in
//!   the last moment (the agent is told 404 and begins a new one), the tools listed in the last second.
//! - the machine fails: as above, but up to 30 seconds of what was counted. Only `limits.synced` is forced to the disk: a
//!   forced write each second in every pod of a node would slow all of them for an event that mostly takes the pods along.
//! - an orderly end: nothing.
//!
//! A file that cannot be read is set aside as `NAME.unreadable`, and the sidecar starts without what it held: the log says so. Each
//! file but `bindings` carries a checksum, so that half a file is never taken for a whole one.

mod assigned;
mod bindings;
mod catalogues;
mod directory;
mod keeper;
mod limits;
mod sealed;
mod stamp;

pub use assigned::Vouched;
pub use directory::{Cache, StateError};
pub use keeper::{Keeper, Sources};

#[cfg(test)]
mod tests;
