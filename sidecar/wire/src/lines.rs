//! Bytes in any pieces → lines, and messages → lines.
//!
//! The other end is not trusted: a line is bounded, and no byte of it is looked at twice, however it arrives.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::Envelope;

/// A line is longer than may be read: the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {most} bytes: the stream is given up")]
pub struct TooLong {
    /// The longest that is read.
    pub most: usize,
}

/// Splits what arrives into lines.
#[derive(Debug)]
pub struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of a line.
    scanned: usize,
    most: usize,
}

impl Lines {
    /// Lines of at most so many bytes, their end not counted.
    pub fn new(most: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, most }
    }

    /// Takes what arrived. Call [`Self::next_line`] until it has none before the next piece: that is what bounds the memory.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its end. Empty ones are left out.
    ///
    /// # Errors
    /// A line is too long, whole or not. So is every later call's answer.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            let end = memchr::memchr(b'\n', &self.buffer[self.scanned..]).map(|at| self.scanned + at);
            if end.unwrap_or(self.buffer.len()) > self.most {
                return Err(TooLong { most: self.most });
            }
            let Some(end) = end else {
                self.scanned = self.buffer.len();
                return Ok(None);
            };
            let mut line = self.buffer.split_to(end + 1);
            line.truncate(end);
            self.scanned = 0;
            if !line.is_empty() {
                return Ok(Some(line.freeze()));
            }
        }
    }
}

/// Reads the message of a line.
///
/// # Errors
/// It is not JSON, or not a message.
pub fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Writes a message as a line with its end.
///
/// # Errors
/// What serde says; no message of this crate gives a reason.
pub fn write<T: Serialize>(message: &T) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line.into())
}

/// Writes a configuration as a line, in pieces to be sent one after the other: what is of the pod alone, the document, which all
/// pods that get it share, and the end. Without a document: the sidecar runs it already.
///
/// # Errors
/// As [`write()`].
pub fn write_configuration(envelope: &Envelope, document: Option<&Bytes>) -> Result<[Bytes; 3], serde_json::Error> {
    let mut head = br#"{"configuration":"#.to_vec();
    serde_json::to_writer(&mut head, envelope)?;
    let Some(document) = document else {
        head.extend_from_slice(b"}\n");
        return Ok([head.into(), Bytes::new(), Bytes::new()]);
    };
    // The document is one more member of the envelope's object.
    head.pop();
    head.extend_from_slice(br#","document":"#);
    Ok([head.into(), document.clone(), Bytes::from_static(b"}}\n")])
}
