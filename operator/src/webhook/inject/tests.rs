//! What a pod looks like once it was injected, and which pods are not.

mod conflicting;
mod routing;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

pub(super) fn settings() -> Settings {
    Settings {
        image: "registry.example/reeve-sidecar@sha256:aa".into(),
        pull_policy: "IfNotPresent".into(),
        operator: "https://reeve-operator.reeve-system.svc:9443".into(),
        resources: Resources::default(),
        log_level: "info".into(),
        platform: Platform::Kubernetes,
        open_telemetry: BTreeMap::new(),
    }
}

pub(super) fn server(name: &str, spec: Value) -> Server {
    Server { name: name.into(), spec: Arc::new(serde_json::from_value(spec).unwrap()) }
}

pub(super) fn servers() -> Vec<Server> {
    let aws = json!({
        "url": "https://imaging.internal/mcp",
        "tls": {"caBundle": {"kind": "ConfigMap", "name": "authorities", "key": "bundle.pem"}, "clientCertificate": {"name": "client"}},
        "credentials": {"secretRef": {"name": "aws", "key": "token"}, "prefix": "Bearer "},
    });
    vec![server("aws", aws), server("search", json!({"url": "http://search.tools.svc.cluster.local:8080"}))]
}

/// Injects into a pod of a namespace with this label and the two servers.
fn inject_in(label: Option<&str>, pod: &Value) -> Outcome {
    let (servers, settings) = (servers(), settings());
    inject(pod, &Context { namespace_label: label, ..context(&servers, &settings) })
}

/// In a namespace whose pods are given sidecars.
pub(super) fn context<'a>(servers: &'a [Server], settings: &'a Settings) -> Context<'a> {
    Context {
        namespace: "clinic",
        namespace_label: Some("enabled"),
        servers,
        settings,
        authorities: "-----BEGIN CERTIFICATE-----",
    }
}

fn injected_in(label: &str, pod: &Value) -> Injected {
    match inject_in(Some(label), pod) {
        Outcome::Injected(injected) => injected,
        other => panic!("{other:?}"),
    }
}

fn injected(pod: &Value) -> Injected {
    injected_in("enabled", pod)
}

fn refused_in(label: &str, pod: &Value) -> (RefusalReason, String) {
    match inject_in(Some(label), pod) {
        Outcome::Refused(refused) => (refused.reason, refused.message),
        other => panic!("{other:?}"),
    }
}

fn skipped_in(label: Option<&str>, pod: &Value) -> SkipReason {
    match inject_in(label, pod) {
        Outcome::Skipped(skipped) => skipped.reason,
        other => panic!("{other:?}"),
    }
}

/// The pod of a Deployment with one container, as changed.
fn pod(change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "agent-7f9-", "labels": {"app": "agent"}},
        "spec": {"containers": [{"name": "agent", "image": "agent:1", "env": [
            {"name": "MCP_URL", "value": "https://Imaging.internal:443/mcp/"}, {"name": "OTHER", "value": "x"},
        ]}]},
    });
    change(&mut pod);
    pod
}

fn plain() -> Value {
    pod(|_| {})
}

#[test]
fn the_sidecar_is_the_first_init_container_and_stays() {
    let init = json!([{"name": "migrate", "image": "m"}]);
    let pod = injected(&pod(|pod| pod["spec"]["initContainers"] = init)).pod;
    let sidecar = &pod["spec"]["initContainers"][0];
    assert_eq!(sidecar["name"], "reeve-sidecar");
    assert_eq!(sidecar["restartPolicy"], "Always");
    assert_eq!(sidecar["image"], settings().image);
    assert_eq!(sidecar["lifecycle"], Value::Null);
    assert_eq!(sidecar["terminationMessagePolicy"], "FallbackToLogsOnError");
    assert_eq!(pod["spec"]["initContainers"][1]["name"], "migrate");
}

