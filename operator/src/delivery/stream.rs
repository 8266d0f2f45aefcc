//! The bytes of a stream, either end's: lines in, lines out, and whether the other end is still there.
//!
//! What is written waits for the other end to read. A line is only asked for when the one before has left, so that a reader
//! that is slow is told the newest, and never has a queue.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use reeve_wire::lines::{self, Lines, TooLong};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::dialogue::Fault;
use crate::http::Body;

/// How many pieces may be between a stream and its connection.
const PIECES: usize = 4;
/// How many lines may come within [`Limits::silence`]: a sidecar has a few to say, and a flood is stopped.
const MOST_LINES: u32 = 10_000;

/// What the other end is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The longest line, in bytes.
    pub(super) longest: usize,
    /// How long it may say nothing, or read nothing of what waits for it.
    pub(super) silence: Duration,
}

/// Why a stream ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the other end closed it")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    #[error("nothing was read for {0:?} of what waits to be sent")]
    Stalled(Duration),
    #[error("there was no hello within {0:?}")]
    NoHello(Duration),
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error("a line is no message: {0}")]
    Malformed(serde_json::Error),
    #[error("more than {MOST_LINES} lines came within {0:?}")]
    Flood(Duration),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a configuration was not answered for {0:?}")]
    Unanswered(Duration),
    #[error("a newer stream of the same pod has taken its place")]
    Replaced,
    #[error("the pod is gone")]
    Gone,
    #[error("it was asked to make another stream")]
    Retired,
    #[error("nobody takes what it says any more: the operator ends")]
    Unheard,
}

impl End {
    /// Whether the other end did what it should not.
    pub(super) fn is_fault(&self) -> bool {
        !matches!(self, Self::Closed | Self::Broken(_) | Self::Replaced | Self::Gone | Self::Retired | Self::Unheard)
    }

    /// One word.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Broken(_) => "ConnectionBroken",
            Self::Silent(_) => "Silent",
            Self::Stalled(_) => "NotReading",
            Self::NoHello(_) => "NoHello",
            Self::TooLong(_) => "LineTooLong",
            Self::Malformed(_) => "Malformed",
            Self::Flood(_) => "Flood",
            Self::Fault(Fault::Protocol { .. }) => "ProtocolUnknown",
            Self::Fault(_) => "ProtocolViolated",
            Self::Unanswered(_) => "Unanswered",
            Self::Replaced => "Replaced",
            Self::Gone => "PodGone",
            Self::Retired => "Retired",
            Self::Unheard => "Unheard",
        }
    }
}

/// What happens on a stream.
#[derive(Debug)]
pub(super) enum Event<M> {
    /// The other end said something.
    Heard(M),
    /// All that was said has left.
    Written,
}

#[derive(Debug)]
pub(super) struct Stream<B> {
    body: B,
    lines: Lines,
    out: mpsc::Sender<Bytes>,
    waiting: VecDeque<Bytes>,
    limits: Limits,
    heard_at: Instant,
    /// When the other end last read something, while more waits.
    read_at: Instant,
    /// Lines since the count began, and when that was.
    count: (u32, Instant),
}

/// A body that is written piece by piece, and what writes it.
pub(super) fn written_body() -> (mpsc::Sender<Bytes>, Body) {
    let (out, mut pieces) = mpsc::channel::<Bytes>(PIECES);
    let frames = stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    });
    (out, StreamBody::new(frames).boxed_unsync())
}

impl<B> Stream<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    /// What comes by `body`, and goes by `out`.
    pub(super) fn new(body: B, out: mpsc::Sender<Bytes>, limits: Limits) -> Self {
        let now = Instant::now();
        let lines = Lines::new(limits.longest);
        Self { body, lines, out, waiting: VecDeque::new(), limits, heard_at: now, read_at: now, count: (0, now) }
    }

    /// Whether all that was said has left.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends a message after all that waits.
    pub(super) fn say(&mut self, message: &impl Serialize) -> Result<(), End> {
        self.send([lines::write(message).map_err(End::Malformed)?]);
        Ok(())
    }

    /// Sends a line in pieces.
    pub(super) fn send(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        if self.is_idle() {
            self.read_at = Instant::now();
        }
        self.waiting.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
    }

    /// The next thing that happens. Nothing is lost if it is not waited for to the end.
    pub(super) async fn next<M: DeserializeOwned>(&mut self) -> Result<Event<M>, End> {
        let Limits { silence, .. } = self.limits;
        loop {
            if let Some(line) = self.lines.next_line()? {
                self.count()?;
                return lines::read(&line).map(Event::Heard).map_err(End::Malformed);
            }
            // What can be done is done before it is looked at the time: a machine that stood still blames nobody.
            tokio::select! {
                biased;
                place = self.out.reserve(), if !self.waiting.is_empty() => {
                    let place = place.map_err(|_| End::Closed)?;
                    if let Some(piece) = self.waiting.pop_front() {
                        place.send(piece);
                    }
                    self.read_at = Instant::now();
                    if self.is_idle() {
                        return Ok(Event::Written);
                    }
                }
                frame = self.body.frame() => match frame {
                    None => return Err(End::Closed),
                    Some(Err(error)) => return Err(End::Broken(error.to_string())),
                    Some(Ok(frame)) => if let Ok(data) = frame.into_data() {
                        self.lines.push(&data);
                    },
                },
                () = self.out.closed() => return Err(End::Closed),
                () = sleep_until(self.heard_at + silence) => return Err(End::Silent(silence)),
                () = sleep_until(self.read_at + silence), if !self.waiting.is_empty() => {
                    return Err(End::Stalled(silence));
                }
            }
        }
    }

    fn count(&mut self) -> Result<(), End> {
        let now = Instant::now();
        self.heard_at = now;
        let (lines, since) = &mut self.count;
        if now.duration_since(*since) > self.limits.silence {
            (*lines, *since) = (0, now);
        }
        *lines += 1;
        if *lines > MOST_LINES { Err(End::Flood(self.limits.silence)) } else { Ok(()) }
    }
}
