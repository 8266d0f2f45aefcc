//! What one sidecar is given: made by `plan`, held by `delivery`, sent as a line of [`reeve_wire`].

use reeve_wire::document::Encoded;
use reeve_wire::message::Identity;
use reeve_wire::{Uid, World};

/// A pod's configuration. Pods alike share the document's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whose calls are decided.
    pub identity: Identity,
    /// What had been seen when it was made.
    pub world: World,
    /// The servers and policies.
    pub document: Encoded,
    /// Whether the document can be sent: it is no larger than may be, and names no more.
    pub fits: bool,
}

impl Assignment {
    /// The pod it is for.
    pub fn pod(&self) -> &Uid {
        &self.identity.uid
    }

    /// Whether a sidecar would enforce the same of both. What had been seen when each was made does not count.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.document.hash == other.document.hash && self.identity == other.identity
    }
}
