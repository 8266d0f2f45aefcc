//! The snapshot of limits on the disk: when it was taken, then the limiter's own bytes.

use std::path::Path;

use reeve_policy::limit::Limiter;
use reeve_policy::time::Instant;

use super::directory::Cache;
use super::sealed::{self, Outlives};
use super::stamp::Stamp;
use crate::clock::Clock;

/// Written each second.
pub(super) const FILE: &str = "limits";
/// Written each half minute, and forced to the disk.
pub(super) const SYNCED_FILE: &str = "limits.synced";

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
    // A unit may be counted for longer, but never for shorter.
    let since = stamp.until(&now).unwrap_or_default();
    limiter.restore(&content[end + 1..], Instant(now.instant), since)?;
    Ok(stamp)
}
