//! Events, in the form of `events.k8s.io/v1`: those that follow from statuses are told by the leader alone, those of injections by the
//! replica that injected.
//!
//! What repeats within a while becomes a series of one Event, as the API asks for: a count and the time of the last. Telling is worth
//! little by itself, so an Event that cannot be told is dropped, and told of in the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::leader::Leadership;
use super::{KubernetesError, within};
use crate::events::{Event, EventKind};
use crate::metrics::Metrics;

/// Who tells.
const CONTROLLER: &str = "reeve.dev/operator";
/// How long a repetition belongs to the Event before it.
const SERIES: Duration = Duration::from_secs(360);
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1_024;
/// How many Events are remembered for their series.
const REMEMBERED: usize = 4_096;

/// What was told, for its repetitions.
#[derive(Debug)]
struct Told {
    name: String,
    count: i32,
    last: Instant,
}

/// What to send for an Event.
#[derive(Debug, PartialEq)]
enum Send {
    /// The first of its kind.
    Create(Value),
    /// One more of the Event of this name.
    Repeat(String, Value),
}

/// Turns Events into what is sent.
#[derive(Debug, Default)]
struct Series(BTreeMap<Event, Told>);

impl Series {
    fn take(&mut self, event: &Event, replica: &str, now: Timestamp, instant: Instant) -> Send {
        self.0.retain(|_, told| instant.duration_since(told.last) < SERIES);
        if let Some(told) = self.0.get_mut(event) {
            told.count += 1;
            told.last = instant;
            let series = json!({"count": told.count, "lastObservedTime": MicroTime(now)});
            return Send::Repeat(told.name.clone(), json!({"series": series}));
        }
        let name = name(&event.regarding.name, now);
        if self.0.len() < REMEMBERED {
            self.0.insert(event.clone(), Told { name: name.clone(), count: 1, last: instant });
        }
        Send::Create(object(event, &name, replica, now))
    }
}

/// Which replica tells.
#[derive(Debug)]
pub enum Teller {
    /// The leader: what follows from statuses.
    Leader(watch::Receiver<Leadership>),
    /// Each: what it did itself.
    Each,
}

impl Teller {
    fn tells(&self) -> bool {
        match self {
            Self::Leader(leadership) => leadership.borrow().leads(Instant::now()),
            Self::Each => true,
        }
    }
}

/// Tells what arrives, while this replica is the one to tell, until nobody sends any more.
pub async fn run(
    client: Client,
    replica: Arc<str>,
    mut events: mpsc::Receiver<Event>,
    teller: Teller,
    metrics: Arc<Metrics>,
) {
    let mut series = Series::default();
    while let Some(event) = events.recv().await {
        if !teller.tells() {
            continue;
        }
        let send = series.take(&event, &replica, Timestamp::now(), Instant::now());
        if let Err(error) = tell(&client, &event, &send).await {
            // Told anew, as another Event, if it repeats: this one may have been removed meanwhile.
            series.0.remove(&event);
            metrics.failed("events", error.reason());
            tracing::warn!(reason = event.reason, regarding = %event.regarding.name, %error, "an Event cannot be told");
        }
    }
}

async fn tell(client: &Client, event: &Event, send: &Send) -> Result<(), KubernetesError> {
    let request = Request::new(format!("/apis/events.k8s.io/v1/namespaces/{}/events", namespace(event)));
    let request = match send {
        Send::Create(object) => request.create(&PostParams::default(), object.to_string().into_bytes())?,
        Send::Repeat(name, patch) => request.patch(name, &PatchParams::default(), &Patch::Merge(patch))?,
    };
    within(client.request::<Value>(request)).await.map(drop)
}

/// The object's name and the time, as Events are named; no longer than a name may be.
fn name(regarding: &str, now: Timestamp) -> String {
    let short: String = regarding.chars().take(220).collect();
    format!("{}.{:x}", short.trim_end_matches(['-', '.']), now.as_nanosecond())
}

/// Events of what has no namespace are in `default`, as those of nodes.
fn namespace(event: &Event) -> &str {
    event.regarding.namespace.as_deref().unwrap_or("default")
}

fn object(event: &Event, name: &str, replica: &str, now: Timestamp) -> Value {
    let regarding = &event.regarding;
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace(event)},
        "eventTime": MicroTime(now),
        "type": match event.kind {
            EventKind::Normal => "Normal",
            EventKind::Warning => "Warning",
        },
        "reason": event.reason,
        "action": event.action,
        "note": shortened(&event.message),
        "reportingController": CONTROLLER,
        "reportingInstance": replica,
        "regarding": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
    })
}

fn shortened(note: &str) -> String {
    const MARK: &str = "…";
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let most = LONGEST_NOTE - MARK.len();
    let end = (0..=most).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MARK}", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Regarding;

    fn event(message: &str) -> Event {
        Event {
            regarding: Regarding {
                api_version: "reeve.dev/v1alpha1".into(),
                kind: "McpPolicy".into(),
                namespace: Some("clinic".into()),
                name: "imaging".into(),
                uid: "u1".into(),
            },
            kind: EventKind::Warning,
            reason: "UnprotectedPods",
            action: "Programming",
            message: message.into(),
        }
    }

    #[test]
    fn what_repeats_within_a_while_is_one_event_that_counts() {
        let (mut series, now, instant) = (Series::default(), Timestamp::UNIX_EPOCH, Instant::now());
        let Send::Create(first) = series.take(&event("a"), "reeve-0", now, instant) else { panic!() };
        assert_eq!((&first["reason"], &first["regarding"]["uid"]), (&json!("UnprotectedPods"), &json!("u1")));
        let Send::Repeat(name, patch) = series.take(&event("a"), "reeve-0", now, instant + SERIES / 2) else {
            panic!()
        };
        assert_eq!((json!(name), &patch["series"]["count"]), (first["metadata"]["name"].clone(), &json!(2)));
        assert!(
            matches!(series.take(&event("b"), "reeve-0", now, instant), Send::Create(_)),
            "other words are another"
        );
        assert!(matches!(series.take(&event("a"), "reeve-0", now, instant + SERIES * 2), Send::Create(_)));
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let note = shortened(&"é".repeat(1_000));
        assert!(note.len() <= LONGEST_NOTE && note.ends_with("é…"), "{}", note.len());
        assert_eq!(shortened("short"), "short");
    }
}
