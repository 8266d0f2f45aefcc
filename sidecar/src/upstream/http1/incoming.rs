//! The body of an answer, read from its connection as it is asked for.

use std::future::poll_fn;
use std::sync::Weak;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop;

use super::Broken;
use super::connection::Http1;
use super::decoder::{Decoder, Step};
use crate::upstream::error::Failure;
use crate::upstream::exchange::LINGER;
use crate::upstream::pool::Pool;

/// The body of an answer, and its connection. When it is dropped the connection goes back to its pool if it can carry another
/// call: if the answer was there to its end, said that the connection stays, and nothing came after it. If the server has not taken
/// all of the request though its answer has ended, it is given some time for that. One whose answer was given up is closed.
#[derive(Debug)]
pub(in crate::upstream) struct Incoming {
    /// Unset once it has failed.
    connection: Option<Http1>,
    decoder: Decoder,
    /// The body of the request, until the server has taken it or it is given up.
    unsent: Option<Bytes>,
    /// None where the connection is not kept.
    pool: Weak<Pool>,
    /// Of the call among those to the server.
    place: Option<OwnedSemaphorePermit>,
}

impl Incoming {
    pub(super) fn new(connection: Http1, decoder: Decoder, unsent: Option<Bytes>, pool: Weak<Pool>) -> Self {
        Self { connection: Some(connection), decoder, unsent, pool, place: None }
    }

    /// Keeps the call's place for as long as the call counts.
    pub(in crate::upstream) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(in crate::upstream) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        if let Some(body) = &self.unsent
            && connection.poll_write(body, cx).is_ready()
        {
            self.unsent = None;
        }
        // A read gives others their turn in time; what is at hand needs none.
        if !connection.inbound().is_empty() {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        let broken = loop {
            match self.decoder.step(connection.inbound()) {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(malformed) => break Broken::Malformed(malformed),
            }
            match ready!(connection.poll_read(cx)) {
                Ok(0) if self.decoder.ends_with_connection() => {
                    self.decoder = Decoder::Length(0);
                    return Poll::Ready(None);
                }
                Ok(0) => break Broken::Ended("in the middle of its answer"),
                Ok(_) => {}
                Err(error) => break Broken::Io(error),
            }
        };
        self.connection = None;
        Poll::Ready(Some(Err(broken.into())))
    }

    pub(in crate::upstream) fn is_end_stream(&self) -> bool {
        self.connection.is_none() || self.decoder.is_over()
    }

    pub(in crate::upstream) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // What came with the last of it, such as the end of its chunks, is often not asked for.
        while let Ok(Step::Data(_)) = self.decoder.step(connection.inbound()) {}
        if !self.decoder.is_over() {
            return;
        }
        let (pool, place) = (std::mem::take(&mut self.pool), self.place.take());
        if !connection.is_underway() {
            keep(connection, &pool);
        } else if let (Some(body), Ok(runtime)) = (self.unsent.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let rest = poll_fn(|cx| connection.poll_write(&body, cx));
                if tokio::time::timeout(LINGER, rest).await.is_ok() {
                    keep(connection, &pool);
                }
                drop(place);
            });
        }
    }
}

/// Gives a connection back for another call if it is done with this one; else closes it.
fn keep(mut connection: Http1, pool: &Weak<Pool>) {
    if let Some(pool) = pool.upgrade().filter(|_| connection.is_done()) {
        connection.rest();
        pool.keep(connection);
    }
}
