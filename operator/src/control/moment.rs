//! The time, by two clocks: what is told has the time that people read, and what has passed is measured by a clock that nobody sets.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// When something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock's time when the process began and what has passed since: never set.
    pub steady: Timestamp,
    /// The wall clock's.
    pub wall: Timestamp,
}

/// Tells moments.
#[derive(Debug)]
pub struct Clock {
    began: (Instant, Timestamp),
}

impl Clock {
    /// One whose two clocks agree now.
    pub fn start() -> Self {
        Self { began: (Instant::now(), Timestamp::now()) }
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        let (instant, began) = self.began;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX);
        Moment { steady: began.saturating_add(passed).unwrap_or(Timestamp::MAX), wall: Timestamp::now() }
    }
}

impl Moment {
    /// What the wall clock would have shown at an earlier moment, had it been as it is now.
    pub(crate) fn wall_at(&self, steady: Timestamp) -> Timestamp {
        self.wall.saturating_sub(self.steady.duration_since(steady)).unwrap_or(self.wall)
    }
}

#[cfg(test)]
impl From<Timestamp> for Moment {
    /// By clocks that agree.
    fn from(now: Timestamp) -> Self {
        Self { steady: now, wall: now }
    }
}
