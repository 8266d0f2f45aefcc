//! What the process uses of the machine, as its kernel tells it: what the `process_*` metrics show that Prometheus' own libraries have.

use std::time::Duration;

use prometheus::{Counter, IntGauge};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What the process uses now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system CPU time since it began.
    pub cpu: Duration,
    /// Threads.
    pub threads: i64,
    /// How long ago it began.
    pub age: Duration,
    /// Address space.
    pub virtual_bytes: i64,
    /// Memory that is in RAM.
    pub resident_bytes: i64,
    /// Open file descriptors.
    pub open_files: i64,
    /// The most that may be open.
    pub most_open_files: i64,
}

impl Usage {
    /// Reads `/proc/self`; none where there is no such thing.
    pub fn read() -> Option<Self> {
        let usage = Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?, since_boot())?;
        // The directory itself is open while it is read.
        let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Some(Self { open_files: i64::try_from(open).unwrap_or(i64::MAX), most_open_files: signed(most), ..usage })
    }

    /// A line of `/proc/PID/stat` (proc_pid_stat(5)), so long after boot.
    fn parse(text: &str, now: Duration) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold anything.
        let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
        // Numbered as in the manual, where the first after the name is 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let time =
            |ticks: u64| Duration::from_millis(ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second());
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Some(Self {
            cpu: time(field(14)?.saturating_add(field(15)?)),
            threads: signed(field(20)?),
            age: now.saturating_sub(time(field(22)?)),
            virtual_bytes: signed(field(23)?),
            resident_bytes: signed(field(24)?.saturating_mul(page)),
            open_files: 0,
            most_open_files: 0,
        })
    }
}

/// The metrics that show it, as each program has defined and registered them.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// `process_cpu_seconds_total`.
    pub cpu: Counter,
    /// `process_resident_memory_bytes`.
    pub resident: IntGauge,
    /// `process_virtual_memory_bytes`.
    pub virtual_memory: IntGauge,
    /// `process_open_fds`.
    pub open_fds: IntGauge,
    /// `process_max_fds`.
    pub max_fds: IntGauge,
    /// `process_threads`.
    pub threads: IntGauge,
}

impl Gauges {
    /// Reads again. What cannot be read keeps its value.
    pub fn refresh(&self) {
        let Some(usage) = Usage::read() else { return };
        self.cpu.inc_by((usage.cpu.as_secs_f64() - self.cpu.get()).max(0.0));
        self.resident.set(usage.resident_bytes);
        self.virtual_memory.set(usage.virtual_bytes);
        self.open_fds.set(usage.open_files);
        self.max_fds.set(usage.most_open_files);
        self.threads.set(usage.threads);
    }
}

fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_is_no_matter() {
        let text = "7 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 3 0 1000 4096000 10 0 0";
        let ticks = rustix::param::clock_ticks_per_second();
        let usage = Usage::parse(text, Duration::from_millis(1_500_000 / ticks)).unwrap();
        assert_eq!(usage.cpu, Duration::from_millis(200_000 / ticks));
        assert_eq!((usage.threads, usage.virtual_bytes), (3, 4_096_000));
        assert_eq!(usage.age, Duration::from_millis(500_000 / ticks));
        assert_eq!(usage.resident_bytes, 10 * i64::try_from(rustix::param::page_size()).unwrap());
    }

    #[test]
    fn what_is_not_a_stat_line_is_no_panic() {
        for text in ["", ")", "1 (x", "1 (x) S 1"] {
            assert!(Usage::parse(text, Duration::ZERO).is_none(), "{text}");
        }
    }

    #[test]
    fn this_process_is_seen() {
        let usage = Usage::read().unwrap();
        assert!(usage.resident_bytes > 100_000 && usage.threads >= 1, "{usage:?}");
        assert!((3..=usage.most_open_files).contains(&usage.open_files), "{usage:?}");
        assert!(usage.age < Duration::from_secs(3_600), "{usage:?}");
    }
}
