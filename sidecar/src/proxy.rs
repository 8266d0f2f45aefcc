//! The phases of a request.
//!
//! ```text
//! gate (Host, Origin, path) ─► body (within bounds) ─► examine (read, decide) ─► take (concurrency, audit, quota) ─► forward
//!        │                          │                       │                         │                           │
//!        └──────── Rejection ───────┴───────────────────────┤                         └─ refusal, as a result     ▼
//!                                                           └─ answers to a session's requests           relay: scan, filter
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `request` | POST: one message, from its headers to its answer |
//! | `stream` | GET and DELETE: a session's own stream, and its end |
//! | `body` | request bodies within bounds; response bodies |
//! | `examine` | a message read and decided, pure |
//! | `take` | what a call takes before it is forwarded |
//! | `forward` | to the server, and what its answer's head leads to |
//! | `relay`, `streamed`, `events` | answers and streams on their way to the agent |
//! | `filtered`, `governed` | lists in them, and what servers ask in them |
//! | `learned` | what lists tell of tools |
//! | `question` | which request of a server an agent answers |
//! | `ending` | what becomes of what a request holds when its answer comes, or its stream ends |
//! | `onward`, `given_up` | exchanges that outlive the agent's wait, and when they do not |
//! | `opening` | what keeps a session's stream ahead of later requests |
//! | `login` | what lets an agent log in to a server through the sidecar |
//! | `tasks` | whose tasks are whose |
//! | `unconfigured` | what is answered before any configuration has come |
//! | `record` | what audit log, metrics and traces are told |
//! | `reply` | answers that the sidecar gives itself |

mod body;
mod ending;
mod events;
mod examine;
mod filtered;
mod forward;
mod given_up;
mod governed;
mod learned;
mod login;
mod onward;
mod opening;
mod question;
mod record;
mod relay;
mod reply;
mod request;
mod stream;
mod streamed;
mod take;
mod tasks;
mod unconfigured;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, header};
use hyper::body::Incoming;
use reeve_policy::decide::Held;
use reeve_policy::limit::Limiter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use body::{Body, Placed};

use self::ending::Unanswered;
use crate::abandoned::Abandoned;
use crate::audit;
use crate::clock::Clock;
use crate::config::Listener;
use crate::lifecycle::Drain;
use crate::live::{Current, Route};
use crate::mcp::binding::Bindings;
use crate::mcp::cors;
use crate::mcp::gate::Gate;
use crate::mcp::headers;
use crate::mcp::ids::OpenIds;
use crate::mcp::method::List;
use crate::mcp::open::Ranked;
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::rounds::Rounds;
use crate::mcp::tasks::Running;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::state::Keeper;
use crate::trace::Tracer;

const FULL: &str = "As many requests are in flight as may be (listener.maxRequests): try again.";

/// The most sessions, and the most open requests, that are remembered: 16 bytes of key and a little more for each.
pub const REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Larger bodies and answers are read on a worker, so that others need not wait for them.
const WORKER_BYTES: usize = 64 << 10;

/// The most large messages of agents, and the most large answers and events of streams, that are read at once.
const READ_AT_ONCE: usize = 2;

/// The most refusals of servers' requests that are on their way at once. Of more the servers hear nothing.
const TOLD_AT_ONCE: usize = 64;

/// What a proxy works with.
pub struct Parts {
    /// The configuration in force.
    pub live: Arc<Current>,
    /// By which names it may be called.
    pub gate: Gate,
    /// What counts.
    pub limiter: Arc<Limiter>,
    /// Where decisions are recorded.
    pub audit: audit::Log,
    /// What is counted for people.
    pub metrics: Arc<Metrics>,
    /// What records calls as spans; none if tracing is off.
    pub tracer: Option<Arc<Tracer>>,
    /// The time.
    pub clock: Clock,
    /// When to end.
    pub drain: Drain,
    /// What keeps counters, sessions and catalogues over a restart.
    pub keeper: Keeper,
    /// The sessions and tasks of an earlier run.
    pub bindings: Arc<Mutex<Bindings>>,
}

/// Answers agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Shared>);

struct Shared {
    live: Arc<Current>,
    gate: Gate,
    limiter: Arc<Limiter>,
    audit: audit::Log,
    metrics: Arc<Metrics>,
    tracer: Option<Arc<Tracer>>,
    clock: Clock,
    drain: Drain,
    /// A permit for each request in flight.
    places: Arc<Semaphore>,
    /// Those of them whose agents have hung up.
    abandoned: Abandoned,
    max_header_bytes: usize,
    bodies: body::Bodies,
    /// For answers, and the events of streams, while they are held.
    answers: Memory,
    /// A permit for each large message of an agent that is being read.
    examining: Arc<Semaphore>,
    /// A permit for each large answer or event that is being read: reading takes several times its bytes.
    reading: Arc<Semaphore>,
    keeper: Keeper,
    bindings: Arc<Mutex<Bindings>>,
    /// Streams of sessions that servers are opening.
    openings: opening::Openings,
    lists: learned::Lists,
    /// The ids of requests that are open in sessions.
    ids: OpenIds,
    /// Requests whose streams have ended before their answers, which may come on others.
    unanswered: Mutex<Ranked<Unanswered>>,
    /// What calls hold that have become tasks.
    running: Mutex<Running<Held>>,
    /// Calls that servers answered with a question.
    rounds: Mutex<Rounds<Held>>,
    /// A permit for each server that is being told of a refusal.
    telling: Arc<Semaphore>,
}

/// The place of a request among those in flight. Taken out by what goes on when the request's agent has hung up.
type Place = Option<OwnedSemaphorePermit>;

