//! Event streams, chunk by chunk (WHATWG HTML, "Server-sent events").
//!
//! ```text
//! chunks from the server ─► Scanner ─► Piece::Event    one whole event: decided on, relayed, replaced or dropped
//!                                  └─► Piece::Between  comments and blank lines: relayed at once
//! ```
//!
//! Nothing but the event that is under way is held. Put together, the bytes of all pieces are the bytes that went in, so
//! that a stream in which nothing is changed arrives as it was sent.

mod event;
mod odd;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

pub use event::{Event, replace_data};
pub use odd::has_odd_character;

use super::pieces::{LARGE, make_room};

/// What may stand before the first line. It is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event outgrows its bound.
    #[error("an event of the stream is larger than {limit} bytes; raise the server's maxEventBytes if that is meant")]
    EventTooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// An event, whole.
    Event(Event),
    /// What stands between events: comments, which keep connections alive, and blank lines.
    Between(Bytes),
}

/// Cuts a stream into pieces.
#[derive(Debug)]
pub struct Scanner {
    max_event_bytes: usize,
    /// The event under way, and what has arrived after it.
    buffer: BytesMut,
    /// Where in the buffer the line under way begins.
    line: usize,
    /// How far the buffer has been searched for the end of that line.
    searched: usize,
    /// What the complete lines of the event under way say.
    event: event::Builder,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has been looked at yet.
    at_start: bool,
}

impl Scanner {
    /// A scanner at the start of a stream, for events of at most `max_event_bytes`, their line ends included.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            buffer: BytesMut::new(),
            line: 0,
            searched: 0,
            event: event::Builder::default(),
            after_cr: false,
            at_start: true,
        }
    }

    /// Takes the next chunk of the stream. Call [`Scanner::piece`] until it has none left before the next one.
    pub fn push(&mut self, chunk: &[u8]) {
        make_room(&mut self.buffer, chunk.len());
        self.buffer.extend_from_slice(chunk);
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next piece that is complete.
    ///
    /// # Errors
    /// If the event under way is larger than the bound. The stream must then be ended; whoever asks again gets the error
    /// again.
    pub fn piece(&mut self) -> Result<Option<Piece>, SseError> {
        if self.at_start {
            if self.buffer.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&self.buffer) {
                return Ok(None);
            }
            self.at_start = false;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                return Ok(Some(Piece::Between(self.take(BYTE_ORDER_MARK.len()))));
            }
        }
        loop {
            if self.after_cr && self.line < self.buffer.len() {
                self.after_cr = false;
                if self.buffer[self.line] == b'\n' {
                    if self.line == 0 {
                        return Ok(Some(Piece::Between(self.take(1))));
                    }
                    self.line += 1;
                    self.searched = self.line;
                }
            }
            let Some(found) = memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                self.check(self.buffer.len())?;
                return Ok(None);
            };
            if let Some(piece) = self.end_line(self.searched + found)? {
                return Ok(Some(piece));
            }
        }
    }

    /// The piece that the stream broke off in, once all others are taken. Clients differ in whether they act on an event that
    /// no blank line ends, so it is to be decided on like any other.
    ///
    /// # Errors
    /// As [`Scanner::piece`].
    pub fn finish(mut self) -> Result<Option<Piece>, SseError> {
        let end = self.buffer.len();
        self.check(end)?;
        if end == 0 {
            return Ok(None);
        }
        let comment = self.line == 0 && self.buffer.starts_with(b":");
        self.event.line(&self.buffer, self.line..end);
        let raw = self.buffer.split().freeze();
        Ok(Some(if comment { Piece::Between(raw) } else { Piece::Event(self.event.finish(raw)) }))
    }

    /// Takes the line that ends at `end`, where there is a CR or LF, and with it the piece that it completes.
    fn end_line(&mut self, end: usize) -> Result<Option<Piece>, SseError> {
        let mut next = end + 1;
        self.after_cr = self.buffer[end] == b'\r';
        if self.after_cr && self.buffer.get(next) == Some(&b'\n') {
            self.after_cr = false;
            next += 1;
        }
        self.check(next)?;
        let text = &self.buffer[self.line..end];
        let (blank, comment) = (text.is_empty(), text.starts_with(b":"));
        if self.line == 0 && (blank || comment) {
            return Ok(Some(Piece::Between(self.take(next))));
        }
        if blank {
            let raw = self.take(next);
            return Ok(Some(Piece::Event(std::mem::take(&mut self.event).finish(raw))));
        }
        self.event.line(&self.buffer, self.line..end);
        self.line = next;
        self.searched = next;
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.line = 0;
        self.searched = 0;
        let taken = self.buffer.split_to(length).freeze();
        if self.buffer.capacity() > LARGE {
            // Else the room that a large event was given would be in memory until the stream ends.
            self.buffer = BytesMut::from(&*self.buffer);
        }
        taken
    }

    fn check(&self, length: usize) -> Result<(), SseError> {
        if length > self.max_event_bytes {
            return Err(SseError::EventTooLarge { limit: self.max_event_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
