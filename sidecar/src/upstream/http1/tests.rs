//! Laws of reading and writing: bytes mean the same in whatever pieces they come, and nothing is read that hyper would not read.

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::decoder::{Decoder, Step};
use super::framing;
use super::malformed::Malformed;
use super::parse::Search;

mod connections;
mod hypers;
mod requests;

/// All of a connection on which one answer came.
#[derive(Debug)]
struct Whole {
    head: Parts,
    body: Vec<u8>,
    /// What came after it.
    rest: Vec<u8>,
}

/// What is read of a connection that ends after these pieces; nothing if it ends before the answer does.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Whole>, Malformed> {
    let mut pieces = pieces.into_iter();
    let (mut search, mut bytes, mut body) = (Search::default(), BytesMut::new(), Vec::new());
    let head = loop {
        if let Some(head) = search.find(&mut bytes)? {
            break head;
        }
        let Some(piece) = pieces.next() else { return Ok(None) };
        bytes.extend_from_slice(piece);
    };
    let mut decoder = Decoder::new(framing::of(&Method::GET, &head)?.0);
    loop {
        match decoder.step(&mut bytes)? {
            Step::Data(data) => body.extend_from_slice(&data),
            Step::End => break,
            Step::More => match pieces.next() {
                Some(piece) => bytes.extend_from_slice(piece),
                None if decoder.ends_with_connection() => break,
                None => return Ok(None),
            },
        }
    }
    pieces.for_each(|piece| bytes.extend_from_slice(piece));
    let rest = bytes.to_vec();
    Ok(Some(Whole { head, body, rest }))
}

/// Status, headers, body, and what came after it.
type Told = (u16, HeaderMap, Vec<u8>, Vec<u8>);

/// What both an answer and a wrong one are told apart by.
fn told(read: Result<Option<Whole>, Malformed>) -> Result<Option<Told>, Malformed> {
    Ok(read?.map(|whole| (whole.head.status.as_u16(), whole.head.headers, whole.body, whole.rest)))
}

/// Answers of every framing, and some that are none.
const ANSWERS: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"a\": true}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMcp-Session-Id: x\r\n\r\n5\r\nhello\r\n1A;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it",
    "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n",
    "HTTP/1.1 404 Gone Fishing\r\nContent-Length: 2, 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nno+more",
];

/// One of the answers with some of its bytes changed, left out or doubled.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), proptest::sample::select(b"\r\n\t\0 :;,0159aAfFxHTP/\"".to_vec())];
    let change = (any::<proptest::sample::Index>(), byte, 0..3_u8);
    (proptest::sample::select(ANSWERS), proptest::collection::vec(change, 0..4)).prop_map(|(answer, changes)| {
        let mut bytes = answer.as_bytes().to_vec();
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

/// Bytes in chunks of these sizes, the last with what is left.
fn in_chunks(content: &[u8], sizes: &[usize], extension: &str) -> Vec<u8> {
    let (mut left, mut encoded, mut sizes) = (content, Vec::new(), sizes.iter());
    while !left.is_empty() {
        let size = sizes.next().map_or(left.len(), |size| (*size).min(left.len()));
        encoded.extend_from_slice(format!("{size:x}{extension}\r\n").as_bytes());
        encoded.extend_from_slice(&left[..size]);
        encoded.extend_from_slice(b"\r\n");
        left = &left[size..];
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    encoded
}

proptest! {
    #[test]
    fn an_answer_is_the_same_in_whatever_pieces_it_comes(
        bytes in spoiled(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let whole = told(read([bytes.as_slice()]));
        prop_assert_eq!(&told(read(bytes.chunks(1))), &whole, "byte by byte");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&told(read(cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]))), &whole);
    }

    #[test]
    fn what_is_written_in_chunks_is_read_from_them(
        content in proptest::collection::vec(any::<u8>(), 0..2000),
        sizes in proptest::collection::vec(1..300_usize, 0..10),
        extension in "(;[a-z]{1,5}(=[a-z0-9]{1,5})?)?",
        rest in proptest::collection::vec(any::<u8>(), 0..10),
    ) {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
        let whole = read([head, &in_chunks(&content, &sizes, &extension), &rest]).unwrap().unwrap();
        prop_assert_eq!(whole.body, content);
        prop_assert_eq!(whole.rest, rest);
    }

    #[test]
    fn headers_are_read_as_they_were_written(
        fields in proptest::collection::vec(("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}", "([!-~\u{80}-\u{ff}]([ -~\t]{0,20}[!-~])?)?"), 0..50),
    ) {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_vec();
        let mut expected = HeaderMap::from_iter([(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"))]);
        for (name, value) in fields.iter().map(|(name, value)| (format!("x-{name}"), value)) {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            expected.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        bytes.extend_from_slice(b"\r\n");
        prop_assert_eq!(read([bytes.as_slice()]).unwrap().unwrap().head.headers, expected);
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read([bytes.as_slice()]);
        let chunked = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &bytes];
        let _ = read(chunked);
    }
}

/// A body of the given bytes.
fn body(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}
