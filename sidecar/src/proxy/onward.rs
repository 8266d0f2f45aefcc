//! Exchanges that go on when the agent has hung up: in the legacy era that does not end a request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that is driven on by itself if whoever waits for it goes away.
pub(super) struct Onward<F: Future<Output: Send> + Send + 'static, A: FnOnce()> {
    future: Option<Pin<Box<F>>>,
    /// Called when it is left alone.
    alone: Option<A>,
}

impl<F: Future<Output: Send> + Send + 'static, A: FnOnce()> Onward<F, A> {
    pub(super) fn new(future: F, alone: A) -> Self {
        Self { future: Some(Box::pin(future)), alone: Some(alone) }
    }
}

impl<F: Future<Output: Send> + Send + 'static, A: FnOnce() + Unpin> Future for Onward<F, A> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Polled after its end it waits for ever, as a future may.
        let Some(future) = &mut self.future else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static, A: FnOnce()> Drop for Onward<F, A> {
    fn drop(&mut self) {
        if let (Some(future), Some(alone)) = (self.future.take(), self.alone.take())
            && let Ok(runtime) = Handle::try_current()
        {
            alone();
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
        let (alone, is_alone) = oneshot::channel();
        let goes_on = async move {
            told.await.unwrap();
            done.send(()).unwrap();
        };
        let mut onward = Onward::new(goes_on, || alone.send(()).unwrap());
        assert!(std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut onward).poll(cx))).await.is_pending());
        drop(onward);
        is_alone.await.unwrap();
        go_on.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_waited_for_is_given() {
        assert_eq!(Onward::new(async { 7 }, || unreachable!("it is waited for")).await, 7);
    }
}
