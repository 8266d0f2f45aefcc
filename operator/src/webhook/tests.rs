//! Questions as the API server sends them, and the answers as it reads them.

pub(super) mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http_body_util::{BodyExt as _, Full};
use prometheus::{Encoder as _, Registry, TextEncoder};
use serde_json::{Value, json};

use self::world::{namespace_view, server_view};
use super::cluster::Named;
use super::inject::{Platform, Resources};
use super::review::UserInfo;
use super::*;
use crate::world::World;

/// A cluster whose answers are given.
#[derive(Default)]
struct Told {
    readable: Vec<String>,
    labels: BTreeMap<String, BTreeMap<String, String>>,
    asked: Mutex<Vec<String>>,
}

impl Cluster for Told {
    fn may_read<'a>(
        &'a self,
        user: &'a UserInfo,
        namespace: &'a str,
        object: &'a Named,
    ) -> BoxFuture<'a, Result<bool, String>> {
        self.asked.lock().unwrap().push(format!("{} {namespace}/{}/{}", user.username, object.resource, object.name));
        if object.name == "broken" {
            return ready(Err("the API server is away".into())).boxed();
        }
        ready(Ok(self.readable.contains(&object.name))).boxed()
    }

    fn namespace_labels<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        ready(self.labels.get(name).cloned().ok_or_else(|| "not found".into())).boxed()
    }
}

fn told() -> Told {
    let label = |value: &str| [("reeve.dev/inject".to_owned(), value.to_owned())].into();
    Told {
        readable: vec!["mine".into()],
        labels: [("clinic".to_owned(), label("enabled")), ("new".to_owned(), label("required"))].into(),
        asked: Mutex::default(),
    }
}

fn webhook(cluster: Told) -> Webhook {
    let mut world = World::default();
    let namespace = namespace_view("clinic", &[("reeve.dev/inject", "enabled")]);
    world.namespaces.insert(namespace.name.clone(), namespace);
    let server = server_view("clinic", "aws", "https://imaging.internal/mcp");
    world.servers.insert((server.namespace.clone(), server.name.clone()), server);
    let settings = Settings {
        image: "sidecar:1".into(),
        pull_policy: "IfNotPresent".into(),
        operator: "https://operator".into(),
        resources: Resources::default(),
        log_level: "info".into(),
        platform: Platform::Kubernetes,
        open_telemetry: std::collections::BTreeMap::new(),
    };
    Webhook::with(Arc::new(std::sync::RwLock::new(world)), settings, Arc::new(cluster))
}

async fn sent(webhook: &Webhook, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(path).body(Full::new(Bytes::from(body))).unwrap();
    let response = webhook.respond_to(request).await;
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn asked(webhook: &Webhook, path: &str, request: Value) -> Value {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let (status, body) = sent(webhook, Method::POST, path, review.to_string().into_bytes()).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&answer["apiVersion"], &answer["kind"]), (&review["apiVersion"], &review["kind"]));
    assert_eq!(answer["response"]["uid"], "u-1");
    answer["response"].clone()
}

