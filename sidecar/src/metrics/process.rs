//! The `process_*` metrics that Prometheus' own libraries have, from `/proc/self`.

use std::time::Duration;

use prometheus::{Counter, Gauge, IntGauge, Registry, Result};
use rustix::process::{Resource, getrlimit};

use super::{family, seconds};
use crate::clock::Clock;

pub(super) struct Process {
    cpu: Counter,
    resident: IntGauge,
    virtual_memory: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    _start: Gauge,
}

impl Process {
    pub(super) fn new(registry: &Registry, clock: &Clock) -> Result<Self> {
        let start = family::PROCESS_START.seconds(registry)?;
        if let Some(stat) = Stat::read() {
            let age = clock.now().0.saturating_sub(nanos(stat.start));
            start.set(seconds(clock.wall().0.saturating_sub(i64::try_from(age).unwrap_or(0))));
        }
        Ok(Self {
            cpu: family::PROCESS_CPU.cpu_seconds(registry)?,
            resident: family::PROCESS_RESIDENT.gauge(registry)?,
            virtual_memory: family::PROCESS_VIRTUAL.gauge(registry)?,
            open_fds: family::PROCESS_OPEN_FDS.gauge(registry)?,
            max_fds: family::PROCESS_MAX_FDS.gauge(registry)?,
            threads: family::PROCESS_THREADS.gauge(registry)?,
            _start: start,
        })
    }

    /// Reads again. What cannot be read keeps its value.
    pub(super) fn refresh(&self) {
        if let Some(stat) = Stat::read() {
            self.cpu.inc_by((stat.cpu.as_secs_f64() - self.cpu.get()).max(0.0));
            self.resident.set(stat.resident_bytes);
            self.virtual_memory.set(stat.virtual_bytes);
            self.threads.set(stat.threads);
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            // The directory itself is open while it is read.
            let open = entries.count().saturating_sub(1);
            self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.max_fds.set(i64::try_from(most).unwrap_or(i64::MAX));
    }
}

/// What `/proc/self/stat` says (proc_pid_stat(5)).
struct Stat {
    cpu: Duration,
    threads: i64,
    /// Since boot.
    start: Duration,
    virtual_bytes: i64,
    resident_bytes: i64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold anything.
        let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
        // Numbered as in the manual, where the first after the name is 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let time =
            |ticks: u64| Duration::from_millis(ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second());
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Some(Self {
            cpu: time(field(14)?.saturating_add(field(15)?)),
            threads: signed(field(20)?),
            start: time(field(22)?),
            virtual_bytes: signed(field(23)?),
            resident_bytes: signed(field(24)?.saturating_mul(page)),
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_is_no_matter() {
        let text = "7 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 3 0 1000 4096000 10 0 0";
        let stat = Stat::parse(text).unwrap();
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(stat.cpu, Duration::from_millis(200_000 / ticks));
        assert_eq!((stat.threads, stat.virtual_bytes), (3, 4_096_000));
        assert_eq!(stat.start, Duration::from_millis(1_000_000 / ticks));
        assert_eq!(stat.resident_bytes, 10 * i64::try_from(rustix::param::page_size()).unwrap());
    }

    #[test]
    fn what_is_not_a_stat_line_is_no_panic() {
        for text in ["", ")", "1 (x", "1 (x) S 1"] {
            assert!(Stat::parse(text).is_none(), "{text}");
        }
    }
}
