//! To the server, and what the head of its answer leads to.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode, header::HeaderValue, response};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::body::{Body, Received, SLICE};
use super::events::Events;
use super::examine::{Kind, RawId};
use super::given_up::GivenUp;
use super::onward::Onward;
use super::record::{self, Flight};
use super::relay::{Attended, Endless, Relay};
use super::request::with_id;
use super::take::Taken;
use super::{Listing, Place, Shared, WORKER_BYTES, reply};
use crate::live::Backend;
use crate::mcp::binding::minted;
use crate::mcp::envelope::Id;
use crate::mcp::headers;
use crate::mcp::pieces::Pieces;
use crate::mcp::rounds::CallKey;
use crate::mcp::version::{Era, Version};
use crate::memory::{Full, Share};
use crate::upstream::{self, Cause, Outgoing, Sent, Traffic, UpstreamError};

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
}

impl Sending {
    /// `session`: the one that the headers name, if the era has sessions.
    pub(super) fn new(
        backend: &Arc<Backend>,
        method: Method,
        mut headers: HeaderMap,
        version: Version,
        session: Option<Box<str>>,
    ) -> Self {
        let era = version.era();
        headers::for_upstream(&mut headers, era);
        Self { backend: Arc::clone(backend), method, headers, era, session }
    }

    fn outgoing<'a>(&'a self, body: &'a Bytes) -> Outgoing<'a> {
        Outgoing { method: &self.method, headers: &self.headers, body }
    }
}

/// There is no memory for what the server sends.
pub(super) fn no_room(backend: &Backend) -> UpstreamError {
    backend.upstream.error(Cause::Memory, "answers hold what they may of listener.maxTotalAnswerBytes")
}

/// A request on its way, what its answer is for, and what it holds until that has come. Boxed, as it is large.
#[derive(Debug)]
pub(super) struct Exchange {
    events: Events,
    flight: Flight,
}

/// The body of an answer whose head has come.
enum Answered {
    /// All of it.
    Whole(Body),
    /// It is relayed as it comes: byte for byte.
    Bytes(upstream::Body),
    /// The same, event by event.
    Events(upstream::Body, Endless),
}

impl Exchange {
    pub(super) fn new(shared: &Arc<Shared>, sending: Sending, awaited: Awaited, taken: Box<Taken>) -> Box<Self> {
        let flight = Flight::begin(&sending.backend, taken);
        Box::new(Self { events: Events::new(shared, sending, awaited), flight })
    }

    /// Whether it goes on when the agent has hung up.
    fn outlives_the_agent(&self) -> bool {
        self.events.era() == Era::Legacy && self.flight.must_be_answered()
    }

    /// Nothing leads to the answer any more.
    fn leave(&mut self) {
        let Events { shared, sending, awaited, .. } = &self.events;
        shared.leave(sending, awaited, &mut self.flight);
    }

    /// The agent has cancelled the request, and the server does not begin to answer it.
    fn give_up(mut self: Box<Self>) -> Response<Body> {
        if self.flight.progress().sent() == Sent::Maybe {
            self.leave();
        }
        reply::cancelled(self.events.awaited.id.as_deref(), &self.events.sending.backend.name)
    }

    /// The agent's answer, which keeps the request's place if it is relayed.
    fn end(
        mut self: Box<Self>,
        answered: Result<(response::Parts, Answered), UpstreamError>,
        given_up: GivenUp,
        place: &mut Place,
    ) -> Response<Body> {
        let (head, answered) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                self.flight.failed(&error);
                return reply::failed(self.events.awaited.id.as_deref(), &error);
            }
        };
        let relay = match answered {
            Answered::Whole(body) => return Response::from_parts(head, body),
            Answered::Bytes(body) => Relay::bytes(body, self.flight),
            Answered::Events(body, endless) => Relay::events(body, self.events, endless, given_up, self.flight),
        };
        Response::from_parts(head, Body::Relay(Attended::new(relay, place.take())))
    }
}

