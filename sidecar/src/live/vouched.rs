//! When the operator has last vouched for what is in force, and which Boundary bounds how long that holds (`configMaxAge`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reeve_policy::decide::Verdict;
use reeve_policy::reason::Reason;
use reeve_policy::time::format_duration;

use crate::clock::Clock;

/// When the operator has last said that what is in force is what should be. Never, to begin with.
#[derive(Debug)]
pub struct Vouched {
    clock: Clock,
    /// Nanoseconds since the machine's boot; before it if an earlier boot saw it.
    at: AtomicI64,
}

impl Vouched {
    /// Nobody has vouched yet.
    pub fn never(clock: Clock) -> Self {
        Self { clock, at: AtomicI64::new(i64::MIN) }
    }

    /// The operator vouches now.
    pub fn renew(&self) {
        self.set(Duration::ZERO);
    }

    /// The operator vouched this long ago.
    pub fn set(&self, ago: Duration) {
        self.at.store(self.now().saturating_sub(nanos(ago)), Ordering::Release);
    }

    /// How long ago the operator vouched.
    pub fn age(&self) -> Duration {
        let age = self.now().saturating_sub(self.at.load(Ordering::Acquire));
        Duration::from_nanos(u64::try_from(age).unwrap_or(0))
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.now().0).unwrap_or(i64::MAX)
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// How long the configuration of a server holds without word from the operator.
#[derive(Clone, Debug)]
pub struct Lifetime {
    /// When the operator last vouched for it.
    pub vouched: Arc<Vouched>,
    /// How long it holds.
    pub most: Duration,
    /// The Boundary that says so.
    pub policy: Arc<str>,
}

impl Lifetime {
    /// The refusal of every call, once the configuration is too old.
    pub fn over(&self) -> Option<Verdict> {
        if self.vouched.age() <= self.most {
            return None;
        }
        let message = format!(
            "the operator has not been heard of for longer than {} (configMaxAge of policy {}): nothing is permitted until it \
             is reached again",
            format_duration(self.most),
            self.policy
        );
        let (pointer, message) = (Some(Arc::clone(&self.policy)), Some(message.into()));
        Some(Verdict { pointer, message, ..Verdict::refusal(Reason::ConfigurationStale) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reeve_policy::time::{Instant, WallTime};

    #[test]
    fn what_nobody_vouched_for_is_older_than_any_bound_and_a_word_from_before_the_boot_counts() {
        let clock = Clock::manual(Instant(1_000), WallTime(0));
        let vouched = Arc::new(Vouched::never(clock.clone()));
        let lifetime =
            Lifetime { vouched: Arc::clone(&vouched), most: Duration::from_secs(3_600), policy: "all".into() };
        assert_eq!(lifetime.over().unwrap().reason, Reason::ConfigurationStale);
        vouched.set(Duration::from_secs(3_000));
        assert!(lifetime.over().is_none());
        clock.advance(Duration::from_secs(601));
        let refusal = lifetime.over().unwrap();
        assert_eq!(refusal.pointer.as_deref(), Some("all"));
        assert!(refusal.message.unwrap().contains("1h (configMaxAge of policy all)"));
        vouched.renew();
        assert!(lifetime.over().is_none());
    }
}
