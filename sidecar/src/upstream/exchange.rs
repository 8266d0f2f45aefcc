//! One request and the head of its answer, over a connection; and what a failure says of whether it was sent.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::connect::{Connection, Connector};
use super::error::{Cause, Chain, Failure, Sent};
use super::pool::{Pool, Wanted};
use super::wire::{Expect, Wire};

/// The largest head of an answer, in bytes.
const MAX_HEAD_BYTES: u32 = 64 << 10;

/// The most that is read ahead of what was asked for, in bytes. At least [`MAX_HEAD_BYTES`].
const READ_AHEAD: usize = 128 << 10;

/// What a server may send on one HTTP/2 stream, and on all streams of a connection, before it is read: bounds the memory
/// that a server can fill while an agent reads slowly.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// The most calls at once on one HTTP/2 connection, if the server permits as many; then another is made. Streams may stay
/// open for hours, and servers need not permit more than 100 (RFC 9113, 6.5.2): further ones would wait.
const MAX_CALLS: usize = 100;

/// How long an HTTP/2 connection with calls in flight may be silent before it is asked for a sign of life, and how long
/// that may take.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// A connection that speaks HTTP/1.1: one call at a time.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    wire: Arc<Wire>,
    made: Instant,
}

/// A connection that speaks HTTP/2: calls share it.
#[derive(Clone, Debug)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    made: Instant,
    /// Held by every call in flight, to count them.
    calls: Share,
    /// How many the server permits at once, as of the last call.
    permitted: Arc<AtomicUsize>,
}

/// A call's share of an HTTP/2 connection.
#[derive(Clone, Debug)]
pub(super) struct Share(Arc<()>);

impl Http1 {
    pub(super) async fn new(connection: Connection) -> Result<Self, Failure> {
        let Connection { stream, wire, .. } = connection;
        let mut builder = http1::Builder::new();
        builder.max_header_size(MAX_HEAD_BYTES as usize).max_buf_size(READ_AHEAD);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| unmade(&error))?;
        // Its errors reach the call that is on it.
        tokio::spawn(driver);
        Ok(Self { sender, wire, made: Instant::now() })
    }

    /// Whether it can carry a call at this time.
    pub(super) fn is_usable(&self, max_age: Duration, now: Instant) -> bool {
        self.sender.is_ready() && now.saturating_duration_since(self.made) < max_age
    }
}

impl Http2 {
    pub(super) async fn new(connection: Connection) -> Result<Self, Failure> {
        let (sender, mut driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD_BYTES)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PONG_WITHIN)
            .handshake(TokioIo::new(connection.stream))
            .await
            .map_err(|error| unmade(&error))?;
        let permitted = Arc::new(AtomicUsize::new(MAX_CALLS));
        let known = Arc::clone(&permitted);
        tokio::spawn(poll_fn(move |cx| {
            let over = Pin::new(&mut driver).poll(cx);
            known.store(driver.current_max_send_streams(), Ordering::Relaxed);
            over
        }));
        Ok(Self { sender, made: Instant::now(), calls: Share(Arc::default()), permitted })
    }

    /// Whether it can carry another call at this time.
    pub(super) fn is_usable(&self, max_age: Duration, now: Instant) -> bool {
        let calls = Arc::strong_count(&self.calls.0) - 1;
        let most = MAX_CALLS.min(self.permitted.load(Ordering::Relaxed));
        self.sender.is_ready() && now.saturating_duration_since(self.made) < max_age && calls < most
    }
}

fn unmade(error: &hyper::Error) -> Failure {
    Failure::unsent(Cause::Connect, format!("the connection could not be used: {}", Chain(error)))
}

/// A connection for one call. `reused`: it has carried another; only then can a failure to send be its age's fault, and only
/// then is it worth another try.
pub(super) enum Lease {
    Http1 { connection: Http1, pool: Weak<Pool>, reused: bool },
    Http2 { connection: Http2, reused: bool },
}

/// A failed attempt: what went wrong, and with which connection the call may be tried again, if it may.
pub(super) struct Attempt {
    pub(super) failure: Failure,
    pub(super) again: Option<Wanted>,
}

