//! HTTP/1.1 as a client, on one connection at a time: the call that is on it drives it, so that nothing of a call is handed to
//! another task and back.
//!
//! ```text
//! Errand ──► head ──► Http1 (in the pool, and in each lease) ──► parse ──► framing ──► Incoming ──► back to the pool
//!          written,     writes and reads the stream                head of      how the     its body,
//!          pure                                                    the answer   body ends   as it arrives
//! ```
//!
//! A call goes this way in `call`; `decoder` and `chunked` take an answer's content out of its bytes; `malformed` has the words for
//! what is wrong with one.
//!
//! Reading is strict (RFC 9112): what two readers could read in two ways is an error, and ends the connection. One is used again
//! only if the answer said so, its end is certain, and nothing came after it.

mod call;
mod chunked;
mod connection;
mod decoder;
mod framing;
mod head;
mod incoming;
mod malformed;
mod parse;

#[cfg(test)]
mod tests;

pub(super) use connection::Http1;
pub(super) use incoming::Incoming;

use super::error::{Cause, Chain, Failure, Sent};
use malformed::Malformed;

/// Why an answer does not come.
#[derive(Debug)]
enum Broken {
    /// The stream failed.
    Io(std::io::Error),
    /// The server closed the connection, too early.
    Ended(&'static str),
    /// The server spoke before a byte of the request was written: it can be no answer to it.
    Unasked,
    /// What came is no answer that can be read.
    Malformed(Malformed),
}

impl From<Malformed> for Broken {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        let (cause, detail) = match &broken {
            Broken::Io(error) => {
                let chain = Chain(error);
                (chain.stream_cause(), chain.to_string())
            }
            Broken::Ended(what) => (Cause::Reset, format!("the server closed the connection {what}")),
            Broken::Unasked => (Cause::Reset, "the server spoke before it was asked".to_owned()),
            Broken::Malformed(malformed) if malformed.is_too_large() => (Cause::TooLarge, malformed.to_string()),
            Broken::Malformed(malformed) => (Cause::Protocol, malformed.to_string()),
        };
        Self { cause, sent: Sent::Maybe, detail }
    }
}
