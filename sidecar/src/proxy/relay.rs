//! An answer on its way to the agent, as it comes. Nothing is held back but the event under way.
//!
//! Dropped when the agent hangs up, which drops the server's body and so ends the call there at once. In the legacy era that does not
//! end a request: one whose id is open in a session, or whose time in flight counts, is read to its answer, for nobody. It is given up
//! when the agent has cancelled it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;

use super::Place;
use super::events::Events;
use super::forward::Expected;
use super::given_up::GivenUp;
use super::record::Flight;
use super::streamed::Streamed;
use crate::lifecycle::Drain;
use crate::mcp::version::Era;
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
            (Some(at_most), Ok(runtime)) => {
                relay.abandon();
                runtime.spawn(async move {
                    if tokio::time::timeout(at_most, relay.read_on()).await.is_err() {
                        relay.leave();
                    }
                    drop(place);
                });
            }
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
    /// What breaks the answer off.
    broken: Option<io::Error>,
    /// What was given of a broken answer has had its turn to be sent.
    has_waited: bool,
}

#[allow(clippy::large_enum_variant, reason = "the usual way is the large one, and what holds it is boxed")]
enum Way {
    /// Byte for byte.
    Bytes,
    /// Event by event.
    Events(Streamed),
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("flight", &self.flight).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn bytes(body: upstream::Body, flight: Flight) -> Self {
        Self::new(body, Way::Bytes, GivenUp::default(), flight)
    }

    pub(super) fn events(
        body: upstream::Body,
        events: Events,
        endless: Endless,
        given_up: GivenUp,
        flight: Flight,
    ) -> Self {
        let mut relay = Self::new(body, Way::Events(Streamed::new(events)), given_up, flight);
        if let Endless::Yes(drain) = endless {
            relay.drained = Some(Box::pin(async move { drain.draining().await }));
        }
        relay
    }

    fn new(body: upstream::Body, way: Way, given_up: GivenUp, flight: Flight) -> Self {
        Self { body, way, drained: None, given_up, flight, ended: false, broken: None, has_waited: false }
    }

    /// For how long the call goes on if the agent hangs up now; none if it ends with that.
    fn outlives_the_agent(&self) -> Option<Duration> {
        match &self.way {
            Way::Events(stream) if !self.ended && stream.events.era() == Era::Legacy => {
                // Where no rule says how long the call counts, as long as for the beginning of an answer.
                let at_most = || self.flight.in_flight_for().unwrap_or_else(|| stream.events.response_timeout());
                self.flight.must_be_answered().then(at_most)
            }
            Way::Events(_) | Way::Bytes => None,
        }
    }

    /// The agent has hung up. It may take up the stream of a session again.
    fn leave(&mut self) {
        if let (false, Way::Events(stream)) = (self.ended, &self.way) {
            stream.events.leave(&mut self.flight);
        }
    }

    /// From now on it is read for nobody.
    fn abandon(&mut self) {
        if let Way::Events(stream) = &self.way {
            self.given_up.abandon(|| stream.events.abandoned().map(|abandoned| abandoned.enter()));
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
            if let Way::Events(stream) = &mut self.way
                && let Some(bytes) = stream.next_slice()
            {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.ended {
                return self.end(cx);
            }
            if let Way::Events(stream) = &mut self.way {
                if stream.is_reading() {
                    let read = ready!(stream.poll_read(cx));
                    stream.events.settle(&mut self.flight);
                    if let Err(error) = read {
                        self.fail(&error);
                    }
                    continue;
                }
                if stream.is_finished() {
                    self.conclude();
                    continue;
                }
                stream.release();
            }
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
                        Way::Events(stream) => {
                            let pushed = stream.push(&data);
                            stream.events.settle(&mut self.flight);
                            if let Err(error) = pushed {
                                self.fail(&error);
                            }
                        }
                    }
                }
                Some(Err(error)) => self.fail(&error),
                None => match &mut self.way {
                    Way::Bytes => self.ended = true,
                    Way::Events(stream) => stream.finish(),
                },
            }
        }
    }

    /// The agent has cancelled the request, and the server does not answer it.
    fn give_up(&mut self) {
        self.ended = true;
        if let Way::Events(stream) = &mut self.way {
            stream.events.leave(&mut self.flight);
            stream.ready.extend(stream.events.cancelled());
        }
    }

    /// The server has ended the stream, and all of it was read.
    fn conclude(&mut self) {
        self.ended = true;
        if let Way::Events(stream) = &mut self.way {
            stream.events.settle(&mut self.flight);
            stream.events.conclude(&mut self.flight);
            stream.ready.extend(stream.events.end());
            stream.events.leave(&mut self.flight);
        }
    }

    /// Whether only a session's own stream has ended: it may at any time, and its agent opens another.
    fn is_end_of_own_stream(&self, error: &UpstreamError) -> bool {
        let is_own = matches!(&self.way, Way::Events(stream) if stream.events.awaited.expected == Expected::Stream);
        is_own && matches!(error.cause, Cause::Reset | Cause::StreamIdle)
    }

    /// Everything was given that there is. Breaking off waits for a turn in which the head of the answer is sent, and what was given as
    /// far as the agent takes it at once: some clients send a request again, whatever it is, if its connection ends without a byte.
    fn end(&mut self, cx: &Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.broken.is_some() && !std::mem::replace(&mut self.has_waited, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.broken.take().map(Err))
    }

    /// Ends the answer with an error: told to the agent where the stream has room for it, else by breaking off.
    fn fail(&mut self, error: &UpstreamError) {
        self.ended = true;
        if !self.is_end_of_own_stream(error) {
            self.flight.failed(error);
        }
        if let Way::Events(stream) = &mut self.way {
            let told = stream.events.fail(&error.message());
            // In the legacy era the server may go on, and answer on another stream.
            stream.events.leave(&mut self.flight);
            if let Some(told) = told {
                stream.ready.push_back(told);
                return;
            }
        }
        self.broken = Some(io::Error::other(error.to_string()));
    }
}
