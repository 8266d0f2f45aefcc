//! What a process has used, as the kernel counts it.

use std::fs;
use std::time::Duration;

/// Processor time of all its threads, those that have ended included, in user mode and in the kernel.
///
/// # Panics
/// If there is no such process.
pub fn processor(process: u32) -> Duration {
    let stat = read(process, "stat");
    // The name before it is in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let field = |index: usize| -> u64 {
        fields.split_ascii_whitespace().nth(index).and_then(|field| field.parse().ok()).expect("a number of ticks")
    };
    // utime and stime are the fields 14 and 15 of proc_pid_stat(5), of which two stand before the parenthesis' end.
    let ticks = field(11) + field(12);
    Duration::from_nanos(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

/// Memory in use (`VmRSS`), in bytes.
///
/// # Panics
/// If there is no such process.
pub fn memory(process: u32) -> u64 {
    let status = read(process, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// How often the calling thread has waited because it had nothing to do.
///
/// # Panics
/// If the kernel does not tell.
pub fn sleeps() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").expect("a thread has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).expect("a number")
}

fn read(process: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_else(|error| panic!("the process ended: {error}"))
}
