//! The `process_*` metrics that Prometheus' own libraries have.

use prometheus::{Registry, Result};
use reeve_process::usage::{Gauges, Usage};

use super::{family, seconds};
use crate::clock::Clock;

/// Defines and registers them.
pub(super) fn gauges(registry: &Registry, clock: &Clock) -> Result<Gauges> {
    let start = family::PROCESS_START.seconds(registry)?;
    if let Some(usage) = Usage::read() {
        let age = i64::try_from(usage.age.as_nanos()).unwrap_or(0);
        start.set(seconds(clock.wall().0.saturating_sub(age)));
    }
    Ok(Gauges {
        cpu: family::PROCESS_CPU.cpu_seconds(registry)?,
        resident: family::PROCESS_RESIDENT.gauge(registry)?,
        virtual_memory: family::PROCESS_VIRTUAL.gauge(registry)?,
        open_fds: family::PROCESS_OPEN_FDS.gauge(registry)?,
        max_fds: family::PROCESS_MAX_FDS.gauge(registry)?,
        threads: family::PROCESS_THREADS.gauge(registry)?,
    })
}
