//! What readiness still waits for.
//!
//! ```text
//! ports bound ─► authority, watches, webhooks' bundle ─► /ready ─► … ─► SIGTERM ─► /ready fails ─► delay ─► Draining ─► Ending
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reeve_process::drain::{Drain, Phase};

/// What is awaited before this replica is ready. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness {
    awaited: Arc<Mutex<BTreeSet<String>>>,
    drain: Drain,
}

/// One thing that readiness waits for. Dropped without [`Awaited::reached`] it is awaited for ever.
#[derive(Debug)]
pub struct Awaited {
    what: String,
    readiness: Readiness,
}

impl Readiness {
    /// Nothing is awaited yet.
    pub fn new(drain: Drain) -> Self {
        Self { awaited: Arc::default(), drain }
    }

    /// Readiness waits for this from now on: words that fit after "waiting for".
    pub fn awaits(&self, what: impl Into<String>) -> Awaited {
        let what = what.into();
        self.lock().insert(what.clone());
        Awaited { what, readiness: self.clone() }
    }

    /// Whether this replica serves, or why not.
    ///
    /// # Errors
    /// What is awaited.
    pub fn ready(&self) -> Result<(), String> {
        if self.drain.phase() > Phase::Serving {
            return Err("shutting down".into());
        }
        let awaited = self.lock();
        if awaited.is_empty() {
            return Ok(());
        }
        Err(format!("waiting for {}", awaited.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    /// It is there, and is not awaited again.
    pub fn reached(self) {
        let mut awaited = self.readiness.lock();
        awaited.remove(&self.what);
        let rest = awaited.len();
        drop(awaited);
        tracing::info!(reached = %self.what, still_awaited = rest, "start");
    }
}

#[cfg(test)]
mod tests {
    use reeve_process::drain::drain;

    use super::*;

    #[test]
    fn readiness_names_what_it_waits_for() {
        let (trigger, drain) = drain();
        let readiness = Readiness::new(drain);
        let (pods, servers) = (readiness.awaits("the watch of pods"), readiness.awaits("the watch of mcpservers"));
        assert_eq!(readiness.ready(), Err("waiting for the watch of mcpservers, the watch of pods".into()));
        servers.reached();
        assert_eq!(readiness.ready(), Err("waiting for the watch of pods".into()));
        pods.reached();
        assert_eq!(readiness.ready(), Ok(()));
        trigger.advance(Phase::Leaving);
        assert_eq!(readiness.ready(), Err("shutting down".into()));
    }

    #[test]
    fn what_ended_without_being_reached_is_awaited_for_ever() {
        let (_trigger, drain) = drain();
        let readiness = Readiness::new(drain);
        drop(readiness.awaits("the authority"));
        assert_eq!(readiness.ready(), Err("waiting for the authority".into()));
    }
}
