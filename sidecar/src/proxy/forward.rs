//! To the server, and what the head of its answer leads to.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Response, StatusCode, header::HeaderValue};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::body::{Body, Received};
use super::events::Events;
use super::examine::{Kind, RawId, session};
use super::memory::{Full, Share};
use super::onward::Onward;
use super::record::{self, Flight};
use super::relay::{Attended, Endless, Relay};
use super::take::Taken;
use super::{Listing, Place, Shared, WORKER_BYTES, reply};
use crate::live::Backend;
use crate::mcp::binding::{Thing, is_session_id};
use crate::mcp::headers;
use crate::mcp::pieces::Pieces;
use crate::mcp::rounds::CallKey;
use crate::mcp::version::{Era, Version};
use crate::upstream::{self, Cause, Outgoing, Traffic, UpstreamError};

/// What the answer to a message may bring that must be looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing in particular.
    Anything,
    /// The result of a call of this kind.
    Call(Kind),
    /// A session.
    Session {
        /// Whether its agent answers requests of servers.
        answers_servers: bool,
    },
    /// That the session may be used.
    Ready,
    /// A list, to be filtered.
    List(Listing),
    /// No answer: a stream of its own.
    Stream,
}

/// What a message waits for.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    /// The request to be answered, as it wrote its id; none of what no message answers.
    pub(super) id: Option<RawId>,
    pub(super) expected: Expected,
    pub(super) tasks: OfTasks,
    /// Of a call that limits have charged: what makes a later one the same call.
    pub(super) call: Option<CallKey>,
}

impl Awaited {
    /// An answer to this request of which nothing more needs to be known.
    pub(super) fn answer(id: Option<RawId>, expected: Expected) -> Self {
        Self { id, expected, tasks: OfTasks::Nothing, call: None }
    }
}

/// What an answer may say of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OfTasks {
    /// Nothing.
    Nothing,
    /// That the call has become one.
    MayMake,
    /// How this one is.
    About(Box<str>),
}

impl Awaited {
    fn traffic(&self) -> Traffic {
        match (self.expected, &self.id) {
            (Expected::Stream, _) => Traffic::Stream,
            (_, Some(_)) => Traffic::Call,
            (_, None) => Traffic::Message,
        }
    }
}

/// A request on its way: where to, and how its headers look there.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) backend: Arc<Backend>,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) era: Era,
    pub(super) session: Option<Box<str>>,
    /// By which name the agent called.
    pub(super) host: Option<HeaderValue>,
}

impl Sending {
    pub(super) fn new(backend: &Arc<Backend>, method: Method, mut headers: HeaderMap, version: Version) -> Self {
        let era = version.era();
        let session = session(&headers, era).map(Into::into);
        let host = headers.get(HOST).cloned();
        headers::for_upstream(&mut headers, era);
        Self { backend: Arc::clone(backend), method, headers, era, session, host }
    }

    fn outgoing<'a>(&'a self, body: &'a Bytes) -> Outgoing<'a> {
        Outgoing { method: &self.method, headers: &self.headers, body }
    }
}

/// There is no memory for what the server sends.
pub(super) fn no_room(backend: &Backend) -> UpstreamError {
    backend.upstream.error(Cause::Memory, "answers hold listener.maxTotalAnswerBytes")
}

impl Shared {
    /// Sends a request and begins to relay its answer. What goes on when the agent has hung up keeps the request's place.
    pub(super) async fn forward(
        self: &Arc<Self>,
        sending: Sending,
        body: Received,
        awaited: Awaited,
        taken: Taken,
        place: &mut Place,
    ) -> Response<Body> {
        if sending.era == Era::Modern || !taken.must_be_answered() {
            return self.exchange(sending, body, awaited, taken, place).await;
        }
        let (shared, mut kept) = (Arc::clone(self), place.take());
        let exchange = async move { (shared.exchange(sending, body, awaited, taken, &mut kept).await, kept) };
        let (response, kept) = Onward::new(exchange).await;
        *place = kept;
        response
    }

