//! POST: one message of the agent, from its headers to its answer.

use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use hyper::body::Incoming;
use reeve_policy::decide::Verdict;
use reeve_policy::json::{Document, Limits};
use reeve_policy::time::{Instant, WallTime};
use tokio::sync::OwnedSemaphorePermit;

use super::body::{Body, Received};
use super::examine::{Ask, Auditing, Decided, Examined, examine};
use super::forward::{Awaited, Exchange, Expected, OfTasks, Sending};
use super::question::Question;
use super::record::{Facts, Moments};
use super::take::{Refused, Taken};
use super::{Listing, Place, Shared, WORKER_BYTES, no_such_path, reply};
use crate::live::Route;
use crate::mcp::headers;
use crate::mcp::ids::OpenId;
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::used::Since;
use crate::trace::{Followed, Span, Stated};

/// Why a message goes no further.
enum Stop {
    /// For what it is.
    Rejected(Rejection),
    /// For what it calls.
    Refused(Box<Decided>, Box<Verdict>),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Shared {
    pub(super) async fn post(
        self: &Arc<Self>,
        route: Arc<Route>,
        mut headers: HeaderMap,
        body: Incoming,
        place: &mut Place,
    ) -> Result<Response<Body>, Rejection> {
        headers::check_body(&headers)?;
        let mut body = self.bodies.read(body).await?;
        let received = self.clock.now();
        let mut begun = received;
        // Looked up once, as it is needed at every step.
        let session = headers.get(headers::SESSION_ID).cloned();
        let session = session.as_ref().and_then(|session| session.to_str().ok());
        // Before it is decided on: what is permitted now is sent now.
        if let Some(session) = session {
            self.openings.settled(&route.name, session).await;
            begun = self.clock.now();
        }
        let turn = self.turn_to_read(&body).await;
        if turn.is_some() {
            begun = self.clock.now();
        }
        let route = self.in_force(&route)?;
        let decided = self.clock.wall();
        let examined = self.examine(&route, &mut headers, &mut body, decided, turn).await?;
        let era = examined.era();
        let session = session.filter(|_| era.has_sessions());
        let id = match session {
            Some(session) => {
                let known = self.check_session(&route, session);
                let since = known.map_err(|rejection| rejection.of(examined.id.as_deref()))?;
                self.open_id(&route, session, since, &examined)?
            }
            None => None,
        };
        let followed = self.follow(&examined, &headers, received);
        followed.tell(&mut headers);
        let moments = Moments { received, begun, decided };
        let facts = Facts::new(era, session, examined.method, followed.trace, moments);
        let mut awaited = Awaited::answer(examined.id, Expected::Anything);
        let taken = match self.prepare(&route, examined.ask, session, &facts, followed.span, &mut awaited) {
            Ok(taken) => taken.with_id(id),
            Err(Stop::Rejected(rejection)) => return Err(rejection.of(awaited.id.as_deref())),
            Err(Stop::Refused(call, verdict)) => {
                return Ok(reply::refused(&route, awaited.id.as_deref(), era, &call, &verdict));
            }
        };
        let session = session.map(Into::into);
        let sending = Sending::new(&route.backend, Method::POST, headers, examined.version, session);
        // The answer may take long: no more of the configuration is held for it than it needs.
        drop(route);
        Ok(self.forward(Exchange::new(self, sending, awaited, taken), body, place).await)
    }

    /// The route at the same path as of now: a policy that came into force while the body was awaited binds its message too.
    fn in_force(&self, route: &Arc<Route>) -> Result<Arc<Route>, Rejection> {
        let Some(live) = self.live.load() else { return Ok(Arc::clone(route)) };
        live.at(&route.path).map(Arc::clone).ok_or_else(|| no_such_path(live.routes(), &route.path))
    }

    /// Takes what a message needs, and notes what its answer may bring.
    fn prepare(
        self: &Arc<Self>,
        route: &Arc<Route>,
        ask: Ask,
        session: Option<&str>,
        facts: &Facts,
        span: Option<Box<Span>>,
        awaited: &mut Awaited,
    ) -> Result<Box<Taken>, Stop> {
        match ask {
            Ask::Relay => {}
            Ask::Initialize { answers_servers } => awaited.expected = Expected::Session { answers_servers },
            Ask::Initialized => awaited.expected = Expected::Ready,
            Ask::Cancel(id) => self.cancel(route, session, &id),
            Ask::Answer => {
                let question = Question::take(&route.backend, session, awaited.id.as_deref())?;
                // Nothing answers an answer: the id is that of a request of the server.
                awaited.id = None;
                return Ok(Taken::question(self, question));
            }
            Ask::List(listing) => {
                awaited.expected = Expected::List(Listing { turn: Some(self.lists.ask()), ..listing });
            }
            Ask::Task(task) => {
                self.check_task(route, facts.era(), awaited.id.as_deref(), &task)?;
                awaited.tasks = OfTasks::About(task);
            }
            Ask::Call(call, tasks) => {
                (awaited.expected, awaited.tasks, awaited.call) = (Expected::Call(call.kind), tasks, call.again.key);
                let taken = self.take(route, slice::from_ref(&*call), facts, span);
                return taken.map_err(|refused| Stop::Refused(call, refused.verdict));
            }
            Ask::Listen { mut calls, tasks } => {
                self.check_listened(route, &tasks)?;
                awaited.expected = Expected::Stream;
                return self.take(route, &calls, facts, span).map(Taken::endless).map_err(
                    |Refused { number, verdict }| Stop::Refused(Box::new(calls.swap_remove(number)), verdict),
                );
            }
        }
        Ok(Taken::nothing(self))
    }

    /// Follows a message into its trace. Only calls are recorded.
    fn follow(&self, examined: &Examined, headers: &HeaderMap, received: Instant) -> Followed {
        let is_call = match &examined.ask {
            Ask::Call(..) => true,
            Ask::Listen { calls, .. } => !calls.is_empty(),
            _ => return Followed::default(),
        };
        let stated = Stated { meta: examined.caller.as_ref(), headers };
        let mut followed = stated.follow(self.tracer.as_ref().filter(|_| is_call), received);
        if let (Some(span), Some(id)) = (&mut followed.span, &examined.id) {
            span.request_id(id);
            span.version(examined.version);
        }
        followed
    }

    /// Waits until a large message may be read: reading takes several times its bytes, and a thread.
    async fn turn_to_read(&self, body: &Received) -> Option<OwnedSemaphorePermit> {
        if body.bytes.len() <= WORKER_BYTES {
            return None;
        }
        // Only a closed semaphore fails, and this one never is.
        Arc::clone(&self.examining).acquire_owned().await.ok()
    }

    /// `turn`: of a message that is read on a worker.
    async fn examine(
        &self,
        route: &Arc<Route>,
        headers: &mut HeaderMap,
        body: &mut Received,
        now: WallTime,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Examined, Rejection> {
        let audit = if self.audit.is_on() { Auditing::On } else { Auditing::Off };
        if turn.is_none() {
            return examine(body.bytes.clone(), headers, route, now, audit);
        }
        // The worker holds its turn, and what the body is counted for: it has the bytes even when the agent has hung up.
        let route = Arc::clone(route);
        let (held, taken) = (std::mem::take(headers), std::mem::replace(body, Received::nothing()));
        let examining = on_worker(move || {
            let examined = examine(taken.bytes.clone(), &held, &route, now, audit);
            drop(turn);
            Ok((examined?, held, taken))
        });
        let examined;
        (examined, *headers, *body) = examining.await?;
        Ok(examined)
    }

    /// Opens the id of a request in its session.
    fn open_id(
        &self,
        route: &Route,
        session: &str,
        since: Since,
        examined: &Examined,
    ) -> Result<Option<OpenId>, Rejection> {
        if matches!(examined.ask, Ask::Answer) {
            return Ok(None);
        }
        let now = self.clock.now();
        let opened = with_id(examined.id.as_deref(), |id| self.ids.open(&route.name, session, since, id, now));
        match opened {
            Some(None) => {
                let message = "A request of this session with the same id waits for its answer, even if its connection broke \
                               off: give each request its own.";
                Err(Rejection::new(Cause::DuplicateId, message).of(examined.id.as_deref()))
            }
            Some(opened) => Ok(opened),
            None => Ok(None),
        }
    }

    /// The agent waits no longer for the answer to a request of its session. What the request holds is held for as long as the server may
    /// take to begin an answer: it may go on all the same.
    fn cancel(&self, route: &Route, session: Option<&str>, id: &[u8]) {
        let Some(session) = session else { return };
        let until = self.clock.now().after(route.backend.upstream.response_timeout());
        with_id(Some(id), |id| self.ids.cancel(&route.name, session, id, until));
    }

    /// What is known of the ids of a session. Refuses one that the server did not give to this grant: 404, so that the agent begins
    /// another.
    pub(super) fn check_session(&self, route: &Route, session: &str) -> Result<Since, Rejection> {
        let known = self.bindings().session(&route.name, session, &route.grant);
        let unknown = || Rejection::new(Cause::UnknownSession, "Unknown session: begin another with initialize.");
        known.ok_or_else(unknown)
    }
}

/// Does work that would hold up others on a thread of its own.
async fn on_worker<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    // Only a panic ends a worker early; the request is refused then.
    let failed = |_| Err(Rejection::new(Cause::Internal, "The sidecar failed to read this message."));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)
}

/// Reads an id that was read before and kept as it was written.
pub(super) fn with_id<T>(raw: Option<&[u8]>, then: impl FnOnce(&crate::mcp::envelope::Id<'_>) -> T) -> Option<T> {
    let document = Document::parse(Bytes::copy_from_slice(raw?), Limits::default()).ok()?;
    crate::mcp::envelope::Id::read(document.root()).ok().map(|id| then(&id))
}
