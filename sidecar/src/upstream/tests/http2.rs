//! HTTP/2: one connection for many calls, and what it tells of calls that a server turns away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Server;

use super::super::{Cause, Sent};
use super::support::{Large, Scripted, build, call, eventually, server, text};

/// Frames of RFC 9113, 6, as a server writes them by hand.
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 5;
const MAX_CONCURRENT_STREAMS: u8 = 3;
const REFUSED_STREAM: u32 = 7;

struct Peer(TcpStream);

impl Peer {
    /// Takes the client's preface and greets it.
    async fn greet(mut stream: TcpStream) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut peer = Self(stream);
        peer.write(SETTINGS, 0, 0, &[]).await;
        peer
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        let _ = self.0.write_all(&frame).await;
    }

    /// Waits for the next request and returns the number of its stream.
    async fn request(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            self.0.read_exact(&mut vec![0; length]).await.ok()?;
            if head[3] == HEADERS {
                return Some(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
            }
        }
    }

    /// Waits for the end of the connection.
    async fn end(mut self) {
        while self.request().await.is_some() {}
    }

    /// `:status: 200`, and nothing else (RFC 7541, appendix A).
    async fn answer(&mut self, stream: u32) {
        self.write(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x88]).await;
    }

    async fn go_away(&mut self, last: u32) {
        self.write(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat()).await;
    }
}

fn prior_knowledge(scripted: &Scripted) -> Server {
    Server { http2: true, ..server(&scripted.url()) }
}

#[tokio::test]
async fn a_burst_of_calls_shares_one_connection() {
    let authority = super::secure::Authority::new();
    let acceptor = authority.acceptor(&[b"h2", b"http/1.1"], None);
    let scripted = Scripted::start(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let seen = format!("{} {} {:?}", request.method(), request.uri(), request.headers().get("host"));
                let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                body.send_data(seen.into(), true).unwrap();
            }
        }
    })
    .await;
    let mut server = server(&scripted.url().replace("http:", "https:"));
    server.tls = Some(authority.trusted());
    let upstream = build(&server).unwrap();
    let upstream = std::sync::Arc::new(upstream);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let upstream = std::sync::Arc::clone(&upstream);
        calls.spawn(async move { text(call(&upstream, "call").await.unwrap()).await });
    }
    let seen = calls.join_all().await;
    assert_eq!(seen, vec![format!("POST {} None", server.url); 20]);
    assert_eq!(scripted.connections(), 1);
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more_and_then_certainly_not_sent() {
    let scripted = Scripted::start(|stream, _| async move {
        let mut peer = Peer::greet(stream).await;
        while let Some(stream) = peer.request().await {
            // The first call is answered, the second refused once, the third refused for good.
            match stream {
                1 | 5 => peer.answer(stream).await,
                _ => peer.write(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes()).await,
            }
        }
    })
    .await;
    let upstream = build(&prior_knowledge(&scripted)).unwrap();
    for _ in 0..2 {
        text(call(&upstream, "call").await.unwrap()).await;
    }
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Refused, Sent::No));
    assert_eq!(error.message(), "The MCP server \"imaging\" turned the call away before it began.");
    assert_eq!(scripted.connections(), 1);
}

