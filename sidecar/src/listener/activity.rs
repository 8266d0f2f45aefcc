//! Watches one connection for what it owes: a request's headers in time, now and then a request, and that answers are taken.
//!
//! hyper's own header timeout also counts while a connection is idle, so that one number would have to serve both for
//! slow attackers (seconds) and for clients that keep connections (minutes). Here the two are apart.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Bounds;
use super::seldom::Seldom;
use super::streams::{self, Said};

/// What a connection begins with that is HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the two halves of a connection, bytes and requests, tell each other.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    timed_out: AtomicBool,
    stalled: AtomicBool,
}

impl Activity {
    /// A request has begun, and this will be its answer: it ends when that, and then its body, is dropped.
    pub(super) fn begin<F>(self: &Arc<Self>, answer: F) -> BusyAnswer<F> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        BusyAnswer { answer, busy: Some(Busy(Arc::clone(self))) }
    }

    /// Whether the connection was closed because headers took too long.
    pub(super) fn header_timed_out(&self) -> bool {
        self.timed_out.load(Ordering::Relaxed)
    }

    /// Whether the connection was closed because nothing of what was written to it was taken.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.begun.load(Ordering::Relaxed) != self.ended.load(Ordering::Relaxed)
    }
}

/// Held from a request's headers to its response's last byte.
#[derive(Debug)]
struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// An answer that ends its request when it is dropped. No `async` block, which would hold the future twice: it is large, and
    /// moved for every request.
    pub(super) struct BusyAnswer<F> {
        #[pin]
        answer: F,
        // Set until it is the body's.
        busy: Option<Busy>,
    }
}

impl<F: Future<Output = Response<B>>, B> Future for BusyAnswer<F> {
    type Output = Result<Response<BusyBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx));
        let busy = this.busy.take();
        Poll::Ready(Ok(response.map(|body| BusyBody { body, busy })))
    }
}

pin_project! {
    /// A response body that ends its request when it is dropped.
    pub(super) struct BusyBody<B> {
        #[pin]
        body: B,
        busy: Option<Busy>,
    }
}

impl<B: Body<Data = Bytes>> Body for BusyBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = self.project().body.poll_frame(cx);
        streams::note(if let Poll::Ready(Some(_)) = &polled { Said::Some } else { Said::None });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the connection owes next, and since when: none until it is first missed, as most requests come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// The rest of a request's headers.
    Headers { since: Option<Instant> },
    /// Any request.
    Request { since: Option<Instant> },
}

/// A stream that fails once what it owes is overdue.
pub(super) struct Watched<T> {
    stream: T,
    activity: Arc<Activity>,
    header_timeout: Duration,
    idle_timeout: Duration,
    stall_timeout: Duration,
    awaits: Awaits,
    /// A part of the headers has come.
    begun: bool,
    /// How much of the preface of HTTP/2 has come; none of a connection that has begun otherwise.
    preface: Option<usize>,
    /// How many requests had ended when `awaits` was last set.
    ended: u64,
    /// At most one idle time from now, and never later than what is due; often earlier, and then wound on, so that a request
    /// costs no timer operation.
    alarm: Pin<Box<Seldom<Sleep>>>,
    /// Runs while the other side takes nothing of what is to be written to it. Only then does an answer cost a timer.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<T> Watched<T> {
    pub(super) fn new(stream: T, bounds: &Bounds, activity: Arc<Activity>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            activity,
            header_timeout: bounds.header_timeout,
            idle_timeout: bounds.idle_timeout,
            stall_timeout: bounds.stall_timeout,
            awaits: Awaits::Headers { since: Some(now) },
            begun: false,
            preface: Some(0),
            ended: 0,
            alarm: Box::pin(Seldom::new(tokio::time::sleep_until(
                now + bounds.header_timeout.min(bounds.idle_timeout),
            ))),
            stall: None,
        }
    }

    /// Takes note that these bytes came while no request was being answered.
    fn received(&mut self, bytes: &[u8]) {
        self.notice_end();
        self.preface = self.preface.and_then(|seen| {
            let same = PREFACE[seen..].iter().zip(bytes).all(|(expected, byte)| expected == byte);
            same.then(|| PREFACE.len().min(seen + bytes.len()))
        });
        if matches!(self.awaits, Awaits::Request { .. }) && self.preface.is_none() {
            self.awaits = Awaits::Headers { since: None };
        }
        self.begun = true;
    }

    fn notice_end(&mut self) {
        let ended = self.activity.ended.load(Ordering::Relaxed);
        if ended != self.ended {
            self.ended = ended;
            self.begun = false;
            self.awaits = Awaits::Request { since: None };
        }
    }

    /// When what the connection owes is overdue; none while a request is being answered, or the end of an answer waits to be
    /// taken.
    fn due(&mut self) -> Option<Instant> {
        if self.activity.is_busy() || self.stall.is_some() {
            return None;
        }
        self.notice_end();
        let (since, bound) = match &mut self.awaits {
            Awaits::Headers { since } => (since, self.header_timeout),
            Awaits::Request { since } => (since, self.idle_timeout),
        };
        Some(*since.get_or_insert_with(Instant::now) + bound)
    }

    /// Ready once what the connection owes is overdue. The alarm is set while a request is being answered too, as nobody
    /// reads again when that ends.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let due = self.due();
        if let Some(due) = due
            && self.alarm.deadline() > due
        {
            self.alarm.as_mut().reset(due);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            match due {
                Some(due) if self.alarm.deadline() >= due => {
                    let headers = matches!(self.awaits, Awaits::Headers { .. });
                    self.activity.timed_out.store(headers, Ordering::Relaxed);
                    return Poll::Ready(io::ErrorKind::TimedOut.into());
                }
                Some(due) => self.alarm.as_mut().reset(due),
                None => self.alarm.as_mut().reset(Instant::now() + self.idle_timeout),
            }
        }
        Poll::Pending
    }
}