#[expect(clippy::needless_pass_by_value, reason = "what is given is written where it is given")]
fn about_pod(namespace: &str, change: Value) -> Value {
    let mut request = json!({
        "uid": "u-1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": namespace,
        "userInfo": {"username": "alice"}, "dryRun": false, "oldObject": null,
        "object": {
            "metadata": {"generateName": "agent-", "managedFields": [{"manager": "m"}], "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "agent", "uid": "1", "controller": true}]},
            "spec": {"containers": [{"name": "agent", "env": [{"name": "U", "value": "https://imaging.internal/mcp"}]}]},
        },
    });
    json_patch::merge(&mut request, &change);
    request
}

fn patched(request: &Value, response: &Value) -> Value {
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut pod = request["object"].clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

#[tokio::test]
async fn a_pod_is_patched_once_and_not_again() {
    let webhook = webhook(told());
    webhook.trust("pem".into());
    let mut request = about_pod("clinic", json!({}));
    let response = asked(&webhook, INJECT_PATH, request.clone()).await;
    assert_eq!((&response["allowed"], &response["patchType"]), (&json!(true), &json!("JSONPatch")));
    let pod = patched(&request, &response);
    assert_eq!(pod["spec"]["initContainers"][0]["env"][1], json!({"name": "REEVE_OPERATOR_CA", "value": "pem"}));
    assert_eq!(pod["metadata"]["managedFields"], request["object"]["metadata"]["managedFields"]);
    request["object"] = pod;
    assert_eq!(asked(&webhook, INJECT_PATH, request).await, json!({"uid": "u-1", "allowed": true}));
}

#[tokio::test]
async fn what_is_no_new_pod_is_let_through() {
    let webhook = webhook(told());
    for change in
        [json!({"operation": "UPDATE"}), json!({"kind": {"kind": "Secret"}}), json!({"subResource": "binding"})]
    {
        let response = asked(&webhook, INJECT_PATH, about_pod("clinic", change)).await;
        assert_eq!(response, json!({"uid": "u-1", "allowed": true}));
    }
}

#[tokio::test]
async fn a_refused_pod_is_told_why() {
    let ports = json!({"object": {"spec": {"containers": [{"name": "agent", "ports": [{"containerPort": 14001}]}]}}});
    let response = asked(&webhook(told()), INJECT_PATH, about_pod("clinic", ports)).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().contains("port 14001 is the sidecar's"));
}

#[tokio::test]
async fn a_pod_declines_only_what_its_namespace_does_not_require_now() {
    let declines = json!({"object": {"metadata": {"labels": {"reeve.dev/inject": "false"}}}});
    let mut cluster = told();
    cluster.labels.insert("clinic".into(), [("reeve.dev/inject".to_owned(), "required".to_owned())].into());
    let response = asked(&webhook(cluster), INJECT_PATH, about_pod("clinic", declines.clone())).await;
    assert!(response["patch"].is_string(), "{response}");
    let response = asked(&webhook(told()), INJECT_PATH, about_pod("clinic", declines)).await;
    assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn a_namespace_that_is_not_known_yet_is_asked_for() {
    let response = asked(&webhook(told()), INJECT_PATH, about_pod("new", json!({}))).await;
    assert!(response["patch"].is_string(), "{response}");
    let response = asked(&webhook(told()), INJECT_PATH, about_pod("gone", json!({}))).await;
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(503)));
}

#[tokio::test]
async fn injections_are_counted_and_told_of_unless_nothing_is_stored() {
    let registry = Registry::new();
    let (notices, mut told_of) = mpsc::channel(4);
    let webhook = webhook(told()).counting(Metrics::new(&registry).unwrap()).telling(notices);
    asked(&webhook, INJECT_PATH, about_pod("clinic", json!({"dryRun": true}))).await;
    assert!(told_of.try_recv().is_err());
    asked(&webhook, INJECT_PATH, about_pod("clinic", json!({}))).await;
    assert!(format!("{:?}", told_of.try_recv().unwrap()).contains("\"Injected\""));
    asked(&webhook, INJECT_PATH, about_pod("clinic", json!({"object": {"spec": {"hostNetwork": true}}}))).await;
    assert!(format!("{:?}", told_of.try_recv().unwrap()).contains("\"InjectionSkipped\""));
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for line in [
        "reeve_injections_total{outcome=\"injected\",reason=\"Injected\"} 2",
        "reeve_injections_total{outcome=\"skipped\",reason=\"HostNetwork\"} 1",
        "reeve_webhook_duration_seconds_count{webhook=\"inject\"} 3",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

fn about(kind: &str, operation: &str, spec: Value, stored: Value) -> Value {
    let object = |spec: Value| {
        let metadata = json!({"name": "x", "namespace": "clinic", "uid": "7", "managedFields": []});
        if spec.is_null() {
            spec
        } else {
            json!({"apiVersion": "reeve.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
        }
    };
    json!({
        "uid": "u-1", "kind": {"group": "reeve.dev", "version": "v1alpha1", "kind": kind}, "operation": operation, "name": "x",
        "namespace": "clinic", "userInfo": {"username": "alice"}, "object": object(spec), "oldObject": object(stored),
    })
}

fn bad_policy() -> Value {
    json!({"serverRefs": [{"name": "aws"}], "rules": [{"name": "r", "tools": ["x"], "action": "Allow", "when": "args."}]})
}

#[tokio::test]
async fn a_bad_policy_is_refused_when_it_is_written() {
    let webhook = webhook(told());
    for (operation, stored) in [("CREATE", Value::Null), ("UPDATE", json!({"serverRefs": [{"name": "aws"}]}))] {
        let response = asked(&webhook, VALIDATE_PATH, about("McpPolicy", operation, bad_policy(), stored)).await;
        assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(422)));
        assert_eq!(response["status"]["details"]["causes"][0]["field"], "spec.rules[0].when");
    }
}

#[tokio::test]
async fn a_bad_policy_that_is_stored_can_be_labelled_and_deleted() {
    let webhook = webhook(told());
    for request in [
        about("McpPolicy", "UPDATE", bad_policy(), bad_policy()),
        about("McpPolicy", "DELETE", Value::Null, bad_policy()),
    ] {
        assert_eq!(asked(&webhook, VALIDATE_PATH, request).await["allowed"], true);
    }
}

#[tokio::test]
async fn a_secret_is_named_only_by_who_may_read_it() {
    let server =
        |secret: &str| json!({"url": "https://a/mcp", "credentials": {"secretRef": {"name": secret, "key": "k"}}});
    let webhook = webhook(told());
    let create = |spec: Value| about("McpServer", "CREATE", spec, Value::Null);
    assert_eq!(asked(&webhook, VALIDATE_PATH, create(server("mine"))).await["allowed"], true);
    let response = asked(&webhook, VALIDATE_PATH, create(server("others"))).await;
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(403)));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "McpServer x is refused: spec.credentials.secretRef: alice may not read secrets/others in namespace clinic"
        ),
        "{message}"
    );

    let mut elsewhere = server("others");
    elsewhere["url"] = "https://evil/mcp".into();
    let update = about("McpServer", "UPDATE", elsewhere, server("others"));
    assert_eq!(asked(&webhook, VALIDATE_PATH, update).await["allowed"], false);
    let mut slower = server("others");
    slower["timeouts"] = json!({"connect": "9s"});
    let update = about("McpServer", "UPDATE", slower, server("others"));
    assert_eq!(asked(&webhook, VALIDATE_PATH, update).await["allowed"], true);
}