#[test]
fn the_sidecar_meets_every_field_of_the_restricted_standard() {
    let pod = injected(&plain()).pod;
    assert_eq!(
        pod["spec"]["initContainers"][0]["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": 7338,
            "runAsGroup": 7338,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    assert_eq!(pod["spec"]["securityContext"], Value::Null, "the agent's own containers are left alone");
}

#[test]
fn on_openshift_the_namespace_chooses_the_user() {
    let (servers, mut settings) = (servers(), settings());
    settings.platform = Platform::OpenShift;
    let context = context(&servers, &settings);
    let own_user = pod(|pod| pod["spec"]["securityContext"] = json!({"runAsUser": 7338}));
    let Outcome::Injected(Injected { pod, .. }) = inject(&own_user, &context) else { panic!() };
    let security = &pod["spec"]["initContainers"][0]["securityContext"];
    assert_eq!((&security["runAsUser"], &security["runAsGroup"]), (&Value::Null, &Value::Null));
    assert_eq!(security["runAsNonRoot"], true);
}

#[test]
fn where_calls_are_traced_to_is_not_the_pods_to_say() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let brought = pod(|pod| {
        let env = json!([{"name": ENDPOINT, "value": "http://evil:4318"}, {"name": "OTEL_SERVICE_NAME", "value": "x"}]);
        pod["spec"]["initContainers"] = json!([{"name": "reeve-sidecar", "image": "x", "env": env}]);
    });
    let traced = |settings: &Settings| {
        let servers = servers();
        let Outcome::Injected(Injected { pod, .. }) = inject(&brought, &context(&servers, settings)) else { panic!() };
        assert_eq!(pod["spec"]["initContainers"].as_array().unwrap().len(), 1);
        let env = pod["spec"]["initContainers"][0]["env"].as_array().unwrap().clone();
        env.into_iter().filter(|variable| variable["name"].as_str().unwrap().starts_with("OTEL_")).collect::<Vec<_>>()
    };
    assert_eq!(traced(&settings()), Vec::<Value>::new());
    let collector = "http://collector:4318";
    let on = Settings { open_telemetry: BTreeMap::from([(ENDPOINT.into(), collector.into())]), ..settings() };
    assert_eq!(traced(&on), [json!({"name": ENDPOINT, "value": collector})]);
}

#[test]
fn probes_are_on_the_admin_port() {
    let pod = injected(&plain()).pod;
    let sidecar = &pod["spec"]["initContainers"][0];
    for (probe, path) in [("startupProbe", "/started"), ("readinessProbe", "/ready"), ("livenessProbe", "/live")] {
        assert_eq!(sidecar[probe]["httpGet"], json!({"path": path, "port": 14020, "scheme": "HTTP"}));
    }
    assert_eq!(
        (&sidecar["startupProbe"]["periodSeconds"], &sidecar["startupProbe"]["failureThreshold"]),
        (&json!(1), &json!(60))
    );
    assert_eq!(sidecar["ports"], json!([{"name": ADMIN_PORT_NAME, "containerPort": 14020, "protocol": "TCP"}]));
    assert!(ADMIN_PORT_NAME.len() <= 15, "Kubernetes refuses longer names of ports");
}

#[test]
fn requests_and_limits_are_set_and_annotations_change_them() {
    let resources = |pod: &Value| injected(pod).pod["spec"]["initContainers"][0]["resources"].clone();
    assert_eq!(
        resources(&plain()),
        json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}})
    );
    let annotations = json!({
        "reeve.dev/sidecar-cpu-request": "50m", "reeve.dev/sidecar-cpu-limit": "1",
        "reeve.dev/sidecar-memory-request": "64Mi", "reeve.dev/sidecar-memory-limit": "1Gi",
    });
    assert_eq!(
        resources(&pod(|pod| pod["metadata"]["annotations"] = annotations)),
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}})
    );
}

#[test]
fn the_log_level_is_the_pods_to_choose() {
    let annotated = pod(|pod| pod["metadata"]["annotations"] = json!({"reeve.dev/sidecar-log-level": "debug"}));
    assert_eq!(variable_of(&injected(&annotated).pod["spec"]["initContainers"][0], "REEVE_LOG"), "debug");
    assert_eq!(variable_of(&injected(&plain()).pod["spec"]["initContainers"][0], "REEVE_LOG"), "info");
}

#[test]
fn an_annotation_that_cannot_be_followed_is_refused_with_what_is_accepted() {
    for (key, value, told) in [
        ("cpu-request", "lots", "annotation reeve.dev/sidecar-cpu-request is \"lots\": write processors from 1m to 64"),
        ("cpu-request", "2", ""),
        (
            "memory-limit",
            "16Mi",
            "annotation reeve.dev/sidecar-memory-limit is \"16Mi\", and a sidecar needs at least 32Mi",
        ),
        (
            "memory-request",
            "512Mi",
            "is \"512Mi\", more than the memory-limit, which is \"256Mi\": lower it, or raise the limit",
        ),
        (
            "log-level",
            "loud",
            "annotation reeve.dev/sidecar-log-level is \"loud\": write error, warn, info, debug or trace",
        ),
        (
            "image",
            "evil",
            "annotation reeve.dev/sidecar-image is no annotation that Reeve knows: write reeve.dev/sidecar-cpu-request, ",
        ),
    ] {
        let annotated = pod(|pod| pod["metadata"]["annotations"] = json!({format!("reeve.dev/sidecar-{key}"): value}));
        match inject_in(Some("enabled"), &annotated) {
            Outcome::Refused(refused) => {
                assert_eq!(refused.reason, RefusalReason::InvalidAnnotation);
                assert!(!told.is_empty() && refused.message.contains(told), "{}", refused.message);
            }
            other => assert!(told.is_empty() && matches!(other, Outcome::Injected(_)), "{key} {value}"),
        }
    }
}

