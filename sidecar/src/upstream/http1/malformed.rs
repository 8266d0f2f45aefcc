//! What can be wrong with an answer in HTTP/1.1, in words for the log.

use super::chunked::{MAX_EXTENSION_BYTES, MAX_TRAILER_BYTES, MAX_TRAILERS};
use super::parse::{MAX_HEADERS, MAX_INTERIM};
use crate::upstream::exchange::MAX_HEAD_BYTES;

/// What the server sent is not valid HTTP/1.1, could be read in two ways, or is more than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("its answer does not begin with HTTP/1.0 or HTTP/1.1: does something else listen at this address?")]
    NotHttp,
    #[error("the head of its answer is larger than {MAX_HEAD_BYTES} bytes")]
    HeadTooLarge,
    #[error("its answer has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    #[error("a line in the head of its answer does not end in CR LF")]
    BareLineFeed,
    #[error("the head of its answer cannot be read: {0}")]
    Head(httparse::Error),
    #[error("it sent more than {MAX_INTERIM} interim answers (status 1xx) and no final one")]
    TooManyInterim,
    #[error(
        "its answer has both Transfer-Encoding and Content-Length, so that its end is not certain: it must have one"
    )]
    TwoFramings,
    #[error("its answer has Content-Length without one number in it")]
    ContentLength,
    #[error("its answer has a Transfer-Encoding other than chunked, which was not asked for")]
    TransferEncoding,
    #[error("its answer is HTTP/1.0 and has Transfer-Encoding, which only HTTP/1.1 has")]
    OldTransferEncoding,
    #[error("a chunk of its answer has a size that cannot be read")]
    ChunkSize,
    #[error("a chunk of its answer does not end where its size says")]
    ChunkEnd,
    #[error("the chunks of its answer have extensions that hold control characters")]
    ChunkExtension,
    #[error("the chunks of its answer have more than {MAX_EXTENSION_BYTES} bytes of extensions")]
    ExtensionsTooLarge,
    #[error("the trailers of its answer cannot be read")]
    Trailers,
    #[error("the trailers of its answer are larger than {MAX_TRAILER_BYTES} bytes, or more than {MAX_TRAILERS}")]
    TrailersTooLarge,
}

impl Malformed {
    /// Whether it may be valid, and is only more than is read.
    pub(super) fn is_too_large(self) -> bool {
        matches!(self, Self::HeadTooLarge | Self::TooManyHeaders | Self::ExtensionsTooLarge | Self::TrailersTooLarge)
    }
}
