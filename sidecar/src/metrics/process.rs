//! The `process_*` metrics that Prometheus' own libraries have.

use prometheus::{Counter, Gauge, IntGauge, Registry, Result};
use reeve_process::usage::Usage;

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
        if let Some(usage) = Usage::read() {
            let age = i64::try_from(usage.age.as_nanos()).unwrap_or(0);
            start.set(seconds(clock.wall().0.saturating_sub(age)));
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
        let Some(usage) = Usage::read() else { return };
        self.cpu.inc_by((usage.cpu.as_secs_f64() - self.cpu.get()).max(0.0));
        self.resident.set(usage.resident_bytes);
        self.virtual_memory.set(usage.virtual_bytes);
        self.open_fds.set(usage.open_files);
        self.max_fds.set(usage.most_open_files);
        self.threads.set(usage.threads);
    }
}
