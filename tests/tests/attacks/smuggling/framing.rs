//! Where a body ends.

use super::Reaches::{Never, Once, Twice};
use super::{Form, Writer, chunked, form};

/// Two parts of a body: the permitted call, and what would be the next request to somebody who ends the first early.
fn split(writer: &Writer, lines: &str, body: &str) -> Vec<u8> {
    (writer.head(lines) + body).into_bytes()
}

/// A request whose length is this text, of a permitted call.
fn of_length(writer: &Writer, length: fn(usize) -> String) -> Vec<u8> {
    let body = writer.permitted();
    split(writer, &format!("Content-Length: {}\r\n", length(body.len())), &body)
}

/// A request with these codings, the body in one chunk, followed by what would be smuggled.
fn of_codings(writer: &Writer, lines: &str) -> Vec<u8> {
    split(writer, lines, &(chunked(&writer.permitted()) + &writer.smuggled()))
}

/// A request whose chunks are these.
fn of_chunks(writer: &Writer, chunks: &str) -> Vec<u8> {
    split(writer, "Transfer-Encoding: chunked\r\n", chunks)
}

pub(super) const LENGTHS: &[Form] = &[
    form("a body", "what must pass", Once, |writer| writer.call().into()),
    form("two lengths that differ", "RFC 9112 section 6.3", Never, |writer| {
        let (permitted, smuggled) = (writer.permitted(), writer.smuggled());
        let whole = permitted.len() + smuggled.len();
        let lines = format!("Content-Length: {}\r\nContent-Length: {whole}\r\n", permitted.len());
        split(writer, &lines, &(permitted + &smuggled))
    }),
    form("two lengths that are one", "tinyproxy/tinyproxy#610", Once, |writer| {
        let body = writer.permitted();
        let line = format!("Content-Length: {}\r\n", body.len());
        split(writer, &line.repeat(2), &body)
    }),
    form("two lengths in one line", "RFC 9112 section 6.3", Never, |writer| {
        of_length(writer, |length| format!("{length}, {length}"))
    }),
    form("a length with a sign", "RFC 9112 section 6.3", Never, |writer| {
        of_length(writer, |length| format!("+{length}"))
    }),
    form("a negative length", "RFC 9112 section 6.3", Never, |writer| of_length(writer, |_| "-1".into())),
    form("a length in hexadecimal", "tried", Never, |writer| of_length(writer, |length| format!("0x{length:x}"))),
    form("a length beyond every range", "tried", Never, |writer| {
        of_length(writer, |length| format!("{}", (1u128 << 64) + length as u128))
    }),
    form("a length with a space in it", "tried", Never, |writer| of_length(writer, |length| format!("{length} 0"))),
    form("no length", "CL.0", Never, |writer| split(writer, "", &writer.permitted())),
    form("a length too short, then a request", "CL.0", Once, |writer| {
        (writer.call() + &writer.smuggled()).into_bytes()
    }),
    form("a length of nothing, then a request", "CL.0", Never, |writer| {
        split(writer, "Content-Length: 0\r\n", &writer.smuggled())
    }),
];

pub(super) const CODINGS: &[Form] = &[
    form("a body in a chunk", "what must pass", Once, |writer| {
        split(writer, "Transfer-Encoding: chunked\r\n", &chunked(&writer.permitted()))
    }),
    form("a length and chunks: the length is the whole", "CL.TE, litespeedtech/openlitespeed#392", Once, |writer| {
        let body = chunked(&writer.permitted()) + &writer.smuggled();
        split(writer, &format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len()), &body)
    }),
    form("chunks and a length: the length is of the first", "TE.CL", Once, |writer| {
        let body = chunked(&writer.permitted());
        split(
            writer,
            &format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", body.len()),
            &(body + &writer.smuggled()),
        )
    }),
    form("a length and an empty chunk", "CL.TE", Never, |writer| {
        let body = "0\r\n\r\n".to_owned() + &writer.smuggled();
        split(writer, &format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len()), &body)
    }),
    form("chunked twice", "TE.TE", Once, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
    }),
    form("chunked, then none", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")
    }),
    form("chunked, in a word that begins otherwise", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding: xchunked\r\n")
    }),
    form("chunked, in a word that ends otherwise", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked-x\r\n")
    }),
    form("chunked in other letters", "TE.TE", Once, |writer| of_codings(writer, "Transfer-Encoding: ChUnKeD\r\n")),
    form("chunked before a tab", "sozu-proxy/sozu#726", Once, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked\t\r\n")
    }),
    form("chunked before a vertical tab", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked\x0b\r\n")
    }),
    form("chunked on a line of its own", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding:\r\n chunked\r\n")
    }),
    form("chunked in quotes", "TE.TE", Never, |writer| of_codings(writer, "Transfer-Encoding: \"chunked\"\r\n")),
    form("chunked, and not last", "TE.TE", Never, |writer| {
        of_codings(writer, "Transfer-Encoding: chunked, identity\r\n")
    }),
    form("a space before the colon", "RFC 9112 section 5.1", Never, |writer| {
        of_codings(writer, "Transfer-Encoding : chunked\r\n")
    }),
    form("an underscore for the hyphen, and a length", "TE.TE", Once, |writer| {
        let body = writer.permitted();
        split(writer, &format!("Transfer_Encoding: chunked\r\nContent-Length: {}\r\n", body.len()), &body)
    }),
    form("chunks of HTTP/1.0", "RFC 9112 section 6.1", Never, |writer| {
        let bytes = of_codings(writer, "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n");
        String::from_utf8(bytes).unwrap().replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes()
    }),
];

