//! What the operator and a sidecar say to each other over `POST /v1/sync`, and how what arrives is judged.
//!
//! ```text
//!  sidecar                                                     operator
//!    │ ── hello: what I am and what I run ─────────────────────► │
//!    │ ◄───────────────────────────── welcome: protocol, pings ── │
//!    │ ◄─ configuration: identity, origin, document (if other) ── │
//!    │      judge: Same, Newer or Older than what runs            │
//!    │ ── ack: applied, or refused and why ────────────────────► │
//!    │ ◄── ping ───────────────────────────────────────── pong ─► │
//! ```
//!
//! Both directions are open at once, one JSON document a line, as in the watch API of Kubernetes. Both ends link this crate, so
//! that a change of the protocol cannot reach one of them alone. Versions that differ by one understand each other: fields are
//! only ever added, and a field, a message or a word that a reader does not know is passed over.
//!
//! | module | holds |
//! |---|---|
//! | [`message`] | the messages of each direction |
//! | [`document`] | a configuration's content, which pods share, and its hash |
//! | [`world`] | what a configuration was made from, and which of two is older |
//! | [`lines`] | bytes in any pieces → lines, bounded; messages → lines |
//! | [`pod`] | what the webhook writes into a pod and the sidecar finds there |
//!
//! No tokio, hyper or kube: whoever has bytes can speak this.

pub mod document;
pub mod lines;
pub mod message;
pub mod pod;
pub mod world;

mod text;

use std::time::Duration;

pub use self::document::{Document, Hash};
pub use self::lines::Lines;
pub use self::message::{FromSidecar, ToSidecar};
pub use self::text::Uid;
pub use self::world::{Judgement, Origin, World, judge};

/// The path of the one request that a sidecar makes.
pub const PATH: &str = "/v1/sync";
/// The type of both bodies.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// The audience of the ServiceAccount token by which a sidecar says who it is.
pub const AUDIENCE: &str = "reeve-operator";
/// The versions of the protocol that this crate speaks.
pub const PROTOCOL: message::Range = message::Range { least: 1, most: 1 };
/// How often the operator sends a ping.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// How long either side waits for a line before it gives the stream up.
pub const SILENCE: Duration = Duration::from_secs(15);
/// The longest line that an operator reads from a sidecar, in bytes.
pub const LONGEST_TO_OPERATOR: usize = 1 << 20;
/// The longest line that a sidecar reads, in bytes: a configuration with its document.
pub const LONGEST_TO_SIDECAR: usize = 32 << 20;
/// The longest document that is sent, in bytes. What else the line has is of one pod, and shorter than the API server lets an
/// object be.
pub const LONGEST_DOCUMENT: usize = LONGEST_TO_SIDECAR - (2 << 20);
/// The most policies, and the most servers, of a document that is sent: what a sidecar says of them fits a line.
pub const MOST_OBJECTS: usize = 4_096;

#[cfg(test)]
mod tests;
