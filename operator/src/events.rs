//! Which Events tell of what has changed: on the policy or server itself, and on the workload of an agent that it concerns.
//!
//! Their reasons are those of the conditions. An Event follows from a change, so that it is told once.

use reeve_wire::Uid;

/// An Event to be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// What it is about.
    pub regarding: Regarding,
    /// Whether something is to be done.
    pub kind: EventKind,
    /// Why, in the word that the condition has.
    pub reason: &'static str,
    /// What the operator did when it found it.
    pub action: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// Whether an Event asks for something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// Nothing is to be done.
    Normal,
    /// Something is.
    Warning,
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regarding {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; none of a cluster-wide one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The object.
    pub uid: Uid,
}
