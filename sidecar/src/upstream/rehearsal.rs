//! Calls over a connection whose server is made up: for property tests, and for fuzzing.
//!
//! All is as it is with a server but for the stream: what is written to it is kept, what is read from it is what the caller says.
//! Nothing is waited for.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::{Connection, Connector};
use super::errand::Errand;
use super::exchange::Lease;
use super::http1::Http1;
use super::pool::{Bounds, Pool, Wanted};
use super::wire::Wire;
use super::{Outgoing, Target};

/// No time passes in a rehearsal.
const LONG: Duration = Duration::from_secs(3600);

/// What [`Called::failure`] says where the server leaves the call waiting.
pub const WAITS: &str = "nothing more comes";

/// What the server does once it has sent all that it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It closes the connection.
    Closes,
    /// Nothing.
    Waits,
}

/// What became of one call.
#[derive(Debug)]
pub struct Called {
    /// The request, as the server gets it.
    pub request: Vec<u8>,
    /// The head of the answer, if one could be read.
    pub head: Option<Parts>,
    /// As much of its body as was handed on.
    pub body: Vec<u8>,
    /// Why the answer did not come to its end, if it did not.
    pub failure: Option<String>,
    /// Whether its connection waits for another call.
    pub kept: bool,
}

/// Makes the same call over one connection once for each of these answers, for as long as the connection is kept. An answer is the
/// pieces that it comes in, the first of them after the request. Within a runtime, which need not run.
///
/// # Errors
/// The request has more headers than one can have.
pub fn calls(
    outgoing: Outgoing<'_>,
    target: &Target,
    answers: &[Vec<Bytes>],
    then: Then,
) -> Result<Vec<Called>, String> {
    let errand = Errand::new(outgoing, target.path_and_query(), None).map_err(|failure| failure.detail)?;
    let connector = || Connector { target: target.clone(), proxy: None, tls: None, prior_knowledge: false };
    let bounds = Bounds { connect_timeout: LONG, idle_timeout: LONG, max_age: LONG, max_idle: 1 };
    let (pool, server) = (Pool::new(connector(), bounds), Server::default());
    let stream = Connection { stream: Box::new(server.clone()), wire: Arc::clone(&server.wire), http2: false };
    let connection = Http1::new(stream);
    let mut next = Some(Lease::Http1 { connection, pool: Arc::downgrade(&pool), reused: false });
    let mut called = Vec::new();
    for answer in answers {
        let Some(lease) = next.take() else { break };
        server.will_say(answer, then);
        let (head, body, failure) = call(lease, &errand, pool.connector());
        let kept = pool.idle() > 0;
        called.push(Called { request: std::mem::take(&mut server.script().heard), head, body, failure, kept });
        if kept {
            next = at_once(pool.lease(Wanted::Any)).and_then(Result::ok);
        }
    }
    Ok(called)
}

/// Head, body, and why the body does not come to its end.
fn call(lease: Lease, errand: &Errand<'_>, connector: &Connector) -> (Option<Parts>, Vec<u8>, Option<String>) {
    let (head, mut incoming) = match at_once(lease.send(errand, connector)) {
        Some(Ok(response)) => response.into_parts(),
        Some(Err(attempt)) => return (None, Vec::new(), Some(attempt.failure.detail)),
        None => return (None, Vec::new(), Some(WAITS.to_owned())),
    };
    let mut body = Vec::new();
    let failure = loop {
        match at_once(poll_fn(|cx| incoming.poll_frame(cx))) {
            Some(Some(Ok(frame))) => body.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Some(Some(Err(failure))) => break Some(failure.detail),
            Some(None) => break None,
            None => break Some(WAITS.to_owned()),
        }
    };
    (Some(head), body, failure)
}

/// What it comes to without waiting: the server wakes nobody.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// The other end of the connection.
#[derive(Clone, Debug, Default)]
struct Server {
    script: Arc<Mutex<Script>>,
    wire: Arc<Wire>,
}

#[derive(Debug, Default)]
struct Script {
    heard: Vec<u8>,
    says: VecDeque<Bytes>,
    closes: bool,
}

impl Server {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn will_say(&self, pieces: &[Bytes], then: Then) {
        let mut script = self.script();
        // To read nothing is to read the end.
        script.says = pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect();
        script.closes = then == Then::Closes;
    }
}

impl AsyncRead for Server {
    fn poll_read(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut script = self.script();
        let Some(mut piece) = script.says.pop_front() else {
            return if script.closes { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        buf.put_slice(&piece.split_to(piece.len().min(buf.remaining())));
        if !piece.is_empty() {
            script.says.push_front(piece);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    /// Takes half of it: whoever writes has to go on from there.
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = &bytes[..bytes.len().div_ceil(2)];
        self.script().heard.extend_from_slice(taken);
        self.wire.wrote(taken.len());
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    fn called(answers: &[&[&'static str]], then: Then) -> Vec<Called> {
        let (headers, body) = (HeaderMap::new(), Bytes::from_static(b"call"));
        let outgoing = Outgoing { method: &Method::POST, headers: &headers, body: &body };
        let pieces =
            |answer: &&[&'static str]| answer.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        let answers: Vec<Vec<Bytes>> = answers.iter().map(pieces).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _within = runtime.enter();
        calls(outgoing, &Target::parse("http://imaging/mcp").unwrap(), &answers, then).unwrap()
    }

    #[test]
    fn each_call_on_a_connection_gets_its_own_answer_until_more_comes_than_that() {
        let first: &[_] = &["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 3\r\n\r\no", "ne"];
        let second: &[_] = &["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo", "H"];
        let called = called(&[first, second, first], Then::Waits);
        let told: Vec<_> = called.iter().map(|called| (called.body.as_slice(), called.kept)).collect();
        assert_eq!(told, [(b"one".as_slice(), true), (b"two", false)]);
        let request = b"POST /mcp HTTP/1.1\r\nhost: imaging\r\ncontent-length: 4\r\n\r\ncall";
        assert!(called.iter().all(|called| called.request == request && called.failure.is_none()));
    }

    #[test]
    fn an_answer_that_does_not_come_to_its_end_fails_and_ends_its_connection() {
        let half: &[_] = &["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"];
        let [waiting] = &called(&[half, half], Then::Waits)[..] else { panic!("it was kept") };
        assert_eq!((waiting.body.as_slice(), waiting.failure.as_deref()), (b"ha".as_slice(), Some(WAITS)));
        let [closed] = &called(&[half, half], Then::Closes)[..] else { panic!("it was kept") };
        assert_eq!(closed.failure.as_deref(), Some("the server closed the connection in the middle of its answer"));
    }
}
