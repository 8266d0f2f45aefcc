//! One kind of object, as the API server tells of it: listed, then watched.
//!
//! ```text
//! list, page by page ─► Change::All ─► watch from the list's version ─► Set, Gone, Bookmark ─► …
//!        ▲                                      │
//!        └── 410 Gone, or told to read anew ────┴── anything else that ends it: watch again from the last version
//! ```
//!
//! It is done here rather than by a library because a configuration must say which version of the world it was made from: the list's
//! own, each object's, and each bookmark's. Objects arrive as text and are read one by one, so that one that cannot be read stops
//! nothing but itself.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use reeve_process::back_off::upper_half;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};

use super::{KubernetesError, back_off, within};
use crate::control::Input;
use crate::metrics::Metrics;
use crate::readiness::Awaited;
use crate::world::Change;

/// Objects of one page: a list of large objects stays a few megabytes at a time.
const PAGE: u32 = 500;
/// How long one watch is asked for, in seconds.
const WATCH_SECONDS: u32 = 290;
/// Bookmarks come about once a minute: whoever is silent for longer than this is gone without having said so.
const SILENCE: Duration = Duration::from_secs(100);
/// The least time between two lists that were asked for, so that many sidecars' asking costs one.
const LIST_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// What is watched, and what becomes of it.
pub struct Kind<View> {
    /// For logs and metrics: `mcppolicies`.
    pub name: &'static str,
    /// Where the API server has them.
    pub path: String,
    /// Which of them, by fields; empty for all.
    pub fields: &'static str,
    /// What an object's appearance or disappearance means; nothing if it does not concern the operator.
    pub change: Reader<View>,
    /// What `control` is told.
    pub input: fn(Change<View>) -> Input,
}

/// Reads what became of an object.
pub type Reader<View> = Box<dyn FnMut(&RawValue, Fate) -> Result<Option<Change<View>>, String> + Send>;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    Present,
    /// It is gone; what is read is its last state.
    Gone,
}

/// Watches one kind.
pub struct Watch<View> {
    kind: Kind<View>,
    client: Client,
    inputs: mpsc::Sender<Input>,
    reread: Arc<Notify>,
    metrics: Arc<Metrics>,
    /// Until the first list was told.
    listed: Option<Awaited>,
}

/// Nobody takes what is told any more: the process ends.
struct Closed;

/// Why a watch ended.
enum Ended {
    /// To be watched again from where it was.
    Resume,
    /// To be listed again, since a sidecar knows what is newer.
    Asked,
}

/// Why a list is needed.
#[derive(Clone, Copy, Debug)]
enum Relist {
    /// A sidecar knows what is newer.
    Asked,
    /// The API server no longer knows the version.
    Forgotten,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// What every object has.
#[derive(Deserialize)]
struct Named {
    metadata: NamedMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NamedMeta {
    name: String,
    namespace: Option<String>,
    resource_version: String,
}

impl<View: Send> Watch<View> {
    /// One that has not begun. A permit of `reread` makes it list again; `listed` is reached with the first list.
    pub fn new(
        kind: Kind<View>,
        client: Client,
        inputs: mpsc::Sender<Input>,
        reread: Arc<Notify>,
        metrics: Arc<Metrics>,
        listed: Awaited,
    ) -> Self {
        Self { kind, client, inputs, reread, metrics, listed: Some(listed) }
    }

