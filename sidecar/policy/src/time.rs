//! Time as the engine sees it: given by the caller, never read here.

use std::time::Duration;

/// Nanoseconds on a clock that never goes back; what limits and deadlines count on. Its origin is the caller's choice
/// (the sidecar takes the time since boot, so that a restarted container goes on counting where it was).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// Nanoseconds since the Unix epoch: what expressions see as `now`. May jump; nothing binds on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub i64);

impl Instant {
    /// The instant `by` later; saturates.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// How long before `self` the instant `earlier` was; zero if it was not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads a duration as policies write it: whole numbers with `s`, `m`, `h` or `d`, such as `90s` or `1h30m`.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write whole numbers with s, m, h or d, such as 90s or 1h30m");
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(total)) }
}

/// Writes a duration in the form that [`parse_duration`] reads, with the largest units that lose nothing. Parts of a
/// second are rounded up, so that a retry time told to an agent is never early.
pub fn format_duration(duration: Duration) -> String {
    let mut seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let mut text = String::new();
    for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        if seconds >= unit || (unit == 1 && text.is_empty()) {
            text.push_str(&(seconds / unit).to_string());
            text.push(name);
            seconds %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, seconds) in [("1s", 1), ("90s", 90), ("10m", 600), ("1h30m", 5_400), ("31d", 2_678_400)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_what_would_be() {
        for text in ["", "10", "m", "1.5h", "-1m", "1w", "99999999999999999999d", "1 m"] {
            assert!(parse_duration(text).is_err_and(|error| error.contains("such as 90s")), "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_back_and_parts_of_a_second_round_up() {
        assert_eq!(format_duration(Duration::from_secs(5_400)), "1h30m");
        assert_eq!(format_duration(Duration::from_millis(36_001)), "37s");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }
}
