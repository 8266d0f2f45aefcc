//! How many connections a port has at once, and what becomes of one more.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::metrics::Metrics;

/// What becomes of one connection more than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is closed: those that are there do long work, such as a sidecar's stream.
    TurnAway,
    /// The oldest is ended for it: answers are short, and whoever holds connections must not keep others out.
    EndOldest,
}

/// The places at a port, and who has them.
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// The connections that may be ended for others, the oldest first.
    held: VecDeque<AbortHandle>,
    most: usize,
    overflow: Overflow,
}

impl Places {
    pub(super) fn new(most: usize, overflow: Overflow) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), held: VecDeque::new(), most, overflow }
    }

    /// A place for one connection more, if there is one or is made one.
    pub(super) async fn take(&mut self, metrics: &Metrics) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(place);
        }
        metrics.refused("too_many_connections");
        match self.overflow {
            Overflow::TurnAway => None,
            Overflow::EndOldest => {
                self.held.retain(|connection| !connection.is_finished());
                if let Some(oldest) = self.held.pop_front() {
                    oldest.abort();
                }
                // Its place is free as soon as it has been dropped.
                Arc::clone(&self.free).acquire_owned().await.ok()
            }
        }
    }

    /// Whose place it is from now on.
    pub(super) fn hold(&mut self, connection: AbortHandle) {
        if self.overflow == Overflow::EndOldest {
            self.held.push_back(connection);
            if self.held.len() > 2 * self.most {
                self.held.retain(|connection| !connection.is_finished());
            }
        }
    }

    /// Waits until every connection has given its place back.
    pub(super) async fn all_free(&self) {
        let _ = self.free.acquire_many(u32::try_from(self.most).unwrap_or(u32::MAX)).await;
    }
}