/// The head of an answer, and its connection.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) line: Line,
}

/// The connection of a call, held until the answer has ended.
#[derive(Debug)]
pub(super) enum Line {
    /// Its own until then.
    Http1 { _returned: Returned },
    /// A share of one.
    Http2 { _share: Share },
}

/// Goes back to its pool when it is dropped, as soon as it can carry another call: at once after an answer that was read to its
/// end, as almost all are. One that still has to read or write something is waited for; one whose call was given up is closed.
#[derive(Debug)]
pub(super) struct Returned {
    /// Unset only while it is dropped.
    connection: Option<Http1>,
    pool: Weak<Pool>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.sender.is_ready() {
            if let Some(pool) = self.pool.upgrade() {
                pool.keep(connection);
            }
        } else if let (false, Ok(runtime)) = (connection.sender.is_closed(), Handle::try_current()) {
            let pool = Weak::clone(&self.pool);
            runtime.spawn(async move {
                if connection.sender.ready().await.is_ok()
                    && let Some(pool) = pool.upgrade()
                {
                    pool.keep(connection);
                }
            });
        }
    }
}

impl Lease {
    /// Sends a request that has the headers of the call and of nothing else, and whose URI is the path and query to ask
    /// for, and waits for the head of its answer.
    pub(super) async fn send(self, request: Request<Bytes>, connector: &Connector) -> Result<Answer, Attempt> {
        match self {
            Self::Http1 { connection, pool, reused } => connection.send(request, connector, pool, reused).await,
            Self::Http2 { connection, reused } => connection.send(request, connector, reused).await,
        }
    }
}

impl Http1 {
    async fn send(
        mut self,
        request: Request<Bytes>,
        connector: &Connector,
        pool: Weak<Pool>,
        reused: bool,
    ) -> Result<Answer, Attempt> {
        let mut request = request.map(Full::new);
        *request.version_mut() = Version::HTTP_11;
        if connector.relays() {
            make_absolute(&mut request, connector);
        }
        request.headers_mut().insert(header::HOST, connector.target.host_header().clone());
        if let Some(authorization) = connector.proxy_authorization() {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        self.wire.expect(if reused { Expect::Quiet } else { Expect::Open });
        let written = self.wire.written();
        match self.sender.try_send_request(request).await {
            Ok(response) => {
                Ok(Answer { response, line: Line::Http1 { _returned: Returned { connection: Some(self), pool } } })
            }
            Err(error) => {
                // hyper hands back what it never began; the wire knows of what it began and could not write.
                let untouched = error.message().is_some() || self.wire.written() == written;
                let failure = told(&error, untouched);
                let again = (reused && failure.sent == Sent::No).then_some(Wanted::Unused);
                Err(Attempt { failure, again })
            }
        }
    }
}

/// Names the whole URL in a request that names a path, as an HTTP proxy and HTTP/2 need it.
fn make_absolute<B>(request: &mut Request<B>, connector: &Connector) {
    if let Some(path_and_query) = request.uri().path_and_query() {
        *request.uri_mut() = connector.target.url_of(path_and_query);
    }
}

/// What a failed attempt means, if it is known whether the connection was touched for it at all.
fn told(error: &TrySendError<Request<Full<Bytes>>>, untouched: bool) -> Failure {
    let failure = Failure::of_http(error.error());
    match failure.cause {
        Cause::Reset if untouched => Failure::unsent(Cause::Connect, failure.detail),
        _ if untouched => Failure { sent: Sent::No, ..failure },
        _ => failure,
    }
}

impl Http2 {
    async fn send(mut self, request: Request<Bytes>, connector: &Connector, reused: bool) -> Result<Answer, Attempt> {
        let mut request = request.map(Full::new);
        *request.version_mut() = Version::HTTP_2;
        make_absolute(&mut request, connector);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(Answer { response, line: Line::Http2 { _share: self.calls } }),
            Err(error) => {
                let failure = told(&error, error.message().is_some());
                let again = (reused && failure.sent == Sent::No).then_some(Wanted::Any);
                Err(Attempt { failure, again })
            }
        }
    }
}
