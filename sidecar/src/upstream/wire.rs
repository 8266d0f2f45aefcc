//! The lowest layer of a connection: counts what is written, and looks once more before a request is.
//!
//! Whether a call was sent at all decides whether its quota returns, and errors from the layers above cannot tell. Below
//! TLS and HTTP it is a matter of counting. So is what TLS has read and tells nobody of: the beginning of a record.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::records::Records;

/// What is known of a connection's wire from outside of it.
#[derive(Debug, Default)]
pub(super) struct Wire {
    written: AtomicU64,
    next_write: AtomicU8,
}

/// What a connection must be before the next request is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Expect {
    /// Anything: it is not looked at.
    Anything = 0,
    /// Not closed by the server.
    Open = 1,
    /// Not closed, and nothing to be read, not even half a record of TLS: what a server says on an idle HTTP/1.1 connection is a
    /// farewell.
    Quiet = 2,
    /// It was found not to be as expected, or is given up: nothing more is written.
    Nothing = 3,
}

impl Wire {
    /// How many bytes were written so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Counts bytes that were written.
    pub(super) fn wrote(&self, count: usize) {
        self.written.fetch_add(count as u64, Ordering::AcqRel);
        self.expect(Expect::Anything);
    }

    /// Looks at the connection before each write until a byte is written. If it is not as expected, the write fails and not a byte
    /// of it is sent.
    pub(super) fn expect(&self, expect: Expect) {
        self.next_write.store(expect as u8, Ordering::Release);
    }
}

/// A stream that counts.
#[derive(Debug)]
pub(super) struct Wired<S> {
    stream: S,
    wire: Arc<Wire>,
    /// What has been read of records, if what is read from here on is TLS.
    records: Option<Records>,
}

impl<S> Wired<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, wire: Arc::default(), records: None }
    }

    /// The same, of which all that is read from here on is TLS.
    pub(super) fn of_tls(self) -> Self {
        Self { records: Some(Records::default()), ..self }
    }

    pub(super) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.wire)
    }
}

impl<S: AsFd> Wired<S> {
    fn look(&self) -> io::Result<()> {
        let expect = self.wire.next_write.load(Ordering::Acquire);
        if expect == Expect::Anything as u8 {
            return Ok(());
        }
        // Not the runtime's readiness, which is only as new as its last turn: what the kernel knows now.
        let peeked = rustix::net::recv(&self.stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let sound = match peeked {
            _ if expect == Expect::Nothing as u8 => false,
            Ok((_, 0)) => false,
            _ if expect == Expect::Quiet as u8 && self.records.as_ref().is_some_and(Records::is_within_one) => false,
            Ok(_) => expect == Expect::Open as u8,
            Err(error) => error == rustix::io::Errno::WOULDBLOCK || error == rustix::io::Errno::INTR,
        };
        if sound {
            return Ok(());
        }
        self.wire.expect(Expect::Nothing);
        Err(io::Error::new(
            io::ErrorKind::ConnectionReset,
            "the server had closed the connection, or spoken before it was asked",
        ))
    }

    fn count(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written @ 1..)) = result {
            self.wire.wrote(*written);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wired<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(records) = &mut self.records {
            records.pass(&buf.filled()[before..]);
        }
        result
    }
}

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for Wired<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.look()?;
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.count(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look()?;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.count(&result);
        result
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
    use std::future::Future;
    use std::pin::pin;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn written_bytes_are_counted() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut wired = Wired::new(ours);
        let wire = wired.wire();
        wire.expect(Expect::Quiet);
        wired.write_all(b"four").await.unwrap();
        assert_eq!(wire.written(), 4);
        theirs.read_exact(&mut [0; 4]).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_ever_written_to_what_was_found_closed() {
        for expect in [Expect::Open, Expect::Quiet] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut wired = Wired::new(ours);
            drop(theirs);
            wired.wire().expect(expect);
            for _ in 0..2 {
                assert_eq!(wired.write_all(b"call").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            }
            assert_eq!(wired.wire().written(), 0);
        }
    }

    #[tokio::test]
    async fn what_comes_while_nothing_could_be_written_is_seen_before_anything_is() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut wired = Wired::new(ours);
        let mut fill = async |bytes: &[u8]| {
            std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut wired).poll_write(cx, bytes))).await
        };
        while fill(&[0; 1 << 16]).await.is_ready() {}
        let wire = wired.wire();
        let before = wire.written();
        wire.expect(Expect::Quiet);
        let mut call = pin!(wired.write_all(b"call"));
        assert!(std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_pending());
        theirs.write_all(b"farewell").await.unwrap();
        theirs.read_exact(&mut vec![0; usize::try_from(before).unwrap()]).await.unwrap();
        assert!(call.await.is_err());
        assert_eq!(wire.written(), before);
    }

    #[tokio::test]
    async fn a_connection_on_which_something_waits_to_be_read_is_open_but_not_quiet() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"farewell").await.unwrap();
        let mut wired = Wired::new(ours);
        wired.wire().expect(Expect::Open);
        wired.write_all(b"call").await.unwrap();
        wired.wire().expect(Expect::Quiet);
        assert!(wired.write_all(b"call").await.is_err());
        assert_eq!(wired.wire().written(), 4);
    }
}
