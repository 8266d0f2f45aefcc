//! How much may be on its way to a server at once. Each kind of traffic has places of its own, so that streams which stay
//! open for hours keep no call out, and calls not the answers that they wait for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::UpstreamLimits;

use super::error::{Cause, Failure};

/// The most messages at once. Servers answer them without doing anything for them.
const MESSAGES: usize = 256;

/// What a request is, by what its answer is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A request with its answer.
    Call,
    /// A stream that does not end by itself: a session's own, or a listener's.
    Stream,
    /// What has no answer, or a small one: a notification, the answer to a request of the server, the end of a session, a
    /// document.
    Message,
}

/// The places of one server.
#[derive(Debug)]
pub(super) struct Places {
    calls: Bound,
    streams: Bound,
    messages: Bound,
}

#[derive(Debug)]
struct Bound {
    most: usize,
    free: Arc<Semaphore>,
}

impl Bound {
    fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)) }
    }
}

impl Places {
    pub(super) fn new(limits: &UpstreamLimits) -> Self {
        Self {
            calls: Bound::new(limits.max_concurrent_calls),
            streams: Bound::new(limits.max_streams),
            messages: Bound::new(MESSAGES),
        }
    }

    /// A place, as long as it is held; waits for one this long.
    pub(super) async fn take(&self, traffic: Traffic, patience: Duration) -> Result<OwnedSemaphorePermit, Failure> {
        let (bound, cause, what) = match traffic {
            Traffic::Call => (&self.calls, Cause::Busy, "calls are in flight (limits.maxConcurrentCalls)"),
            Traffic::Stream => (&self.streams, Cause::Streams, "streams are open (limits.maxStreams)"),
            Traffic::Message => (&self.messages, Cause::Busy, "messages are on their way"),
        };
        if let Ok(place) = Arc::clone(&bound.free).try_acquire_owned() {
            return Ok(place);
        }
        match tokio::time::timeout(patience, Arc::clone(&bound.free).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Failure::unsent(cause, format!("{} {what}", bound.most))),
        }
    }
}
