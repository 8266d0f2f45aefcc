//! How long to wait before another attempt: longer each time, and never for all at once.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Doubles from the least to the most; each wait is a random part, at least half, of it.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    current: Duration,
}

impl Backoff {
    /// One whose first wait is at most `least`.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, current: least }
    }

    /// For what must go on soon after the API server is there again.
    pub const fn quick() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = jittered(self.current);
        self.current = (self.current * 2).min(self.most);
        wait
    }

    /// An attempt was successful: the next failure begins anew.
    pub fn reset(&mut self) {
        self.current = self.least;
    }
}

/// Between half and all of it.
pub fn jittered(duration: Duration) -> Duration {
    // Each state is seeded anew: enough chance for spreading attempts, and no library for it.
    let chance = u32::try_from(RandomState::new().hash_one(0) >> 48).unwrap_or(0);
    duration / 2 + (duration / 2) * chance / 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_most_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for most in [100, 200, 400, 800, 1_000, 1_000] {
            let (wait, most) = (backoff.wait(), Duration::from_millis(most));
            assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(100));
    }

    #[test]
    fn two_who_wait_alike_do_not_come_at_once() {
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| jittered(Duration::from_secs(1))).collect();
        assert!(waits.len() > 15, "{waits:?}");
    }
}
