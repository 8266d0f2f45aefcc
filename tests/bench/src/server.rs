//! An MCP server that costs as little as can be: it reads a request and writes an answer that was made beforehand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::wire::{Head, Length};

/// The tool that it has.
pub const TOOL: &str = "read_record";

/// The record that is answered at once.
pub const RECORD: &str = "rec-000017";

/// The record that is answered by a stream of [`EVENTS`] events, one each [`PACE`], and a result.
pub const STREAMED_RECORD: &str = "rec-stream";

/// Progress events of a stream.
pub const EVENTS: u32 = 200;

/// The time between two of them.
pub const PACE: Duration = Duration::from_millis(10);

/// What [`TOOL`] answers.
pub const RESULT: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"found"}],"isError":false}}"#;

/// What is looked at of a body to find out which record is read.
const LOOKED_AT: usize = 256;

/// A running server; ends with the runtime.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    calls: Arc<AtomicU64>,
}

impl Server {
    /// Listens on a port of its own, with TLS if it is given what that needs.
    pub async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let calls = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&calls);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let (counter, tls) = (Arc::clone(&counter), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &counter).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &counter).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, calls }
    }

    /// The calls that have reached it.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Answers the requests of one connection until it ends.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, calls: &AtomicU64) -> Option<()> {
    let length = RESULT.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{RESULT}");
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let head = loop {
            match Head::find(&buffer) {
                Some(head) => break head,
                None => read(&mut stream, &mut buffer).await?,
            }
        };
        let Length::Known(length) = head.length else { panic!("a request without a length") };
        while buffer.len() < head.len + length.min(LOOKED_AT) {
            read(&mut stream, &mut buffer).await?;
        }
        let seen = &buffer[head.len..head.len + length.min(LOOKED_AT)];
        let streams = memchr::memmem::find(seen, STREAMED_RECORD.as_bytes()).is_some();
        let mut left = (head.len + length).saturating_sub(buffer.len());
        buffer.drain(..buffer.len().min(head.len + length));
        while left > 0 {
            buffer.clear();
            read(&mut stream, &mut buffer).await?;
            left = left.saturating_sub(buffer.len());
            if left == 0 {
                buffer.clear();
            }
        }
        calls.fetch_add(1, Ordering::Relaxed);
        if streams {
            write_stream(&mut stream).await?;
        } else {
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<()> {
    if buffer.capacity() - buffer.len() < 8 << 10 {
        buffer.reserve(64 << 10);
    }
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// The name under which an event carries when it was written, in microseconds since [`began`].
pub const WRITTEN: &str = "\"progress\":";

/// What the times in events count from.
pub fn began() -> Instant {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGAN.get_or_init(Instant::now)
}

async fn write_stream<S: AsyncWrite + Unpin>(stream: &mut S) -> Option<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut ticks = tokio::time::interval(PACE);
    for _ in 0..EVENTS {
        ticks.tick().await;
        let written = began().elapsed().as_micros();
        let message = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":1,{WRITTEN}{written}}}}}"
        );
        write_chunk(stream, &message).await?;
    }
    write_chunk(stream, RESULT).await?;
    stream.write_all(b"0\r\n\r\n").await.ok()?;
    stream.flush().await.ok()
}

async fn write_chunk<S: AsyncWrite + Unpin>(stream: &mut S, message: &str) -> Option<()> {
    let event = format!("event: message\ndata: {message}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    stream.write_all(chunk.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}
