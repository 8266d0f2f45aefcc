//! The sidecar's container. Everything that the API server would fill in is written here, so that a pod that comes back from it
//! is not changed again.

use reeve_wire::pod::{
    ADMIN_PORT, CACHE_FOLDER, CACHE_VOLUME, CONTAINER, MOUNTS_VARIABLE, OPERATOR_CA_VARIABLE, OPERATOR_VARIABLE,
    SERVERS_FOLDER, TOKEN_FOLDER, TOKEN_VOLUME, UID,
};
use serde_json::{Map, Value, json};

use super::overrides::Fit;
use super::{Context, Platform, marks, pod, volumes};

/// The name of the port with probes and metrics.
pub const ADMIN_PORT_NAME: &str = "reeve-admin";

/// Puts the container before all others: it is ready before any of them starts, and outlives them.
pub(super) fn add(pod: &mut Value, fit: &Fit, context: &Context<'_>) {
    let container = container(fit, context);
    if let Some(first) = pod::object_made(pod, "spec").and_then(|spec| pod::list_made(spec, "initContainers")) {
        first.insert(0, container);
    }
}

fn container(fit: &Fit, context: &Context<'_>) -> Value {
    json!({
        "name": CONTAINER,
        "image": context.settings.image,
        "imagePullPolicy": context.settings.pull_policy,
        "restartPolicy": "Always",
        "env": environment(fit, context),
        "ports": [{"name": ADMIN_PORT_NAME, "containerPort": ADMIN_PORT, "protocol": "TCP"}],
        // A minute to start: it begins to serve after 10 s at the latest, whatever it has been given by then.
        "startupProbe": probe("/started", 1, 60),
        "readinessProbe": probe("/ready", 5, 3),
        "livenessProbe": probe("/live", 10, 3),
        "resources": resources(fit),
        "securityContext": security(context.settings.platform),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts(context),
    })
}

fn environment(fit: &Fit, context: &Context<'_>) -> Vec<Value> {
    let settings = context.settings;
    let mut variables = vec![
        (OPERATOR_VARIABLE, settings.operator.clone()),
        (MOUNTS_VARIABLE, marks::mounts(context)),
        // The kubelet and Prometheus come from outside of the pod, by whatever family its address has.
        ("REEVE_ADMIN", format!("[::]:{ADMIN_PORT}")),
        ("REEVE_CACHE_DIR", CACHE_FOLDER.to_owned()),
        ("REEVE_LOG", fit.log_level.clone()),
        ("REEVE_LOG_FORMAT", "json".to_owned()),
    ];
    if !context.authorities.is_empty() {
        variables.insert(1, (OPERATOR_CA_VARIABLE, context.authorities.to_owned()));
    }
    let traced = settings.open_telemetry.iter().map(|(name, value)| (name.as_str(), value.clone()));
    variables.into_iter().chain(traced).map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn probe(path: &str, period_seconds: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": ADMIN_PORT, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": period_seconds,
        "successThreshold": 1,
        "failureThreshold": failures,
    })
}

fn resources(fit: &Fit) -> Value {
    let given = &fit.resources;
    let mut limits = Map::new();
    limits.insert("memory".into(), given.memory_limit.as_str().into());
    if let Some(cpu) = &given.cpu_limit {
        limits.insert("cpu".into(), cpu.as_str().into());
    }
    json!({"requests": {"cpu": given.cpu_request, "memory": given.memory_request}, "limits": limits})
}

/// What the Pod Security Standard `restricted` asks of each container, and a root file system that nothing can be written to.
fn security(platform: Platform) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let (Platform::Kubernetes, Some(context)) = (platform, context.as_object_mut()) {
        context.insert("runAsUser".into(), UID.into());
        context.insert("runAsGroup".into(), UID.into());
    }
    context
}

fn mounts(context: &Context<'_>) -> Vec<Value> {
    let mut mounts = vec![
        json!({"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": true}),
        json!({"name": CACHE_VOLUME, "mountPath": CACHE_FOLDER}),
    ];
    for server in volumes::servers(context) {
        let path = format!("{SERVERS_FOLDER}/{}", server.name);
        mounts.push(json!({"name": volumes::name(&server.name), "mountPath": path, "readOnly": true}));
    }
    mounts
}
