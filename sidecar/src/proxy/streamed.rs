//! A stream of events on its way: cut into events, and each one read, a large one by a worker so that no other call waits for it.
//!
//! Events leave in the order in which they came. While a worker reads one, nothing more is taken from the server.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::WORKER_BYTES;
use super::body::{self, SLICE};
use super::events::Events;
use super::forward::no_room;
use crate::mcp::sse::{Event, Piece, Scanner};
use crate::memory::{Full, Share};
use crate::upstream::{Cause, UpstreamError};

/// What each stream may hold beside what is counted.
const UNCOUNTED: usize = 64 << 10;

/// A stream on its way.
pub(super) struct Streamed {
    /// None once the server has ended the stream.
    scanner: Option<Scanner>,
    pub(super) events: Box<Events>,
    /// What the agent is sent next.
    pub(super) ready: VecDeque<Bytes>,
    memory: Share,
    /// The event that a worker reads.
    reading: Option<Pin<Box<dyn Future<Output = Read> + Send>>>,
}

/// What the agent is sent for an event, and what governs the stream from then on; none if it could not be read.
type Read = Option<(Option<Bytes>, Box<Events>)>;

impl Streamed {
    pub(super) fn new(events: Events) -> Self {
        let memory = events.shared.answers.share_within(&events.sending.backend.answers);
        let scanner = Some(Scanner::new(events.max_event_bytes()));
        Self { scanner, events: Box::new(events), ready: VecDeque::new(), memory, reading: None }
    }

    /// The next event that is ready, or a slice of one that is large.
    pub(super) fn next_slice(&mut self) -> Option<Bytes> {
        match self.ready.front_mut() {
            Some(event) if event.len() > SLICE => Some(event.split_to(SLICE)),
            _ => self.ready.pop_front(),
        }
    }

    /// Gives back what was taken for events that have left.
    pub(super) fn release(&mut self) {
        if self.scanner.as_ref().is_some_and(|scanner| scanner.held() <= UNCOUNTED) {
            self.memory.clear();
        }
    }

    /// Takes what the server sent.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), UpstreamError> {
        let Some(scanner) = &mut self.scanner else { return Ok(()) };
        // What a stream holds usually is a few KiB, for which nothing is counted.
        let held = scanner.held() + data.len();
        if held > UNCOUNTED {
            self.memory.try_cover(held).map_err(|Full| no_room(&self.events.sending.backend))?;
        }
        scanner.push(data);
        self.advance()
    }

    /// The server has ended the stream.
    pub(super) fn finish(&mut self) {
        if let Some(Ok(Some(piece))) = self.scanner.take().map(Scanner::finish) {
            self.take(piece);
        }
    }

    /// Whether the server has ended the stream, and all of it was read.
    pub(super) fn is_finished(&self) -> bool {
        self.scanner.is_none() && self.reading.is_none()
    }

    /// Whether a worker reads an event.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Resolves when no worker reads an event any more.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(Ok(())) };
        let read = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        let Some((relayed, events)) = read else {
            let error = self.events.sending.backend.upstream.error(Cause::Unreadable, "the sidecar failed to read it");
            return Poll::Ready(Err(error));
        };
        self.events = events;
        self.add(relayed);
        Poll::Ready(self.advance())
    }

    /// Reads on, up to an event that a worker must read.
    fn advance(&mut self) -> Result<(), UpstreamError> {
        while self.reading.is_none() {
            let Some(scanner) = &mut self.scanner else { break };
            match scanner.piece() {
                Ok(Some(piece)) => self.take(piece),
                Ok(None) => break,
                Err(error) => return Err(self.events.too_large(&error)),
            }
        }
        Ok(())
    }

    fn take(&mut self, piece: Piece) {
        let relayed = match piece {
            Piece::Between(bytes) => self.events.between(bytes),
            Piece::Event(event) if event.raw.len() > WORKER_BYTES => {
                self.reading = Some(Box::pin(read(self.events.clone(), event)));
                return;
            }
            Piece::Event(event) => self.events.event(event),
        };
        self.add(relayed);
    }

    fn add(&mut self, relayed: Option<Bytes>) {
        let Some(bytes) = relayed else { return };
        self.ready.push_back(match bytes.len() {
            // Counted on while the agent reads it, whatever comes meanwhile.
            length if length > UNCOUNTED => body::counted(bytes, self.memory.split(length)),
            _ => bytes,
        });
    }
}

/// Reads an event on a worker, as soon as no more are read than may be at once. Whoever does not wait for it any more has it read
/// for nobody.
async fn read(mut events: Box<Events>, event: Event) -> Read {
    // Only a closed semaphore fails, and this one never is.
    let turn = Arc::clone(&events.shared.reading).acquire_owned().await.ok()?;
    let read = tokio::task::spawn_blocking(move || {
        let relayed = events.event(event);
        drop(turn);
        (relayed, events)
    });
    read.await.ok()
}
