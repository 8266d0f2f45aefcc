//! What the operator assigns to this pod, and what becomes of what it offers. Pure.

use std::sync::Arc;

use bytes::Bytes;
use reeve_wire::document::Document;
use reeve_wire::lines;
use reeve_wire::message::{Configuration, Envelope, Identity, Outcome, ToSidecar};
use reeve_wire::{Judgement, Origin, World};
use serde_json::value::RawValue;

/// A configuration of the operator.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    /// Whose calls are decided.
    pub(super) identity: Identity,
    /// What it was made from.
    pub(super) origin: Origin,
    /// Servers and policies.
    pub(super) document: Arc<Document>,
    /// The document as it was hashed.
    content: Arc<RawValue>,
}

/// What becomes of an offer.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is to be put into force.
    Taken(Assigned),
    /// It is what runs; so much has been seen by those who made it.
    Same(World),
    /// It is refused.
    Refused(Outcome),
}

/// Judges what the operator offers against what runs.
pub(super) fn judge(running: Option<&Assigned>, offered: Configuration) -> Fate {
    let Configuration { identity, hash, world, document } = offered;
    let (document, content) = match (document, running) {
        (Some(content), _) => match Document::decode(content.get().as_bytes(), &hash) {
            Ok(document) => (Arc::new(document), Arc::from(content)),
            Err(error) => return invalid(error.to_string()),
        },
        (None, Some(running)) if running.origin.hash == hash => {
            (Arc::clone(&running.document), Arc::clone(&running.content))
        }
        (None, _) => {
            return invalid(format!(
                "the document {hash} was left out, but does not run here: send it too (of one that is too large the \
                 status of its policies tells)"
            ));
        }
    };
    let origin = document.origin(hash, world);
    let taken = |identity, origin| Fate::Taken(Assigned { identity, origin, document, content });
    match (reeve_wire::judge(running.map(|running| &running.origin), &origin), running) {
        (Judgement::Older(parts), _) => Fate::Refused(Outcome::RefusedOlder(parts.into_iter().collect())),
        (Judgement::Newer, _) | (Judgement::Same, None) => taken(identity, origin),
        (Judgement::Same, Some(running)) => {
            let seen = running.origin.world;
            let world = seen.together(&origin.world);
            // The pod's labels are no part of the document, and those that were seen last count.
            let is_later = (origin.world.epoch, origin.world.pod) >= (seen.epoch, seen.pod);
            match running.identity == identity || !is_later {
                true => Fate::Same(world),
                false => taken(identity, Origin { world, ..origin }),
            }
        }
    }
}

fn invalid(why: String) -> Fate {
    Fate::Refused(Outcome::RefusedInvalid(why))
}

impl Assigned {
    /// The same, of whose makers so much was seen.
    pub(super) fn seen(&self, world: World) -> Self {
        let mut seen = self.clone();
        seen.origin.world = world;
        seen
    }

    /// The line by which the operator would give it, for [`Self::read`].
    ///
    /// # Errors
    /// What serde says; nothing in the types gives a reason.
    pub(super) fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let Origin { hash, world, .. } = self.origin;
        let envelope = Envelope { identity: self.identity.clone(), hash, world };
        let content = Bytes::copy_from_slice(self.content.get().as_bytes());
        Ok(lines::write_configuration(&envelope, Some(&content))?.concat())
    }

    /// Reads what [`Self::write`] has written.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let ToSidecar::Configuration(configuration) = lines::read(line).map_err(|error| error.to_string())? else {
            return Err("it is another message than a configuration".into());
        };
        match judge(None, configuration) {
            Fate::Taken(assigned) => Ok(assigned),
            Fate::Refused(Outcome::RefusedInvalid(why)) => Err(why),
            Fate::Refused(_) | Fate::Same(_) => Err("it is older than nothing".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::offers::{self, Offer};
    use super::*;
    use reeve_wire::Hash;
    use reeve_wire::world::Kind;

    fn taken(fate: Fate) -> Assigned {
        match fate {
            Fate::Taken(assigned) => assigned,
            other => panic!("{other:?}"),
        }
    }

    fn first() -> Offer {
        Offer::new().policy("imaging", 3, offers::ALLOW_ALL).seen(World { policies: 30, pod: 5, ..World::default() })
    }

    #[test]
    fn an_older_configuration_is_refused_and_says_which_parts() {
        let running = taken(judge(None, first().configuration()));
        let older = Offer::new().policy("imaging", 2, offers::ALLOW_ALL).seen(World {
            policies: 20,
            pod: 5,
            ..World::default()
        });
        let Fate::Refused(Outcome::RefusedOlder(parts)) = judge(Some(&running), older.configuration()) else {
            panic!()
        };
        assert_eq!(parts, [Kind::Policies, Kind::ClusterPolicies]);
    }

    #[test]
    fn a_document_whose_hash_is_wrong_is_never_used() {
        let mut offered = first().configuration();
        offered.hash = Hash::of(b"another");
        let Fate::Refused(Outcome::RefusedInvalid(why)) = judge(None, offered) else { panic!() };
        assert!(why.contains("changed on its way"), "{why}");
    }

    #[test]
    fn a_document_that_is_left_out_is_the_one_that_runs_or_refused() {
        let bare = || Configuration { document: None, ..first().configuration() };
        let Fate::Refused(Outcome::RefusedInvalid(why)) = judge(None, bare()) else { panic!() };
        assert!(why.contains("send it too"), "{why}");
        let running = taken(judge(None, first().configuration()));
        assert!(matches!(judge(Some(&running), bare()), Fate::Same(_)));
    }

    #[test]
    fn the_same_document_brings_the_pods_newer_labels_and_no_older_ones() {
        let running = taken(judge(None, first().configuration()));
        let labelled = |pod: u64| {
            let world = World { policies: 20, pod, ..World::default() };
            let mut offered = first().seen(world).configuration();
            offered.identity.labels.insert("tier".into(), "gold".into());
            judge(Some(&running), offered)
        };
        let newer = taken(labelled(6));
        assert_eq!(newer.identity.labels["tier"], "gold");
        assert_eq!(newer.origin.world, World { policies: 30, pod: 6, ..World::default() }, "nothing seen is forgotten");
        assert!(matches!(labelled(4), Fate::Same(_)));
    }

    #[test]
    fn what_is_kept_is_read_again_and_damage_is_found() {
        let assigned = taken(judge(None, first().configuration()));
        let mut line = assigned.write().unwrap();
        let read = Assigned::read(&line).unwrap();
        assert_eq!((read.identity, read.origin), (assigned.identity, assigned.origin));
        let at = line.windows(5).position(|bytes| bytes == b"Allow").unwrap();
        line[at..at + 5].copy_from_slice(b"Aliow");
        assert!(Assigned::read(&line).unwrap_err().contains("changed on its way"));
        assert!(Assigned::read(b"{\"ping\":1}").is_err());
    }
}