    async fn exchange(
        self: &Arc<Self>,
        sending: Sending,
        body: Received,
        awaited: Awaited,
        taken: Taken,
        place: &mut Place,
    ) -> Response<Body> {
        let (backend, id) = (Arc::clone(&sending.backend), awaited.id.clone());
        let mut flight = Flight::begin(self, &backend, taken);
        let Received { bytes, memory } = body.on_its_way();
        let outgoing = sending.outgoing(&bytes);
        let answered = backend.upstream.send(outgoing, awaited.traffic(), flight.progress()).await;
        // The body is held until the server has begun to answer, and if it is large, counted until it is gone.
        drop((bytes, memory));
        let answered = match answered {
            Ok(response) => self.begin_answer(sending, awaited, response, flight, place).await,
            Err(error) => {
                if error.may_go_on() {
                    self.leave(&sending, &awaited, &mut flight);
                }
                Err(error)
            }
        };
        answered.unwrap_or_else(|error| {
            record::upstream_failed(&backend.metrics, &error);
            reply::failed(id.as_deref(), &error)
        })
    }

    async fn begin_answer(
        self: &Arc<Self>,
        sending: Sending,
        awaited: Awaited,
        response: Response<upstream::Body>,
        mut flight: Flight,
        place: &mut Place,
    ) -> Result<Response<Body>, UpstreamError> {
        let (expected, answers) = (awaited.expected, awaited.id.is_some());
        let (mut head, body) = response.into_parts();
        let content = Content::of(&head.headers);
        self.note_session(&sending, &head, expected);
        self.check_login(&sending, &mut head)?;
        headers::for_agent(&mut head.headers, sending.era);
        let body = match (content, expected) {
            (Content::Unreadable(why), _) => return Err(sending.backend.upstream.error(Cause::Protocol, why)),
            (Content::Events, _) => {
                let events = Events::new(self, sending, awaited);
                let endless = match expected {
                    Expected::Stream => Endless::Yes(self.drain.clone()),
                    _ => Endless::No,
                };
                head.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
                Body::Relay(Attended::new(Relay::events(body, events, endless, flight), place.take()))
            }
            (Content::Other, _) if !head.status.is_success() => {
                Body::Relay(Attended::new(Relay::bytes(body, flight), place.take()))
            }
            // Some clients read whatever answers a GET as events.
            (_, Expected::Stream) if head.status.is_success() && !answers => {
                return Err(sending.backend.upstream.error(Cause::Protocol, "the answer is not an event stream"));
            }
            (Content::Json | Content::Other, _) => {
                let backend = Arc::clone(&sending.backend);
                let whole = self.collect(&backend, body).await;
                if whole.as_ref().is_err_and(UpstreamError::may_go_on) {
                    self.leave(&sending, &awaited, &mut flight);
                }
                let (whole, memory) = whole?;
                let events = Events::new(self, sending, awaited);
                let (governed, events) = match (head.status.is_success(), answers) {
                    (false, _) => (Ok(events.failed_answer(whole)), None),
                    // To a message that wants no answer: some clients read it all the same.
                    (true, false) => (Ok(Bytes::new()), None),
                    (true, true) => govern(events, content, whole, &self.reading).await,
                };
                if let Some(mut events) = events {
                    events.settle(&mut flight);
                }
                let governed = governed.map_err(|detail| backend.upstream.error(Cause::Protocol, detail))?;
                Body::counted(governed, memory)
            }
        };
        Ok(Response::from_parts(head, body))
    }

    /// Binds the session that the answer to `initialize` brings; forgets one that the server no longer knows.
    fn note_session(&self, sending: &Sending, head: &http::response::Parts, expected: Expected) {
        let Sending { backend, session, .. } = sending;
        let minted = head.headers.get(headers::SESSION_ID).and_then(|value| value.to_str().ok());
        match (expected, session, minted) {
            (Expected::Session { answers_servers }, _, Some(minted))
                if head.status.is_success() && is_session_id(minted) =>
            {
                for change in self.bindings().bind(Thing::Session, &backend.name, minted, &backend.grant) {
                    self.keeper.binding(change.write());
                }
                if answers_servers {
                    self.openings.begun(&backend.name, minted);
                }
            }
            (Expected::Ready, Some(session), _) if head.status.is_success() => {
                self.openings.ready(&backend.name, session);
            }
            _ => {}
        }
        if let (StatusCode::NOT_FOUND, Some(session)) = (head.status, session) {
            self.forget_session(backend, session);
        }
    }

