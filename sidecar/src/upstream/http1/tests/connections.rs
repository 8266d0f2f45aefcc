//! One request on a stream that behaves as a script says.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use http::Response;
use http::uri::PathAndQuery;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;

use super::requests::connector;
use super::*;
use crate::upstream::Outgoing;
use crate::upstream::connect::{Connection, Stream};
use crate::upstream::errand::Errand;
use crate::upstream::error::Sent;
use crate::upstream::exchange::Attempt;
use crate::upstream::http1::{Http1, Incoming};
use crate::upstream::pool::Wanted;
use crate::upstream::wire::{Wire, Wired};

fn http1(stream: impl Stream + 'static, wire: Arc<Wire>) -> Http1 {
    Http1::new(Connection { stream: Box::new(stream), wire, http2: false })
}

/// As TLS does on a socket that takes nothing: it holds what it is given until it takes its leave.
struct Holding {
    held: Vec<u8>,
    /// What the server says unasked, if it does not wait. If nothing, it has ended its side.
    says: Option<&'static [u8]>,
    stream: Wired<UnixStream>,
}

impl AsyncRead for Holding {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.says {
            Some(says) => buf.put_slice(says),
            None => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Holding {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let held = std::mem::take(&mut self.held);
        Pin::new(&mut self.stream).poll_write(cx, &held).map_ok(drop)
    }
}

fn holding(says: Option<&'static [u8]>) -> (Http1, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let stream = Wired::new(ours);
    let wire = stream.wire();
    (http1(Holding { held: Vec::new(), says, stream }, wire), theirs)
}

async fn send(connection: Http1) -> Result<Response<Incoming>, Attempt> {
    let (headers, body, path) = (HeaderMap::new(), body(b"call"), PathAndQuery::from_static("/"));
    let outgoing = Outgoing { method: &Method::POST, headers: &headers, body: &body };
    let errand = Errand::new(outgoing, &path, None).unwrap();
    connection.send(&errand, &connector("http://imaging/", None), Weak::new(), true).await
}

#[tokio::test]
async fn a_request_that_was_not_written_has_no_answer_and_is_not_written_later_either() {
    for says in [b"".as_slice(), b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"] {
        let (connection, mut theirs) = holding(Some(says));
        let attempt = send(connection).await.unwrap_err();
        assert_eq!((attempt.failure.sent, attempt.again), (Sent::No, Some(Wanted::Unused)));
        let mut arrived = Vec::new();
        theirs.read_to_end(&mut arrived).await.unwrap();
        assert_eq!(arrived, b"");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_before_it_was_written_is_not_written_then() {
    let (connection, mut theirs) = holding(None);
    {
        let mut call = pin!(send(connection));
        assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
    }
    let mut arrived = Vec::new();
    theirs.read_to_end(&mut arrived).await.unwrap();
    assert_eq!(arrived, b"");
}

#[tokio::test]
async fn a_connection_keeps_little_memory_while_nothing_comes() {
    let (ours, mut theirs) = tokio::io::duplex(2 << 20);
    let mut connection = http1(ours, Arc::default());
    theirs.write_all(&vec![b'x'; 2 << 20]).await.unwrap();
    let mut most = 0;
    poll_fn(|cx| {
        while connection.poll_read(cx).is_ready() {
            most = most.max(connection.inbound().capacity());
            drop(connection.inbound().split());
        }
        Poll::Ready(())
    })
    .await;
    assert!(most >= 64 << 10, "much that comes is read at once: {most}");
    assert!(connection.inbound().capacity() <= 8 << 10);
}