impl Shared {
    /// Sends a request and begins to relay its answer. What goes on when the agent has hung up keeps the request's place.
    pub(super) async fn forward(
        self: &Arc<Self>,
        mut exchange: Box<Exchange>,
        body: Received,
        place: &mut Place,
    ) -> Response<Body> {
        if !exchange.outlives_the_agent() {
            let answered = self.exchange(&mut exchange, body).await;
            return exchange.end(answered, GivenUp::default(), place);
        }
        let (shared, mut kept) = (Arc::clone(self), place.take());
        let mut given_up = exchange.flight.given_up();
        let (hung_up, abandoned) = (given_up.told_of_hanging_up(), exchange.events.abandoned());
        let onward = async move {
            let answered = tokio::select! {
                answered = shared.exchange(&mut exchange, body) => Some(answered),
                () = &mut given_up => None,
            };
            let response = match answered {
                Some(answered) => exchange.end(answered, given_up, &mut kept),
                None => exchange.give_up(),
            };
            (response, kept)
        };
        let alone = move || drop(hung_up.send(abandoned.map(|abandoned| abandoned.enter())));
        let (response, kept) = Onward::new(onward, alone).await;
        *place = kept;
        response
    }

    async fn exchange(
        &self,
        exchange: &mut Exchange,
        body: Received,
    ) -> Result<(response::Parts, Answered), UpstreamError> {
        let Received { bytes, memory } = body.on_its_way();
        let Events { sending, awaited, .. } = &exchange.events;
        let outgoing = sending.outgoing(&bytes);
        let sent = sending.backend.upstream.send(outgoing, awaited.traffic(), exchange.flight.progress()).await;
        // The body is held until the server has begun to answer, and if it is large, counted until it is gone.
        drop((bytes, memory));
        match sent {
            Ok(response) => self.begin_answer(exchange, response).await,
            Err(error) => {
                if error.may_go_on() {
                    exchange.leave();
                }
                Err(error)
            }
        }
    }

    async fn begin_answer(
        &self,
        exchange: &mut Exchange,
        response: Response<upstream::Body>,
    ) -> Result<(response::Parts, Answered), UpstreamError> {
        let Events { sending, awaited, .. } = &exchange.events;
        let (expected, answers) = (awaited.expected, awaited.id.is_some());
        let (mut head, body) = response.into_parts();
        // A server's version is that of its own connection (RFC 9110, 6.2): of an answer in HTTP/1.0 the agent could not tell the end
        // from a breaking off.
        head.version = http::Version::HTTP_11;
        let content = Content::of(&head.headers);
        let session = self.note_session(sending, &head, awaited);
        session.map_err(|detail| sending.backend.upstream.error(Cause::Session, detail))?;
        self.check_login(sending, &mut head)?;
        headers::for_agent(&mut head.headers, sending.era);
        let unusable = |detail| Err(sending.backend.upstream.error(Cause::Unreadable, detail));
        let success = head.status.is_success();
        if head.status.is_server_error() {
            let detail = format!("it answered {}", head.status);
            record::upstream_failed(
                &sending.backend.metrics,
                &sending.backend.upstream.error(Cause::ServerError, detail),
            );
        }
        if let Some(span) = exchange.flight.span().filter(|_| !success) {
            span.failed(head.status.as_str(), "the server answered with this status of HTTP");
        }
        let answered = match (content, expected) {
            (Content::Unreadable(why), _) => return unusable(why),
            (Content::Events, _) => {
                let endless = match expected {
                    Expected::Stream => Endless::Yes(self.drain.clone()),
                    _ => Endless::No,
                };
                head.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
                Answered::Events(body, endless)
            }
            (Content::Other, _) if !success => Answered::Bytes(body),
            // Some clients read whatever answers a GET as events.
            (_, Expected::Stream) if success && !answers => return unusable("it is not an event stream"),
            (Content::Json | Content::Other, _) => {
                let whole = self.collect(&sending.backend, body).await;
                if whole.as_ref().is_err_and(UpstreamError::may_go_on) {
                    exchange.leave();
                }
                let (whole, memory) = whole?;
                Answered::Whole(Body::counted(self.govern(exchange, content, success, whole).await?, memory))
            }
        };
        Ok((head, answered))
    }

    /// What the agent is sent for the whole of an answer.
    async fn govern(
        &self,
        exchange: &mut Exchange,
        content: Content,
        success: bool,
        whole: Bytes,
    ) -> Result<Bytes, UpstreamError> {
        let Exchange { events, flight } = exchange;
        let governed = match (success, &events.awaited.id) {
            (false, _) => return Ok(events.failed_answer(whole)),
            // To a message that wants no answer: some clients read it all the same.
            (true, None) => return Ok(Bytes::new()),
            (true, Some(_)) => govern(events, content, whole, &self.reading).await,
        };
        events.settle(flight);
        governed.map_err(|detail| events.sending.backend.upstream.error(Cause::Unreadable, detail))
    }

