//! A moment as it means something to the next process, on this boot of the machine or another.

use std::time::Duration;

use reeve_policy::time::{Instant, WallTime};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, boot_id};

/// A moment on both clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    boot: Option<String>,
    pub(super) instant: u64,
    wall: i64,
}

impl Stamp {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { boot: boot_id(), instant: clock.now().0, wall: clock.wall().0 }
    }

    /// How much later `now` is: on the clock that cannot be set, if it is still the same boot of the machine; else by the time of
    /// day. Unknown where that has gone back.
    pub(super) fn until(&self, now: &Self) -> Option<Duration> {
        let same_boot = self.boot.is_some() && self.boot == now.boot;
        if same_boot && now.instant >= self.instant {
            return Some(Instant(now.instant).since(Instant(self.instant)));
        }
        u64::try_from(now.wall.saturating_sub(self.wall)).ok().map(Duration::from_nanos)
    }

    pub(super) fn wall(&self) -> WallTime {
        WallTime(self.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(boot: Option<&str>, instant: u64, wall: i64) -> Stamp {
        Stamp { boot: boot.map(str::to_owned), instant, wall }
    }

    #[test]
    fn within_one_boot_the_time_of_day_does_not_matter() {
        let saved = stamp(Some("a"), 100, 5_000);
        assert_eq!(saved.until(&stamp(Some("a"), 160, 0)), Some(Duration::from_nanos(60)));
        assert_eq!(saved.until(&stamp(Some("a"), 160, 9_000_000)), Some(Duration::from_nanos(60)));
    }

    #[test]
    fn after_another_boot_the_time_of_day_counts_unless_it_has_gone_back() {
        let saved = stamp(Some("a"), 100, 5_000);
        assert_eq!(saved.until(&stamp(Some("b"), 160, 5_300)), Some(Duration::from_nanos(300)));
        assert_eq!(saved.until(&stamp(Some("b"), 160, 4_000)), None);
        assert_eq!(stamp(None, 100, 5_000).until(&stamp(None, 160, 5_300)), Some(Duration::from_nanos(300)));
    }

    #[test]
    fn a_boot_clock_that_has_gone_back_is_not_believed() {
        // As in a container whose time namespace was made anew.
        assert_eq!(stamp(Some("a"), 100, 5_000).until(&stamp(Some("a"), 50, 5_300)), Some(Duration::from_nanos(300)));
    }
}
