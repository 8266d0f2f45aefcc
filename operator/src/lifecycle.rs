//! The start and the end of the process: what readiness still waits for, and who is told to finish.
//!
//! ```text
//! ports bound ─► authority, watches, webhooks' bundle ─► /ready ─► … ─► SIGTERM ─► /ready fails ─► delay ─► Draining ─► Ending
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// How far the end of the process has come. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Serving,
    /// Serving, while the rest of the cluster hears that this replica goes.
    Leaving,
    /// No connection is accepted any more; streams are told to reconnect; requests in flight finish.
    Draining,
    /// The grace period is over: what is still open is closed.
    Ending,
}

/// Moves the process from phase to phase. Dropping it ends everything at once.
#[derive(Debug)]
pub struct DrainTrigger(watch::Sender<Phase>);

/// What the parts of the process wait on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Phase>);

/// A trigger and what it triggers.
pub fn drain() -> (DrainTrigger, Drain) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (DrainTrigger(sender), Drain(receiver))
}

impl DrainTrigger {
    /// Goes on to `phase`; going back does nothing.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }
}

impl Drain {
    /// The phase as it is now.
    pub fn phase(&self) -> Phase {
        if self.0.has_changed().is_err() { Phase::Ending } else { *self.0.borrow() }
    }

    /// Waits until `phase` or a later one is reached. Cancel safe.
    pub async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // An error says that the trigger is gone, which ends everything too.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }
}

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

    #[tokio::test]
    async fn losing_the_trigger_ends_everything_and_a_phase_never_goes_back() {
        let (trigger, drain) = drain();
        trigger.advance(Phase::Draining);
        trigger.advance(Phase::Leaving);
        drain.reached(Phase::Draining).await;
        assert_eq!(drain.phase(), Phase::Draining);
        drop(trigger);
        drain.reached(Phase::Ending).await;
        assert_eq!(drain.phase(), Phase::Ending);
    }
}
