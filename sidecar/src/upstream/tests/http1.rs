//! HTTP/1.1 on a real connection: when it carries another call, and answers that come before their request was sent.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::super::{Cause, Sent, Upstream};
use super::secure::Authority;
use super::support::{Large, Scripted, answer, build, call, eventually, read_request, server, text, upstream, within};

/// A server that answers each request with these bytes, and leaves the connection open.
async fn answering(bytes: &'static [u8]) -> (Scripted, Upstream) {
    let scripted = Scripted::start(move |mut stream, _| async move {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(bytes).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    (scripted, upstream)
}

#[tokio::test]
async fn an_answer_that_ends_for_certain_and_nothing_else_keeps_its_connection() {
    for (bytes, content, connections) in [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".as_slice(), "ok", 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nT: u\r\n\r\n", "ok", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok", 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", "ok", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n", "ok", 3),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "", 3),
    ] {
        let (scripted, upstream) = answering(bytes).await;
        for _ in 0..3 {
            assert_eq!(text(call(&upstream, "call").await.unwrap()).await, content, "{}", bytes.escape_ascii());
        }
        assert_eq!(scripted.connections(), connections, "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn an_answer_whose_end_is_not_certain_is_refused() {
    for (bytes, told) in [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                .as_slice(),
            "both",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "CR LF"),
    ] {
        let (_scripted, upstream) = answering(bytes).await;
        let error = call(&upstream, "call").await.unwrap_err();
        assert_eq!((error.cause, error.sent), (Cause::Protocol, Sent::Maybe));
        assert!(error.detail.contains(told), "{error}");
    }
}

#[tokio::test]
async fn chunks_that_are_none_end_the_answer_and_its_connection() {
    let (scripted, upstream) =
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n").await;
    for _ in 0..2 {
        let error = within(call(&upstream, "call").await.unwrap().into_body().collect()).await.unwrap_err();
        assert_eq!((error.cause, error.sent), (Cause::Protocol, Sent::Maybe));
        assert!(error.detail.contains("chunk"), "{error}");
    }
    assert_eq!(scripted.connections(), 2);
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        for part in ["HTTP/1.1 200 OK\r\n\r\n", "all ", "of it"] {
            stream.write_all(part.as_bytes()).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "all of it");
    assert_eq!(upstream.pool().unwrap().idle(), 0);
}

#[tokio::test]
async fn half_a_head_is_a_reset() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await.unwrap();
    })
    .await;
    let error = call(&upstream(&scripted.url()), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Reset, Sent::Maybe));
    assert!(error.detail.contains("head"), "{error}");
}

#[tokio::test]
async fn more_headers_than_are_read_are_too_large_an_answer() {
    static ANSWER: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101)));
    let (_scripted, upstream) = answering(ANSWER.as_bytes()).await;
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::TooLarge, Sent::Maybe));
}

#[tokio::test]
async fn idle_connections_that_a_server_closes_are_closed_without_another_call() {
    let (close, _) = tokio::sync::broadcast::channel::<()>(1);
    let closing = close.clone();
    let scripted = Scripted::start(move |mut stream, _| {
        let mut closing = closing.subscribe();
        async move {
            while tokio::select! { request = read_request(&mut stream) => request.is_some(), _ = closing.recv() => false } {
                answer(&mut stream, "ok").await;
            }
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(call(&upstream, "call").await.unwrap());
    }
    for answer in answers {
        text(answer).await;
    }
    assert_eq!(upstream.pool().unwrap().idle(), 3);
    close.send(()).unwrap();
    eventually("they are given up", async || upstream.pool().unwrap().idle() == 0).await;
}

/// Reads the head of a request, and how much of its body came with it.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> (usize, usize) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            return (length.parse().unwrap(), body.len());
        }
    }
}

/// Reads the rest of a request.
async fn read_rest(stream: &mut (impl AsyncRead + Unpin), (length, read): (usize, usize)) {
    let rest = u64::try_from(length - read).unwrap();
    let taken = tokio::io::copy(&mut stream.take(rest), &mut tokio::io::sink()).await.unwrap();
    assert_eq!(taken, rest, "the request came whole");
}

/// A server on a Unix socket, on which little is on its way unread: it answers one request before it has read it, and then others.
/// `begin` comes before the rest of the request is read and `end` after it.
fn answering_early(begin: &'static [u8], end: &'static [u8]) -> (tempfile::TempDir, Upstream) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("imaging.sock");
    let upstream = upstream(&format!("unix://{}:/mcp", path.display()));
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(begin).await.unwrap();
        read_rest(&mut stream, head).await;
        stream.write_all(end).await.unwrap();
        while read_request(&mut stream).await.is_some() {
            answer(&mut stream, "next").await;
        }
    });
    (directory, upstream)
}

#[tokio::test]
async fn the_rest_of_a_request_is_sent_while_its_answer_is_read_and_then_the_connection_is_kept() {
    let begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    let (_directory, upstream) = answering_early(begin, b"0\r\n\r\n");
    let large = Large::new();
    assert_eq!(text(large.post_bytes(&upstream, 2 << 20).await.unwrap()).await, "ok");
    assert!(!large.is_held());
    assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "next");
}

