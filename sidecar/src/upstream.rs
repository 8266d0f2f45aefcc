//! Connections to servers: pools, TLS, credentials, what their failures mean.
//!
//! ```text
//! proxy ──► Upstream::send ──► credential ──► pool ──► connection (DNS, TCP or socket, HTTP proxy, TLS)
//!                                               │
//!                                               └──► response head ──► Body, or UpstreamError {cause, sent}
//! ```
//!
//! What limits count on is [`Sent`]: whether the server can have got the call. It is `No` only where that is certain.

mod body;
mod connect;
mod credential;
mod deadlines;
mod environment;
mod errand;
mod error;
mod exchange;
mod http1;
mod http2;
mod places;
mod pool;
mod proxy;
mod records;
#[cfg(any(test, fuzzing))]
pub mod rehearsal;
mod target;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use body::Body;
pub use environment::Environment;
pub use error::{BuildError, Cause, MAY_BE_DONE, Sent, UpstreamError};
pub use places::Traffic;
pub use target::{Target, TargetError};

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::abandoned::Abandoned;
use crate::config::{Server, UpstreamLimits};

use connect::Connector;
pub(crate) use credential::header_value;

use credential::Credential;
use deadlines::Deadlines;
use errand::Errand;
use error::Failure;
use exchange::{Attempt, Incoming, Lease};
use places::Places;
use pool::{Bounds, Pool, Wanted};
use tls::Tls;

/// One MCP server, and the connections to it.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
    server: Server,
    path_and_query: PathAndQuery,
    /// The connections; why there can be none.
    pool: Result<Arc<Pool>, Box<str>>,
    credential: Option<Credential>,
    deadlines: Deadlines,
    places: Places,
    abandoned: Abandoned,
}

impl Upstream {
    /// Prepares everything that a call needs. Reads files, so not for the serving thread; connects to nothing.
    ///
    /// # Errors
    /// Everything in the server's configuration that cannot work, such as a CA bundle that cannot be read.
    pub fn new(server: &Server, environment: &Environment) -> Result<Self, Vec<BuildError>> {
        let mut errors = Vec::new();
        let deadlines = Deadlines::new(&server.limits, &mut errors);
        let credential = keep(server.credentials.as_ref().map(Credential::new).transpose(), &mut errors).flatten();
        let target =
            Target::parse(&server.url).map_err(|error| BuildError { pointer: "/url", message: error.to_string() });
        let connector =
            keep(target, &mut errors).and_then(|target| Self::connector(server, target, environment, &mut errors));
        match connector {
            Some(connector) if errors.is_empty() => {
                let bounds = Bounds {
                    connect_timeout: deadlines.connect,
                    idle_timeout: deadlines.pool_idle,
                    max_age: deadlines.max_age,
                    max_idle: server.limits.max_idle_connections,
                };
                Ok(Self {
                    name: server.name.as_str().into(),
                    server: server.clone(),
                    path_and_query: connector.target.path_and_query().clone(),
                    pool: Ok(Pool::new(connector, bounds)),
                    credential,
                    deadlines,
                    places: Places::new(&server.limits),
                    abandoned: Abandoned::of(server.limits.max_concurrent_calls),
                })
            }
            _ => Err(errors),
        }
    }

    /// The calls in flight whose agents have hung up.
    pub(crate) fn abandoned(&self) -> &Abandoned {
        &self.abandoned
    }

    /// A server that cannot be called as things stand, and why: each call fails with it, and nothing is sent.
    pub fn unusable(server: &Server, why: &str) -> Self {
        let target = Target::parse(&server.url).ok();
        Self {
            name: server.name.as_str().into(),
            server: server.clone(),
            path_and_query: target
                .map_or_else(|| PathAndQuery::from_static("/"), |target| target.path_and_query().clone()),
            pool: Err(why.into()),
            credential: None,
            // None of them is ever waited for.
            deadlines: Deadlines::new(&UpstreamLimits::default(), &mut Vec::new()),
            places: Places::new(&server.limits),
            abandoned: Abandoned::of(server.limits.max_concurrent_calls),
        }
    }

