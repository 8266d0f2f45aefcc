//! What pods to which the same policies apply are to be given, before it is written: what it binds, and how long it would be.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use reeve_wire::Uid;
use reeve_wire::document::{Document, Encoded, Hash, PolicyEntry};
use serde_json::value::RawValue;

use super::basis::{Entry, Given};
use super::{Excess, Plans};

/// Names an outline for as long as it is held.
pub(crate) type OutlineId = u64;

/// What is to be given to some pods.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(super) id: OutlineId,
    pub(super) servers: Arc<Vec<Arc<Given>>>,
    /// By UID.
    pub(super) policies: Vec<Bound>,
    /// What of it alone is more than what can be sent, if anything.
    pub(super) excess: Option<Excess>,
    /// How many bytes its document has; of one that has too many objects this is not asked.
    length: usize,
    name: OnceLock<Hash>,
}

/// A policy of an outline.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) entry: Arc<Entry>,
    /// The servers that it governs, by their place, without those where it yields to another policy.
    pub(crate) servers: Arc<[u32]>,
    /// Where it stands in the document.
    place: u32,
}

impl Outline {
    /// Of these servers and policies, both in their order.
    pub(super) fn of(
        id: OutlineId,
        servers: &Arc<Vec<Arc<Given>>>,
        entries: &[&Arc<Entry>],
        bounds: &Plans,
    ) -> Result<Self, serde_json::Error> {
        let named: BTreeSet<_> = entries.iter().map(|entry| &entry.uid).collect();
        debug_assert_eq!(named.len(), entries.len(), "each policy stands in a document once");
        let Plans { largest, most_objects: most, .. } = *bounds;
        let (mut excess, mut length) = (None, 0);
        if entries.len() > most {
            excess = Some(Excess::Policies { has: entries.len(), most });
        } else if servers.len() > most {
            excess = Some(Excess::Servers { has: servers.len(), most });
        } else {
            length = document_length(servers, entries)?;
            if length > largest {
                excess = Some(Excess::Bytes { has: length, most: largest });
            }
        }
        let (servers, policies) = (Arc::clone(servers), bound(servers, entries));
        Ok(Self { id, servers, policies, excess, length, name: OnceLock::new() })
    }

    /// How many bytes of its namespace's are to be kept for it.
    pub(super) fn weight(&self) -> usize {
        if self.excess.is_some() { 0 } else { self.length }
    }

    /// Names what would stand in the document, without writing it. No document has this for its hash.
    pub(super) fn name(&self) -> Hash {
        *self.name.get_or_init(|| {
            let mut text = String::from("not written\n");
            let servers = self.servers.iter().map(|given| (&given.uid, given.generation()));
            let policies = self.policies.iter().map(|bound| (&bound.entry.uid, bound.entry.generation));
            for (uid, generation) in servers.chain(policies) {
                text.push_str(&format!("{} {generation}\n", Uid::as_str(uid)));
            }
            Hash::of(text.as_bytes())
        })
    }

    /// Writes the document.
    pub(super) fn write(&self) -> Result<Encoded, serde_json::Error> {
        let mut entries: Vec<_> = self.policies.iter().collect();
        entries.sort_unstable_by_key(|bound| bound.place);
        let entries: Vec<_> = entries.into_iter().map(|bound| &bound.entry).collect();
        let mut governing = vec![Vec::new(); self.servers.len()];
        for (entry, place) in entries.iter().zip(0_u32..) {
            for number in &*entry.servers {
                if let Some(governing) = governing.get_mut(*number as usize) {
                    governing.push(place);
                }
            }
        }
        let encoded = document(&self.servers, governing, &entries).encode()?;
        debug_assert_eq!(encoded.bytes.len(), self.length, "it was known before how long it would be");
        Ok(encoded)
    }
}

/// How many bytes the document has. The lists of which policy governs which server can be long where both are many: they are counted
/// and not made.
fn document_length(servers: &[Arc<Given>], entries: &[&Arc<Entry>]) -> Result<usize, serde_json::Error> {
    let without_lists = document(servers, vec![Vec::new(); servers.len()], entries).length()?;
    let mut is_governed = vec![false; servers.len()];
    let mut in_lists = 0;
    for (entry, place) in entries.iter().zip(0_u32..) {
        let digits = place.checked_ilog10().unwrap_or(0) as usize + 1;
        in_lists += entry.servers.len() * (digits + ",".len());
        for number in &*entry.servers {
            if let Some(is_governed) = is_governed.get_mut(*number as usize) {
                *is_governed = true;
            }
        }
    }
    // What is first in its list has no comma.
    let lists = is_governed.into_iter().filter(|is_governed| *is_governed).count();
    Ok(without_lists + in_lists - lists * ",".len())
}

/// The document of these servers, each with the places of the policies that name it, and these policies.
fn document<'a>(
    servers: &[Arc<Given>],
    governing: Vec<Vec<u32>>,
    entries: &[&'a Arc<Entry>],
) -> Document<&'a RawValue> {
    let servers = servers.iter().zip(governing).map(|(server, policies)| server.with_policies(policies));
    let policies = entries.iter().map(|entry| PolicyEntry {
        uid: entry.uid.clone(),
        generation: entry.generation,
        object: &*entry.object,
    });
    Document { servers: servers.collect(), policies: policies.collect() }
}

fn bound(servers: &[Arc<Given>], entries: &[&Arc<Entry>]) -> Vec<Bound> {
    let mut decided = vec![false; servers.len()];
    for number in entries.iter().filter(|entry| entry.decides).flat_map(|entry| &*entry.servers) {
        if let Some(decided) = decided.get_mut(*number as usize) {
            *decided = true;
        }
    }
    let is_decided = |number: &u32| decided.get(*number as usize).copied().unwrap_or_default();
    let governs = |entry: &Entry| -> Arc<[u32]> {
        if entry.is_baseline && entry.servers.iter().any(is_decided) {
            return entry.servers.iter().filter(|number| !is_decided(number)).copied().collect();
        }
        Arc::clone(&entry.servers)
    };
    let mut bound: Vec<_> = entries
        .iter()
        .zip(0_u32..)
        .map(|(entry, place)| Bound { entry: Arc::clone(entry), servers: governs(entry), place })
        .collect();
    bound.sort_by(|one, other| one.entry.uid.cmp(&other.entry.uid));
    bound
}
