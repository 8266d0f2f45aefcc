//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Generous, as the machine may be busy: it bounds a test that would otherwise hang, and times nothing.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives a value.
///
/// # Panics
/// After a minute, naming what was awaited.
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, what, condition)
}

/// The same for what may take longer.
///
/// # Panics
/// After this long, naming what was awaited.
pub fn within<T>(deadline: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < deadline, "waited {} s in vain: {what}", deadline.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}