    fn connector(
        server: &Server,
        target: Target,
        environment: &Environment,
        errors: &mut Vec<BuildError>,
    ) -> Option<Connector> {
        let proxy = keep(proxy::choose(&target, server.proxy.as_deref(), environment), errors);
        let tls = if target.is_secure() {
            keep(Tls::new(&target, server.tls.as_ref(), environment), errors).map(Some)
        } else if server.tls.is_some() {
            errors.push(BuildError {
                pointer: "/tls",
                message: format!("{} is reached without TLS: write an https:// URL, or remove `tls`", server.url),
            });
            None
        } else {
            Some(None)
        };
        let connector =
            Connector { proxy: proxy?, tls: tls?, prior_knowledge: server.http2 && !target.is_secure(), target };
        let stays_here = connector.target.is_local() && connector.proxy.is_none();
        if let Some(credentials) = &server.credentials
            && !(connector.target.is_secure() || stays_here || credentials.insecure_plain_text)
        {
            errors.push(BuildError {
                pointer: "/credentials",
                message: "the credential would cross the network readable: use an https:// URL, or set \
                          `insecurePlainText: true` if it may"
                    .into(),
            });
        }
        Some(connector)
    }

    /// A failure that shows only when the answer is read: the server has got the call.
    pub fn error(&self, cause: Cause, detail: impl Into<String>) -> UpstreamError {
        UpstreamError { server: Arc::clone(&self.name), cause, sent: Sent::Maybe, detail: detail.into() }
    }

    /// Whether another would reach the same server in the same way, with the same certificates: a new configuration
    /// then keeps this one and its connections.
    pub fn is_like(&self, other: &Self) -> bool {
        let digest = |pool: &Pool| pool.connector().tls.as_ref().map(|tls| tls.digest);
        let reached_alike = match (&self.pool, &other.pool) {
            (Ok(one), Ok(other)) => digest(one) == digest(other),
            (Err(one), Err(other)) => one == other,
            _ => false,
        };
        reached_alike && self.server == other.server
    }

    /// How long the server may take to begin an answer.
    pub fn response_timeout(&self) -> Duration {
        self.deadlines.response
    }

    /// The path and query of the server's URL.
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    fn pool(&self) -> Result<&Arc<Pool>, Failure> {
        self.pool.as_ref().map_err(|why| Failure::unsent(Cause::Unusable, &**why))
    }

    /// Sends a request and waits for the head of its answer. A call that an old connection certainly did not take is tried
    /// once more. It waits for a place among the traffic of its kind as long as for a connection.
    ///
    /// Dropping the future ends the call: the connection is closed (HTTP/1.1) or the stream reset (HTTP/2). `progress`
    /// then still tells whether the server can have got it.
    ///
    /// # Errors
    /// What went wrong, and whether the server can have got the call.
    pub fn send(
        &self,
        outgoing: Outgoing<'_>,
        traffic: Traffic,
        progress: &Progress,
    ) -> impl Future<Output = Result<Response<Body>, UpstreamError>> {
        self.ask(self.path_and_query(), outgoing, self.credential.as_ref(), traffic, progress)
    }

