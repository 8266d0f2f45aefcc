//! The admission webhooks: the API server asks here before it stores a pod or an object of Reeve's.
//!
//! ```text
//! POST /inject   ──► review ──► inject   (pure) ──► answer: a patch, or a refusal; a notice for an Event, once the pod was seen
//! POST /validate ──► review ──► validate (pure) ──► answer: accepted or refused, with warnings
//!                                  └─ may the requester read what a server names? ──► rights ──► cluster
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`review`] | the API server's question, and the answer to it |
//! | [`inject`] | a pod → the pod with a sidecar |
//! | [`patch`] | the one and the other → what the API server changes |
//! | [`validate`] | an object of Reeve's → what is wrong with it |
//! | [`cluster`] | what has to be asked of the API server meanwhile |
//! | [`notice`] | what becomes an Event |
//! | [`metrics`] | what is counted |
//! | `rights`, `labels` | whether a requester may read an object, and what a namespace says now: asked within bounds |
//! | `allowance` | those bounds |
//! | `room`, `question` | how much of all questions may be held at once, and the reading of one within it |
//!
//! What cannot be decided is refused: a pod that is to have a sidecar never starts without one.

pub mod cluster;
pub mod inject;
pub mod metrics;
pub mod notice;
pub mod patch;
pub mod review;
#[cfg(test)]
mod tests;
pub mod validate;

mod admit_object;
mod admit_pod;
mod allowance;
mod labels;
mod question;
mod rights;
mod room;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use kube::Client;
use tokio::sync::{Semaphore, mpsc};

use self::cluster::{ApiServer, Cluster};
use self::inject::Settings;
use self::labels::Namespaces;
use self::metrics::{Metrics, Which};
use self::notice::Notice;
use self::question::{Question, Unread};
use self::review::{Answer, Refusal};
use self::rights::Rights;
use self::room::Room;
use crate::http::{Body, whole};
use crate::world::SharedWorld;

/// The path at which pods are asked about.
pub const INJECT_PATH: &str = "/inject";
/// The path at which objects of Reeve's are asked about.
pub const VALIDATE_PATH: &str = "/validate";

/// The most bytes of memory that all questions take together that are asked and not answered yet.
pub const MOST_HELD: usize = room::MOST;
/// How long an answer may take: less than the API server waits, so that it is told why.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// How many objects are checked at once. Checking one takes a processor for as long as it takes to compile it.
const CHECKS_AT_ONCE: usize = 2;

/// Answers the API server. Cheap to copy.
#[derive(Clone)]
pub struct Webhook {
    inner: Arc<Inner>,
}

struct Inner {
    world: SharedWorld,
    settings: Settings,
    /// The authorities, PEM, by which sidecars know the operator.
    authorities: ArcSwap<String>,
    cluster: Arc<dyn Cluster>,
    metrics: Option<Metrics>,
    notices: Option<mpsc::Sender<Notice>>,
    checks: Arc<Semaphore>,
    rights: Rights,
    namespaces: Namespaces,
    room: Room,
}

impl Webhook {
    /// Answers by what is known of the world, which has to be synced before the first question.
    pub fn new(world: SharedWorld, settings: Settings, client: Client) -> Self {
        Self::with(world, settings, Arc::new(ApiServer(client)))
    }

    /// The same with something else for the API server.
    pub fn with(world: SharedWorld, settings: Settings, cluster: Arc<dyn Cluster>) -> Self {
        let inner = Inner {
            world,
            settings,
            authorities: ArcSwap::default(),
            cluster,
            metrics: None,
            notices: None,
            checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
            rights: Rights::default(),
            namespaces: Namespaces::default(),
            room: Room::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Counts here. To be called before the first copy is made.
    #[must_use]
    pub fn counting(mut self, metrics: Metrics) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.metrics = Some(metrics);
        }
        self
    }

    /// Tells here of injections, as far as there is room. To be called before the first copy is made.
    #[must_use]
    pub fn telling(mut self, notices: mpsc::Sender<Notice>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.notices = Some(notices);
        }
        self
    }

    /// From now on sidecars are told to know the operator by these authorities (PEM).
    pub fn trust(&self, authorities: String) {
        self.inner.authorities.store(Arc::new(authorities));
    }

    /// Answers a request to one of the two paths.
    pub async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        self.respond_to(request).await
    }

    /// The same for any body.
    async fn respond_to<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let which = match request.uri().path() {
            INJECT_PATH => Which::Inject,
            VALIDATE_PATH => Which::Validate,
            path => {
                return plain(
                    StatusCode::NOT_FOUND,
                    &format!("{path} is no webhook: {INJECT_PATH} and {VALIDATE_PATH} are"),
                );
            }
        };
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "write POST");
            response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("POST"));
            return response;
        }
        let question = question::read(request.into_body(), &self.inner.room, ANSWER_WITHIN).await;
        let Question { review, _held } = match question {
            Ok(question) => question,
            Err(unread) => return self.inner.unread(which, unread),
        };
        let begun = Instant::now();
        let answer = self.inner.answer(which, &review).await;
        let response = json(answer.write(&review));
        if let Some(metrics) = &self.inner.metrics {
            metrics.answered(which, begun.elapsed());
        }
        response
    }
}

impl Inner {
    async fn answer(&self, which: Which, review: &review::Request) -> Answer {
        let answer = async {
            match which {
                Which::Inject => self.admit_pod(review).await,
                Which::Validate => self.admit_object(review).await,
            }
        };
        if let Ok(answer) = tokio::time::timeout(ANSWER_WITHIN, answer).await {
            return answer;
        }
        let name = review.name.as_deref().unwrap_or_default();
        tracing::warn!(
            kind = review.kind.kind,
            namespace = review.namespace(),
            name,
            "a webhook's answer took too long"
        );
        match which {
            Which::Inject => self.count_injection("error", "Timeout"),
            Which::Validate => self.count_validation(review, "error"),
        }
        let message = format!(
            "Reeve could not decide on {} {name} within {} s: try again, and if it is a large policy, split it",
            review.kind.kind,
            ANSWER_WITHIN.as_secs()
        );
        Answer::refused(Refusal::unavailable(message))
    }

    fn unread(&self, which: Which, Unread { status, message, bound }: Unread) -> Response<Body> {
        if let (Some(metrics), Some(reason)) = (&self.metrics, bound) {
            tracing::warn!(webhook = which.as_str(), reason, message, "a question is not read");
            match which {
                Which::Inject => metrics.injection("error", reason),
                Which::Validate => metrics.validation("other", "error"),
            }
        }
        let mut response = plain(status, &message);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        response
    }

    fn count_injection(&self, outcome: &str, reason: &str) {
        if let Some(metrics) = &self.metrics {
            metrics.injection(outcome, reason);
        }
    }

    fn count_validation(&self, review: &review::Request, outcome: &str) {
        if let Some(metrics) = &self.metrics {
            metrics.validation(admit_object::label(review), outcome);
        }
    }
}

fn json(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(whole(bytes));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn plain(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(whole(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
