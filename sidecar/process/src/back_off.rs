//! How long to wait before another attempt: longer each time, and never for all at once. Nothing secret depends on its chance.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Doubles a bound with each failure, from the least to the most. Each wait is somewhere in the upper half of its bound.
#[derive(Clone, Debug)]
pub struct BackOff {
    least: Duration,
    most: Duration,
    bound: Duration,
}

impl BackOff {
    /// One whose first wait is at most `least`.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, bound: least }
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = upper_half(self.bound);
        self.bound = (self.bound * 2).min(self.most);
        wait
    }

    /// It went well: the next failure begins anew.
    pub fn reset(&mut self) {
        self.bound = self.least;
    }
}

/// Some time between half of `bound` and all of it, so that those who wait alike do not come at once.
pub fn upper_half(bound: Duration) -> Duration {
    bound / 2 + within(bound / 2)
}

/// Some time between nothing and `span`, so that those who begin together come back spread over it.
pub fn within(span: Duration) -> Duration {
    // The standard library's hashers are keyed at random.
    let part = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(u32::MAX);
    span.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_in_the_upper_half_of_a_bound_that_doubles_and_begins_anew_after_a_success() {
        let mut back_off = BackOff::new(Duration::from_millis(100), Duration::from_secs(1));
        for bound in [100, 200, 400, 800, 1_000, 1_000] {
            let (wait, bound) = (back_off.wait(), Duration::from_millis(bound));
            assert!(wait >= bound / 2 && wait <= bound, "{wait:?} of {bound:?}");
        }
        back_off.reset();
        assert!(back_off.wait() <= Duration::from_millis(100));
    }

    #[test]
    fn many_who_begin_together_come_back_spread_over_the_span() {
        let span = Duration::from_secs(8);
        let mut eighths = [0; 8];
        for _ in 0..4_000 {
            let time = within(span);
            assert!(time <= span);
            eighths[usize::try_from(time.as_secs().min(7)).unwrap()] += 1;
        }
        assert!(eighths.iter().all(|count| (300..700).contains(count)), "{eighths:?}");
    }
}
