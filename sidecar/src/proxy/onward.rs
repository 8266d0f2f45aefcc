//! Exchanges that go on when the agent has hung up: in the legacy era that does not end a request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that is driven on by itself if whoever waits for it goes away.
pub(super) struct Onward<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Onward<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Onward<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Polled after its end it waits for ever, as a future may.
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Onward<F> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move { drop(future.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (go_on, told) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let mut onward = Onward::new(async move {
            told.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut onward).poll(cx))).await.is_pending());
        drop(onward);
        go_on.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_waited_for_is_given() {
        assert_eq!(Onward::new(async { 7 }).await, 7);
    }
}
