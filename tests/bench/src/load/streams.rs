//! Agents whose calls are answered by streams of events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Call, Taken, USUAL};
use crate::server::{EVENTS, PACE, STREAMED_RECORD, WRITTEN, began};

/// Has this many streams open at once, reads each to its end, and gives how long each event took from the server to the
/// agent. Calls `begun` when all have been asked for, and `midway` when they have run for half their time.
///
/// # Panics
/// If a stream is not whole.
pub async fn read(address: SocketAddr, streams: usize, begun: impl FnOnce(), midway: impl FnOnce()) -> Taken {
    let request = Call { record: STREAMED_RECORD, ..USUAL }.request(address);
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let request = request.clone();
        running.spawn(async move { stream(address, &request).await });
    }
    begun();
    tokio::time::sleep(PACE * EVENTS / 2).await;
    midway();
    let each = running.join_all().await.concat();
    assert_eq!(each.len(), streams * EVENTS as usize, "every event arrives");
    Taken::new(start.elapsed(), each)
}

async fn stream(address: SocketAddr, request: &[u8]) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("the proxy accepts connections");
    stream.set_nodelay(true).expect("an open socket takes options");
    stream.write_all(request).await.expect("the proxy reads");
    let (mut buffer, mut each) = (BytesMut::with_capacity(16 << 10), Vec::with_capacity(EVENTS as usize));
    let mut found = false;
    while !buffer.ends_with(b"0\r\n\r\n") {
        let read = stream.read_buf(&mut buffer).await.expect("the proxy answers");
        assert!(read > 0, "the stream ends as it should: {}", String::from_utf8_lossy(&buffer));
        let now = began().elapsed();
        while let Some(at) = memchr::memmem::find(&buffer, WRITTEN.as_bytes()) {
            let digits = &buffer[at + WRITTEN.len()..];
            let Some(end) = memchr::memchr(b'}', digits) else { break };
            let written = std::str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse().ok());
            each.push(now.saturating_sub(Duration::from_micros(written.expect("an event says when it was written"))));
            let consumed = at + WRITTEN.len() + end;
            buffer.advance(consumed);
        }
        found |= memchr::memmem::find(&buffer, USUAL.expected.part.as_bytes()).is_some();
    }
    assert!(found, "the stream brings the result");
    each
}
