//! Lines of a head, targets, upgrades and trailers.

use super::Reaches::{Never, Once};
use super::{Form, Writer, form};

/// A call with one line more in its head.
fn with(writer: &Writer, line: &str) -> Vec<u8> {
    let body = writer.permitted();
    (writer.head(&format!("{line}Content-Length: {}\r\n", body.len())) + &body).into_bytes()
}

/// A call with another first line, of which `{}` is the address.
fn to(writer: &Writer, line: &str) -> Vec<u8> {
    let line = line.replace("{}", &writer.address);
    writer.call().replacen("POST /mcp HTTP/1.1", &line, 1).into_bytes()
}

pub(super) const LINES: &[Form] = &[
    form("lines that end in a bare line feed", "RFC 9112 section 2.2", Once, |writer| {
        writer.call().replace("\r\n", "\n").into_bytes()
    }),
    form("a bare carriage return in a value", "RFC 9112 section 2.2", Never, |writer| {
        with(writer, "X-A: b\rX-Smuggled: 1\r\n")
    }),
    form("a bare line feed in a value", "RFC 9112 section 2.2", Never, |writer| {
        with(writer, "X-A: b\n\nX-Smuggled: 1\r\n")
    }),
    form("a NUL in a value", "RFC 9110 section 5.5", Never, |writer| with(writer, "X-A: b\0X-Smuggled: 1\r\n")),
    form("a NUL in a name", "RFC 9110 section 5.1", Never, |writer| with(writer, "X-\0A: b\r\n")),
    form("a value that goes on on the next line", "RFC 9112 section 5.2", Never, |writer| {
        with(writer, "X-A: b\r\n X-Smuggled: 1\r\n")
    }),
    form("a line that begins with a space", "RFC 9112 section 2.2", Never, |writer| {
        to(writer, "POST /mcp HTTP/1.1\r\n X-Smuggled: 1")
    }),
    form("a line without a colon", "tried", Never, |writer| with(writer, "X-Smuggled\r\n")),
    form("a line without a name", "tried", Never, |writer| with(writer, ": 1\r\n")),
    form("a space in a name", "RFC 9112 section 5.1", Never, |writer| with(writer, "X Smuggled: 1\r\n")),
    form("a value beyond ASCII", "what must pass", Once, |writer| with(writer, "X-A: \u{e9}\r\n")),
    form("an empty line before the request", "RFC 9112 section 2.2", Once, |writer| {
        ("\r\n".to_owned() + &writer.call()).into_bytes()
    }),
    form("very many lines", "SEP-2243", Never, |writer| with(writer, &"X-A: b\r\n".repeat(1_000))),
    form("a very long line", "SEP-2243", Never, |writer| with(writer, &format!("X-A: {}\r\n", "b".repeat(1 << 20)))),
];