    /// Binds the session that the answer to `initialize` brings; forgets one that the server no longer knows. A 404 to a GET does not
    /// say that: servers without a stream may have nothing at that method.
    ///
    /// # Errors
    /// What is wrong with a session that no agent could use.
    fn note_session(&self, sending: &Sending, head: &response::Parts, awaited: &Awaited) -> Result<(), String> {
        let Sending { backend, session, .. } = sending;
        match (awaited.expected, session) {
            (Expected::Session { answers_servers }, _) if head.status.is_success() => {
                if let Some(minted) = minted(&head.headers, self.max_header_bytes)? {
                    self.begin_session(backend, minted, awaited.id.as_deref());
                    if answers_servers {
                        self.openings.begun(&backend.name, minted);
                    }
                }
            }
            (Expected::Ready, Some(session)) if head.status.is_success() => {
                self.openings.ready(&backend.name, session);
            }
            _ => {}
        }
        let ends = sending.method != Method::GET && head.status == StatusCode::NOT_FOUND;
        if let Some(session) = session.as_ref().filter(|_| ends) {
            self.forget_session(backend, session);
        }
        Ok(())
    }

    /// Binds a session that begins with the answer to a request with this id.
    fn begin_session(&self, backend: &Backend, session: &str, id: Option<&[u8]>) {
        let begin = |id: Option<&Id<'_>>| self.ids.begin(&backend.name, session, id);
        let ids = with_id(id, |id| begin(Some(id))).unwrap_or_else(|| begin(None));
        for change in self.bindings().begin(&backend.name, session, &backend.grant, ids) {
            self.keeper.binding(change.write());
        }
    }

    /// Without a bound on silence in streams an answer that is none may be silent as long as before its beginning: what has come of
    /// it takes memory.
    async fn collect(&self, backend: &Backend, mut body: upstream::Body) -> Result<(Bytes, Share), UpstreamError> {
        body.bound_silence(backend.upstream.response_timeout());
        let mut memory = self.answers.share_within(&backend.answers);
        let limit = backend.server.limits.max_response_bytes;
        let whole = collect(backend, body, limit, &mut memory).await?;
        let detail = || format!("the answer is larger than {limit} bytes (limits.maxResponseBytes)");
        Ok((whole.ok_or_else(|| backend.upstream.error(Cause::TooLarge, detail()))?, memory))
    }
}

/// The largest answer that waits for memory as long as requests do. Larger ones hold so much of it that, waiting for each other,
/// they would keep all others waiting too, whose server may be another.
const PATIENT: usize = 1 << 20;

/// What of an answer is not counted: a usual one passes, whoever holds all the memory that there is.
const UNCOUNTED: usize = SLICE;

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
        let covered = match length {
            length if length <= UNCOUNTED => Ok(()),
            length if length <= PATIENT => memory.cover(length).await,
            length => memory.cover_large(length).await,
        };
        covered.map_err(|Full| no_room(backend))?;
        whole.push(data);
    }
    Ok(Some(whole.join()))
}

/// What the agent is sent for the whole of an answer to a request. Clients differ in what they make of a type that is none of
/// the protocol's, so that nothing of one passes.
async fn govern(
    events: &mut Events,
    content: Content,
    whole: Bytes,
    reading: &Arc<Semaphore>,
) -> Result<Bytes, String> {
    if content != Content::Json {
        let empty = whole.is_empty().then(Bytes::new);
        return empty.ok_or_else(|| "it is neither JSON nor an event stream".to_owned());
    }
    if whole.len() <= WORKER_BYTES {
        return events.answer(&whole);
    }
    // Only a closed semaphore fails, and this one never is.
    let turn = Arc::clone(reading).acquire_owned().await;
    let mut own = events.clone();
    let read = tokio::task::spawn_blocking(move || {
        let governed = own.answer(&whole);
        // Kept to here though its agent may have hung up.
        drop(turn);
        (governed, own)
    });
    let (governed, own) = read.await.map_err(|_| "the sidecar failed to read it".to_owned())?;
    *events = own;
    governed
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
            return Self::Unreadable("it is compressed, unasked");
        }
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let value = types.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        if types.next().is_some() {
            return Self::Unreadable("it has more than one Content-Type");
        }
        if value == "application/json" {
            return Self::Json;
        }
        let (media_type, parameters) = value.split_once(';').unwrap_or((value, ""));
        let media_type = media_type.trim();
        if !parameters.split(';').all(is_utf8) {
            return Self::Unreadable("it is in another charset than UTF-8");
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
