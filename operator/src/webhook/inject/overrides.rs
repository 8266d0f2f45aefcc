//! What a pod's annotations say of its sidecar: what it may use, and how much it logs. Nothing else is the pod's to choose.

use serde_json::Value;

use super::settings::LOG_LEVELS;
use super::{RefusalReason, Refused, Resources, Settings, pod};

/// What begins the annotations of this module.
const PREFIX: &str = "reeve.dev/sidecar-";
const LOG_LEVEL: &str = "log-level";
/// What may follow [`PREFIX`].
const ACCEPTED: [&str; 5] = ["cpu-request", "cpu-limit", "memory-request", "memory-limit", LOG_LEVEL];

/// What one pod's sidecar is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// What it may use.
    pub(super) resources: Resources,
    /// How much it logs.
    pub(super) log_level: String,
}

/// The settings as this pod's annotations change them.
///
/// # Errors
/// An annotation that is unknown or cannot be followed.
pub(super) fn fit(pod: &Value, settings: &Settings) -> Result<Fit, Refused> {
    let mut fit = Fit { resources: settings.resources.clone(), log_level: settings.log_level.clone() };
    let annotations = pod::at(pod, "/metadata/annotations").and_then(Value::as_object);
    for (key, value) in annotations.into_iter().flatten() {
        let (Some(setting), Some(value)) = (key.strip_prefix(PREFIX), value.as_str()) else { continue };
        let value = value.to_owned();
        match setting {
            "cpu-request" => fit.resources.cpu_request = value,
            "cpu-limit" => fit.resources.cpu_limit = Some(value),
            "memory-request" => fit.resources.memory_request = value,
            "memory-limit" => fit.resources.memory_limit = value,
            LOG_LEVEL if LOG_LEVELS.contains(&value.as_str()) => fit.log_level = value,
            LOG_LEVEL => return Err(invalid(setting, &format!("is {value:?}: write {}", words(&LOG_LEVELS)))),
            _ => {
                let accepted: Vec<_> = ACCEPTED.iter().map(|name| format!("{PREFIX}{name}")).collect();
                let accepted: Vec<_> = accepted.iter().map(String::as_str).collect();
                return Err(invalid(
                    setting,
                    &format!("is no annotation that Reeve knows: write {}", words(&accepted)),
                ));
            }
        }
    }
    match fit.resources.fault() {
        Some((setting, why)) => Err(invalid(setting, &why)),
        None => Ok(fit),
    }
}

fn invalid(setting: &str, why: &str) -> Refused {
    Refused { reason: RefusalReason::InvalidAnnotation, message: format!("annotation {PREFIX}{setting} {why}") }
}

/// `a, b or c`.
fn words(list: &[&str]) -> String {
    match list {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => list.join(", "),
    }
}
