//! Times as Kubernetes writes them.

/// The second of the day of a time such as `2026-11-29T15:19:45.123456789Z`.
pub fn second_of_day(time: &str) -> f64 {
    let clock = time.split_once('T').map_or(time, |(_, clock)| clock).trim_end_matches('Z');
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse().unwrap_or(0.0))
}

/// The seconds from one time of the day to another, over midnight too.
pub fn seconds_between(from: f64, to: f64) -> f64 {
    (to - from).rem_euclid(86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_to_parts_of_a_second_and_midnight_is_no_end() {
        assert!((second_of_day("2026-11-29T01:02:03.5Z") - 3_723.5).abs() < 1e-9);
        let (late, early) = (second_of_day("2026-11-29T23:59:59Z"), second_of_day("2026-11-30T00:00:01Z"));
        assert!((seconds_between(late, early) - 2.0).abs() < 1e-9);
    }
}
