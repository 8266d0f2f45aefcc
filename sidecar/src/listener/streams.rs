//! Ends HTTP/2 streams whose client takes nothing of their answer. Their connection goes on: others of its streams may be read.
//!
//! hyper gives each stream a task. In it the answer's body is asked for data, and asked again once the client has room for it. So
//! what the body has said last tells for whom the task waits: the body, or the client.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{Observer, Refusal};

/// What a body says when it is asked for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Here is some.
    Some,
    /// There is none yet, or no more.
    None,
}

thread_local! {
    /// What the body of the stream whose task runs on this thread has said last, if it was asked since the task was woken.
    static SAID: Cell<Option<Said>> = const { Cell::new(None) };
}

/// Takes note of what a body says.
pub(super) fn note(said: Said) {
    SAID.set(Some(said));
}

/// Runs the streams of one connection.
#[derive(Clone)]
pub(super) struct Streams {
    /// How long a client may take nothing of an answer.
    pub(super) stall_timeout: Duration,
    /// Hears of those that do.
    pub(super) observer: Arc<dyn Observer>,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        tokio::spawn(Stream { stream, streams: self.clone(), stall: None });
    }
}

pin_project! {
    /// A stream that ends once its client has taken nothing for too long.
    struct Stream<F> {
        #[pin]
        stream: F,
        streams: Streams,
        // Runs while the client has no room for what the body has given.
        stall: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        SAID.set(None);
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match SAID.take() {
            Some(Said::Some) => *this.stall = Some(Box::pin(tokio::time::sleep(this.streams.stall_timeout))),
            Some(Said::None) => *this.stall = None,
            // It was woken for something else.
            None => {}
        }
        let Some(stall) = this.stall else { return Poll::Pending };
        ready!(stall.as_mut().poll(cx));
        this.streams.observer.refused(Refusal::Stalled);
        // Dropping the stream resets it.
        Poll::Ready(())
    }
}
