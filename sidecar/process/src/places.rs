//! How many connections a port has at once, and what becomes of one more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// What becomes of one connection more than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is closed: those that are there do long work, such as an agent's calls or a sidecar's stream.
    TurnAway,
    /// The oldest is ended for it: answers are short, and whoever holds connections must not keep others out.
    EndOldest,
}

/// The places at a port, and who has them.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    /// The connections that may be ended for others, the oldest first.
    held: Mutex<VecDeque<AbortHandle>>,
    most: usize,
    overflow: Overflow,
}

impl Places {
    /// So many places.
    pub fn new(most: usize, overflow: Overflow) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), held: Mutex::default(), most, overflow }
    }

    /// A place for one connection more, if there is one or is made one. `full` is told if there was none.
    pub async fn take(&self, full: impl FnOnce()) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(place);
        }
        full();
        match self.overflow {
            Overflow::TurnAway => None,
            Overflow::EndOldest => {
                self.end_oldest();
                // Its place is free as soon as it has been dropped.
                Arc::clone(&self.free).acquire_owned().await.ok()
            }
        }
    }

    fn end_oldest(&self) {
        let mut held = self.held();
        held.retain(|connection| !connection.is_finished());
        if let Some(oldest) = held.pop_front() {
            oldest.abort();
        }
    }

    /// Whose place it is from now on.
    pub fn hold(&self, connection: AbortHandle) {
        if self.overflow == Overflow::EndOldest {
            let mut held = self.held();
            held.push_back(connection);
            if held.len() > 2 * self.most {
                held.retain(|connection| !connection.is_finished());
            }
        }
    }

    /// Waits until every connection has given its place back.
    pub async fn all_free(&self) {
        let _ = self.free.acquire_many(u32::try_from(self.most).unwrap_or(u32::MAX)).await;
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<AbortHandle>> {
        // A panic cannot have left it half changed: every use is one call of its own.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