    /// Watches until nobody takes what is told.
    pub async fn run(mut self) {
        let mut waits = back_off();
        loop {
            let begun = Instant::now();
            match self.list().await {
                Ok(listed) => {
                    self.metrics.reconciled(self.kind.name, begun.elapsed());
                    waits.reset();
                    let Ok(version) = self.tell_all(listed).await else { return };
                    let Ok(why) = self.follow(version, begun + LIST_AT_MOST_EVERY).await else { return };
                    tracing::info!(kind = self.kind.name, ?why, "listing again");
                    if matches!(why, Relist::Forgotten) {
                        tokio::time::sleep(LIST_AT_MOST_EVERY.saturating_sub(begun.elapsed())).await;
                    }
                }
                Err(error) => {
                    let wait = waits.wait();
                    self.metrics.failed(self.kind.name, error.reason());
                    let hint = if error.is_missing() { ": is its definition installed?" } else { "" };
                    let kind = self.kind.name;
                    tracing::warn!(kind, %error, ?wait, "the list cannot be read, what was known stays in force{hint}");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// All objects and the version of the list. Without a version asked for, the answer is as new as the moment of asking.
    async fn list(&mut self) -> Result<(Vec<Box<RawValue>>, String), KubernetesError> {
        let request = Request::new(&*self.kind.path);
        let mut parameters = ListParams::default().limit(PAGE);
        if !self.kind.fields.is_empty() {
            parameters = parameters.fields(self.kind.fields);
        }
        let mut objects = Vec::new();
        loop {
            let page: Page = within(self.client.request(request.list(&parameters)?)).await?;
            objects.extend(page.items);
            match page.metadata.next.filter(|next| !next.is_empty()) {
                Some(next) => parameters = parameters.continue_token(&next),
                None => return Ok((objects, page.metadata.resource_version)),
            }
        }
    }

    async fn tell_all(&mut self, (objects, version): (Vec<Box<RawValue>>, String)) -> Result<String, Closed> {
        let count = objects.len();
        let present = |change| match change {
            Change::Set(view) => Some(view),
            _ => None,
        };
        let objects = objects
            .iter()
            .filter_map(|object| self.kind.read(object, Fate::Present, &self.metrics))
            .filter_map(present)
            .collect();
        tracing::info!(kind = self.kind.name, objects = count, version, "listed");
        self.tell(Change::All { objects, version: number(&version) }).await?;
        if let Some(listed) = self.listed.take() {
            listed.reached();
        }
        Ok(version)
    }

    /// Follows what changes until a list is needed; says why. None is made because it was asked for before `earliest`.
    async fn follow(&mut self, mut version: String, earliest: Instant) -> Result<Relist, Closed> {
        let reread = Arc::clone(&self.reread);
        let asked = async move {
            reread.notified().await;
            tokio::time::sleep_until(earliest.into()).await;
        };
        let mut asked = std::pin::pin!(asked);
        let mut waits = back_off();
        loop {
            let before = version.clone();
            match self.watch(&mut version, asked.as_mut()).await? {
                Ok(Ended::Asked) => return Ok(Relist::Asked),
                Ok(Ended::Resume) if version != before => waits.reset(),
                Ok(Ended::Resume) => {}
                Err(error) if error.code() == Some(410) => return Ok(Relist::Forgotten),
                Err(error) => {
                    self.metrics.failed(self.kind.name, error.reason());
                    tracing::warn!(kind = self.kind.name, %error, "the watch ended");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(waits.wait()) => {}
                () = asked.as_mut() => return Ok(Relist::Asked),
            }
        }
    }

    /// One watch, to its end. `version` goes along with what is told.
    async fn watch(
        &mut self,
        version: &mut String,
        mut asked: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Result<Ended, KubernetesError>, Closed> {
        let mut parameters = WatchParams { timeout: Some(WATCH_SECONDS), ..WatchParams::default() };
        if !self.kind.fields.is_empty() {
            parameters = parameters.fields(self.kind.fields);
        }
        let request = match Request::new(&*self.kind.path).watch(&parameters, version) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.into())),
        };
        let stream = match within(self.client.request_events::<Box<RawValue>>(request)).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        let mut stream = std::pin::pin!(stream);
        loop {
            let event = tokio::select! {
                event = tokio::time::timeout(upper_half(SILENCE * 2), stream.next()) => event,
                () = asked.as_mut() => return Ok(Ok(Ended::Asked)),
            };
            match event {
                Ok(Some(Ok(WatchEvent::Error(status)))) => return Ok(Err(kube::Error::Api(status).into())),
                Ok(Some(Ok(event))) => {
                    if let Some(change) = self.kind.change_of(&event, version, &self.metrics) {
                        self.tell(change).await?;
                    }
                }
                Ok(Some(Err(error))) => return Ok(Err(error.into())),
                Ok(None) | Err(_) => return Ok(Ok(Ended::Resume)),
            }
        }
    }

    async fn tell(&mut self, change: Change<View>) -> Result<(), Closed> {
        self.inputs.send((self.kind.input)(change)).await.map_err(|_| Closed)
    }
}

impl<View> Kind<View> {
    /// What an event of a watch means. `version` goes along.
    fn change_of(
        &mut self,
        event: &WatchEvent<Box<RawValue>>,
        version: &mut String,
        metrics: &Metrics,
    ) -> Option<Change<View>> {
        let (object, fate) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, Fate::Present),
            WatchEvent::Deleted(object) => (object, Fate::Gone),
            WatchEvent::Bookmark(bookmark) => {
                version.clone_from(&bookmark.metadata.resource_version);
                return Some(Change::Bookmark(number(version)));
            }
            WatchEvent::Error(_) => return None,
        };
        if let Ok(named) = serde_json::from_str::<Named>(object.get()) {
            *version = named.metadata.resource_version;
        }
        self.read(object, fate, metrics)
    }

    fn read(&mut self, object: &RawValue, fate: Fate, metrics: &Metrics) -> Option<Change<View>> {
        let why = match (self.change)(object, fate) {
            Ok(change) => return change,
            Err(why) => why,
        };
        let NamedMeta { name, namespace, .. } =
            serde_json::from_str::<Named>(object.get()).map(|named| named.metadata).unwrap_or_default();
        metrics.failed(self.name, "unreadable");
        tracing::error!(kind = self.name, name, namespace, why, "an object cannot be read, and is passed over");
        None
    }
}

/// Versions are whole numbers that only grow (since Kubernetes 1.35 by contract, before that in fact).
fn number(version: &str) -> u64 {
    version.parse().unwrap_or_else(|_| {
        tracing::error!(version, "a resource version is no number: configurations made from it count as old");
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::kinds;
    use crate::world::NamespaceView;

    struct Seen {
        kind: Kind<NamespaceView>,
        version: String,
        metrics: Arc<Metrics>,
    }

    impl Seen {
        fn new() -> Self {
            Self { kind: kinds::namespaces(), version: "1".into(), metrics: Metrics::new().unwrap() }
        }

        /// What a line of the API server's means, as it stands on the wire.
        fn line(&mut self, line: &str) -> Option<Change<NamespaceView>> {
            self.kind.change_of(&serde_json::from_str(line).unwrap(), &mut self.version, &self.metrics)
        }
    }

    fn namespace(event: &str, version: u64) -> String {
        format!(
            r#"{{"type":"{event}","object":{{"kind":"Namespace","apiVersion":"v1","metadata":{{"name":"clinic","uid":"u","resourceVersion":"{version}"}}}}}}"#
        )
    }

    #[test]
    fn every_event_moves_the_version_from_which_the_watch_is_resumed() {
        let mut seen = Seen::new();
        assert!(matches!(seen.line(&namespace("ADDED", 5)), Some(Change::Set(view)) if view.version == 5));
        assert_eq!(seen.version, "5");
        assert!(matches!(seen.line(&namespace("MODIFIED", 6)), Some(Change::Set(view)) if view.version == 6));
        let bookmark = r#"{"type":"BOOKMARK","object":{"kind":"Namespace","apiVersion":"v1","metadata":{"resourceVersion":"90","creationTimestamp":null},"spec":{}}}"#;
        assert!(matches!(seen.line(bookmark), Some(Change::Bookmark(90))));
        assert_eq!(seen.version, "90");
        assert!(matches!(seen.line(&namespace("DELETED", 91)), Some(Change::Gone(view)) if view.version == 91));
        assert_eq!(seen.version, "91");
    }

    #[test]
    fn an_object_that_cannot_be_read_is_counted_and_passed_over() {
        let mut seen = Seen::new();
        let line =
            r#"{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"7","labels":["no map"]}}}"#;
        assert!(seen.line(line).is_none());
        assert_eq!(seen.version, "7", "the watch goes on after it");
        let text = String::from_utf8(seen.metrics.encode().unwrap()).unwrap();
        let counted = r#"reeve_operator_reconcile_errors_total{kind="namespaces",reason="unreadable"} 1"#;
        assert!(text.contains(counted), "{text}");
    }
}