    /// Gets what stands at another path of the same server, as anybody would: without the credential, and without a word
    /// from the agent. It counts as a message.
    ///
    /// # Errors
    /// As [`Upstream::send`].
    pub async fn get(
        &self,
        path_and_query: PathAndQuery,
        accept: &'static str,
    ) -> Result<Response<Body>, UpstreamError> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        let outgoing = Outgoing { method: &Method::GET, headers: &headers, body: &Bytes::new() };
        self.ask(&path_and_query, outgoing, None, Traffic::Message, &Progress::new()).await
    }

    async fn ask(
        &self,
        path_and_query: &PathAndQuery,
        outgoing: Outgoing<'_>,
        credential: Option<&Credential>,
        traffic: Traffic,
        progress: &Progress,
    ) -> Result<Response<Body>, UpstreamError> {
        let answer = async {
            let pool = self.pool()?;
            let place = self.places.take(traffic, self.deadlines.connect).await?;
            let secret = match credential {
                Some(credential) => Some(credential.header().await?),
                None => None,
            };
            let errand = Errand::new(outgoing, path_and_query, secret.as_ref())?;
            let mut response = self.exchange(pool, &errand, progress).await?;
            response.body_mut().hold(place);
            check_status(&response)?;
            Ok(response.map(|incoming| Body::new(incoming, self.deadlines.stream_idle, &self.name)))
        };
        answer.await.map_err(|failure: Failure| failure.at(&self.name))
    }

    async fn exchange(
        &self,
        pool: &Arc<Pool>,
        errand: &Errand<'_>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let lease = pool.lease(Wanted::Any).await?;
        match self.attempt(pool, lease, errand, progress).await {
            Ok(answer) => Ok(answer),
            Err(Attempt { failure, again: Some(wanted) }) => {
                tracing::debug!(server = %self.name, error = failure.detail, "a call was not taken and is tried again");
                let lease = pool.lease(wanted).await?;
                self.attempt(pool, lease, errand, progress).await.map_err(|attempt| attempt.failure)
            }
            Err(Attempt { failure, again: None }) => Err(failure),
        }
    }

    async fn attempt(
        &self,
        pool: &Pool,
        lease: Lease,
        errand: &Errand<'_>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Attempt> {
        progress.set(Sent::Maybe);
        let bound = self.deadlines.response;
        let outcome = tokio::time::timeout(bound, lease.send(errand, pool.connector())).await;
        let answer = outcome.unwrap_or_else(|_| {
            let detail = format!("no answer began within {bound:?}");
            Err(Attempt { failure: Failure { cause: Cause::ResponseTimeout, sent: Sent::Maybe, detail }, again: None })
        });
        if let Err(attempt) = &answer {
            progress.set(attempt.failure.sent);
        }
        answer
    }
}

/// A TCP connection to a host, by whichever of its addresses answers first.
///
/// # Errors
/// Why there is none, as a sentence for the log.
pub(crate) async fn dial(host: &str, port: u16) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, String> {
    connect::tcp(host, port).await.map_err(|failure| failure.detail)
}

/// Collects an error and goes on without the value.
fn keep<T>(result: Result<T, BuildError>, errors: &mut Vec<BuildError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// Refuses the answers that are not for the agent to see.
fn check_status<B>(response: &Response<B>) -> Result<(), Failure> {
    let status = response.status();
    let failure = |cause, detail| Failure { cause, sent: Sent::Maybe, detail };
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(failure(Cause::Protocol, "it switches to another protocol without being asked".into()));
    }
    if !status.is_redirection() {
        return Ok(());
    }
    // The rest of a location may hold tokens.
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let place = match location.map(str::parse::<Uri>) {
        None => "nowhere".to_owned(),
        Some(Ok(uri)) => {
            uri.host().map_or_else(|| "another path of the same host".to_owned(), |host| format!("the host {host:?}"))
        }
        Some(Err(_)) => "something that is not a URL".to_owned(),
    };
    Err(failure(
        Cause::Redirect,
        format!("status {} redirects to {place}: redirects are not followed", status.as_u16()),
    ))
}

/// A request as its sender means it. Where it goes, `Host`, the length, and the credential if there is one, are set when it is
/// sent, which may be more than once: headers of these names, `Transfer-Encoding` and `Expect` are never sent as they stand here.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, whole.
    pub body: &'a Bytes,
}

/// How far a call has got: kept by the caller beside the future of [`Upstream::send`], and readable after that is dropped.
#[derive(Debug, Default)]
pub struct Progress {
    handed_over: AtomicBool,
}

impl Progress {
    /// A call that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(&self, sent: Sent) {
        self.handed_over.store(sent == Sent::Maybe, Ordering::Release);
    }

    /// Whether the server can have got the call.
    pub fn sent(&self) -> Sent {
        if self.handed_over.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No }
    }
}
