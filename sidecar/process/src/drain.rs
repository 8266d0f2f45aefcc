//! Tells every part of the process that it should finish: first gracefully, then at once.

use tokio::sync::watch;

/// How far the end of the process has come. Only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Serving,
    /// Serving, while others hear that this process goes. Only who is one of several has use for it.
    Leaving,
    /// No connection is accepted any more; streams that never end by themselves end; what is in flight finishes.
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
        if self.0.has_changed().is_err() {
            return Phase::Ending;
        }
        *self.0.borrow()
    }

    /// Waits until the process drains: streams that never end by themselves should end now. Cancel safe.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the grace period is over: whatever is still open should be dropped. Cancel safe.
    pub async fn ending(&self) {
        self.reached(Phase::Ending).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // An error says that the trigger is gone, which ends everything too.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_and_those_who_come_late_both_hear_of_it() {
        let (trigger, drain) = drain();
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.draining().await }
        });
        assert_eq!(drain.phase(), Phase::Serving);
        trigger.advance(Phase::Draining);
        waiting.await.unwrap();
        drain.draining().await;
        assert_eq!(drain.phase(), Phase::Draining);
    }

    #[tokio::test]
    async fn a_phase_never_goes_back() {
        let (trigger, drain) = drain();
        trigger.advance(Phase::Ending);
        trigger.advance(Phase::Draining);
        drain.ending().await;
        assert_eq!(drain.phase(), Phase::Ending);
    }

    #[tokio::test]
    async fn losing_the_trigger_ends_everything() {
        let (trigger, drain) = drain();
        drop(trigger);
        drain.ending().await;
        assert_eq!(drain.phase(), Phase::Ending);
    }
}
