//! What is tried where no webhook is asked at all: its configuration is gone, and the API server is alone with what it holds.

use reeve_tests::cluster::Alone;

use super::*;

/// The manifest of the agent as the webhook makes it.
fn injected(namespace: &Namespace) -> Value {
    let mut pod = admitted(namespace, &agent(namespace, "agent"));
    let metadata = pod["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| ["name", "labels", "annotations"].contains(&field.as_str()));
    pod.as_object_mut().unwrap().remove("status");
    pod
}

/// What the sidecar's container is to be.
pub(super) fn sidecar(pod: &mut Value) -> &mut Value {
    &mut pod["spec"]["initContainers"][0]
}

/// Adds an element to a list, made if it is not there.
pub(super) fn push(of: &mut Value, list: &str, element: Value) {
    match of[list].as_array_mut() {
        Some(list) => list.push(element),
        None => of[list] = json!([element]),
    }
}

const MISSING: &str =
    "this namespace requires Reeve's sidecar, and the pod does not have it as its first init container";
pub(super) const ALTERED: &str =
    "this namespace requires Reeve's sidecar as it was put into the pod: its container reeve-sidecar was altered";
pub(super) const VARIABLES: &str =
    "the variables of Reeve's sidecar were altered: it takes its configuration from the operator alone";
const TRACED: &str =
    "the variables of Reeve's sidecar were altered: where calls are traced to is said by sidecar.openTelemetry";
const MOUNTED: &str = "a container mounts a volume of Reeve's sidecar";
pub(super) const VOLUMES: &str = "the volumes of Reeve's sidecar were altered";
const AROUND: &str = "this namespace requires Reeve's sidecar, and the pod could reach around or into it";
const USER: &str = "user 7338 is Reeve's sidecar's: run the container as another user";

/// Each attempt, and what the API server says of it.
const ATTEMPTS: [(&str, Alter, &str); 25] = [
    ("no sidecar", |pod| pod["spec"]["initContainers"] = json!([]), MISSING),
    (
        "another container before it",
        |pod| {
            let mut first = pod["spec"]["containers"][0].clone();
            first["name"] = json!("first");
            pod["spec"]["initContainers"].as_array_mut().unwrap().insert(0, first);
        },
        MISSING,
    ),
    (
        "another image",
        |pod| sidecar(pod)["image"] = json!("reeve.test/busybox:1"),
        "this namespace requires Reeve's sidecar with the image ghcr.io/reeve-dev/reeve-sidecar:0.1.0",
    ),
    (
        "a name of the operator that leads elsewhere",
        |pod| {
            let names = json!(["reeve-operator.reeve-system.svc"]);
            push(&mut pod["spec"], "hostAliases", json!({"ip": "10.0.0.9", "hostnames": names}));
        },
        "hostAliases of the pod name the operator",
    ),
    ("a command", |pod| sidecar(pod)["command"] = json!(["/usr/local/bin/reeve-sidecar", "demo"]), ALTERED),
    ("arguments", |pod| sidecar(pod)["args"] = json!(["demo", "--serve", "127.0.0.1:14001"]), ALTERED),
    ("a hook", |pod| sidecar(pod)["lifecycle"] = json!({"postStart": {"exec": {"command": ["x"]}}}), ALTERED),
    (
        "it ends before the agent begins",
        |pod| {
            let sidecar = sidecar(pod).as_object_mut().unwrap();
            for field in ["restartPolicy", "startupProbe", "readinessProbe", "livenessProbe"] {
                sidecar.remove(field);
            }
        },
        ALTERED,
    ),
    ("another user", |pod| sidecar(pod)["securityContext"]["runAsUser"] = json!(65532), ALTERED),
    ("variables from elsewhere", |pod| sidecar(pod)["envFrom"] = json!([{"configMapRef": {"name": "mine"}}]), ALTERED),
    (
        "another operator",
        |pod| {
            let variables = sidecar(pod)["env"].as_array_mut().unwrap();
            let operator = variables.iter_mut().find(|variable| variable["name"] == "REEVE_OPERATOR").unwrap();
            operator["value"] = json!("https://mine.default.svc");
        },
        VARIABLES,
    ),
    (
        "another operator beside the right one",
        |pod| {
            push(sidecar(pod), "env", json!({"name": "REEVE_OPERATOR", "value": "https://mine.default.svc"}));
        },
        VARIABLES,
    ),
    (
        "policies of its own",
        |pod| push(sidecar(pod), "env", json!({"name": "REEVE_POLICY", "value": "/mine"})),
        VARIABLES,
    ),
    (
        "another collector",
        |pod| push(sidecar(pod), "env", json!({"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://mine:4318"})),
        TRACED,
    ),
    (
        "its token mounted elsewhere",
        |pod| {
            push(
                &mut pod["spec"]["containers"][0],
                "volumeMounts",
                json!({"name": "reeve-token", "mountPath": "/stolen"}),
            );
        },
        MOUNTED,
    ),
    (
        "a folder of the agent's for what it keeps",
        |pod| {
            push(&mut pod["spec"], "volumes", json!({"name": "shared", "emptyDir": {}}));
            push(&mut pod["spec"]["containers"][0], "volumeMounts", json!({"name": "shared", "mountPath": "/shared"}));
            sidecar(pod)["volumeMounts"][1]["name"] = json!("shared");
        },
        VOLUMES,
    ),
    (
        "a folder of the node's for what it keeps",
        |pod| {
            let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
            *volumes.iter_mut().find(|volume| volume["name"] == "reeve-cache").unwrap() =
                json!({"name": "reeve-cache", "hostPath": {"path": "/tmp"}});
        },
        VOLUMES,
    ),
    (
        "a token of its audience",
        |pod| {
            push(&mut pod["spec"], "volumes", token("reeve-operator")[0].clone());
        },
        "a volume asks for a token of audience reeve-operator: only Reeve's sidecar may have one",
    ),
    ("its processes shared", |pod| pod["spec"]["shareProcessNamespace"] = json!(true), AROUND),
    ("the node's processes", |pod| pod["spec"]["hostPID"] = json!(true), AROUND),
    ("the node's network", |pod| pod["spec"]["hostNetwork"] = json!(true), AROUND),
    ("the agent as its user", |pod| pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = json!(7338), USER),
    ("every container as its user", |pod| pod["spec"]["securityContext"]["runAsUser"] = json!(7338), USER),
    (
        "no label",
        |pod| {
            pod["metadata"]["labels"].as_object_mut().unwrap().remove("reeve.dev/injected");
        },
        "the label reeve.dev/injected of a pod is Reeve's, and cannot be removed",
    ),
    (
        "a label that lies",
        |pod| pod["metadata"]["labels"]["reeve.dev/injected"] = json!("false"),
        "the label reeve.dev/injected of a pod is Reeve's, and cannot be removed",
    ),
];

#[test]
fn the_api_server_refuses_by_name_what_no_webhook_was_asked_about() {
    let alone = Alone::new(&[REQUIRED]);
    let changed = installed::changed(&alone);
    let (honest, elsewhere) = (injected(&alone), alone.another(&[ENABLED]));
    changed.forget_injection();
    let missed: Vec<_> = ATTEMPTS
        .into_iter()
        .chain(altered::ATTEMPTS)
        .filter_map(|(what, alter, words)| {
            let mut pod = honest.clone();
            alter(&mut pod);
            let apply = ["--namespace", &alone.name, "apply", "--dry-run=server", "--filename", "-"];
            let said = kubectl::fed(&apply, &pod);
            let is_named = |said: &str| said.contains("'reeve-required-sidecar'") && said.contains(words);
            (!said.as_ref().is_err_and(|said| is_named(said))).then(|| format!("{what}: {words}\nis not in\n{said:?}"))
        })
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let plain = alone.refused(agent(&alone, "plain"));
    assert!(plain.contains(MISSING), "{plain}");
    // What the webhook made is admitted as it is, and where nothing is required anything is.
    alone.apply(&honest);
    Pod::named(&alone, "agent").ready();
    elsewhere.apply(agent(&elsewhere, "plain"));
}
