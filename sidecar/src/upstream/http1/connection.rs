//! A connection that speaks HTTP/1.1, and the bytes that go over it.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::response::Parts;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Broken;
use super::head;
use super::parse::Search;
use crate::upstream::connect::{Connection, Connector, Stream};
use crate::upstream::errand::Errand;
use crate::upstream::wire::{Expect, Wire};

/// How much is read at once, in bytes: at first, and where a server sends as much at once.
const READ: usize = 8 << 10;
const MAX_READ: usize = 128 << 10;

/// The most memory for a head that a connection keeps for the next one, in bytes.
const KEPT_HEAD: usize = 8 << 10;

/// A connection that speaks HTTP/1.1: one call at a time. Dropping it closes it, and nothing more is written of a request that has not
/// been written to its end.
pub(in crate::upstream) struct Http1(Box<State>);

struct State {
    stream: Box<dyn Stream>,
    wire: Arc<Wire>,
    made: Instant,
    /// For how long it may wait for the next call.
    may_wait: Duration,
    /// The head of the request. Used again for the next.
    head: Vec<u8>,
    /// How many bytes of the request the stream took, of its head and then of its body.
    taken: usize,
    outbound: Outbound,
    /// How many bytes the wire had written before the request.
    before: u64,
    /// What was read of the answer and is not used yet.
    inbound: BytesMut,
    /// How much is to be read at once.
    read: usize,
}

/// How far a request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outbound {
    Underway,
    Written,
    /// It could not be written to its end.
    Broken,
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").field("made", &self.0.made).field("outbound", &self.0.outbound).finish_non_exhaustive()
    }
}

impl Http1 {
    pub(in crate::upstream) fn new(connection: Connection) -> Self {
        let Connection { stream, wire, .. } = connection;
        Self(Box::new(State {
            stream,
            wire,
            made: Instant::now(),
            may_wait: Duration::MAX,
            head: Vec::new(),
            taken: 0,
            outbound: Outbound::Written,
            before: 0,
            inbound: BytesMut::new(),
            read: READ,
        }))
    }

    /// Whether it may carry a call at this time.
    pub(in crate::upstream) fn is_young(&self, max_age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.0.made) < max_age
    }

    /// For how long it may wait for the next call; its server may say that in each answer.
    pub(in crate::upstream) fn may_wait(&self) -> Duration {
        self.0.may_wait
    }

    pub(super) fn wait_at_most(&mut self, bound: Duration) {
        self.0.may_wait = bound;
    }

    /// Of one that is done with its call: ready if it can carry no further one. Nothing should be read on a connection without a call,
    /// not even its end. Until then the waker is told.
    pub(in crate::upstream) fn poll_spoiled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        Pin::new(&mut self.0.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).map(drop)
    }

    /// Whether it is done with its call: the whole request was written, and of what was read nothing is left behind the answer.
    pub(super) fn is_done(&self) -> bool {
        self.0.outbound == Outbound::Written && self.0.inbound.is_empty()
    }

    /// Of one that is done with its call: gives up memory that the next may not need.
    pub(super) fn rest(&mut self) {
        let state = &mut *self.0;
        // What is left of a large piece of memory may look small.
        if state.read > READ || state.inbound.capacity() > READ {
            (state.inbound, state.read) = (BytesMut::new(), READ);
        }
        state.head.clear();
        state.head.shrink_to(KEPT_HEAD);
    }

    /// Begins a request, of which nothing is written yet. Before its first byte the connection is looked at.
    pub(super) fn begin(&mut self, errand: &Errand<'_>, connector: &Connector, expect: Expect) {
        let state = &mut *self.0;
        state.head.clear();
        head::write(errand, connector, &mut state.head);
        (state.taken, state.outbound) = (0, Outbound::Underway);
        state.before = state.wire.written();
        state.wire.expect(expect);
    }

    /// Whether not a byte of the request was written.
    pub(super) fn is_untouched(&self) -> bool {
        self.0.wire.written() == self.0.before
    }

    /// Whether the rest of a request can still be written.
    pub(super) fn is_underway(&self) -> bool {
        self.0.outbound == Outbound::Underway
    }

    pub(super) fn inbound(&mut self) -> &mut BytesMut {
        &mut self.0.inbound
    }

    /// Writes the request and reads the head of its answer, which may come before all is written.
    pub(super) fn poll_answer(
        &mut self,
        body: &[u8],
        search: &mut Search,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Parts, Broken>> {
        if let Poll::Ready(Err(error)) = self.poll_write(body, cx)
            && self.is_untouched()
        {
            return Poll::Ready(Err(Broken::Io(error)));
        }
        // One that has begun may have been refused half-way: then the answer is there though no more is read.
        loop {
            if let Some(head) = search.find(&mut self.0.inbound)? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_read(cx)).map_err(Broken::Io)? == 0 {
                let begun = !self.0.inbound.is_empty();
                let when = if begun { "in the middle of the head of its answer" } else { "before it answered" };
                return Poll::Ready(Err(Broken::Ended(when)));
            }
            if self.is_untouched() {
                return Poll::Ready(Err(Broken::Unasked));
            }
        }
    }

    /// Writes what is missing of the request, of which this is the whole body. Ready when there is nothing more to do for it.
    pub(super) fn poll_write(&mut self, body: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.outbound != Outbound::Underway {
            return Poll::Ready(Ok(()));
        }
        let outcome = ready!(self.0.poll_write_on(body, cx));
        self.0.outbound = if outcome.is_ok() { Outbound::Written } else { Outbound::Broken };
        Poll::Ready(outcome)
    }

    /// Reads more of the answer: how many bytes, none at the end of the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let state = &mut *self.0;
        // Memory is used to its last quarter: almost always what was read before is gone by then, and all of it is free again.
        if state.inbound.capacity() - state.inbound.len() < state.read / 4 {
            state.inbound.reserve(state.read);
        }
        let room = state.inbound.capacity() - state.inbound.len();
        let Poll::Ready(count) = pin!(state.stream.read_buf(&mut state.inbound)).poll(cx) else {
            state.wait();
            return Poll::Pending;
        };
        let count = count?;
        if count == room && room >= state.read {
            state.read = MAX_READ.min(state.read * 2);
        }
        Poll::Ready(Ok(count))
    }
}

impl State {
    /// A stream may be silent for hours after much has come at once: while nothing comes, less and less memory is kept for more.
    fn wait(&mut self) {
        if self.read > READ && self.inbound.is_empty() {
            (self.inbound, self.read) = (BytesMut::new(), READ.max(self.read / 2));
        }
    }

    fn poll_write_on(&mut self, body: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.stream;
        loop {
            let head = self.head.get(self.taken..).unwrap_or_default();
            let rest = body.get(self.taken.saturating_sub(self.head.len())..).unwrap_or_default();
            if head.is_empty() && rest.is_empty() {
                return Pin::new(stream).poll_flush(cx);
            }
            let slices = [IoSlice::new(head), IoSlice::new(rest)];
            let count = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += count;
        }
    }
}

impl Drop for State {
    /// Takes its leave as far as that needs no waiting: of TLS, others take an end without it for an attack. TLS may hold some of a
    /// request, and would write it now.
    fn drop(&mut self) {
        if self.outbound != Outbound::Written {
            self.wire.expect(Expect::Nothing);
        }
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
