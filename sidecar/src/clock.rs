//! The clocks that decisions count on.
//!
//! Limits count on the time since the machine's boot (`CLOCK_BOOTTIME`): it never goes back, goes on while the machine
//! sleeps, and means the same to the next process, so that a restarted container goes on counting where it was. The
//! wall clock is what people read and what expressions see as `now`; nothing binds on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reeve_policy::time::{Instant, WallTime};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Tells the time. Cheap to clone; clones tell the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Hands>),
}

#[derive(Debug)]
struct Hands {
    instant: AtomicU64,
    wall: AtomicI64,
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(instant: Instant, wall: WallTime) -> Self {
        Self(Source::Manual(Arc::new(Hands { instant: AtomicU64::new(instant.0), wall: AtomicI64::new(wall.0) })))
    }

    /// The time since boot.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System => Instant(u64::try_from(nanoseconds(ClockId::Boottime)).unwrap_or(0)),
            Source::Manual(hands) => Instant(hands.instant.load(Ordering::Acquire)),
        }
    }

    /// The time of day.
    pub fn wall(&self) -> WallTime {
        match &self.0 {
            // Asked of the C library, where tests step it.
            Source::System => WallTime(since_epoch(SystemTime::now())),
            Source::Manual(hands) => WallTime(hands.wall.load(Ordering::Acquire)),
        }
    }

    /// Moves both hands of a manual clock; the system's is not ours to move.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(hands) = &self.0 {
            hands.instant.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
            hands.wall.fetch_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX), Ordering::AcqRel);
        }
    }

    /// Steps the wall clock of a manual clock alone, as an administrator or NTP would.
    pub fn step_wall(&self, to: WallTime) {
        if let Source::Manual(hands) = &self.0 {
            hands.wall.store(to.0, Ordering::Release);
        }
    }
}

fn nanoseconds(clock: ClockId) -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    tv_sec.saturating_mul(1_000_000_000).saturating_add(tv_nsec)
}

/// Nanoseconds; negative before 1970.
fn since_epoch(time: SystemTime) -> i64 {
    let nanoseconds = |by: Duration| i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -nanoseconds(before.duration()), nanoseconds)
}

/// What tells one boot of the machine from another: two instants can only be compared within one. None where the
/// kernel does not say.
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_goes_forward_and_agrees_with_the_standard_library() {
        let clock = Clock::system();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.0 > 0 && second >= first);
        let standard = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let ours = Duration::from_nanos(clock.wall().0.try_into().unwrap());
        assert!(ours.abs_diff(standard) < Duration::from_secs(1));
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Instant(5), WallTime(7));
        let twin = clock.clone();
        clock.advance(Duration::from_nanos(10));
        assert_eq!((twin.now(), twin.wall()), (Instant(15), WallTime(17)));
        clock.step_wall(WallTime(1));
        assert_eq!((twin.now(), twin.wall()), (Instant(15), WallTime(1)));
    }
}
