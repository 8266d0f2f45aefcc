//! What the probes `/started` and `/ready` answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reeve_policy::time::Instant;

use super::{Drain, Phase};
use crate::clock::Clock;

/// How long `/started` waits for a configuration. After it the sidecar serves and denies (`NoConfiguration`), so that a
/// pod can start while the operator is away, and its other containers are not held up for ever.
const CONFIGURATION_WAIT: Duration = Duration::from_secs(10);

/// What has been reached. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness {
    clock: Clock,
    since: Instant,
    drain: Drain,
    reached: Arc<Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    configured: AtomicBool,
    serving: AtomicBool,
}

impl Readiness {
    /// Nothing is reached; the wait for a configuration begins now.
    pub fn new(clock: Clock, drain: Drain) -> Self {
        Self { since: clock.now(), clock, drain, reached: Arc::default() }
    }

    /// A configuration is loaded and in force.
    pub fn configured(&self) {
        self.reached.configured.store(true, Ordering::Release);
    }

    /// The agent's listener accepts.
    pub fn serving(&self) {
        self.reached.serving.store(true, Ordering::Release);
    }

    /// Whether the start is over, or what it still waits for.
    ///
    /// # Errors
    /// What is awaited.
    pub fn started(&self) -> Result<(), &'static str> {
        if !self.reached.serving.load(Ordering::Acquire) {
            return Err("waiting for the listener");
        }
        let waited = self.clock.now().since(self.since) >= CONFIGURATION_WAIT;
        if self.reached.configured.load(Ordering::Acquire) || waited {
            Ok(())
        } else {
            Err("waiting for a configuration")
        }
    }

    /// Whether calls are served (be it by denying them), or why not. Depends on nothing outside this process.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.drain.phase() > Phase::Serving {
            return Err("shutting down");
        }
        self.started()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::drain;
    use reeve_policy::time::WallTime;

    #[test]
    fn started_waits_for_the_listener_and_for_a_configuration() {
        let (_trigger, drain) = drain();
        let readiness = Readiness::new(Clock::manual(Instant(0), WallTime(0)), drain);
        assert_eq!(readiness.started(), Err("waiting for the listener"));
        readiness.serving();
        assert_eq!(readiness.started(), Err("waiting for a configuration"));
        readiness.configured();
        assert_eq!((readiness.started(), readiness.ready()), (Ok(()), Ok(())));
    }

    #[test]
    fn without_a_configuration_it_starts_after_ten_seconds() {
        let (_trigger, drain) = drain();
        let clock = Clock::manual(Instant(1), WallTime(0));
        let readiness = Readiness::new(clock.clone(), drain);
        readiness.serving();
        clock.advance(Duration::from_millis(9_999));
        assert!(readiness.started().is_err());
        clock.advance(Duration::from_millis(1));
        assert_eq!((readiness.started(), readiness.ready()), (Ok(()), Ok(())));
    }

    #[test]
    fn a_draining_sidecar_is_started_but_not_ready() {
        let (trigger, drain) = drain();
        let readiness = Readiness::new(Clock::manual(Instant(0), WallTime(0)), drain);
        readiness.serving();
        readiness.configured();
        trigger.advance(Phase::Draining);
        assert_eq!((readiness.started(), readiness.ready()), (Ok(()), Err("shutting down")));
    }
}
