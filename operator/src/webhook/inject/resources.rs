//! Room for the sidecar in a pod that says as a whole what it may use (`spec.resources`).
//!
//! The API server refuses a pod whose containers request more together than the pod does, or than it is limited to. One that was
//! sized to its containers is given as much more as the sidecar lacks; one that has room is left as it is.

use serde_json::Value;

use super::pod;
use super::quantity::{self, Kind};

const RESOURCES: [(&str, Kind); 2] = [("cpu", Kind::Cpu), ("memory", Kind::Memory)];

/// Raises what a pod with its sidecar, the first init container, requests and is limited to. What was too little for the pod's own
/// containers stays: the API server says so.
pub(super) fn make_room(pod: &mut Value) {
    if pod::at(pod, "/spec/resources").is_none() {
        return;
    }
    for (resource, kind) in RESOURCES {
        let init = pod::list(pod::spec(pod), "initContainers");
        let Some(needed) = requested(pod, init, resource) else { continue };
        let Some(without) = requested(pod, init.get(1..).unwrap_or_default(), resource) else { continue };
        for field in ["requests", "limits"] {
            let given = pod.pointer_mut(&format!("/spec/resources/{field}/{resource}"));
            let Some(given) = given else { continue };
            let Some(has) = quantity::read(given) else { continue };
            if (without..needed).contains(&has) {
                *given = quantity::write(needed, kind).into();
            }
        }
    }
}

/// What the pod's containers request together, in billionths, with these init containers: those that stay are added to what runs after
/// them, of the others the largest counts. `None`: something is no quantity, or too much.
fn requested(pod: &Value, init: &[Value], resource: &str) -> Option<u128> {
    let (mut staying, mut starting) = (0_u128, 0_u128);
    for container in init {
        let own = request(container, resource)?;
        if pod::text(container, "/restartPolicy") == Some("Always") {
            staying = staying.checked_add(own)?;
            starting = starting.max(staying);
        } else {
            starting = starting.max(staying.checked_add(own)?);
        }
    }
    let running = pod::list(pod::spec(pod), "containers").iter();
    let together =
        running.map(|container| request(container, resource)).try_fold(staying, |sum, own| sum.checked_add(own?))?;
    Some(together.max(starting))
}

/// What a container requests: what it is limited to where it does not say.
fn request(container: &Value, resource: &str) -> Option<u128> {
    let given = |field: &str| container.get("resources")?.get(field)?.get(resource);
    given("requests").or_else(|| given("limits")).map_or(Some(0), quantity::read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What becomes of a pod's resources beside a sidecar that requests 10m and 32Mi, an init container that requests 96Mi and ends, and
    /// one container that requests this.
    fn made(whole: &Value, own: &Value) -> Value {
        let sidecar = json!({"restartPolicy": "Always",
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}});
        let init = json!({"resources": {"limits": {"memory": "96Mi"}}});
        let mut pod = json!({"spec": {"resources": whole, "initContainers": [sidecar, init],
            "containers": [{"resources": {"requests": own}}]}});
        make_room(&mut pod);
        let once = pod.clone();
        make_room(&mut pod);
        assert_eq!(pod, once, "a second pass changes nothing");
        pod["spec"]["resources"].take()
    }

    #[test]
    fn a_pod_that_was_sized_to_its_containers_is_given_what_the_sidecar_requests() {
        let own = json!({"cpu": "1", "memory": "0.125Gi"});
        assert_eq!(
            made(&json!({"requests": {"cpu": "1", "memory": "128Mi"}, "limits": {"memory": "150Mi"}}), &own),
            json!({"requests": {"cpu": "1010m", "memory": "160Mi"}, "limits": {"memory": "160Mi"}})
        );
        assert_eq!(
            made(&json!({"requests": {"memory": "96Mi"}}), &json!({"memory": "1000"})),
            json!({"requests": {"memory": "128Mi"}}),
            "the init container runs beside the sidecar"
        );
    }

    #[test]
    fn a_pod_with_room_or_too_little_of_its_own_is_left_as_it_is() {
        let own = json!({"cpu": "1", "memory": "128Mi"});
        for whole in [
            json!({}),
            json!({"requests": {"cpu": "2", "memory": "160Mi"}, "limits": {"memory": "1Gi"}}),
            json!({"requests": {"cpu": "999m", "memory": "127Mi"}}),
            json!({"requests": {"cpu": "much", "memory": {}}, "limits": []}),
        ] {
            assert_eq!(made(&whole, &own), whole);
        }
        let unreadable = json!({"memory": "much"});
        assert_eq!(made(&json!({"requests": {"memory": "96Mi"}}), &unreadable)["requests"]["memory"], "96Mi");
    }
}
