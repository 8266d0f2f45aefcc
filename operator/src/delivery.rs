//! Gives each sidecar its pod's configuration over `POST /v1/sync`, and hears what became of it.
//!
//! ```text
//!  control ── assignments ──► registry ◄─ subscribes ─┐
//!                                                     │                       ┌─ authenticate: whose token is it
//!  API server ◄── TokenReview ── review ◄─────────────┼── Delivery::respond ◄─┤
//!                                                     ▼                       └─ a request: a sidecar, or a replica
//!  control ◄── reports ◄── heard ◄── sidecar: dialogue (pure) + stream (bytes) + upkeep (pings, life)
//!     ▲                      │
//!     │                      └── link ── reports ──► the leader's replica: its control
//!     └── replica: what another replica's link says, if this one leads
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `registry` | what each pod is to be given; who is woken when it changes |
//! | `authenticate`, `claims`, `review`, `verdicts` | a token → the pod that it is bound to, remembered until it expires |
//! | `admit`, `refusal` | who is let in, and why others are not |
//! | `dialogue` | a sidecar's stream without the stream: lines in, lines out |
//! | `stream`, `upkeep` | lines over a body that may be slow or silent; pings, bounded life |
//! | `sidecar`, `replica` | the loops of both kinds of stream |
//! | `heard` | the last that each sidecar said, for any number of readers |
//! | `link` | a follower's stream to the leader |
//!
//! A pod is given what the registry holds for the UID of its token, and nothing else; no request names a pod.

mod admit;
mod authenticate;
mod claims;
mod dialogue;
mod heard;
mod link;
mod metrics;
mod refusal;
mod registry;
mod replica;
mod reread;
mod review;
mod sidecar;
mod stream;
mod upkeep;
mod verdicts;

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use reeve_wire::world::Kind;
use reeve_wire::{LONGEST_TO_OPERATOR, PING_EVERY, SILENCE};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;

use self::admit::Admitted;
use self::authenticate::{Authenticator, Caller};
use self::heard::{Heard, Reader};
use self::replica::{Replica, Replicas};
use self::reread::Reread;
use self::sidecar::Sidecar;
use self::stream::{End, Limits, Stream, written_body};
use self::upkeep::Upkeep;
use crate::control::Input;
use crate::http::Body;

pub use self::authenticate::ServiceAccount;
pub use self::link::{Leader, Link};
pub use self::metrics::Metrics;
pub use self::registry::Registry;
pub use self::review::{Cluster, Review, Reviewer};

/// How often pods that are gone are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);
/// How many reports are taken from the table at once.
const REPORTS: usize = 256;

/// What happens when.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A stream that says no hello for so long ends.
    pub hello_within: Duration,
    /// A ping is sent so often.
    pub ping_every: Duration,
    /// A stream that says nothing for so long ends.
    pub silence: Duration,
    /// A stream ends whose sidecar does not answer a configuration for so long. Longer than to compile the largest.
    pub answer_within: Duration,
    /// A stream lives about so long: three quarters to five quarters of it, so that load spreads over replicas anew.
    pub life: Duration,
    /// A stream that was asked to leave is ended after so long.
    pub retire_within: Duration,
    /// A pod that is not known is waited for so long: its sidecar may be faster than the watch.
    pub pod_within: Duration,
    /// How many streams there may be at once.
    pub most_streams: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello_within: Duration::from_secs(5),
            ping_every: PING_EVERY,
            silence: SILENCE,
            answer_within: Duration::from_secs(30),
            life: Duration::from_secs(30 * 60),
            retire_within: Duration::from_secs(5),
            pod_within: Duration::from_secs(2),
            most_streams: 20_000,
        }
    }
}

/// What delivery works with.
pub struct Parts {
    /// What each pod is to be given.
    pub registry: Arc<Registry>,
    /// Who can tell whose token it is.
    pub reviewer: Arc<dyn Reviewer>,
    /// The name of this replica's pod.
    pub replica: Arc<str>,
    /// The operator's own ServiceAccount: who has it is a replica.
    pub account: ServiceAccount,
    /// The authorities, PEM, by which sidecars know the operator from now on.
    pub trust: watch::Receiver<Arc<str>>,
    /// To `control`: what was heard.
    pub reports: mpsc::Sender<Input>,
    /// To the watches: what has to be read anew, because a sidecar runs what is newer.
    pub reread: mpsc::Sender<Kind>,
    /// What is counted.
    pub metrics: Metrics,
    /// What happens when.
    pub timing: Timing,
}

/// Serves `/v1/sync`. Cheap to copy.
#[derive(Clone)]
pub struct Delivery(Arc<Office>);

