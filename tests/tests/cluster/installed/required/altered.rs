//! Attempts that leave the sidecar's image as it is, and would have it run, believe or keep something else.

use super::bypassed::{ALTERED, VARIABLES, VOLUMES, push, sidecar};
use super::*;

const PROBES: &str =
    "the probes of Reeve's sidecar were altered: the kubelet asks its port 14020 for /started, /ready and /live";
const SETTINGS: &str = "the variables of Reeve's sidecar were altered: where it keeps what it knows, where it is asked, what it logs and what is mounted";
const PLACES: &str = "the volumes of Reeve's sidecar were altered: each is mounted whole, and where it was put: reeve-token at /var/run/reeve/token";

/// Each attempt, and what the API server says of it.
pub(super) const ATTEMPTS: [(&str, Alter, &str); 15] = [
    (
        "a program of the author's in place of its own",
        |pod| over(pod, &json!({"mountPath": "/usr/local/bin/reeve-sidecar", "subPath": "program"})),
        PLACES,
    ),
    ("a folder of the author's over its program's", |pod| over(pod, &json!({"mountPath": "/usr/local/bin"})), PLACES),
    (
        "a part of a volume, named by a variable",
        |pod| over(pod, &json!({"mountPath": "/var/run/reeve/servers/x", "subPathExpr": "$(REEVE_LOG)"})),
        PLACES,
    ),
    (
        "a forged cache",
        |pod| {
            sidecar(pod)["volumeMounts"][1]["mountPath"] = json!("/var/run/reeve/servers/elsewhere");
            over(pod, &json!({"mountPath": "/var/lib/reeve"}));
        },
        PLACES,
    ),
    ("no cache", |pod| drop(sidecar(pod)["volumeMounts"].as_array_mut().unwrap().remove(1)), PLACES),
    (
        "files that can be run",
        |pod| {
            over(pod, &json!({"mountPath": "/var/run/reeve/servers/x"}));
            let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
            volumes.last_mut().unwrap()["projected"]["defaultMode"] = json!(0o755);
        },
        VOLUMES,
    ),
    (
        "a probe that runs something",
        |pod| sidecar(pod)["livenessProbe"] = json!({"exec": {"command": ["/usr/local/bin/reeve-sidecar", "demo"]}}),
        PROBES,
    ),
    (
        "a probe that asks somebody else",
        |pod| sidecar(pod)["readinessProbe"]["httpGet"]["host"] = json!("10.0.0.9"),
        PROBES,
    ),
    ("another folder to run in", |pod| sidecar(pod)["workingDir"] = json!("/tmp"), ALTERED),
    (
        "a file of the kubelet's among what it keeps",
        |pod| sidecar(pod)["terminationMessagePath"] = json!("/var/lib/reeve/last-good"),
        ALTERED,
    ),
    ("another folder to keep things in", |pod| say(pod, "REEVE_CACHE_DIR", &json!({"value": "/tmp"})), SETTINGS),
    ("what is not mounted", |pod| say(pod, "REEVE_MOUNTS", &json!({"value": "imaging=credential"})), SETTINGS),
    ("nobody else asks it", |pod| say(pod, "REEVE_ADMIN", &json!({"value": "127.0.0.1:14020"})), SETTINGS),
    (
        "a setting twice",
        |pod| push(sidecar(pod), "env", json!({"name": "REEVE_CACHE_DIR", "value": "/tmp"})),
        VARIABLES,
    ),
    (
        "authorities from elsewhere",
        |pod| {
            let mine = json!({"valueFrom": {"configMapKeyRef": {"name": "mine", "key": "ca.crt"}}});
            say(pod, "REEVE_OPERATOR_CA", &mine);
        },
        VARIABLES,
    ),
];

/// Mounts a volume of the author's, under a name of the sidecar's, into the sidecar.
fn over(pod: &mut Value, place: &Value) {
    const NAME: &str = "reeve-server-0123456789abcdef";
    let sources = json!([{"configMap": {"name": "mine"}}]);
    push(&mut pod["spec"], "volumes", json!({"name": NAME, "projected": {"defaultMode": 0o644, "sources": sources}}));
    let mut mount = json!({"name": NAME});
    mount.as_object_mut().unwrap().extend(place.as_object().unwrap().clone());
    push(sidecar(pod), "volumeMounts", mount);
}

/// Gives a variable of the sidecar's another value.
fn say(pod: &mut Value, name: &str, value: &Value) {
    let variables = sidecar(pod)["env"].as_array_mut().unwrap();
    let variable = variables.iter_mut().find(|variable| variable["name"] == name).unwrap();
    *variable = json!({"name": name});
    variable.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
}
