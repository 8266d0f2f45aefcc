//! Reads the head of an answer. Pure: bytes in, values out.
//!
//! Where a head ends is found first, with each line's end checked; then it is read once, and the values of its headers share its
//! bytes.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::malformed::Malformed;
use crate::upstream::exchange::MAX_HEAD_BYTES;

/// The most headers of an answer.
pub(super) const MAX_HEADERS: usize = 100;

/// The most answers that are none yet, before the one that is.
pub(super) const MAX_INTERIM: u32 = 16;

/// How every answer begins that is read at all.
const BEGINNING: &[u8] = b"HTTP/1.";

/// The search for the head of an answer in what has arrived so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Where the line begins whose end has not arrived.
    line: usize,
    /// How far its end was looked for.
    searched: usize,
    /// How many interim answers there were.
    interim: u32,
}

impl Search {
    /// Takes the head of an answer from the beginning of `bytes` if it is there, and what interim answers come before it.
    ///
    /// # Errors
    /// What is wrong with it, as soon as that is certain.
    pub(super) fn find(&mut self, bytes: &mut BytesMut) -> Result<Option<Parts>, Malformed> {
        while let Some(end) = self.end(bytes)? {
            let head = bytes.split_to(end).freeze();
            (self.line, self.searched) = (0, 0);
            let parts = parse(&head)?;
            if !is_interim(parts.status) {
                return Ok(Some(parts));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(Malformed::TooManyInterim);
            }
        }
        Ok(None)
    }

    /// Where the head at the beginning of `bytes` ends, if its end is there: after its first empty line.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let beginning = bytes.len().min(BEGINNING.len());
        if bytes[..beginning] != BEGINNING[..beginning] {
            return Err(Malformed::NotHttp);
        }
        let most = bytes.len().min(MAX_HEAD_BYTES as usize);
        while let Some(distance) = memchr::memchr(b'\n', &bytes[self.searched..most]) {
            let end = self.searched + distance + 1;
            let line = &bytes[self.line..end];
            if !line.ends_with(b"\r\n") {
                return Err(Malformed::BareLineFeed);
            }
            (self.line, self.searched) = (end, end);
            if line.len() == 2 {
                return Ok(Some(end));
            }
        }
        self.searched = most;
        if most == MAX_HEAD_BYTES as usize { Err(Malformed::HeadTooLarge) } else { Ok(None) }
    }
}

/// Whether another answer follows (RFC 9110, 15.2). None does on this connection after 101.
fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

/// Reads a head, of which `head` has all bytes and no more.
fn parse(head: &Bytes) -> Result<Parts, Malformed> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut read = httparse::Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut read, head, &mut room) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return Err(Malformed::Head(httparse::Error::NewLine)),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooManyHeaders),
        Err(error) => return Err(Malformed::Head(error)),
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.version = if read.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let status = read.code.and_then(|code| StatusCode::from_u16(code).ok());
    parts.status = status.ok_or(Malformed::Head(httparse::Error::Status))?;
    parts.headers = headers(head, read.headers)?;
    // An own reason is passed on; that the usual one is there goes without saying.
    let own = read.reason.filter(|reason| Some(*reason) != parts.status.canonical_reason());
    if let Some(reason) = own.and_then(|reason| ReasonPhrase::try_from(head.slice_ref(reason.as_bytes())).ok()) {
        parts.extensions.insert(reason);
    }
    Ok(parts)
}