pub(super) const TARGETS: &[Form] = &[
    form("an absolute target", "RFC 9112 section 3.2.2", Once, |writer| to(writer, "POST http://{}/mcp HTTP/1.1")),
    form("an absolute target elsewhere", "tried", Never, |writer| to(writer, "POST http://other.example/mcp HTTP/1.1")),
    form("an absolute target with a user", "tried", Never, |writer| to(writer, "POST http://a@{}/mcp HTTP/1.1")),
    form("a target without a slash", "tried", Never, |writer| to(writer, "POST mcp HTTP/1.1")),
    form("the asterisk", "tried", Never, |writer| to(writer, "POST * HTTP/1.1")),
    form("no target", "tried", Never, |writer| to(writer, "POST HTTP/1.1")),
    form("two targets", "tried", Never, |writer| to(writer, "POST /mcp /other HTTP/1.1")),
    form("two spaces", "tried", Never, |writer| to(writer, "POST  /mcp  HTTP/1.1")),
    form("tabs for spaces", "tried", Never, |writer| to(writer, "POST\t/mcp\tHTTP/1.1")),
    form("an escaped letter", "tried", Never, |writer| to(writer, "POST /%6dcp HTTP/1.1")),
    form("two slashes", "tried", Never, |writer| to(writer, "POST //mcp HTTP/1.1")),
    form("a detour", "tried", Never, |writer| to(writer, "POST /a/../mcp HTTP/1.1")),
    form("a slash at the end", "tried", Never, |writer| to(writer, "POST /mcp/ HTTP/1.1")),
    form("capitals", "tried", Never, |writer| to(writer, "POST /MCP HTTP/1.1")),
    form("a backslash", "tried", Never, |writer| to(writer, "POST \\mcp HTTP/1.1")),
    form("a query", "tried", Never, |writer| to(writer, "POST /mcp?a HTTP/1.1")),
    form("a fragment", "tried", Once, |writer| to(writer, "POST /mcp#a HTTP/1.1")),
    form("bytes beyond ASCII", "tried", Never, |writer| to(writer, "POST /mcp\u{e9} HTTP/1.1")),
    form("HTTP/0.9", "tried", Never, |writer| to(writer, "POST /mcp")),
    form("HTTP/1.0", "what must pass", Once, |writer| to(writer, "POST /mcp HTTP/1.0")),
    form("HTTP/1.2", "tried", Never, |writer| to(writer, "POST /mcp HTTP/1.2")),
    form("HTTP/2.0 in words", "tried", Never, |writer| to(writer, "POST /mcp HTTP/2.0")),
    form("the protocol in small letters", "tried", Never, |writer| to(writer, "POST /mcp http/1.1")),
    form("CONNECT to the server's path", "tried", Never, |writer| to(writer, "CONNECT /mcp HTTP/1.1")),
    form("CONNECT to the sidecar itself", "tried", Never, |writer| {
        let tunnel = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", writer.address);
        (tunnel + &writer.smuggled()).into_bytes()
    }),
    form("CONNECT elsewhere", "tried", Never, |writer| {
        ("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n".to_owned() + &writer.smuggled())
            .into_bytes()
    }),
    form("OPTIONS for everything", "tried", Never, |writer| to(writer, "OPTIONS * HTTP/1.1")),
    form("TRACE", "tried", Never, |writer| to(writer, "TRACE /mcp HTTP/1.1")),
];

pub(super) const UPGRADES: &[Form] = &[
    form("to WebSocket", "tried", Never, |writer| {
        let lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n";
        [with(writer, lines), writer.smuggled().into()].concat()
    }),
    form("to HTTP/2, with HTTP/2 after it", "CVE-2020-11993", Once, |writer| {
        let lines = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
        [with(writer, lines), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()].concat()
    }),
    form("to TLS, with a request after it", "RFC 2817", Once, |writer| {
        [with(writer, "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), writer.smuggled().into()].concat()
    }),
];

pub(super) const TRAILERS: &[Form] = &[
    form("fields after the body", "RFC 9110 section 6.5.1", Once, |writer| {
        let body = writer.permitted();
        let trailers = "X-Smuggled: 1\r\nContent-Length: 5\r\nMcp-Name: delete_everything\r\nHost: other.example\r\n";
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n{trailers}\r\n", body.len());
        (writer.head("Transfer-Encoding: chunked\r\nTrailer: X-Smuggled\r\n") + &chunks).into_bytes()
    }),
    form("fields after the body that end in bare line feeds", "tried", Once, |writer| {
        let body = writer.permitted();
        let chunks = format!("{:x}\r\n{body}\r\n0\r\nX-Smuggled: 1\n\n{}", body.len(), writer.smuggled());
        (writer.head("Transfer-Encoding: chunked\r\n") + &chunks).into_bytes()
    }),
    form("very many fields after the body", "tried", Never, |writer| {
        let body = writer.permitted();
        let trailers = "X-Smuggled: 1\r\n".repeat(100_000);
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n{trailers}\r\n", body.len());
        (writer.head("Transfer-Encoding: chunked\r\n") + &chunks).into_bytes()
    }),
];
