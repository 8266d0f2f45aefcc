//! Chance, so that many who begin together do not come back together. Nothing secret depends on it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Some time between nothing and `span`.
pub(super) fn within(span: Duration) -> Duration {
    let part = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(u32::MAX);
    span.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

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
