//! A future that costs its task nothing while it has nothing to say.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

pin_project! {
    /// A future that is polled when it was woken itself, and not whenever its task is polled for something else: the task of a
    /// connection waits for the end of the process, and for what is overdue, at each step of each call.
    pub(super) struct Seldom<F> {
        #[pin]
        future: F,
        bell: Arc<Bell>,
        // Rings the bell.
        waker: Waker,
        // Whom the bell calls.
        called: Option<Waker>,
    }
}

struct Bell {
    has_rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::SeqCst);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.into_iter().for_each(Waker::wake);
    }
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: Mutex::default() });
        Self { future, waker: Arc::clone(&bell).into(), bell, called: None }
    }
}

impl Seldom<Sleep> {
    /// When it is over.
    pub(super) fn deadline(&self) -> Instant {
        self.future.deadline()
    }

    pub(super) fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        this.future.reset(deadline);
        // It has to be polled once to be woken.
        this.bell.has_rung.store(true, Ordering::SeqCst);
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Before the bell is looked at, so that whoever rings it afterwards calls this task.
        if !this.called.as_ref().is_some_and(|called| called.will_wake(cx.waker())) {
            *this.called = Some(cx.waker().clone());
            this.bell.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(this.called);
        }
        if !this.bell.has_rung.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        this.bell.has_rung.store(false, Ordering::SeqCst);
        let polled = this.future.poll(&mut Context::from_waker(this.waker));
        if polled.is_ready() {
            // Asked again, it would say so again: an alarm is over until it is reset.
            this.bell.has_rung.store(true, Ordering::SeqCst);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_future_is_polled_once_for_each_time_that_it_is_woken() {
        let (polls, turns, (tell, told)) = (AtomicU32::new(0), Notify::new(), oneshot::channel::<()>());
        let mut told = std::pin::pin!(told);
        let counted = std::future::poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            told.as_mut().poll(cx)
        });
        let mut seldom = std::pin::pin!(Seldom::new(counted));
        for _ in 0..100 {
            turns.notify_one();
            tokio::select! {
                biased;
                _ = &mut seldom => unreachable!("nobody has told"),
                () = turns.notified() => {}
            }
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        tell.send(()).unwrap();
        seldom.await.unwrap();
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn the_task_that_asked_last_is_the_one_that_is_woken() {
        let (tell, told) = oneshot::channel::<u32>();
        let mut seldom = Box::pin(Seldom::new(told));
        let first = tokio::spawn(async move {
            let pending = std::future::poll_fn(|cx| Poll::Ready(seldom.as_mut().poll(cx).is_pending())).await;
            (seldom, pending)
        });
        let (seldom, pending) = first.await.unwrap();
        assert!(pending);
        let second = tokio::spawn(seldom);
        tokio::task::yield_now().await;
        tell.send(7).unwrap();
        assert_eq!(second.await.unwrap(), Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_over_until_it_is_reset() {
        let mut alarm = std::pin::pin!(Seldom::new(tokio::time::sleep(Duration::from_secs(1))));
        alarm.as_mut().await;
        let mut is_over = || alarm.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(is_over() && is_over());
        alarm.as_mut().reset(Instant::now() + Duration::from_secs(1));
        assert!(alarm.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        alarm.await;
    }
}