/// A list that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listing {
    list: List,
    /// Whether it was asked for from its beginning.
    whole: bool,
    /// When it was asked for; none if it is not known whether it was.
    turn: Option<learned::Turn>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy within the bounds of `listener`.
    ///
    /// # Errors
    /// A sentence about a duration of `listener` that is none.
    pub fn new(parts: Parts, listener: &Listener) -> Result<Self, String> {
        let body_timeout: Duration = reeve_policy::time::parse_duration(&listener.body_timeout)?;
        Ok(Self(Arc::new(Shared {
            live: parts.live,
            gate: parts.gate,
            limiter: parts.limiter,
            audit: parts.audit,
            metrics: parts.metrics,
            tracer: parts.tracer,
            clock: parts.clock,
            drain: parts.drain,
            places: Arc::new(Semaphore::new(listener.max_requests.min(Semaphore::MAX_PERMITS))),
            abandoned: Abandoned::of(listener.max_requests),
            max_header_bytes: listener.max_header_bytes,
            bodies: body::Bodies::new(listener, body_timeout),
            answers: Memory::new(listener.total_answer_bytes()),
            examining: Arc::new(Semaphore::new(READ_AT_ONCE)),
            reading: Arc::new(Semaphore::new(READ_AT_ONCE)),
            keeper: parts.keeper,
            bindings: parts.bindings,
            openings: opening::Openings::default(),
            lists: learned::Lists::default(),
            ids: OpenIds::default(),
            unanswered: Mutex::new(Ranked::new(REMEMBERED)),
            running: Mutex::new(Running::new(REMEMBERED)),
            rounds: Mutex::new(Rounds::new(REMEMBERED)),
            telling: Arc::new(Semaphore::new(TOLD_AT_ONCE)),
        })))
    }

    /// Answers one request. Dropping the future, or the body of its response, ends the call at the server too.
    pub async fn respond(self, request: Request<Incoming>) -> Response<Placed> {
        let page = self.0.gate.page(request.headers()).cloned();
        let mut place = Arc::clone(&self.0.places).try_acquire_owned().ok();
        let served = match place {
            Some(_) => self.0.serve(request, &mut place).await,
            None => Err(Rejection::new(Cause::TooManyRequests, FULL)),
        };
        let mut response = served.unwrap_or_else(|rejection| {
            self.0.metrics.rejected(rejection.cause);
            reply::rejected(&rejection)
        });
        if let Some(page) = page {
            cors::permit(response.headers_mut(), page);
        }
        response.map(|body| Placed::new(body, place))
    }
}

impl Shared {
    async fn serve(
        self: &Arc<Self>,
        request: Request<Incoming>,
        place: &mut Place,
    ) -> Result<Response<Body>, Rejection> {
        self.check_size(&request)?;
        self.gate.check(request.uri(), request.headers())?;
        if let Some(permitted) = cors::preflight(request.method(), request.headers()) {
            return Ok(reply::empty(permitted));
        }
        refuse_other_transports(request.method(), request.headers())?;
        headers::check(request.headers())?;
        let (mut parts, body) = request.into_parts();
        let Some(live) = self.live.load() else { return self.unconfigured(&parts, body).await };
        login::note_host(&mut parts);
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let Some(route) = live.at(path) else {
            return match login::described_at(live.routes(), path).filter(|_| parts.method == Method::GET) {
                Some(route) => self.metadata(route, &parts.headers).await,
                None => Err(no_such_path(live.routes(), path)),
            };
        };
        let route = Arc::clone(route);
        drop(live);
        match parts.method {
            Method::POST => self.post(route, parts.headers, body, place).await,
            Method::GET => self.stream(route, parts.headers, place).await,
            _ => self.end_session(route, parts.headers, place).await,
        }
    }

    fn check_size(&self, request: &Request<Incoming>) -> Result<(), Rejection> {
        let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
        let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        if path + headers.sum::<usize>() <= self.max_header_bytes {
            return Ok(());
        }
        let message = format!("The headers are larger than {} bytes (listener.maxHeaderBytes).", self.max_header_bytes);
        Err(Rejection::new(Cause::HeadersTooLarge, message))
    }

    fn bindings(&self) -> MutexGuard<'_, Bindings> {
        held(&self.bindings)
    }

    fn running(&self) -> MutexGuard<'_, Running<Held>> {
        held(&self.running)
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds<Held>> {
        held(&self.rounds)
    }

    fn unanswered(&self) -> MutexGuard<'_, Ranked<Unanswered>> {
        held(&self.unanswered)
    }
}

/// What a panic may have left behind is whole: every use is one call that changes one entry.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse_other_transports(method: &Method, headers: &HeaderMap) -> Result<(), Rejection> {
    let upgrade = headers.get(header::UPGRADE).map(http::HeaderValue::as_bytes);
    if upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket")) {
        return Err(Rejection::new(Cause::Transport, "WebSocket is not relayed: use Streamable HTTP."));
    }
    match *method {
        Method::POST | Method::GET | Method::DELETE => Ok(()),
        _ => Err(Rejection::new(Cause::HttpMethod, "Streamable HTTP has POST, GET and DELETE.")),
    }
}

fn no_such_path(routes: &[Arc<Route>], path: &str) -> Rejection {
    if login::is_of_authorization_server(path) {
        return Rejection::new(Cause::Path, login::NO_AUTHORIZATION_SERVER);
    }
    let paths: Vec<&str> = routes.iter().map(|route| &*route.path).collect();
    Rejection::new(Cause::Path, format!("No MCP server is served at this path. Served: {}", paths.join(", ")))
}

#[cfg(test)]
mod tests;
