//! An answer on its way to the agent, as it comes. Nothing is held back but the event under way.
//!
//! Dropped when the agent hangs up, which drops the server's body and so ends the call there at once. In the legacy era that does not
//! end a request: one whose id is open in a session, or whose time in flight counts, is read to its answer, for nobody. It is given up
//! when the agent has cancelled it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;

use super::Place;
use super::body::{self, SLICE};
use super::events::Events;
use super::forward::{Expected, no_room};
use super::given_up::GivenUp;
use super::record::Flight;
use crate::lifecycle::Drain;
use crate::mcp::sse::{Piece, Scanner};
use crate::mcp::version::Era;
use crate::memory::{Full, Share};
use crate::upstream::{self, Cause, UpstreamError};

/// Whether a stream ends by itself.
pub(super) enum Endless {
    /// It does, with its answer.
    No,
    /// It does not: it ends when the process drains.
    Yes(Drain),
}

/// An answer on its way to the agent, as long as there is one, and the place among the requests in flight that it has even
/// after that.
#[derive(Debug)]
pub struct Attended {
    relay: Option<Box<Relay>>,
    place: Place,
}

impl Attended {
    pub(super) fn new(relay: Relay, place: Place) -> Self {
        Self { relay: Some(Box::new(relay)), place }
    }

    /// The next bytes for the agent. An error ends the agent's connection or stream, so that it does not take a part for the
    /// whole.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.relay.as_mut().map_or(Poll::Ready(None), |relay| relay.poll_data(cx))
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let (Some(mut relay), place) = (self.relay.take(), self.place.take()) else { return };
        match (relay.outlives_the_agent(), tokio::runtime::Handle::try_current()) {
            (Some(at_most), Ok(runtime)) => drop(runtime.spawn(async move {
                if tokio::time::timeout(at_most, relay.read_on()).await.is_err() {
                    relay.leave();
                }
                drop(place);
            })),
            _ => relay.leave(),
        }
    }
}

/// An answer on its way.
pub(super) struct Relay {
    body: upstream::Body,
    way: Way,
    /// Resolves when a stream that never ends should.
    drained: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    given_up: GivenUp,
    flight: Flight,
    ended: bool,
}

#[allow(clippy::large_enum_variant, reason = "the usual way is the large one, and what holds it is boxed")]
enum Way {
    /// Byte for byte.
    Bytes,
    /// Event by event.
    Events { scanner: Option<Scanner>, events: Box<Events>, ready: VecDeque<Bytes>, memory: Share },
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("flight", &self.flight).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn bytes(body: upstream::Body, flight: Flight) -> Self {
        Self { body, way: Way::Bytes, drained: None, given_up: GivenUp::default(), flight, ended: false }
    }

    pub(super) fn events(
        body: upstream::Body,
        events: Events,
        endless: Endless,
        given_up: GivenUp,
        flight: Flight,
    ) -> Self {
        let drained: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = match endless {
            Endless::No => None,
            Endless::Yes(drain) => Some(Box::pin(async move { drain.draining().await })),
        };
        let scanner = Some(Scanner::new(events.max_event_bytes()));
        let memory = events.shared.answers.share_within(&events.sending.backend.answers);
        let way = Way::Events { scanner, events: Box::new(events), ready: VecDeque::new(), memory };
        Self { body, way, drained, given_up, flight, ended: false }
    }

    /// For how long the call goes on if the agent hangs up now; none if it ends with that.
    fn outlives_the_agent(&self) -> Option<Duration> {
        match &self.way {
            Way::Events { events, .. } if !self.ended && events.era() == Era::Legacy => {
                // Where no rule says how long the call counts, as long as for the beginning of an answer.
                let at_most = || self.flight.in_flight_for().unwrap_or_else(|| events.response_timeout());
                self.flight.must_be_answered().then(at_most)
            }
            Way::Events { .. } | Way::Bytes => None,
        }
    }

    /// The agent has hung up. It may take up the stream of a session again.
    fn leave(&mut self) {
        if let (false, Way::Events { events, .. }) = (self.ended, &self.way) {
            events.leave(&mut self.flight);
        }
    }

