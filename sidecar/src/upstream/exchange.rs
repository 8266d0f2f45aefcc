//! One request and the head of its answer, over a connection; and what a failure says of whether it was sent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::connect::{Connection, Connector};
use super::error::{Cause, Chain, Failure, Sent};
use super::http2::{Call, Http2};
use super::pool::{Pool, Wanted};
use super::wire::{Expect, Wire};

/// The largest head of an answer, in bytes.
pub(super) const MAX_HEAD_BYTES: u32 = 64 << 10;

/// The most that is read ahead of what was asked for, in bytes. At least [`MAX_HEAD_BYTES`].
const READ_AHEAD: usize = 128 << 10;

/// How long a server that has answered may take for the rest of the request. Until then the call counts; then the connection is
/// closed, so that what it keeps is bounded. A server that refuses a large request need not read it.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// A connection that speaks HTTP/1.1: one call at a time.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Ends it at once, whatever it still has to write.
    driver: AbortHandle,
    wire: Arc<Wire>,
    made: Instant,
}

impl Http1 {
    pub(super) async fn new(connection: Connection) -> Result<Self, Failure> {
        let Connection { stream, wire, .. } = connection;
        let mut builder = http1::Builder::new();
        builder.max_header_size(MAX_HEAD_BYTES as usize).max_buf_size(READ_AHEAD);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| unmade(&error))?;
        // Its errors reach the call that is on it.
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self { sender, driver, wire, made: Instant::now() })
    }

    /// Whether it can carry a call at this time.
    pub(super) fn is_usable(&self, max_age: Duration, now: Instant) -> bool {
        self.sender.is_ready() && now.saturating_duration_since(self.made) < max_age
    }
}

pub(super) fn unmade(error: &hyper::Error) -> Failure {
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
    Http1(Returned),
    /// A share of one.
    Http2(Call),
}

impl Line {
    /// Keeps the call's place for as long as the call counts.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        match self {
            Self::Http1(returned) => returned.place = Some(place),
            Self::Http2(call) => call.hold(place),
        }
    }
}

/// Goes back to its pool when it is dropped, as soon as it can carry another call: at once after an answer that was read to its
/// end, as almost all are. One that still has to read or write something is waited for a little; one whose call was given up is
/// closed.
#[derive(Debug)]
pub(super) struct Returned {
    /// Unset only while it is dropped.
    connection: Option<Http1>,
    pool: Weak<Pool>,
    /// Of the call among those to the server.
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.sender.is_ready() {
            if let Some(pool) = self.pool.upgrade() {
                pool.keep(connection);
            }
        } else if let (false, Ok(runtime)) = (connection.sender.is_closed(), Handle::try_current()) {
            let (pool, place) = (Weak::clone(&self.pool), self.place.take());
            runtime.spawn(async move {
                match tokio::time::timeout(LINGER, connection.sender.ready()).await {
                    Ok(Ok(())) => {
                        if let Some(pool) = pool.upgrade() {
                            pool.keep(connection);
                        }
                    }
                    Ok(Err(_)) => {}
                    Err(_) => connection.driver.abort(),
                }
                drop(place);
            });
        }
    }
}

impl Lease {
    /// Takes and sends a request that has the headers of the call and of nothing else, and whose URI is the path and query to
    /// ask for, and waits for the head of its answer.
    pub(super) async fn send(self, request: &mut Request<Bytes>, connector: &Connector) -> Result<Answer, Attempt> {
        match self {
            Self::Http1 { connection, pool, reused } => connection.send(request, connector, pool, reused).await,
            Self::Http2 { connection, reused } => connection.send(request, connector, reused).await,
        }
    }
}

impl Http1 {
    async fn send(
        mut self,
        request: &mut Request<Bytes>,
        connector: &Connector,
        pool: Weak<Pool>,
        reused: bool,
    ) -> Result<Answer, Attempt> {
        let mut request = std::mem::take(request).map(Full::new);
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
                let returned = Returned { connection: Some(self), pool, place: None };
                Ok(Answer { response, line: Line::Http1(returned) })
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
pub(super) fn make_absolute<B>(request: &mut Request<B>, connector: &Connector) {
    if let Some(path_and_query) = request.uri().path_and_query() {
        *request.uri_mut() = connector.target.url_of(path_and_query);
    }
}

/// What a failed attempt means, if it is known whether the connection was touched for it at all.
pub(super) fn told<B>(error: &TrySendError<Request<B>>, untouched: bool) -> Failure {
    let failure = Failure::of_http(error.error());
    match failure.cause {
        Cause::Reset if untouched => Failure::unsent(Cause::Connect, failure.detail),
        _ if untouched => Failure { sent: Sent::No, ..failure },
        _ => failure,
    }
}
