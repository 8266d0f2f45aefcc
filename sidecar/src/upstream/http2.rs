//! A connection that speaks HTTP/2, on which calls have shares; and what bounds a server that answers calls whose requests it
//! does not read.
//!
//! ```text
//! Http2 (in the pool, and in each lease) ──► Calls ◄── Share, until a call's answer has ended and its request is gone
//!                                              └─ tired: gets no more calls, ends with the last of them
//! ```

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Request, Response, Version};
use http_body::{Frame, SizeHint};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::connect::{Connection, Connector};
use super::errand::Errand;
use super::error::{Cause, Chain, Failure};
use super::exchange::{Attempt, Incoming, LINGER, MAX_HEAD_BYTES, told};
use super::pool::Wanted;

/// What a server may send on one HTTP/2 stream, and on all streams of a connection, before it is read: bounds the memory
/// that a server can fill while an agent reads slowly.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// The most calls at once on one HTTP/2 connection, if the server permits as many; then another is made. Streams may stay
/// open for hours, and servers need not permit more than 100 (RFC 9113, 6.5.2): further ones would wait.
const MAX_CALLS: usize = 100;

/// How long an HTTP/2 connection with calls in flight may be silent before it is asked for a sign of life, and how long
/// that may take.
const PING_AFTER: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// A connection that speaks HTTP/2: calls share it.
#[derive(Clone, Debug)]
pub(super) struct Http2 {
    sender: http2::SendRequest<Underway>,
    made: Instant,
    calls: Arc<Calls>,
    /// How many the server permits at once, as of the last call.
    permitted: Arc<AtomicUsize>,
}

/// The calls of a connection.
#[derive(Debug)]
struct Calls {
    /// How many there are.
    count: AtomicUsize,
    /// A request was not read in time though its answer had ended: the connection gets no more calls.
    tired: AtomicBool,
    tasks: Tasks,
}

/// What drives a connection, until it is told to end.
#[derive(Clone, Debug)]
struct Tasks(Arc<Semaphore>);

/// A call's share of a connection. Of several the last ends a tired one.
#[derive(Debug)]
struct Share(Arc<Calls>);

/// A call on a connection. When it is dropped, and the server has not taken all of its request, it is given some time for that;
/// until then the call counts.
#[derive(Debug)]
pub(super) struct Call {
    /// Its share, and its place among the calls to the server. Unset only while it is dropped.
    held: Option<(Share, Option<OwnedSemaphorePermit>)>,
    /// Closed when the request is gone: sent, or given up.
    gone: oneshot::Receiver<()>,
}

/// The body of a request. Its bytes may be kept for long after it: they tell when they are gone.
#[derive(Debug)]
pub(super) struct Underway(Option<Kept>);

/// The bytes of a request.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: Bytes,
    _gone: oneshot::Sender<()>,
}

impl Http2 {
    pub(super) async fn new(connection: Connection) -> Result<Self, Failure> {
        let tasks = Tasks(Arc::new(Semaphore::new(0)));
        let (sender, mut driver) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD_BYTES)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PONG_WITHIN)
            .handshake(TokioIo::new(connection.stream))
            .await
            .map_err(|error| {
                Failure::unsent(Cause::Connect, format!("the connection could not be used: {}", Chain(&error)))
            })?;
        let permitted = Arc::new(AtomicUsize::new(MAX_CALLS));
        let known = Arc::clone(&permitted);
        hyper::rt::Executor::execute(
            &tasks,
            poll_fn(move |cx| {
                let over = Pin::new(&mut driver).poll(cx);
                known.store(driver.current_max_send_streams(), Ordering::Relaxed);
                over
            }),
        );
        let calls = Calls { count: AtomicUsize::new(0), tired: AtomicBool::new(false), tasks };
        Ok(Self { sender, made: Instant::now(), calls: Arc::new(calls), permitted })
    }

    /// Whether it can carry another call at this time.
    pub(super) fn is_usable(&self, max_age: Duration, now: Instant) -> bool {
        let most = MAX_CALLS.min(self.permitted.load(Ordering::Relaxed));
        self.sender.is_ready()
            && !self.calls.tired.load(Ordering::Acquire)
            && now.saturating_duration_since(self.made) < max_age
            && self.calls.count.load(Ordering::Acquire) < most
    }

    pub(super) async fn send(
        mut self,
        errand: &Errand<'_>,
        connector: &Connector,
        reused: bool,
    ) -> Result<Response<Incoming>, Attempt> {
        let (call, mut request) = Call::begin(&self.calls, errand.request());
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = connector.target.url_of(errand.path_and_query);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(|body| Incoming::Http2 { body, call })),
            Err(error) => {
                let failure = told(Failure::of_http(error.error()), error.message().is_some());
                Err(Attempt::failed(failure, reused, Wanted::Any))
            }
        }
    }
}

impl Call {
    fn begin(calls: &Arc<Calls>, request: Request<Bytes>) -> (Self, Request<Underway>) {
        calls.count.fetch_add(1, Ordering::AcqRel);
        let (there, gone) = oneshot::channel();
        let underway = request.map(|bytes| Underway((!bytes.is_empty()).then_some(Kept { bytes, _gone: there })));
        (Self { held: Some((Share(Arc::clone(calls)), None)), gone }, underway)
    }

    /// Counts in this place until it has ended and its request is gone.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        if let Some((_, held)) = &mut self.held {
            *held = Some(place);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (Some((share, place)), Ok(runtime)) = (self.held.take(), Handle::try_current()) else { return };
        if self.gone.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            return;
        }
        let (_, never) = oneshot::channel();
        let gone = std::mem::replace(&mut self.gone, never);
        runtime.spawn(async move {
            if tokio::time::timeout(LINGER, gone).await.is_err() {
                share.0.tired.store(true, Ordering::Release);
            }
            drop((share, place));
        });
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 && self.0.tired.load(Ordering::Acquire) {
            self.0.tasks.0.close();
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let over = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::select! {
                // Never has a permit: an error says that it was closed.
                _ = over.acquire() => {}
                _ = task => {}
            }
        });
    }
}

impl http_body::Body for Underway {
    type Data = Kept;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Kept>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |kept| kept.bytes.len() as u64))
    }
}

impl Buf for Kept {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