/// What all streams share.
struct Office {
    registry: Arc<Registry>,
    authenticator: Authenticator,
    replica: Arc<str>,
    account: ServiceAccount,
    trust: watch::Receiver<Arc<str>>,
    reports: mpsc::Sender<Input>,
    reread: Reread,
    metrics: Metrics,
    timing: Timing,
    heard: Heard,
    /// Over how long those who are asked to leave are spread, once this replica ends.
    draining: watch::Sender<Option<Duration>>,
    streams: Arc<Semaphore>,
    /// The other replicas that report to this one.
    replicas: Replicas,
    /// When a refusal was last written into the log.
    complained: Mutex<Option<Instant>>,
}

impl Delivery {
    /// With these parts. [`Self::run`] is to run as long as it serves.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Office {
            registry: parts.registry,
            authenticator: Authenticator::new(parts.reviewer),
            replica: parts.replica,
            account: parts.account,
            trust: parts.trust,
            reports: parts.reports,
            reread: Reread::new(parts.reread),
            metrics: parts.metrics,
            timing: parts.timing,
            heard: Heard::default(),
            draining: watch::Sender::new(None),
            streams: Arc::new(Semaphore::new(parts.timing.most_streams as usize)),
            replicas: Replicas::default(),
            complained: Mutex::new(None),
        }))
    }

    /// Answers a request at [`reeve_wire::PATH`]. A stream that is begun goes on in a task of its own.
    pub async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        self.answer(request).await
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        match self.0.admit(&request).await {
            Ok((caller, admitted, place)) => self.begin(request.into_body(), caller, admitted, place),
            Err(refusal) => {
                self.0.complain(&refusal);
                refusal.response(Duration::from_secs(1))
            }
        }
    }

    /// Carries what is heard to `control`, and to the leader if that is another replica. Does not end while `control` listens.
    pub async fn run(&self, link: Link) {
        let office = &*self.0;
        tokio::select! {
            () = office.carry() => {}
            () = link.run(&office.heard, &office.timing) => {}
            () = office.forget() => {}
        }
    }

    /// Asks every sidecar to connect to another replica, spread over a time, takes no new ones, and waits until they have left.
    /// Whoever does not is cut off by the streams' own bounds.
    pub async fn drain(&self, spread: Duration) {
        self.0.draining.send_replace(Some(spread));
        // Fails only if it is closed, which it never is.
        let _ = self.0.streams.acquire_many(self.0.timing.most_streams).await;
    }

    fn begin<B>(&self, body: B, caller: Caller, admitted: Admitted, place: OwnedSemaphorePermit) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Display,
    {
        let office = Arc::clone(&self.0);
        let (out, answer) = written_body();
        let limits = Limits { longest: LONGEST_TO_OPERATOR, silence: office.timing.silence };
        let stream = Stream::new(body, out, limits);
        let token_lives = Duration::try_from(caller.expires.duration_since(Timestamp::now())).unwrap_or_default();
        let upkeep = Upkeep::new(office.timing, token_lives, office.draining.subscribe());
        tokio::spawn(async move {
            let end = match admitted {
                Admitted::Sidecar(subscription) => {
                    Sidecar { pod: caller.uid.clone(), subscription, stream, upkeep }.run(&office).await
                }
                Admitted::Replica => {
                    let name = caller.pod.as_str().into();
                    Replica { name, stream, upkeep }.run(&office).await
                }
            };
            office.ended(&caller, &end);
            drop(place);
        });
        let mut response = Response::new(answer);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reeve_wire::CONTENT_TYPE));
        response
    }
}

impl Office {
    fn ended(&self, caller: &Caller, end: &End) {
        let reason = end.reason();
        self.metrics.ended(reason);
        let (namespace, pod) = (&caller.account.namespace, &caller.pod);
        if end.is_fault() {
            tracing::warn!(namespace, pod, reason, "ended a stream: {end}");
        } else {
            tracing::debug!(namespace, pod, reason, "a stream ended: {end}");
        }
    }

    /// Tells this replica's own `control` what is heard here.
    async fn carry(&self) {
        let mut changes = self.heard.watch();
        let mut reader = Reader::default();
        loop {
            let reports = self.heard.read(&mut reader, REPORTS);
            if reports.is_empty() && changes.changed().await.is_err() {
                return;
            }
            for report in reports {
                let input = Input::Report { replica: Arc::clone(&self.replica), report };
                if self.reports.send(input).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn forget(&self) {
        let mut every = tokio::time::interval(FORGET_EVERY);
        loop {
            every.tick().await;
            self.heard.retain(|pod| self.registry.has(pod));
        }
    }
}

#[cfg(test)]
mod tests;