#[test]
fn only_the_sidecar_mounts_the_token_the_cache_and_the_secrets() {
    let pod = injected(&plain()).pod;
    let volume = |name: &str| {
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(
        volume("reeve-token")["projected"]["sources"],
        json!([{"serviceAccountToken": {"audience": "reeve-operator", "expirationSeconds": 3600, "path": "token"}}])
    );
    assert_eq!(volume("reeve-cache")["emptyDir"], json!({"sizeLimit": "256Mi"}));
    let name = volumes::name("aws");
    assert_eq!(
        volume(&name)["projected"]["sources"],
        json!([
            {"configMap": {"name": "authorities", "items": [{"key": "bundle.pem", "path": "ca.crt"}], "optional": true}},
            {"secret": {"name": "client", "items": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}], "optional": true}},
            {"secret": {"name": "aws", "items": [{"key": "token", "path": "credential"}], "optional": true}},
        ])
    );
    assert_eq!(
        pod["spec"]["initContainers"][0]["volumeMounts"],
        json!([
            {"name": "reeve-token", "mountPath": "/var/run/reeve/token", "readOnly": true},
            {"name": "reeve-cache", "mountPath": "/var/lib/reeve"},
            {"name": name, "mountPath": "/var/run/reeve/servers/aws", "readOnly": true},
        ])
    );
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"], Value::Null);
}

#[test]
fn the_sidecar_is_told_where_the_operator_is_and_what_is_mounted() {
    let pod = injected(&plain()).pod;
    let sidecar = &pod["spec"]["initContainers"][0];
    for (name, value) in [
        ("REEVE_OPERATOR", settings().operator.as_str()),
        ("REEVE_OPERATOR_CA", "-----BEGIN CERTIFICATE-----"),
        ("REEVE_ADMIN", "[::]:14020"),
        ("REEVE_CACHE_DIR", "/var/lib/reeve"),
    ] {
        assert_eq!(variable_of(sidecar, name), value);
    }
    let mounts = variable_of(sidecar, "REEVE_MOUNTS");
    assert_eq!(pod["metadata"]["annotations"]["reeve.dev/mounts"], mounts);
    assert!(mounts.starts_with("aws=") && mounts.ends_with(",search=none"), "{mounts}");
}

/// The value of a variable of a container; empty if it has none.
fn variable_of<'a>(container: &'a Value, name: &str) -> &'a str {
    let variables = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
    let variable = variables.iter().find(|variable| variable["name"] == name);
    variable.and_then(|variable| variable["value"].as_str()).unwrap_or_default()
}

#[test]
fn a_node_may_be_emptied_though_its_sidecars_have_a_cache() {
    const SAFE: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
    let safe = |annotations: Value| {
        let pod = injected(&pod(|pod| pod["metadata"]["annotations"] = annotations)).pod;
        pod["metadata"]["annotations"][SAFE].clone()
    };
    assert_eq!(safe(json!({})), "reeve-cache");
    assert_eq!(safe(json!({SAFE: "scratch, tmp"})), "scratch,tmp,reeve-cache");
    assert_eq!(safe(json!({SAFE: "reeve-cache,scratch"})), "scratch,reeve-cache");
}

#[test]
fn kubectl_goes_on_to_mean_the_agents_container() {
    let pod_of = |annotations: Value| injected(&pod(|pod| pod["metadata"]["annotations"] = annotations)).pod;
    let chosen = |pod: &Value| pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].clone();
    assert_eq!(chosen(&pod_of(json!({}))), "agent");
    assert_eq!(chosen(&pod_of(json!({"kubectl.kubernetes.io/default-container": "own"}))), "own");
}

#[test]
fn a_namespace_without_servers_has_sidecars_all_the_same() {
    let settings = settings();
    let context = Context {
        namespace: "clinic",
        namespace_label: Some("enabled"),
        servers: &[],
        settings: &settings,
        authorities: "",
    };
    let bare = pod(|pod| {
        pod["spec"]["containers"][0] = json!({"name": "agent"});
    });
    let Outcome::Injected(injected) = inject(&bare, &context) else { panic!() };
    assert_eq!(injected.pod["spec"]["containers"], bare["spec"]["containers"]);
    assert_eq!(injected.pod["metadata"]["annotations"]["reeve.dev/mounts"], "");
    assert_eq!(variable_of(&injected.pod["spec"]["initContainers"][0], "REEVE_OPERATOR_CA"), "");
}

#[test]
fn whatever_the_document_is_nothing_breaks() {
    for pod in
        [json!(null), json!([]), json!({}), json!({"spec": []}), json!({"metadata": 1, "spec": {"containers": {}}})]
    {
        inject_in(Some("required"), &pod);
    }
    let odd = json!({"metadata": {"labels": 3}, "spec": {"initContainers": {}, "volumes": 1, "containers": [{"env": {}}, 7, null]}});
    inject_in(Some("required"), &odd);
}
