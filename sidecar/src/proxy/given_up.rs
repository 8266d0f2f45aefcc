//! When a request of the legacy era is given up: its agent has cancelled it, and its server has had time to answer all the same.
//!
//! Some servers answer what is cancelled with an error, at once, and its answer ends a call's time in flight. Others never answer it,
//! and leave its stream open for as long as somebody listens.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long a server may take to answer what was cancelled. Shorter than others wait for a place (`connectTimeout`, 5 s unless it is
/// set).
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Ready when a request is given up.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    /// Unset once it has told, or never will.
    cancelled: Option<oneshot::Receiver<()>>,
    /// Set once it has told.
    answers_within: Option<Pin<Box<Sleep>>>,
}

impl GivenUp {
    /// Of a request whose holder is told so that it is cancelled. Without that it is never given up.
    pub(super) fn after(cancelled: Option<oneshot::Receiver<()>>) -> Self {
        Self { cancelled, answers_within: None }
    }
}

impl Future for GivenUp {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(cancelled) = &mut self.cancelled {
            // An error says that its id is no longer open: its answer has come.
            let is_cancelled = ready!(Pin::new(cancelled).poll(cx)).is_ok();
            self.cancelled = None;
            self.answers_within = is_cancelled.then(|| Box::pin(sleep(ANSWERS_WITHIN)));
        }
        match &mut self.answers_within {
            Some(answers_within) => answers_within.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_request_is_given_up_a_second_after_it_was_cancelled() {
        let (cancel, cancelled) = oneshot::channel();
        let mut given_up = GivenUp::after(Some(cancelled));
        assert!(tokio::time::timeout(LONG, &mut given_up).await.is_err());
        cancel.send(()).unwrap();
        let begun = tokio::time::Instant::now();
        given_up.await;
        assert!(begun.elapsed() >= ANSWERS_WITHIN && begun.elapsed() < ANSWERS_WITHIN * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_answered_or_cannot_be_cancelled_is_never_given_up() {
        let (answered, cancelled) = oneshot::channel();
        drop(answered);
        for given_up in [GivenUp::default(), GivenUp::after(Some(cancelled))] {
            assert!(tokio::time::timeout(LONG, given_up).await.is_err());
        }
    }
}