    async fn collect(&self, backend: &Backend, body: upstream::Body) -> Result<(Bytes, Share), UpstreamError> {
        let mut memory = self.answers.share();
        let limit = backend.server.limits.max_response_bytes;
        let whole = collect(backend, body, limit, &mut memory).await?;
        let detail = || format!("the answer is larger than {limit} bytes (limits.maxResponseBytes)");
        Ok((whole.ok_or_else(|| backend.upstream.error(Cause::TooLarge, detail()))?, memory))
    }
}

/// The largest answer that waits for memory as long as requests do. Larger ones hold so much of it that, waiting for each other,
/// they would keep all others waiting too, whose server may be another.
const PATIENT: usize = 1 << 20;

/// The whole of a body, for which `memory` is taken as it comes; none if it is larger than `limit` bytes.
pub(super) async fn collect(
    backend: &Backend,
    mut body: upstream::Body,
    limit: usize,
    memory: &mut Share,
) -> Result<Option<Bytes>, UpstreamError> {
    let mut whole = Pieces::default();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let length = whole.len() + data.len();
        if length > limit {
            return Ok(None);
        }
        let covered = if length > PATIENT { memory.cover_large(length).await } else { memory.cover(length).await };
        covered.map_err(|Full| no_room(backend))?;
        whole.push(data);
    }
    Ok(Some(whole.join()))
}

/// What the agent is sent for the whole of an answer to a request. Clients differ in what they make of a type that is none of
/// the protocol's, so that nothing of one passes.
async fn govern(
    mut events: Events,
    content: Content,
    whole: Bytes,
    reading: &Semaphore,
) -> (Result<Bytes, String>, Option<Events>) {
    if content != Content::Json {
        let empty = whole.is_empty().then(Bytes::new);
        return (empty.ok_or_else(|| "the answer is neither JSON nor an event stream".to_owned()), None);
    }
    let large = whole.len() > WORKER_BYTES;
    let read = move || (events.answer(&whole), Some(events));
    if large {
        // Only a closed semaphore fails, and this one never is.
        let _turn = reading.acquire().await;
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|_| (Err("the sidecar failed to read the answer".into()), None))
    } else {
        read()
    }
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Json,
    Events,
    /// Nothing in it can be governed, and why.
    Unreadable(&'static str),
    Other,
}

impl Content {
    fn of(headers: &HeaderMap) -> Self {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        if encodings.any(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            return Self::Unreadable("the answer is compressed, unasked");
        }
        if headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
            return Self::Unreadable("the answer has more than one Content-Type");
        }
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (media_type, parameters) = value.split_once(';').unwrap_or((value, ""));
        let media_type = media_type.trim();
        if !parameters.split(';').all(is_utf8) {
            return Self::Unreadable("the answer is in another charset than UTF-8");
        }
        if media_type.eq_ignore_ascii_case("text/event-stream") {
            Self::Events
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// Whether a parameter of a media type leaves its text UTF-8, as JSON and event streams are. An agent that believed another
/// charset would read something else than was governed.
fn is_utf8(parameter: &str) -> bool {
    let parameter: String = parameter.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    let parameter = parameter.to_ascii_lowercase();
    !parameter.contains("charset") || matches!(&*parameter, "charset=utf-8" | "charset=utf8")
}

impl Sending {
    /// Sends the server a message of the sidecar's own, in the session that this request belongs to.
    pub(super) async fn tell(mut self, message: Bytes) {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.headers.remove(headers::LAST_EVENT_ID);
        let outgoing = self.outgoing(&message);
        if let Err(error) = self.backend.upstream.send(outgoing, Traffic::Message, &upstream::Progress::new()).await {
            tracing::warn!(server = %error.server, cause = %error.cause, "the server was not told of a refusal");
        }
    }
}
