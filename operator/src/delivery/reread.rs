//! Asks for parts of the cluster to be read anew, because a sidecar runs what was made from a newer world.
//!
//! A thousand sidecars that say so at once cause one reading; and one that says so without end causes one a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reeve_wire::world::Kind;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often a kind is read anew, at most.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Reread {
    kinds: mpsc::Sender<Kind>,
    asked: Mutex<HashMap<Kind, Instant>>,
}

impl Reread {
    pub(super) fn new(kinds: mpsc::Sender<Kind>) -> Self {
        Self { kinds, asked: Mutex::default() }
    }

    /// Asks for these. Whoever still waits asks again.
    pub(super) fn ask(&self, kinds: &[Kind], now: Instant) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for &kind in kinds {
            let is_recent = asked.get(&kind).is_some_and(|at| now.duration_since(*at) < EVERY);
            // If the queue is full, they are being read.
            if !is_recent && self.kinds.try_send(kind).is_ok() {
                asked.insert(kind, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_ask_at_once_cause_one_reading() {
        let (sender, mut kinds) = mpsc::channel(8);
        let reread = Reread::new(sender);
        let now = Instant::now();
        for _ in 0..1_000 {
            reread.ask(&[Kind::Policies, Kind::Pod], now);
        }
        reread.ask(&[Kind::Policies], now + EVERY);
        let asked: Vec<_> = std::iter::from_fn(|| kinds.try_recv().ok()).collect();
        assert_eq!(asked, [Kind::Policies, Kind::Pod, Kind::Policies]);
    }
}
