//! How long to wait before the operator is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first wait. A replica that ends is mostly one of several, and another is there.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest wait. It bounds how long a sidecar stays behind once its operator is back.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// Doubles the wait with each failure. Each wait is somewhere in the upper half of its bound, so that sidecars that lost a
/// replica at once do not come back at once.
#[derive(Debug)]
pub(super) struct BackOff {
    bound: Duration,
}

impl BackOff {
    pub(super) fn new() -> Self {
        Self { bound: SHORTEST }
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        let wait = within(self.bound, random());
        self.bound = (2 * self.bound).min(LONGEST);
        wait
    }

    /// It went well: begins anew.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }
}

/// Somewhere in the upper half of a bound, by a random number.
fn within(bound: Duration, random: u64) -> Duration {
    let half = bound / 2;
    half + half.mul_f64(f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX))
}

/// The standard library's hashers are keyed at random.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_in_the_upper_half_of_a_bound_that_doubles_up_to_ten_seconds() {
        let mut back_off = BackOff::new();
        let mut bound = SHORTEST;
        for _ in 0..12 {
            let wait = back_off.next();
            assert!(bound / 2 <= wait && wait <= bound, "{wait:?} of {bound:?}");
            bound = (2 * bound).min(LONGEST);
        }
        assert_eq!(bound, LONGEST);
        back_off.reset();
        assert!(back_off.next() <= SHORTEST);
    }

    #[test]
    fn waits_differ() {
        let waits: std::collections::HashSet<_> = (0..16).map(|_| within(LONGEST, random())).collect();
        assert!(waits.len() > 1);
        assert_eq!((within(LONGEST, 0), within(LONGEST, u64::MAX)), (LONGEST / 2, LONGEST));
    }
}