#[tokio::test]
async fn a_server_that_takes_the_rest_of_a_request_after_its_answer_has_ended_keeps_its_connection() {
    let (_directory, upstream) = answering_early(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"");
    let large = Large::new();
    assert_eq!(text(large.post_bytes(&upstream, 2 << 20).await.unwrap()).await, "ok");
    eventually("the rest is taken and the connection kept", async || {
        !large.is_held() && upstream.pool().unwrap().idle() == 1
    })
    .await;
    assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "next");
}

#[tokio::test]
async fn a_refusal_of_a_large_request_is_relayed_though_the_server_hangs_up_at_once() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_head(&mut stream).await;
        let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large";
        stream.write_all(refusal).await.unwrap();
    })
    .await;
    let upstream = upstream(&scripted.url());
    for _ in 0..3 {
        let large = Large::new();
        let response = large.post(&upstream).await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(text(response).await, "too large");
        eventually("the request is given up", async || !large.is_held()).await;
    }
}

#[tokio::test]
async fn what_came_with_the_last_of_an_answer_need_not_be_asked_for() {
    let (scripted, upstream) =
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    for _ in 0..3 {
        let mut body = call(&upstream, "call").await.unwrap().into_body();
        assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "ok");
        drop(body);
    }
    assert_eq!(scripted.connections(), 1);
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let scripted = Scripted::start(|mut stream, _| async move {
        while read_request(&mut stream).await.is_some() {
            answer(&mut stream, &"0123456789abcdef".repeat(1 << 16)).await;
        }
    })
    .await;
    let mut server = server(&scripted.url());
    server.limits.max_idle_connections = 1;
    let upstream = build(&server).unwrap();
    for _ in 0..2 {
        assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "0123456789abcdef".repeat(1 << 16));
    }
    assert_eq!(scripted.connections(), 1);
}

#[tokio::test]
async fn others_have_their_turn_while_much_that_has_come_is_taken_in_small_pieces() {
    const CHUNKS: usize = 1 << 16;
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        stream.write_all("1\r\nx\r\n".repeat(CHUNKS).as_bytes()).await.unwrap();
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    let mut body = call(&upstream(&scripted.url()), "call").await.unwrap().into_body();
    let turns = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let (mut pieces, mut without_a_turn, mut last) = (0, 0, 0);
    while let Some(piece) = within(body.frame()).await {
        pieces += usize::from(piece.unwrap().is_data());
        let now = turns.load(Ordering::Relaxed);
        without_a_turn = if now == last { without_a_turn + 1 } else { 0 };
        last = now;
        assert!(without_a_turn < 1000, "nobody else had a turn for {without_a_turn} pieces");
    }
    assert_eq!(pieces, CHUNKS);
    other.abort();
}

/// What calls this server over TLS.
fn trusting(authority: &Authority, scripted: &Scripted) -> Upstream {
    let mut server = server(&scripted.url().replace("http:", "https:"));
    server.tls = Some(authority.trusted());
    build(&server).unwrap()
}

/// TLS reads whole records, of which the rest waits where no look at the socket finds it.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_and_that_only_tls_has_read_is_given_to_no_call() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&[b"http/1.1"], None);
    let scripted = Scripted::start(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            while read_request(&mut stream).await.is_some() {
                // As much as is read at first.
                let asked = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", (8 << 10) - 41);
                let unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked";
                let both = [asked.as_bytes(), &vec![b'x'; (8 << 10) - asked.len()], unasked].concat();
                stream.write_all(&both).await.unwrap();
            }
        }
    })
    .await;
    let upstream = trusting(&authority, &scripted);
    for _ in 0..3 {
        let body = text(call(&upstream, "call").await.unwrap()).await;
        assert!(body.bytes().all(|byte| byte == b'x'), "{body}");
    }
    assert_eq!(scripted.connections(), 3);
}

/// TLS keeps what has come of a record until the rest does, and tells nobody.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_and_of_which_tls_has_read_half_a_record_is_given_to_no_call() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&[b"http/1.1"], None);
    let scripted = Scripted::start(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut rest = Vec::new();
            while read_request(&mut stream).await.is_some() {
                let (socket, session) = stream.get_mut();
                let mut bytes = std::mem::take(&mut rest);
                for body in ["ok", "unasked"] {
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    session.writer().write_all((head + body).as_bytes()).unwrap();
                    session.write_tls(&mut bytes).unwrap();
                }
                rest = bytes.split_off(bytes.len() - 10);
                // The client may have hung up.
                let _ = socket.write_all(&bytes).await;
            }
        }
    })
    .await;
    let upstream = trusting(&authority, &scripted);
    for _ in 0..3 {
        assert_eq!(text(call(&upstream, "call").await.unwrap()).await, "ok");
    }
    assert_eq!(scripted.connections(), 3);
}

#[tokio::test]
async fn what_comes_after_a_large_answer_ends_its_connection_too() {
    let scripted = Scripted::start(|mut stream, _| async move {
        let large = "x".repeat(1 << 20);
        while read_request(&mut stream).await.is_some() {
            let mut both = Vec::new();
            answer(&mut both, &large).await;
            both.extend_from_slice(
                b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of an answer that nobody asked for",
            );
            // The client may hang up before it has taken the last of it.
            let _ = stream.write_all(&both).await;
        }
    })
    .await;
    let upstream = upstream(&scripted.url());
    for _ in 0..5 {
        assert_eq!(text(call(&upstream, "call").await.unwrap()).await.len(), 1 << 20);
    }
    assert_eq!(scripted.connections(), 5);
}
