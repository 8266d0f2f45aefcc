//! Sidecars and replicas at a real port, by HTTP/2: what each is given, and what is heard of it.

mod admission;
mod bounds;
mod given;
mod input;
mod office;
mod peer;
mod replicas;

use bytes::Bytes;
use reeve_wire::message::Identity;
use reeve_wire::{Hash, World};

use crate::assignment::Assignment;

/// What a pod of the agent is given: a document with this word in it.
pub(in crate::delivery) fn assignment(pod: &str, word: &str) -> Assignment {
    let bytes = Bytes::from(format!(r#"{{"servers":[],"policies":[],"word":"{word}"}}"#));
    Assignment {
        identity: Identity {
            namespace: "clinic".into(),
            service_account: "agent".into(),
            pod: format!("{pod}-name"),
            uid: pod.into(),
            labels: [("app".to_owned(), "imaging".to_owned())].into(),
        },
        world: World { policies: 1, ..World::default() },
        hash: Hash::of(&bytes),
        document: Some(bytes),
    }
}
