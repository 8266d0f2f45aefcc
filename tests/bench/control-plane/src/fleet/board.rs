//! Where sidecars tell what becomes of them: who enforces the change that is awaited, who connects, and when.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reeve_wire::{Document, Hash, Uid};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Enforced;
use crate::operator::PATIENCE;

/// The most documents that are remembered: of all teams, two versions and one on the way.
const MOST_DOCUMENTS: usize = 256;

/// The generation of each policy in a document.
pub type Generations = BTreeMap<Uid, i64>;

/// What all sidecars share.
#[derive(Debug, Default)]
pub struct Board {
    awaited: watch::Sender<Option<Awaited>>,
    enforced: watch::Sender<Enforcements>,
    connections: Mutex<Connections>,
    /// Read once for all: each sidecar reads its own, on a processor of its own.
    documents: Mutex<HashMap<Hash, Arc<Generations>>>,
}

/// A change of a policy.
#[derive(Clone, Debug)]
pub struct Change {
    /// The policy.
    pub policy: Uid,
    /// Its generation.
    pub generation: i64,
    /// The tool that only this version names.
    pub tool: String,
}

/// A change, counted so that one is told from the next.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) number: u64,
    pub(super) change: Change,
}

/// Who enforces a change.
#[derive(Debug, Default)]
struct Enforcements {
    sidecars: HashSet<usize>,
    times: Vec<Enforced>,
}

/// When sidecars connected.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// When each attempt was begun.
    pub attempts: Vec<Instant>,
    /// When each stream was answered.
    pub answered: Vec<Instant>,
}

impl Board {
    /// From now on it is noted who enforces this change.
    pub fn expect(&self, change: Change) {
        self.enforced.send_replace(Enforcements::default());
        self.awaited.send_modify(|awaited| {
            let number = awaited.as_ref().map_or(0, |awaited| awaited.number) + 1;
            *awaited = Some(Awaited { number, change });
        });
    }

    /// Waits until so many sidecars enforce the change; says when each did.
    ///
    /// # Panics
    /// If they do not in time.
    pub async fn enforced(&self, sidecars: usize) -> Vec<Enforced> {
        let mut enforced = self.enforced.subscribe();
        let all = timeout(PATIENCE, enforced.wait_for(|enforced| enforced.times.len() >= sidecars)).await;
        assert!(
            all.is_ok_and(|all| all.is_ok()),
            "{} of {sidecars} sidecars enforce the change",
            self.enforced.borrow().times.len()
        );
        self.enforced.borrow().times.clone()
    }

    /// A sidecar enforces policies of these generations.
    pub(super) fn enforces(&self, sidecar: usize, generations: &Generations) {
        let is_awaited = self.awaited.borrow().as_ref().is_some_and(|Awaited { change, .. }| {
            generations.get(&change.policy).is_some_and(|generation| *generation >= change.generation)
        });
        if is_awaited {
            self.note(sidecar);
        }
    }

    /// A sidecar enforces the awaited change.
    pub(super) fn note(&self, sidecar: usize) {
        let at = Instant::now();
        self.enforced.send_if_modified(|enforced| {
            let is_new = enforced.sidecars.insert(sidecar);
            if is_new {
                enforced.times.push(Enforced { sidecar, at });
            }
            is_new
        });
    }

    /// The change that is awaited, and each later one.
    pub(super) fn awaited(&self) -> watch::Receiver<Option<Awaited>> {
        self.awaited.subscribe()
    }

    /// Whether this change is awaited still.
    pub(super) fn is_awaited(&self, number: u64) -> bool {
        self.awaited.borrow().as_ref().is_some_and(|awaited| awaited.number == number)
    }

    /// The generations in a document; it is read if it was not yet.
    pub(super) fn read(&self, content: &[u8], hash: &Hash) -> Result<Arc<Generations>, String> {
        let known = |documents: &HashMap<Hash, Arc<Generations>>| documents.get(hash).map(Arc::clone);
        if let Some(generations) = known(&lock(&self.documents)) {
            return Ok(generations);
        }
        let document = Document::decode(content, hash).map_err(|error| error.to_string())?;
        let generations = Arc::new(document.generations());
        let mut documents = lock(&self.documents);
        if documents.len() >= MOST_DOCUMENTS {
            documents.clear();
        }
        documents.insert(*hash, Arc::clone(&generations));
        Ok(generations)
    }

    /// A sidecar begins to connect.
    pub(super) fn attempts(&self) {
        lock(&self.connections).attempts.push(Instant::now());
    }

    /// A sidecar is answered.
    pub(super) fn answered(&self) {
        lock(&self.connections).answered.push(Instant::now());
    }

    /// What connected since this was asked last.
    pub fn connections(&self) -> Connections {
        std::mem::take(&mut lock(&self.connections))
    }
}

impl Connections {
    /// The most of these within any tenth of a second that is counted from `began`.
    pub fn most_in_a_tenth(times: &[Instant], began: Instant) -> usize {
        let mut tenths: BTreeMap<u128, usize> = BTreeMap::new();
        for time in times {
            *tenths.entry(time.saturating_duration_since(began).as_millis() / 100).or_default() += 1;
        }
        tenths.values().copied().max().unwrap_or_default()
    }

    /// How many there were in each second from `began`.
    pub fn by_second(times: &[Instant], began: Instant) -> Vec<usize> {
        let second = |time: &Instant| time.saturating_duration_since(began).as_secs();
        let last = times.iter().map(second).max().map_or(0, |last| last + 1);
        (0..last).map(|number| times.iter().filter(|time| second(time) == number).count()).collect()
    }
}

/// How long after `began` the last of these was.
pub fn last(times: &[Instant], began: Instant) -> Duration {
    times.iter().max().map_or(Duration::ZERO, |last| last.saturating_duration_since(began))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_tenths_and_seconds() {
        let began = Instant::now();
        let times: Vec<_> = [10, 90, 120, 130, 180, 2_050].map(|millis| began + Duration::from_millis(millis)).into();
        assert_eq!(Connections::most_in_a_tenth(&times, began), 3);
        assert_eq!(Connections::by_second(&times, began), [5, 0, 1]);
        assert_eq!(last(&times, began), Duration::from_millis(2_050));
    }

    #[tokio::test]
    async fn a_sidecar_enforces_a_change_from_its_generation_on_and_counts_once() {
        let board = Board::default();
        board.expect(Change { policy: "p".into(), generation: 3, tool: "t".into() });
        for (sidecar, generation) in [(0, 2), (1, 3), (1, 3), (2, 4)] {
            board.enforces(sidecar, &[("p".into(), generation)].into());
        }
        let mut sidecars: Vec<_> = board.enforced(2).await.iter().map(|enforced| enforced.sidecar).collect();
        sidecars.sort_unstable();
        assert_eq!(sidecars, [1, 2]);
    }
}