    async fn read_on(&mut self) {
        // The call is over with its answer, whatever the server does with the stream then.
        while self.flight.must_be_answered() {
            let Some(Ok(_)) = poll_fn(|cx| self.poll_data(cx)).await else { return };
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Way::Events { ready, .. } = &mut self.way
                && let Some(bytes) = next_slice(ready)
            {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            self.release();
            if self.drained.as_mut().is_some_and(|drained| drained.as_mut().poll(cx).is_ready()) {
                self.ended = true;
                continue;
            }
            if Pin::new(&mut self.given_up).poll(cx).is_ready() {
                self.give_up();
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers are not relayed: no version of the protocol has any.
                    let Ok(data) = frame.into_data() else { continue };
                    match &mut self.way {
                        Way::Bytes => return Poll::Ready(Some(Ok(data))),
                        Way::Events { scanner, events, ready, memory } => {
                            if let Err(error) = scan(scanner, events, ready, memory, &data) {
                                return self.fail(&error);
                            }
                            events.settle(&mut self.flight);
                        }
                    }
                }
                Some(Err(error)) => return self.fail(&error),
                None => self.finish(),
            }
        }
    }

    /// Gives back what was taken for events that have left.
    fn release(&mut self) {
        if let Way::Events { scanner: Some(scanner), memory, .. } = &mut self.way
            && scanner.held() <= UNCOUNTED
        {
            memory.clear();
        }
    }

    /// The agent has cancelled the request, and the server does not answer it.
    fn give_up(&mut self) {
        self.ended = true;
        if let Way::Events { events, ready, .. } = &mut self.way {
            events.leave(&mut self.flight);
            ready.extend(events.cancelled());
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        if let Way::Events { scanner, events, ready, .. } = &mut self.way {
            if let Some(Ok(Some(piece))) = scanner.take().map(Scanner::finish) {
                ready.extend(relay(events, piece));
            }
            events.settle(&mut self.flight);
            events.conclude(&mut self.flight);
            ready.extend(events.end());
            events.leave(&mut self.flight);
        }
    }

    /// Whether only a session's own stream has ended: it may at any time, and its agent opens another.
    fn is_end_of_own_stream(&self, error: &UpstreamError) -> bool {
        let is_own = matches!(&self.way, Way::Events { events, .. } if events.awaited.expected == Expected::Stream);
        is_own && matches!(error.cause, Cause::Reset | Cause::StreamIdle)
    }

    /// Ends the answer with an error: told to the agent where the stream has room for it, else by breaking off.
    fn fail(&mut self, error: &UpstreamError) -> Poll<Option<io::Result<Bytes>>> {
        self.ended = true;
        if !self.is_end_of_own_stream(error) {
            self.flight.failed(error);
        }
        if let Way::Events { events, ready, .. } = &mut self.way {
            let told = events.fail(&error.message());
            // In the legacy era the server may go on, and answer on another stream.
            events.leave(&mut self.flight);
            if let Some(told) = told {
                ready.push_back(told);
                return Poll::Ready(ready.pop_front().map(Ok));
            }
        }
        Poll::Ready(Some(Err(io::Error::other(error.to_string()))))
    }
}

/// The next event that is ready, or a slice of one that is large.
fn next_slice(ready: &mut VecDeque<Bytes>) -> Option<Bytes> {
    match ready.front_mut() {
        Some(event) if event.len() > SLICE => Some(event.split_to(SLICE)),
        _ => ready.pop_front(),
    }
}

/// What each stream may hold beside what is counted.
const UNCOUNTED: usize = 64 << 10;

fn scan(
    scanner: &mut Option<Scanner>,
    events: &mut Events,
    ready: &mut VecDeque<Bytes>,
    memory: &mut Share,
    data: &[u8],
) -> Result<(), UpstreamError> {
    let Some(scanner) = scanner else { return Ok(()) };
    // What a stream holds usually is a few KiB, for which nothing is counted.
    let held = scanner.held() + data.len();
    if held > UNCOUNTED {
        memory.try_cover(held).map_err(|Full| no_room(&events.sending.backend))?;
    }
    scanner.push(data);
    loop {
        match scanner.piece() {
            Ok(Some(piece)) => ready.extend(relay(events, piece).map(|bytes| match bytes.len() {
                // Counted on while the agent reads it, whatever comes meanwhile.
                length if length > UNCOUNTED => body::counted(bytes, memory.split(length)),
                _ => bytes,
            })),
            Ok(None) => return Ok(()),
            Err(error) => return Err(events.too_large(&error)),
        }
    }
}

fn relay(events: &mut Events, piece: Piece) -> Option<Bytes> {
    match piece {
        Piece::Between(bytes) => events.between(bytes),
        Piece::Event(event) => events.event(event),
    }
}
