//! Calls over HTTP/1.1, and what servers answer. Laws: a request is read as what it was made of, and nothing else; an answer is the
//! same in whatever pieces it comes, and what hyper reads too; a connection that is kept is one that hyper keeps too and gives the next
//! call its own answer, and none is kept on which more came than one.
//!
//! An input is a line whose bytes say how long the pieces are, which is the body of the request too; then a line with a method
//! and a URL; then headers; and after an empty line all that the server sends.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use reeve_sidecar::upstream::rehearsal::{Called, Then, calls};
use reeve_sidecar::upstream::{Outgoing, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// Headers as they are read, in their order.
type Fields<'a> = Vec<(&'a str, &'a [u8])>;

struct Call<'a> {
    method: Method,
    url: &'a str,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
}

impl<'a> Call<'a> {
    fn read(body: &[u8], text: &'a [u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let (method, url) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let method = method.parse().ok().filter(|method| *method != Method::CONNECT)?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
        }
        Some(Self { method, url, target: Target::parse(url).ok()?, headers, body: Bytes::copy_from_slice(body) })
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { method: &self.method, headers: &self.headers, body: &self.body }
    }

    /// What its URL says of where it goes.
    fn host_and_path(&self) -> (&'a str, String) {
        if let Some(socket) = self.url.strip_prefix("unix://") {
            let (_, path) = socket.split_once(":/").expect("it has a path");
            return ("localhost", format!("/{path}"));
        }
        let (_, place) = self.url.split_once("://").expect("it has a scheme");
        let (host, path) = place.split_at(place.find(['/', '?']).unwrap_or(place.len()));
        (host, if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
    }

    fn is_read_from(&self, request: &[u8]) {
        let mut room = vec![httparse::EMPTY_HEADER; self.headers.len() + 2];
        let mut read = httparse::Request::new(&mut room);
        let Ok(httparse::Status::Complete(length)) = read.parse(request) else { panic!("it is not a request") };
        assert_eq!(&request[length..], &self.body);
        let (host, path) = self.host_and_path();
        assert_eq!((read.method, read.path, read.version), (Some(self.method.as_str()), Some(path.as_str()), Some(1)));
        let own = |name: &str| matches!(name, "host" | "content-length" | "transfer-encoding" | "expect");
        let fields = read.headers.iter().map(|field| (field.name, field.value));
        let (added, passed): (Fields<'_>, Fields<'_>) = fields.partition(|(name, _)| own(name));
        let given = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        assert_eq!(passed, given.filter(|(name, _)| !own(name)).collect::<Fields<'_>>());
        let lengthy = !self.body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(&self.method);
        let length = lengthy.then(|| self.body.len().to_string());
        let length = length.as_deref().map(|length| ("content-length", length.as_bytes()));
        assert_eq!(added, [("host", host.as_bytes())].into_iter().chain(length).collect::<Fields<'_>>());
    }
}

/// The head of an answer.
type Head = (Version, StatusCode, HeaderMap, Option<ReasonPhrase>);

/// All that one call is told.
fn told(called: &Called) -> (Option<Head>, &[u8], Option<&str>, bool) {
    let reason = |head: &http::response::Parts| head.extensions.get::<ReasonPhrase>().cloned();
    let head = called.head.as_ref().map(|head| (head.version, head.status, head.headers.clone(), reason(head)));
    (head, &called.body, called.failure.as_deref(), called.kept)
}

/// Pieces of the bytes that are as long as these say in turn.
fn pieces(bytes: &[u8], lengths: &[u8]) -> Vec<Bytes> {
    let (mut left, mut pieces) = (Bytes::copy_from_slice(bytes), Vec::new());
    let mut lengths = lengths.iter().map(|length| usize::from(length % 16) + 1).cycle();
    while !left.is_empty() {
        pieces.push(left.split_to(lengths.next().unwrap_or(1).min(left.len())));
    }
    pieces
}

/// What hyper reads of a connection on which these bytes are the answer to a request; it ends after them unless it is kept.
async fn hypers_reading(method: Method, bytes: Vec<u8>, kept: bool) -> Option<(Head, Bytes)> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            theirs.read_buf(&mut request).await.expect("a request comes");
        }
        // It may have read what it needs.
        let _ = theirs.write_all(&bytes).await;
        if !kept {
            let _ = theirs.shutdown().await;
        }
        let _ = theirs.read_to_end(&mut request).await;
    });
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.ok()?;
    tokio::spawn(driver);
    let request = Request::builder().method(method).uri("/").header("host", "x").body(Empty::<Bytes>::new()).ok()?;
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    if kept {
        sender.ready().await.expect("hyper keeps the connection too");
    }
    let reason = head.extensions.get::<ReasonPhrase>().cloned();
    Some(((head.version, head.status, head.headers, reason), body))
}

fn answered(call: &Call<'_>, answers: &[Vec<Bytes>], then: Then) -> Option<Vec<Called>> {
    calls(call.outgoing(), &call.target, answers, then).ok()
}

fn is_alike_in_pieces(call: &Call<'_>, answer: &[u8], lengths: &[u8], then: Then) -> Option<Called> {
    let whole = answered(call, &[vec![Bytes::copy_from_slice(answer)]], then)?.pop()?;
    call.is_read_from(&whole.request);
    let again = answered(call, &[pieces(answer, lengths), pieces(answer, lengths)], then)?;
    assert_eq!(again.len(), if whole.kept { 2 } else { 1 }, "a connection that is kept is for another call");
    for again in again {
        assert_eq!((told(&again), &again.request), (told(&whole), &whole.request));
    }
    Some(whole)
}

fn is_read_by_hyper(runtime: &Runtime, method: &Method, answer: &[u8], called: &Called) {
    let (Some(head), body, None, kept) = told(called) else { return };
    let hypers = runtime.block_on(hypers_reading(method.clone(), answer.to_vec(), kept));
    assert_eq!(hypers, Some((head, Bytes::copy_from_slice(body))), "hyper reads it otherwise");
}

fuzz_target!(|data: &[u8]| {
    let Some(line) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (lengths, data) = (&data[..line], &data[line + 1..]);
    let Some(end) = data.windows(2).position(|window| window == b"\n\n") else { return };
    let (Some(call), answer) = (Call::read(lengths, &data[..end]), &data[end + 2..]) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let _within = runtime.enter();
    let Some(open) = is_alike_in_pieces(&call, answer, lengths, Then::Waits) else { return };
    let Some(closed) = is_alike_in_pieces(&call, answer, lengths, Then::Closes) else { return };
    assert!(!closed.kept, "a connection that has ended is kept");
    if open.failure.is_some() {
        assert!(!open.kept, "a connection is kept whose answer has not ended");
    } else {
        assert_eq!((&told(&open).0, &open.body, None), (&told(&closed).0, &closed.body, closed.failure.as_ref()));
    }
    is_read_by_hyper(&runtime, &call.method, answer, if open.kept { &open } else { &closed });
    if open.kept {
        let more = [answer, b"H"].concat();
        let more = is_alike_in_pieces(&call, &more, lengths, Then::Waits).expect("it was called before");
        assert_eq!((told(&more).0, &more.body, more.kept), (told(&open).0, &open.body, false));
    }
});
