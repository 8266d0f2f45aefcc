//! What is the same for every pod: what the operator was told when it was installed.

use std::collections::BTreeMap;

use super::quantity::{self, Kind};

/// What is the same for all pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The sidecar's image. No pod has a say in it.
    pub image: String,
    /// When the image is pulled: `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// The operator's URL for sidecars.
    pub operator: String,
    /// What a sidecar may use, where the pod does not say.
    pub resources: Resources,
    /// How much a sidecar logs, where the pod does not say: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// What assigns the sidecar's user.
    pub platform: Platform,
    /// The sidecar's variables of OpenTelemetry. No pod has a say in them either.
    pub open_telemetry: BTreeMap<String, String>,
}

/// What a container may use, as quantities of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The processor time that is kept for it.
    pub cpu_request: String,
    /// The most processor time. Unset: whatever is free, as a limit delays calls while the node is idle.
    pub cpu_limit: Option<String>,
    /// The memory that is kept for it.
    pub memory_request: String,
    /// The most memory.
    pub memory_limit: String,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu_request: "10m".into(), cpu_limit: None, memory_request: "32Mi".into(), memory_limit: "256Mi".into() }
    }
}

/// What assigns users to containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// The pod does: the sidecar has a user of its own.
    #[default]
    Kubernetes,
    /// The namespace has a range of users, and a pod that asks for another is refused. The sidecar then runs as its agent does.
    OpenShift,
}

/// The words for how much is logged, from least to most.
pub(super) const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The least memory that a sidecar may be limited to.
const LEAST_MEMORY: &str = "32Mi";

impl Resources {
    /// What is wrong with them, if anything: the resource and the reason, in words that follow its name.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let cpu = |text: &str| quantity::parse(text, Kind::Cpu);
        let memory = |text: &str| quantity::parse(text, Kind::Memory);
        let check = || -> Result<(), (&'static str, String)> {
            let cpu_request = cpu(&self.cpu_request).map_err(|why| ("cpu-request", why))?;
            let memory_request = memory(&self.memory_request).map_err(|why| ("memory-request", why))?;
            let memory_limit = memory(&self.memory_limit).map_err(|why| ("memory-limit", why))?;
            if let Some(limit) = &self.cpu_limit {
                let most = cpu(limit).map_err(|why| ("cpu-limit", why))?;
                if cpu_request > most {
                    return Err(("cpu-request", above(&self.cpu_request, "cpu-limit", limit)));
                }
            }
            if memory(LEAST_MEMORY).is_ok_and(|least| memory_limit < least) {
                let why = format!("is {:?}, and a sidecar needs at least {LEAST_MEMORY}", self.memory_limit);
                return Err(("memory-limit", why));
            }
            if memory_request > memory_limit {
                return Err(("memory-request", above(&self.memory_request, "memory-limit", &self.memory_limit)));
            }
            Ok(())
        };
        check().err()
    }
}

fn above(request: &str, limit: &str, most: &str) -> String {
    format!("is {request:?}, more than the {limit}, which is {most:?}: lower it, or raise the limit")
}
