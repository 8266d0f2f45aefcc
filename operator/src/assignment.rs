//! What one sidecar is given: made by `plan`, held by `delivery`, sent as a line of [`reeve_wire`].

use bytes::Bytes;
use reeve_wire::document::Hash;
use reeve_wire::message::Identity;
use reeve_wire::{Uid, World};

/// A pod's configuration. Pods alike share the document's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whose calls are decided.
    pub identity: Identity,
    /// What had been seen when it was made.
    pub world: World,
    /// Names the content: the hash of the document, or what no document has if there is none.
    pub hash: Hash,
    /// The servers and policies in JSON. None if there is more of them than can be sent: the sidecar keeps what it has.
    pub document: Option<Bytes>,
}

impl Assignment {
    /// The pod it is for.
    pub fn pod(&self) -> &Uid {
        &self.identity.uid
    }

    /// Whether a sidecar would enforce the same of both. What had been seen when each was made does not count.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.hash == other.hash && self.identity == other.identity
    }
}