#[tokio::test]
async fn if_nobody_can_say_whether_a_secret_may_be_read_it_may_not() {
    let server = json!({"url": "https://a/mcp", "credentials": {"secretRef": {"name": "broken", "key": "k"}}});
    let response = asked(&webhook(told()), VALIDATE_PATH, about("McpServer", "CREATE", server, Value::Null)).await;
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(503)));
}

#[tokio::test]
async fn what_is_no_question_is_answered_with_a_status() {
    let webhook = webhook(told());
    for (method, path, body, status) in [
        (Method::GET, INJECT_PATH, Vec::new(), StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/other", Vec::new(), StatusCode::NOT_FOUND),
        (Method::POST, VALIDATE_PATH, b"{".to_vec(), StatusCode::BAD_REQUEST),
        (Method::POST, INJECT_PATH, vec![b' '; question::LONGEST_BODY + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(sent(&webhook, method, path, body).await.0, status, "{path}");
    }
}

/// A question about a pod with a list of so many numbers in it.
fn about_a_long_pod(numbers: usize) -> Vec<u8> {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": about_pod("clinic", json!({"object": {"spec": {"x": vec![0; numbers]}}}))});
    review.to_string().into_bytes()
}

#[tokio::test]
async fn a_question_that_would_fill_the_memory_is_refused_and_counted_and_its_room_given_back() {
    let registry = Registry::new();
    let webhook = webhook(told()).counting(Metrics::new(&registry).unwrap());
    let free = webhook.inner.room.free();
    let (status, words) = sent(&webhook, Method::POST, INJECT_PATH, about_a_long_pod(2_000_000)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(String::from_utf8(words).unwrap().contains("make it smaller, or split it"));
    assert_eq!(sent(&webhook, Method::POST, INJECT_PATH, about_a_long_pod(20_000)).await.0, StatusCode::OK);
    assert_eq!(webhook.inner.room.free(), free);
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("reeve_injections_total{outcome=\"error\",reason=\"TooLarge\"} 1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn while_large_questions_hold_their_room_a_small_one_is_answered_and_a_large_one_told_to_come_again() {
    let webhook = webhook(told());
    let held = vec![webhook.inner.room.body(10 << 20).await.unwrap(), webhook.inner.room.body(6 << 20).await.unwrap()];
    let response = asked(&webhook, INJECT_PATH, about_pod("clinic", json!({}))).await;
    assert!(response["patch"].is_string(), "{response}");
    let request = Request::builder().method(Method::POST).uri(INJECT_PATH);
    let request = request.body(Full::new(Bytes::from(about_a_long_pod(400_000)))).unwrap();
    let response = webhook.respond_to(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    drop(held);
    assert_eq!(sent(&webhook, Method::POST, INJECT_PATH, about_a_long_pod(600_000)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_all_the_same() {
    let webhook = webhook(told());
    for path in [INJECT_PATH, VALIDATE_PATH] {
        for object in [json!(null), json!([]), json!("x"), json!({"spec": 1, "metadata": []})] {
            for kind in ["Pod", "McpPolicy", "ClusterMcpPolicy", "McpServer"] {
                let group = if kind == "Pod" { "" } else { "reeve.dev" };
                let kind = json!({"group": group, "kind": kind});
                asked(
                    &webhook,
                    path,
                    json!({"uid": "u-1", "operation": "CREATE", "namespace": "clinic", "kind": kind, "object": object}),
                )
                .await;
            }
        }
    }
}