impl<T> Watched<T> {
    /// What has become of a write: fails once nothing was taken for too long. What is taken, however slowly, is as good as a
    /// request.
    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_pending() {
            let bound = self.stall_timeout;
            let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
            ready!(stall.as_mut().poll(cx));
            self.activity.stalled.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.stall.take().is_some() {
            self.notice_end();
            let (Awaits::Headers { since } | Awaits::Request { since }) = &mut self.awaits;
            *since = Some(Instant::now());
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> Watched<T> {
    /// Says what was overdue, if that is a request of HTTP/1.1, as far as that is possible without waiting. To what may be HTTP/2 it
    /// would be no word of the protocol.
    fn tell(&mut self, cx: &mut Context<'_>) {
        if self.begun && self.activity.header_timed_out() && self.preface.is_none() {
            let answer = super::connection::answer("408 Request Timeout", LATE);
            let _ = Pin::new(&mut self.stream).poll_write(cx, answer.as_bytes());
        }
    }
}

const LATE: &str = "The request's headers did not arrive in time (listener.headerTimeout)\n";

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending => {
                let overdue = this.poll_overdue(cx);
                if overdue.is_ready() {
                    this.tell(cx);
                }
                overdue.map(Err)
            }
            Poll::Ready(Ok(())) => {
                if buf.filled().len() > before && !this.activity.is_busy() {
                    this.received(&buf.filled()[before..]);
                }
                Poll::Ready(Ok(()))
            }
            error => error,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn after_an_answer_that_was_taken_slowly_the_next_request_is_awaited_from_its_last_byte_on() {
        let (mut client, server) = tokio::io::duplex(1);
        let bounds = Bounds { header_timeout: 10 * SECOND, idle_timeout: 60 * SECOND, ..Bounds::small() };
        let activity = Arc::new(Activity::default());
        let mut watched = Watched::new(server, &bounds, Arc::clone(&activity));
        drop(activity.begin(()));
        // The second byte finds no room, until the client takes the first.
        watched.write_u8(0).await.unwrap();
        assert!(timeout(SECOND, watched.write_u8(0)).await.is_err());
        assert!(timeout(20 * SECOND, watched.read_u8()).await.is_err());
        client.read_u8().await.unwrap();
        watched.write_u8(0).await.unwrap();
        let taken = Instant::now();
        // Nobody reads again before the alarm.
        advance(40 * SECOND).await;
        let overdue = watched.read_u8().await.unwrap_err();
        assert_eq!(overdue.kind(), io::ErrorKind::TimedOut);
        assert_eq!(taken.elapsed().as_secs(), 60);
    }
}
