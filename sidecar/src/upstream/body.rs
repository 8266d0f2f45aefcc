//! The body of a server's answer, as it arrives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::error::{Cause, Failure, Sent, UpstreamError};
use super::exchange::Incoming;

/// The body of a server's answer, as it arrives. Dropping it ends the call.
#[derive(Debug)]
pub struct Body {
    /// Unset once it has ended or failed, which frees its connection and its place among the calls to the server.
    incoming: Option<Incoming>,
    silence: Option<Silence>,
    server: Arc<str>,
}

/// Runs out if nothing arrives for too long.
#[derive(Debug)]
struct Silence {
    bound: Duration,
    /// Set once something has to be waited for: most answers come whole with their head.
    over: Option<Pin<Box<Sleep>>>,
}

impl Body {
    pub(super) fn new(incoming: Incoming, idle_timeout: Option<Duration>, server: &Arc<str>) -> Self {
        let silence = idle_timeout.map(|bound| Silence { bound, over: None });
        Self { incoming: Some(incoming), silence, server: Arc::clone(server) }
    }

    /// Ends it if nothing arrives for this long, unless its server's configuration has a bound for that.
    pub fn bound_silence(&mut self, bound: Duration) {
        self.silence.get_or_insert(Silence { bound, over: None });
    }

    fn end(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        self.incoming = None;
        // The head of the answer has come: whatever follows, the server got the call.
        Poll::Ready(Some(Err(Failure { sent: Sent::Maybe, ..failure }.at(&self.server))))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        match incoming.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(Silence { bound, over: Some(over) }) = &mut self.silence {
                    over.as_mut().reset(Instant::now() + *bound);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(failure))) => self.end(failure),
            Poll::Ready(None) => {
                self.incoming = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some(Silence { bound, over }) = &mut self.silence else {
                    return Poll::Pending;
                };
                let bound = *bound;
                ready!(over.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound))).as_mut().poll(cx));
                let detail = format!("nothing arrived for {bound:?}");
                self.end(Failure { cause: Cause::StreamIdle, sent: Sent::Maybe, detail })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}
