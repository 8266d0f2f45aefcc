//! The `process_*` metrics that Prometheus' own libraries have.

use jiff::{SignedDuration, Timestamp};
use prometheus::{Counter, Gauge, IntGauge, Registry, Result};
use reeve_process::usage::{Gauges, Usage};

/// Defines and registers them.
pub(super) fn gauges(registry: &Registry) -> Result<Gauges> {
    let start = Gauge::new("process_start_time_seconds", "When the process started, in seconds since 1970.")?;
    registry.register(Box::new(start.clone()))?;
    if let Some(started) = Usage::read().and_then(started) {
        start.set(started.as_duration().as_secs_f64());
    }
    let cpu = Counter::new("process_cpu_seconds_total", "User and system CPU time of the process.")?;
    registry.register(Box::new(cpu.clone()))?;
    let gauge = |name: &str, help: &str| -> Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    };
    Ok(Gauges {
        cpu,
        resident: gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.")?,
        virtual_memory: gauge("process_virtual_memory_bytes", "Address space of the process.")?,
        open_fds: gauge("process_open_fds", "Open file descriptors.")?,
        max_fds: gauge("process_max_fds", "The most file descriptors that may be open.")?,
        threads: gauge("process_threads", "Threads of the process.")?,
    })
}

fn started(usage: Usage) -> Option<Timestamp> {
    Timestamp::now().checked_sub(SignedDuration::try_from(usage.age).ok()?).ok()
}