#[tokio::test]
async fn a_stream_above_goaway_moves_to_another_connection() {
    let scripted = Scripted::start(|stream, number| async move {
        let mut peer = Peer::greet(stream).await;
        while let Some(stream) = peer.request().await {
            match (number, stream) {
                (0, 3) => peer.go_away(1).await,
                _ => peer.answer(stream).await,
            }
        }
    })
    .await;
    let upstream = build(&prior_knowledge(&scripted)).unwrap();
    for _ in 0..3 {
        text(call(&upstream, "call").await.unwrap()).await;
    }
    assert_eq!(scripted.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_call_does_not_wait_for_others_on_a_connection_that_permits_no_more() {
    let scripted = Scripted::start(|stream, number| async move {
        let mut peer = Peer::greet(stream).await;
        peer.write(SETTINGS, 0, 0, &[&[0, MAX_CONCURRENT_STREAMS][..], &1_u32.to_be_bytes()].concat()).await;
        while let Some(stream) = peer.request().await {
            // The second call of the first connection begins an answer that does not end.
            match (number, stream) {
                (0, 3) => peer.write(HEADERS, END_HEADERS, stream, &[0x88]).await,
                _ => peer.answer(stream).await,
            }
        }
    })
    .await;
    let upstream = build(&prior_knowledge(&scripted)).unwrap();
    text(call(&upstream, "call").await.unwrap()).await;
    let endless = call(&upstream, "stream").await.unwrap();
    text(call(&upstream, "call").await.unwrap()).await;
    assert_eq!(scripted.connections(), 2);
    drop(endless);
}

#[tokio::test]
async fn a_stream_that_goaway_still_covers_may_have_been_executed() {
    let scripted = Scripted::start(|stream, _| async move {
        let mut peer = Peer::greet(stream).await;
        peer.request().await;
        peer.go_away(1).await;
    })
    .await;
    let error = call(&build(&prior_knowledge(&scripted)).unwrap(), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Reset, Sent::Maybe), "{error}");
}

#[tokio::test]
async fn any_other_reset_may_have_been_executed() {
    let scripted = Scripted::start(|stream, _| async move {
        let mut peer = Peer::greet(stream).await;
        while let Some(stream) = peer.request().await {
            peer.write(RST_STREAM, 0, stream, &2_u32.to_be_bytes()).await;
        }
    })
    .await;
    let error = call(&build(&prior_knowledge(&scripted)).unwrap(), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Reset, Sent::Maybe), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_http2_fails_the_call_and_does_not_hold_it() {
    let scripted = Scripted::start(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let upstream = build(&prior_knowledge(&scripted)).unwrap();
    assert!(call(&upstream, "call").await.is_err());
}

#[tokio::test]
async fn a_request_that_an_answering_server_never_reads_counts_for_a_while_and_then_its_connection_ends() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let scripted = Scripted::start(move |stream, number| {
        let count = Arc::clone(&count);
        async move {
            let mut peer = Peer::greet(stream).await;
            // Of the first connection no more is read than fits the window of 64 KiB.
            while let Some(stream) = peer.request().await {
                peer.answer(stream).await;
                if number == 0 {
                    peer.end().await;
                    break;
                }
            }
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let mut server = prior_knowledge(&scripted);
    server.limits.max_concurrent_calls = 1;
    server.limits.connect_timeout = "1s".into();
    let upstream = build(&server).unwrap();
    let large = Large::new();
    text(large.post(&upstream).await.unwrap()).await;
    assert!(large.is_held());
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Busy, Sent::No), "the first call still counts");
    eventually("the request is given up", async || !large.is_held()).await;
    eventually("the connection has ended", async || ended.load(Ordering::SeqCst) == 1).await;
    text(call(&upstream, "call").await.unwrap()).await;
    assert_eq!(scripted.connections(), 2);
}

#[tokio::test]
async fn a_connection_whose_server_leaves_a_request_unread_ends_with_the_last_of_its_other_calls() {
    let scripted = Scripted::start(move |stream, number| async move {
        let mut peer = Peer::greet(stream).await;
        while let Some(stream) = peer.request().await {
            // The first call is answered without its end.
            let flags = if (number, stream) == (0, 1) { END_HEADERS } else { END_STREAM_AND_HEADERS };
            peer.write(HEADERS, flags, stream, &[0x88]).await;
        }
    })
    .await;
    let upstream = build(&prior_knowledge(&scripted)).unwrap();
    let open = call(&upstream, "call").await.unwrap();
    let large = Large::new();
    text(large.post(&upstream).await.unwrap()).await;
    eventually("the connection gets no more calls", async || {
        text(call(&upstream, "call").await.unwrap()).await;
        scripted.connections() == 2
    })
    .await;
    assert!(large.is_held(), "the other call goes on");
    drop(open);
    eventually("the request is given up", async || !large.is_held()).await;
}
