//! One request and the head of its answer, over a connection of either protocol: what stands between [`super::Upstream`] and
//! [`super::http1`] or [`super::http2`]; and what a failure says of whether it was sent.

use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::connect::Connector;
use super::errand::Errand;
use super::error::{Cause, Failure, Sent};
use super::http1::{self, Http1};
use super::http2::{Call, Http2};
use super::pool::{Pool, Wanted};

/// The largest head of an answer, in bytes.
pub(super) const MAX_HEAD_BYTES: u32 = 64 << 10;

/// How long a server that has answered may take for the rest of the request. Until then the call counts; then the connection is
/// closed, so that what it keeps is bounded. A server that refuses a large request need not read it.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// A connection for one call. `reused`: it has carried another; only then can a failure to send be its age's fault, and only
/// then is it worth another try.
pub(super) enum Lease {
    Http1 { connection: Http1, pool: Weak<Pool>, reused: bool },
    Http2 { connection: Http2, reused: bool },
}

/// A failed attempt: what went wrong, and with which connection the call may be tried again, if it may.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) failure: Failure,
    pub(super) again: Option<Wanted>,
}

impl Attempt {
    /// One that may be made again, with a connection that is wanted so, if this one was not new and got nothing of it.
    pub(super) fn failed(failure: Failure, reused: bool, wanted: Wanted) -> Self {
        let again = (reused && failure.sent == Sent::No).then_some(wanted);
        Self { failure, again }
    }
}

/// The body of an answer, and the connection of its call until it has ended.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Its own until then.
    Http1(http1::Incoming),
    /// A share of one.
    Http2 { body: hyper::body::Incoming, call: Call },
}

impl Incoming {
    /// Keeps the call's place for as long as the call counts.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        match self {
            Self::Http1(body) => body.hold(place),
            Self::Http2 { call, .. } => call.hold(place),
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2 { body, .. } => Pin::new(body).poll_frame(cx).map_err(|error| Failure::of_http(&error)),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2 { body, .. } => body.is_end_stream(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2 { body, .. } => body.size_hint(),
        }
    }
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(self, errand: &Errand<'_>, connector: &Connector) -> Result<Response<Incoming>, Attempt> {
        match self {
            Self::Http1 { connection, pool, reused } => {
                let response = connection.send(errand, connector, pool, reused).await?;
                Ok(response.map(Incoming::Http1))
            }
            Self::Http2 { connection, reused } => connection.send(errand, connector, reused).await,
        }
    }
}

/// What a failed attempt means, if it is known whether the connection was touched for it at all.
pub(super) fn told(failure: Failure, untouched: bool) -> Failure {
    match failure.cause {
        Cause::Reset if untouched => Failure::unsent(Cause::Connect, failure.detail),
        _ if untouched => Failure { sent: Sent::No, ..failure },
        _ => failure,
    }
}
