//! What is noted on a pod that has a sidecar.

use reeve_wire::document::Mounts;
use reeve_wire::pod::{CACHE_VOLUME, INJECTED_LABEL, MOUNTS_ANNOTATION, ROUTED_ANNOTATION};
use serde_json::Value;

use super::{Context, pod};

/// The annotation by which `kubectl logs` and `kubectl exec` choose a container.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The annotation that names volumes with which a node may still be emptied: the Cluster Autoscaler removes no node that has a pod with
/// any other `emptyDir`.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

/// Writes the label and the annotations.
pub(super) fn add(pod: &mut Value, routed: &[String], context: &Context<'_>) {
    let first = pod::list(pod::spec(pod), "containers").first().map(|container| pod::name(container).to_owned());
    if pod::object_made(pod, "metadata").is_none() {
        return;
    }
    let Some(metadata) = pod.get_mut("metadata") else { return };
    if let Some(labels) = pod::object_made(metadata, "labels") {
        labels.insert(INJECTED_LABEL.into(), "true".into());
    }
    if let Some(annotations) = pod::object_made(metadata, "annotations") {
        annotations.insert(ROUTED_ANNOTATION.into(), routed.join(",").into());
        annotations.insert(MOUNTS_ANNOTATION.into(), mounts(context).into());
        let safe = annotations.get(SAFE_TO_EVICT).and_then(Value::as_str).unwrap_or_default();
        let safe = with_cache(safe);
        annotations.insert(SAFE_TO_EVICT.into(), safe.into());
        if let Some(first) = first {
            annotations.entry(DEFAULT_CONTAINER).or_insert_with(|| first.into());
        }
    }
}

/// The volumes that are named, and the sidecar's cache: it loses nothing that a pod on another node could use.
fn with_cache(volumes: &str) -> String {
    let others = volumes.split(',').map(str::trim).filter(|volume| !volume.is_empty() && *volume != CACHE_VOLUME);
    others.chain([CACHE_VOLUME]).collect::<Vec<_>>().join(",")
}

/// What is mounted for each server that was declared when the pod was made.
pub(super) fn mounts(context: &Context<'_>) -> String {
    let each = context.servers.iter().map(|server| format!("{}={}", server.name, Mounts::of(&server.spec).as_str()));
    each.collect::<Vec<_>>().join(",")
}
