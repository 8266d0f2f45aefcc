//! When a request of the legacy era is given up: its agent has cancelled it, and its server has had time to answer all the same; or
//! its agent has hung up, and too many go on for nobody.
//!
//! Some servers answer what is cancelled with an error, at once, and its answer ends a call's time in flight. Others never answer it,
//! and leave its stream open for as long as somebody listens.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::abandoned::Entry;

/// How long a server may take to answer what was cancelled. Shorter than others wait for a place (`connectTimeout`, 5 s unless it is
/// set).
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Among those that go on for nobody: of all requests, and of the calls to its server.
pub(super) type Entries = [Entry; 2];

/// Ready when a request is given up.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    /// Unset once it has told, or never will.
    cancelled: Option<oneshot::Receiver<()>>,
    /// Set once it has told.
    answers_within: Option<Pin<Box<Sleep>>>,
    /// Brings what is entered when the agent hangs up. Unset once it has, or never will.
    hung_up: Option<oneshot::Receiver<Entries>>,
    abandoned: Option<Entries>,
}

impl GivenUp {
    /// Of a request whose holder is told so that it is cancelled. Without that it is never given up as long as its agent waits.
    pub(super) fn after(cancelled: Option<oneshot::Receiver<()>>) -> Self {
        Self { cancelled, ..Self::default() }
    }

    /// What tells that its agent has hung up, while it is not known where this is.
    pub(super) fn told_of_hanging_up(&mut self) -> oneshot::Sender<Entries> {
        let (tell, told) = oneshot::channel();
        self.hung_up = Some(told);
        tell
    }

    /// Its agent has hung up, if that is news.
    pub(super) fn abandon(&mut self, entries: impl FnOnce() -> Entries) {
        if let Some(Ok(entries)) = self.hung_up.take().map(|mut told| told.try_recv()) {
            self.abandoned = Some(entries);
        }
        self.abandoned.get_or_insert_with(entries);
    }

    fn is_let_go(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(told) = &mut self.hung_up
            && let Poll::Ready(entries) = Pin::new(told).poll(cx)
        {
            (self.hung_up, self.abandoned) = (None, entries.ok());
        }
        self.abandoned.iter_mut().flatten().any(|entry| Pin::new(entry).poll(cx).is_ready())
    }

    fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

impl Future for GivenUp {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_let_go(cx) { Poll::Ready(()) } else { self.poll_cancelled(cx) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abandoned::Abandoned;

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

    #[tokio::test]
    async fn one_whose_agent_has_hung_up_is_given_up_when_it_is_let_go() {
        let (requests, calls) = (Abandoned::of(8), Abandoned::of(2));
        let mut told = GivenUp::default();
        let tell = told.told_of_hanging_up();
        tell.send([requests.enter(), calls.enter()]).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut told).await.is_err());
        let mut next = GivenUp::default();
        next.abandon(|| [requests.enter(), calls.enter()]);
        told.await;
        assert!(tokio::time::timeout(Duration::from_millis(1), next).await.is_err());
    }

    #[tokio::test]
    async fn an_agent_hangs_up_once() {
        let calls = Abandoned::of(2);
        let mut told = GivenUp::default();
        told.told_of_hanging_up().send([calls.enter(), Abandoned::of(1).enter()]).unwrap();
        told.abandon(|| unreachable!("it is known"));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut told).await.is_err());
    }
}
