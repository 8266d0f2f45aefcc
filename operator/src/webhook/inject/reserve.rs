//! Takes out of a pod what it brought under reserved names: it is replaced, never trusted.
//!
//! What is ours from an earlier pass goes as well, and is made anew; so nothing depends on who put it there.

use reeve_wire::pod::{CACHE_VOLUME, CONTAINER, RESERVED_PREFIX, SERVER_VOLUME_PREFIX, TOKEN_VOLUME};
use serde_json::Value;

use super::pod::{self, CONTAINER_LISTS};

/// Removes containers and volumes with reserved names, and every use of such volumes. Gives a warning for each that is not
/// replaced by something of the same name.
pub(super) fn take_back(pod: &mut Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(spec) = pod.get_mut("spec") else { return warnings };
    for field in CONTAINER_LISTS {
        for name in remove_reserved(spec, field) {
            if name != CONTAINER {
                warnings.push(format!(
                    "container {name} was taken out of the pod: names that begin with {RESERVED_PREFIX} are reserved, so give it another"
                ));
            }
        }
    }
    for name in remove_reserved(spec, "volumes") {
        if !is_replaced(&name) {
            warnings.push(format!(
                "volume {name} was taken out of the pod: names that begin with {RESERVED_PREFIX} are reserved, so give it another"
            ));
        }
    }
    for container in pod::containers_mut(pod) {
        for field in ["volumeMounts", "volumeDevices"] {
            for volume in remove_reserved(container, field) {
                warnings.push(format!(
                    "container {} no longer mounts {volume}: names that begin with {RESERVED_PREFIX} are reserved for the sidecar",
                    pod::name(container)
                ));
            }
        }
    }
    warnings
}

/// Removes what has a reserved name from a list, and gives those names. A list that becomes empty goes, too, so that a pod
/// without init containers looks the same before and after.
fn remove_reserved(of: &mut Value, field: &str) -> Vec<String> {
    let Some(list) = pod::list_mut(of, field) else { return Vec::new() };
    let mut removed = Vec::new();
    list.retain(|element| {
        let is_reserved = pod::name(element).starts_with(RESERVED_PREFIX);
        if is_reserved {
            removed.push(pod::name(element).to_owned());
        }
        !is_reserved
    });
    if list.is_empty() && !removed.is_empty() && field != "containers" {
        of.as_object_mut().and_then(|of| of.remove(field));
    }
    removed
}

fn is_replaced(volume: &str) -> bool {
    volume == TOKEN_VOLUME || volume == CACHE_VOLUME || volume.starts_with(SERVER_VOLUME_PREFIX)
}
