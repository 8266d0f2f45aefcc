//! The body of a server's answer, as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::UpstreamError;

/// The body of a server's answer, as it arrives. Dropping it ends the call.
#[derive(Debug)]
pub struct Body {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let _ = cx;
        todo!()
    }
}
