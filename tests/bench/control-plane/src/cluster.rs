//! The API server: objects as JSON, made, applied, read and watched.
//!
//! Whoever measures is a member of `system:masters`, whom the API server never keeps waiting for others; the operator is a
//! ServiceAccount, as it is in a cluster.

use futures_util::{Stream, StreamExt as _};
use http::{Method, Request};
use kube::Client;
use kube::api::WatchEvent;
use serde_json::{Value, json};

/// Requests at once, where many objects are made.
pub const AT_ONCE: usize = 16;
/// Who applies.
const MANAGER: &str = "reeve-bench";

/// A client of the API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Client);

impl Cluster {
    /// The cluster of `KUBECONFIG`.
    ///
    /// # Panics
    /// If there is none.
    pub async fn connect() -> Self {
        let client = Client::try_default().await.expect("KUBECONFIG names a cluster: tests/bench/run starts one");
        Self(client)
    }

    /// Reads an object; `path` is its own.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.0.request(request(Method::GET, path, "", Vec::new())).await;
        answer.unwrap_or_else(|error| panic!("GET {path} failed: {error}"))
    }

    /// Makes an object; `path` is that of its kind.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn create(&self, path: &str, object: &Value) -> Value {
        self.send(Method::POST, path, "application/json", object).await
    }

    /// Makes an object, or makes it what is given; `path` is that of its kind. What `kubectl apply --server-side` does.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn apply(&self, path: &str, object: &Value) -> Value {
        let name = object["metadata"]["name"].as_str().expect("what is applied has a name");
        let path = format!("{path}/{name}?fieldManager={MANAGER}&force=true");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", object).await
    }

    /// Changes what is given of an object; `path` is its own.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn merge(&self, path: &str, change: &Value) -> Value {
        self.send(Method::PATCH, path, "application/merge-patch+json", change).await
    }

    /// Deletes all of a kind in a namespace at once; `path` is that of the kind.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn delete_all(&self, path: &str) {
        self.send(Method::DELETE, path, "application/json", &json!({"gracePeriodSeconds": 0})).await;
    }

    /// A token of a ServiceAccount: of its own, or bound to a pod by name and UID.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn token(
        &self,
        namespace: &str,
        account: &str,
        audience: Option<&str>,
        pod: Option<(&str, &str)>,
    ) -> String {
        let bound = pod.map(|(name, uid)| json!({"kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid}));
        let audiences: Vec<_> = audience.into_iter().collect();
        let spec = json!({"audiences": audiences, "expirationSeconds": 4 * 3_600, "boundObjectRef": bound});
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.create(&path, &request).await;
        answer["status"]["token"].as_str().expect("a TokenRequest is answered with a token").to_owned()
    }

    /// The objects of a kind as they are now, and each as it changes. Ends when the API server ends it, within an hour.
    ///
    /// # Panics
    /// If the API server refuses, or says something else than events.
    pub async fn watch(&self, path: &str) -> impl Stream<Item = Value> + Send + use<> {
        let request = request(Method::GET, &format!("{path}?watch=true&timeoutSeconds=3600"), "", Vec::new());
        let events = self.0.request_events::<Value>(request).await;
        let events = events.unwrap_or_else(|error| panic!("{path} cannot be watched: {error}"));
        events.filter_map(async |event| match event.expect("a watch tells of events") {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => Some(object),
            WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => None,
            WatchEvent::Error(status) => panic!("a watch failed: {status:?}"),
        })
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: &Value) -> Value {
        let bytes = serde_json::to_vec(body).expect("JSON can be written");
        let answer = self.0.request(request(method.clone(), path, kind, bytes)).await;
        answer.unwrap_or_else(|error| panic!("{method} {path} failed: {error}"))
    }
}

fn request(method: Method, path: &str, kind: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    let builder = Request::builder().method(method).uri(path);
    let builder = if kind.is_empty() { builder } else { builder.header(http::header::CONTENT_TYPE, kind) };
    builder.body(body).expect("a path is a URI")
}
