//! Bodies: an agent's, read within bounds, and the answers', whole or as they come.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::relay::Attended;
use super::{Place, WORKER_BYTES};
use crate::config::Listener;
use crate::mcp::pieces::Pieces;
use crate::mcp::rejection::{Cause, Rejection};
use crate::memory::{Full, Memory, Share};

/// The most of an answer that a connection is given at once: what it has not sent yet is not held back here any more, so
/// that it must be little.
pub(super) const SLICE: usize = 16 << 10;

/// The body of an answer to the agent.
#[derive(Debug)]
pub enum Body {
    /// All of it that the connection has not taken yet.
    Whole(Bytes),
    /// As it comes from the server.
    Relay(Attended),
}

/// What is large is counted for as long as anybody holds a part of it, as each part keeps all of its memory.
struct Large {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that are counted for as long as anybody holds a part of them.
pub(super) fn counted(bytes: Bytes, share: Share) -> Bytes {
    Bytes::from_owner(Large { bytes, _share: share })
}

impl Body {
    /// An answer that was read whole, and what it is counted for until it is sent, unless it is no larger than a slice.
    pub(super) fn counted(bytes: Bytes, share: Share) -> Self {
        Self::Whole(if bytes.len() <= SLICE { bytes } else { counted(bytes, share) })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let slice = bytes.split_to(bytes.len().min(SLICE));
                Poll::Ready(Some(Ok(Frame::data(slice))))
            }
            Self::Relay(relay) => relay.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relay(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// The body of an answer, and the place among the requests in flight that its request has until the connection has taken
/// the last slice to be sent. An answer that is relayed has its place itself.
#[derive(Debug)]
pub struct Placed {
    body: Body,
    _place: Place,
}

impl Placed {
    /// A body that holds a place; none of a request for which there was none.
    pub(super) fn new(body: Body, place: Place) -> Self {
        Self { body, _place: place }
    }
}

impl http_body::Body for Placed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads the bodies of requests within the bounds of the listener.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    memory: Memory,
    /// What large bodies, and those of which nobody knows how large they will be, may hold of it: held back, they keep out each
    /// other and no usual call.
    large: Memory,
    max_bytes: usize,
    timeout: Duration,
}

/// A request's body, and the memory it is counted for while it is held.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) memory: Option<Share>,
}

impl Received {
    /// The body of a request that has none.
    pub(super) fn nothing() -> Self {
        Self { bytes: Bytes::new(), memory: None }
    }

    /// The same for who sends it: what is large is counted for as long as anybody has a part of it, and a server that answers
    /// without reading it leaves it with the connection.
    pub(super) fn on_its_way(mut self) -> Self {
        if self.bytes.len() > SLICE
            && let Some(share) = self.memory.take()
        {
            self.bytes = counted(self.bytes, share);
        }
        self
    }
}

impl Bodies {
    pub(super) fn new(listener: &Listener, timeout: Duration) -> Self {
        let all = listener.total_body_bytes();
        let large = Memory::new((all / 4 * 3).max(listener.max_body_bytes));
        Self { memory: Memory::new(all), large, max_bytes: listener.max_body_bytes, timeout }
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    /// [`Cause::TooLarge`], [`Cause::Busy`], [`Cause::BodyTimeout`], [`Cause::BodyIncomplete`].
    pub(super) async fn read(&self, body: Incoming) -> Result<Received, Rejection> {
        let stated = body.size_hint().exact().map(|stated| usize::try_from(stated).unwrap_or(usize::MAX));
        if stated.is_some_and(|stated| stated > self.max_bytes) {
            return Err(self.too_large());
        }
        let memory = match stated {
            Some(bytes) if bytes <= WORKER_BYTES => self.memory.share(),
            _ => self.memory.share_within(&self.large),
        };
        let mut reading = pin!(self.collect(body, stated.unwrap_or_default(), memory));
        // Most bodies come with their heads, and need no timer.
        if let Poll::Ready(received) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
            return received;
        }
        let received = tokio::time::timeout(self.timeout, reading).await;
        received.unwrap_or_else(|_| Err(Rejection::new(Cause::BodyTimeout, LATE)))
    }

    /// `expected`: how much is to come; 0 if that is not known. Memory is taken for what has come, so that a promise alone keeps nobody out.
    async fn collect(&self, mut body: Incoming, expected: usize, mut memory: Share) -> Result<Received, Rejection> {
        let busy = |Full| Rejection::new(Cause::Busy, BUSY);
        memory.cover(BEGINNING).await.map_err(busy)?;
        let mut whole = Pieces::expecting(expected);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Rejection::new(Cause::BodyIncomplete, "The body broke off."))?;
            // Trailers say nothing that is used.
            let Ok(data) = frame.into_data() else { continue };
            let length = whole.len() + data.len();
            if length > self.max_bytes {
                return Err(self.too_large());
            }
            memory.cover(length).await.map_err(busy)?;
            whole.push(data);
        }
        Ok(Received { bytes: whole.join(), memory: Some(memory) })
    }

    fn too_large(&self) -> Rejection {
        let message = format!("The body is larger than {} bytes (listener.maxBodyBytes).", self.max_bytes);
        Rejection::new(Cause::TooLarge, message)
    }
}

/// What memory is taken for before anything has come: most calls are smaller.
const BEGINNING: usize = 4 << 10;

const BUSY: &str = "The sidecar holds as many request bodies as it may (listener.maxTotalBodyBytes): try again.";
const LATE: &str = "The body did not arrive in time (listener.bodyTimeout).";

#[cfg(test)]
mod tests;
