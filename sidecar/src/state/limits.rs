//! The snapshot of limits on the disk: when it was taken, then the limiter's own bytes.

use std::path::Path;
use std::time::Duration;

use reeve_policy::limit::Limiter;
use reeve_policy::time::{Instant, WallTime};
use serde::{Deserialize, Serialize};

use super::directory::Cache;
use super::sealed::{self, Outlives};
use crate::clock::{Clock, boot_id};

/// Written each second.
pub(super) const FILE: &str = "limits";
/// Written each half minute, and forced to the disk.
pub(super) const SYNCED_FILE: &str = "limits.synced";

/// When a snapshot was taken, on both clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    boot: Option<String>,
    instant: u64,
    wall: i64,
}

impl Stamp {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { boot: boot_id(), instant: clock.now().0, wall: clock.wall().0 }
    }

    /// How much later `now` is: on the clock that cannot be set, if it is still the same boot of the machine; else by the time of
    /// day; and nothing where that has gone back, as a unit may be counted for longer but never for shorter.
    pub(super) fn until(&self, now: &Self) -> Duration {
        let same_boot = self.boot.is_some() && self.boot == now.boot;
        if same_boot && now.instant >= self.instant {
            return Instant(now.instant).since(Instant(self.instant));
        }
        Duration::from_nanos(u64::try_from(now.wall.saturating_sub(self.wall)).unwrap_or(0))
    }

    fn wall(&self) -> WallTime {
        WallTime(self.wall)
    }
}

/// A snapshot as one file.
pub(super) fn write(path: &Path, stamp: &Stamp, snapshot: &[u8], outlives: Outlives) -> std::io::Result<()> {
    let mut content = serde_json::to_vec(stamp)?;
    content.push(b'\n');
    content.extend_from_slice(snapshot);
    sealed::write(path, &content, outlives)
}

/// Takes over the newest snapshot that can be read.
pub(super) fn restore(cache: &Cache, limiter: &Limiter, clock: &Clock) {
    for name in [FILE, SYNCED_FILE] {
        let Some(path) = cache.file(name) else { return };
        let Some(content) = sealed::read_or_set_aside(&path, "limits count from an older state, or anew") else {
            continue;
        };
        match apply(&content, limiter, clock) {
            Ok(taken) => {
                tracing::info!(file = %path.display(), taken_at = taken.wall().0 / 1_000_000_000, "limits go on counting");
                return;
            }
            Err(why) => sealed::set_aside(&path, &why, "limits count from an older state, or anew"),
        }
    }
}

fn apply(content: &[u8], limiter: &Limiter, clock: &Clock) -> Result<Stamp, String> {
    let end = content.iter().position(|byte| *byte == b'\n').ok_or("it does not say when it was written")?;
    let stamp: Stamp = serde_json::from_slice(&content[..end]).map_err(|error| error.to_string())?;
    let now = Stamp::now(clock);
    limiter.restore(&content[end + 1..], Instant(now.instant), stamp.until(&now))?;
    Ok(stamp)
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
        assert_eq!(saved.until(&stamp(Some("a"), 160, 0)), Duration::from_nanos(60));
        assert_eq!(saved.until(&stamp(Some("a"), 160, 9_000_000)), Duration::from_nanos(60));
    }

    #[test]
    fn after_another_boot_the_time_of_day_counts_unless_it_has_gone_back() {
        let saved = stamp(Some("a"), 100, 5_000);
        assert_eq!(saved.until(&stamp(Some("b"), 160, 5_300)), Duration::from_nanos(300));
        assert_eq!(saved.until(&stamp(Some("b"), 160, 4_000)), Duration::ZERO);
        assert_eq!(stamp(None, 100, 5_000).until(&stamp(None, 160, 5_300)), Duration::from_nanos(300));
    }

    #[test]
    fn a_boot_clock_that_has_gone_back_is_not_believed() {
        // As in a container whose time namespace was made anew.
        assert_eq!(stamp(Some("a"), 100, 5_000).until(&stamp(Some("a"), 50, 5_300)), Duration::from_nanos(300));
    }
}
