//! Many sidecars in one process, each with its own pod, token, TLS session and stream.
//!
//! ```text
//! pods ──► Fleet ─┬─ the first few: the sidecar's own client, compiler and cache (whole) ─┐
//!                 └─ all others: the stream, and an acknowledgement on receipt (light) ───┴──► Board: who enforces what, when
//! ```
//!
//! What thousands of sidecars compile, thousands of processors compile at once. Here there are two, which the operator and the API
//! server need too: so only the first few compile.

mod board;
mod light;
mod whole;

use std::sync::Arc;
use std::time::Instant;

use reeve_sidecar::sync;
use tokio::task::AbortHandle;

pub use self::board::{Board, Change, Connections, last};
use crate::pods::Pod;

/// How many sidecars do everything that a sidecar does.
pub const WHOLE: usize = 20;

/// Sidecars; they end when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    operator: String,
    board: Arc<Board>,
    whole: Vec<whole::Whole>,
    tasks: Vec<AbortHandle>,
    watching: Option<AbortHandle>,
    count: usize,
}

impl Fleet {
    /// One without sidecars, of the operator at this URL.
    pub fn new(operator: String) -> Self {
        let (whole, tasks) = (Vec::new(), Vec::new());
        Self { operator, board: Arc::new(Board::default()), whole, tasks, watching: None, count: 0 }
    }

    /// Starts the sidecars of these pods. If `compiling`, the first [`WHOLE`] of the fleet do everything.
    ///
    /// # Panics
    /// If what a pod was given cannot be used.
    pub fn add(&mut self, pods: Vec<Pod>, compiling: bool) {
        for pod in pods {
            let way = self.way(&pod);
            let task = if compiling && self.count < WHOLE {
                let (whole, follow) = whole::Whole::begin(self.count, way, &pod.token);
                self.whole.push(whole);
                follow
            } else {
                let way = sync::Way::new(way).expect("the webhook gives a pod what its sidecar can use");
                tokio::spawn(light::follow(self.count, way, pod.token, Arc::clone(&self.board))).abort_handle()
            };
            self.tasks.push(task);
            self.count += 1;
        }
        let looked_at = self.whole.iter().map(whole::Whole::seen).collect();
        let watching = whole::watch(looked_at, self.board.awaited(), Arc::clone(&self.board));
        let watching = tokio::spawn(watching).abort_handle();
        if let Some(before) = self.watching.replace(watching) {
            before.abort();
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many of them compile.
    pub fn compiling(&self) -> usize {
        self.whole.len()
    }

    /// What they have told.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What a pod's sidecar is told of its operator.
    fn way(&self, pod: &Pod) -> sync::Settings {
        sync::Settings {
            operator: self.operator.clone(),
            authorities: pod.authorities.clone(),
            token: Default::default(),
            servers: Default::default(),
            mounts: sync::Mounted::default(),
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in self.tasks.iter().chain(&self.watching) {
            task.abort();
        }
    }
}

/// When a sidecar enforced a change.
#[derive(Clone, Copy, Debug)]
pub struct Enforced {
    /// Which sidecar.
    pub sidecar: usize,
    /// When.
    pub at: Instant,
}
