//! HTTP/2 as bytes (RFC 9113, RFC 7541), without a library that would refuse to write what is wrong.

use std::io::{Read, Write};
use std::net::TcpStream;

use reeve_tests::request::Request;

use crate::scene::PATIENCE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Sends this request on a connection of its own, with these pseudo-headers in place of, or beside, the usual ones; gives the
/// text of the answer's body.
pub(crate) fn call(address: &str, request: &Request, pseudo: &[(&str, &str)]) -> String {
    send(address, &fields(address, request, pseudo), &request.body, &[])
}

/// The fields of a request, pseudo-headers first.
pub(crate) fn fields(address: &str, request: &Request, pseudo: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual =
        [(":method", &*request.method), (":scheme", "http"), (":authority", address), (":path", &*request.target)];
    let replaced = |name: &str| pseudo.iter().any(|(other, _)| *other == name);
    let usual = usual.into_iter().filter(|(name, _)| !replaced(name)).chain(pseudo.iter().copied());
    let mut fields: Vec<_> = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let others = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    fields.extend(others.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    fields
}

/// Sends fields, a body and trailers, as they are; gives the text of the answer's body.
pub(crate) fn send(address: &str, fields: &[(String, String)], body: &[u8], trailers: &[(String, String)]) -> String {
    let mut bytes = PREFACE.to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    let last = |more: bool| if more { 0 } else { END_STREAM };
    frame(&mut bytes, HEADERS, END_HEADERS | last(!body.is_empty() || !trailers.is_empty()), 1, &block(fields));
    let mut chunks = body.chunks(16_384).peekable();
    while let Some(chunk) = chunks.next() {
        frame(&mut bytes, DATA, last(chunks.peek().is_some() || !trailers.is_empty()), 1, chunk);
    }
    if !trailers.is_empty() {
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, 1, &block(trailers));
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(&bytes);
    answer(stream)
}

/// The data of the first stream, until it ends.
fn answer(mut stream: TcpStream) -> String {
    let mut body = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let [a, b, c, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
        if stream.read_exact(&mut payload).is_err() {
            break;
        }
        match kind {
            DATA => body.extend(payload),
            SETTINGS if flags == 0 => {
                let mut acknowledged = Vec::new();
                frame(&mut acknowledged, SETTINGS, 1, 0, &[]);
                let _ = stream.write_all(&acknowledged);
            }
            RST_STREAM | GOAWAY => break,
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// RFC 9113 section 4.1.
fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    bytes.extend(&length[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

/// RFC 7541 section 6.2.2: every field as a literal that is not indexed.
fn block(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// RFC 7541 section 5.1, with a prefix of seven bits.
fn length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        return block.push(u8::try_from(length).unwrap());
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}