fn headers(head: &Bytes, read: &[httparse::Header<'_>]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(read.len());
    for field in read {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| Malformed::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        let value = value.map_err(|_| Malformed::Head(httparse::Error::HeaderValue))?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Result<Option<Parts>, Malformed> {
        Search::default().find(&mut BytesMut::from(bytes))
    }

    fn head(bytes: &[u8]) -> Parts {
        found(bytes).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_read_and_what_follows_it_is_left() {
        let mut bytes = BytesMut::from(b"HTTP/1.1 200 OK\r\nA: one \r\na:\ttwo\r\nB:\r\n\r\nbody".as_slice());
        let parts = Search::default().find(&mut bytes).unwrap().unwrap();
        assert_eq!((parts.status, parts.version), (StatusCode::OK, Version::HTTP_11));
        assert_eq!(parts.headers.get_all("a").iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(parts.headers["b"], "");
        assert_eq!(bytes, "body");
    }

    #[test]
    fn a_reason_of_the_servers_own_is_kept_and_none_is_missed() {
        let own = head(b"HTTP/1.1 200 Fine\r\n\r\n");
        assert_eq!(own.extensions.get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").extensions.get::<ReasonPhrase>().is_none());
        assert_eq!(head(b"HTTP/1.0 404\r\n\r\n").version, Version::HTTP_10);
    }

    #[test]
    fn interim_answers_are_passed_over_but_not_without_end_and_101_is_none() {
        let early =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        let parts = head(early);
        assert_eq!((parts.status, parts.headers.len()), (StatusCode::NO_CONTENT, 0));
        let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM as usize + 1);
        assert_eq!(found(&endless).unwrap_err(), Malformed::TooManyInterim);
        assert_eq!(head(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").status, StatusCode::SWITCHING_PROTOCOLS);
    }

    #[test]
    fn what_is_not_http_is_told_from_its_first_bytes() {
        for bytes in
            [b"S".as_slice(), b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/2", b"\r\nHTTP/1.1 200 OK\r\n\r\n", b"http/1.1"]
        {
            assert_eq!(found(bytes).unwrap_err(), Malformed::NotHttp, "{bytes:?}");
        }
        assert!(found(b"").unwrap().is_none());
        assert!(found(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
    }

    #[test]
    fn a_head_that_could_be_read_in_two_ways_is_none() {
        for (bytes, expected) in [
            (b"HTTP/1.1 200 OK\nA: b\r\n\r\n".as_slice(), Malformed::BareLineFeed),
            (b"HTTP/1.1 200 OK\r\nA: b\n\r\n", Malformed::BareLineFeed),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n\n", Malformed::BareLineFeed),
            (b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", Malformed::Head(httparse::Error::HeaderValue)),
            (b"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", Malformed::Head(httparse::Error::HeaderValue)),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            (b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            (b"HTTP/1.1 200 OK\r\nA\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            (b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", Malformed::Head(httparse::Error::HeaderName)),
            (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", Malformed::Head(httparse::Error::HeaderValue)),
            (b"HTTP/1.1 2x0 OK\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            (b"HTTP/1.1 099 OK\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            (b"HTTP/1.1  200 OK\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            (b"HTTP/1.1 200 O\0K\r\n\r\n", Malformed::Head(httparse::Error::Status)),
            (b"HTTP/1.2 200 OK\r\n\r\n", Malformed::Head(httparse::Error::Version)),
        ] {
            assert_eq!(found(bytes).unwrap_err(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_head_has_at_most_as_many_headers_and_bytes_as_are_read() {
        let with = |count: usize| ["HTTP/1.1 200 OK\r\n", &"A: b\r\n".repeat(count), "\r\n"].concat();
        assert_eq!(head(with(MAX_HEADERS).as_bytes()).headers.len(), MAX_HEADERS);
        assert_eq!(found(with(MAX_HEADERS + 1).as_bytes()).unwrap_err(), Malformed::TooManyHeaders);
        let frame = "HTTP/1.1 200 OK\r\nA: \r\n\r\n".len();
        let long = |length: usize| ["HTTP/1.1 200 OK\r\nA: ", &"b".repeat(length - frame), "\r\n\r\n"].concat();
        head(long(MAX_HEAD_BYTES as usize).as_bytes());
        assert_eq!(found(long(MAX_HEAD_BYTES as usize + 1).as_bytes()).unwrap_err(), Malformed::HeadTooLarge);
    }
}