pub(super) const CHUNKS: &[Form] = &[
    form("a chunk with an extension", "what must pass", Once, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x};a=\"b\"\r\n{body}\r\n0;c\r\n\r\n", body.len()))
    }),
    form("an extension that ends in a bare line feed", "TERM.EXT", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x};\n{body}\r\n0\r\n\r\n", body.len()))
    }),
    form("an extension with a carriage return", "TERM.EXT", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x};a\rb\r\n{body}\r\n0\r\n\r\n", body.len()))
    }),
    form("a size that ends in a bare line feed", "TERM.EXT", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x}\n{body}\n0\n\n", body.len()))
    }),
    form("a chunk that goes on without a line's end", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x}\r\n{body}0\r\n\r\n", body.len()))
    }),
    form("a chunk followed by something else than a line's end", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x}\r\n{body}XX0\r\n\r\n", body.len()))
    }),
    form("a size with a prefix", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("0x{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    }),
    form("a size with a sign", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("+{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    }),
    form("a size beyond every range", "CVE-2021-32715", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("1{:016x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    }),
    form("no size", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("\r\n{body}\r\n0\r\n\r\n"))
    }),
    form("a body without its last chunk", "tried", Never, |writer| {
        let body = writer.permitted();
        of_chunks(writer, &format!("{:x}\r\n{body}\r\n", body.len()))
    }),
];

pub(super) const PIPELINES: &[Form] = &[
    form("two calls", "what must pass", Twice, |writer| (writer.call() + &writer.call()).into_bytes()),
    form("a call after a refused one", "tried", Once, |writer| (writer.smuggled() + &writer.call()).into_bytes()),
    form("a refused call after one", "tried", Once, |writer| (writer.call() + &writer.smuggled()).into_bytes()),
    form("a call after one that is too large", "tried", Never, |writer| {
        (writer.head("Content-Length: 99999999\r\n") + &writer.smuggled() + &writer.call()).into_bytes()
    }),
    form("a call in the body of one that is of no type", "tried", Never, |writer| {
        let inner = writer.call();
        let head = writer.head(&format!("Content-Length: {}\r\n", inner.len()));
        (head.replacen("application/json", "text/plain", 1) + &inner).into_bytes()
    }),
    form("a call in the body of a GET", "tried", Never, |writer| {
        let inner = writer.call();
        let head = writer.head(&format!("Content-Length: {}\r\n", inner.len()));
        (head.replacen("POST", "GET", 1) + &inner).into_bytes()
    }),
    form("a call in the body of a DELETE", "tried", Never, |writer| {
        let inner = writer.call();
        let head = writer.head(&format!("Content-Length: {}\r\nMcp-Session-Id: x\r\n", inner.len()));
        (head.replacen("POST", "DELETE", 1) + &inner).into_bytes()
    }),
    form("a call in the chunks of a DELETE", "CVE-2026-29057", Never, |writer| {
        let bytes = of_chunks(writer, &chunked(&writer.call()));
        let text = String::from_utf8(bytes).unwrap().replacen("POST", "DELETE", 1);
        text.replacen("\r\n", "\r\nMcp-Session-Id: x\r\n", 1).into_bytes()
    }),
    form("a call in the chunks of a GET", "CVE-2026-29057", Never, |writer| {
        let bytes = of_chunks(writer, &chunked(&writer.call()));
        String::from_utf8(bytes).unwrap().replacen("POST", "GET", 1).into_bytes()
    }),
    form("a call in the body of a request to another path", "tried", Never, |writer| {
        let inner = writer.call();
        let head = writer.head(&format!("Content-Length: {}\r\n", inner.len()));
        (head.replacen("/mcp", "/other", 1) + &inner).into_bytes()
    }),
    form("a call that waits to be asked for its body", "what must pass", Once, |writer| {
        let body = writer.permitted();
        let head = writer.head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len()));
        (head + &body).into_bytes()
    }),
    form("a call that expects something else", "tried", Once, |writer| {
        let body = writer.permitted();
        let head = writer.head(&format!("Content-Length: {}\r\nExpect: 200-ok\r\n", body.len()));
        (head + &body).into_bytes()
    }),
];
