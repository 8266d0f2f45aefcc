//! Events, as `kubectl describe` shows them of an object.

use serde_json::Value;

use super::Namespace;
use crate::eventually::eventually;

/// The words of an Event about an object, such as `Deployment/agent`, with this reason. Waits for it.
pub fn told(namespace: &Namespace, about: &str, reason: &str) -> String {
    eventually(&format!("an Event of {about} says {reason}"), || all(namespace, about, reason).pop())
}

/// The words of all Events about an object with this reason.
///
/// # Panics
/// If the object is not written as `Kind/name`.
pub fn all(namespace: &Namespace, about: &str, reason: &str) -> Vec<String> {
    let (kind, name) = about.split_once('/').expect("an object is written as Kind/name");
    let is_it = |event: &&Value| {
        let object = &event["involvedObject"];
        object["kind"] == kind && object["name"] == name && event["reason"] == reason
    };
    let events = namespace.list("events");
    events.iter().filter(is_it).filter_map(|event| event["message"].as_str()).map(str::to_owned).collect()
}
