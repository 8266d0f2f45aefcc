//! Fields that HTTP/2 carries and HTTP/1.1 would read otherwise.

use super::Reaches::{self, Never, Once};
use super::{Writer, message};
use crate::wire::h2;

/// Changes the fields of a permitted call, and its trailers.
type Change = fn(&Writer, &mut Vec<(String, String)>, &mut Vec<(String, String)>);

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Has this field with another value.
fn set(fields: &mut [(String, String)], name: &str, value: &str) {
    fields.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| value.clone_into(old));
}

const FORMS: &[(&str, &str, Reaches, Change)] = &[
    ("a call", "what must pass", Once, |_, _, _| {}),
    ("a call with trailers", "RFC 9113 section 8.1", Once, |_, _, trailers| {
        trailers.extend([field("x-smuggled", "1"), field("content-length", "5")]);
    }),
    ("a pseudo-header in the trailers", "RFC 9113 section 8.3", Once, |_, _, trailers| {
        trailers.push(field(":path", "/other"));
    }),
    ("a path with a line's end", "H2.TE", Never, |_, fields, _| {
        set(fields, ":path", "/mcp HTTP/1.1\r\nX-Smuggled: 1\r\n\r\nGET /");
    }),
    ("a path with a space", "tried", Never, |_, fields, _| set(fields, ":path", "/mcp HTTP/1.1")),
    ("an absolute path", "tried", Never, |writer, fields, _| {
        set(fields, ":path", &format!("http://{}/mcp", writer.address));
    }),
    ("a path without a slash", "tried", Never, |_, fields, _| set(fields, ":path", "mcp")),
    ("an empty path", "RFC 9113 section 8.3.1", Never, |_, fields, _| set(fields, ":path", "")),
    ("no path", "RFC 9113 section 8.3.1", Never, |_, fields, _| fields.retain(|(name, _)| name != ":path")),
    ("two paths", "RFC 9113 section 8.3", Never, |_, fields, _| fields.insert(3, field(":path", "/other"))),
    ("a path after the others", "RFC 9113 section 8.3", Never, |_, fields, _| {
        fields.retain(|(name, _)| name != ":path");
        fields.push(field(":path", "/mcp"));
    }),
    ("an escaped path", "tried", Never, |_, fields, _| set(fields, ":path", "/%6dcp")),
    ("a method with a line's end", "H2.TE", Never, |_, fields, _| {
        set(fields, ":method", "POST /mcp HTTP/1.1\r\nX-Smuggled: 1\r\n\r\nGET");
    }),
    ("no method", "RFC 9113 section 8.3.1", Never, |_, fields, _| fields.retain(|(name, _)| name != ":method")),
    ("CONNECT", "RFC 9113 section 8.5", Never, |_, fields, _| set(fields, ":method", "CONNECT")),
    ("CONNECT by another protocol", "RFC 8441", Never, |_, fields, _| {
        set(fields, ":method", "CONNECT");
        fields.insert(0, field(":protocol", "websocket"));
    }),
    ("no scheme", "RFC 9113 section 8.3.1", Never, |_, fields, _| fields.retain(|(name, _)| name != ":scheme")),
    ("a scheme that is a URL", "tried", Never, |_, fields, _| {
        set(fields, ":scheme", "http://other.example/");
    }),
    ("another authority", "tried", Never, |_, fields, _| set(fields, ":authority", "other.example")),
    ("an authority with a user", "RFC 9113 section 8.3.1", Never, |writer, fields, _| {
        set(fields, ":authority", &format!("a@{}", writer.address));
    }),
    ("an authority with a path", "tried", Never, |writer, fields, _| {
        set(fields, ":authority", &format!("{}/other", writer.address));
    }),
    ("a Host beside the authority", "RFC 9113 section 8.3.1", Never, |_, fields, _| {
        fields.push(field("host", "other.example"));
    }),
    ("a Host alone", "what must pass", Once, |writer, fields, _| {
        fields.retain(|(name, _)| name != ":authority");
        fields.push(field("host", &writer.address));
    }),
    ("a pseudo-header that does not exist", "RFC 9113 section 8.3", Never, |_, fields, _| {
        fields.insert(0, field(":smuggled", "1"));
    }),
    ("a pseudo-header of answers", "RFC 9113 section 8.3", Never, |_, fields, _| {
        fields.insert(0, field(":status", "200"));
    }),
    ("chunked", "H2.TE, RFC 9113 section 8.2.2", Never, |_, fields, _| {
        fields.push(field("transfer-encoding", "chunked"));
    }),
    ("a connection's own fields", "RFC 9113 section 8.2.2", Never, |_, fields, _| {
        fields.push(field("connection", "mcp-name"));
    }),
    ("an upgrade", "RFC 9113 section 8.2.2", Never, |_, fields, _| fields.push(field("upgrade", "h2c"))),
    ("`te` of something else than trailers", "RFC 9113 section 8.2.2", Never, |_, fields, _| {
        fields.push(field("te", "gzip"));
    }),
    ("a length too short", "H2.CL, RFC 9113 section 8.1.1", Never, |_, fields, _| {
        fields.push(field("content-length", "5"));
    }),
    ("a length too long", "H2.CL, RFC 9113 section 8.1.1", Never, |_, fields, _| {
        fields.push(field("content-length", "5000"));
    }),
    ("two lengths", "H2.CL", Never, |writer, fields, _| {
        let length = message("echo", &writer.token).len().to_string();
        fields.extend([field("content-length", &length), field("content-length", "5")]);
    }),
    ("a value with a line's end", "H2.TE", Never, |_, fields, _| {
        fields.push(field("x-a", "b\r\nx-smuggled: 1"));
    }),
    ("a value with a NUL", "RFC 9113 section 8.2.1", Never, |_, fields, _| fields.push(field("x-a", "b\0"))),
    ("a name with a line's end", "H2.TE", Never, |_, fields, _| fields.push(field("x-a: b\r\nx-smuggled", "1"))),
    ("a name with a colon", "RFC 9113 section 8.2.1", Never, |_, fields, _| fields.push(field("x-a:b", "1"))),
    ("a name in capitals", "RFC 9113 section 8.2.1", Never, |_, fields, _| fields.push(field("X-Smuggled", "1"))),
    ("a name with a space", "RFC 9113 section 8.2.1", Never, |_, fields, _| fields.push(field("x smuggled", "1"))),
    ("an empty name", "RFC 9113 section 8.2.1", Never, |_, fields, _| fields.push(field("", "1"))),
    ("another path in a field", "tried", Once, |_, fields, _| fields.push(field("x-original-url", "/other"))),
];

/// Sends each form, and looks at what reached the server.
pub(super) fn holds() {
    // The forms of this page are fields and not bytes: each is written where it is sent.
    let forms: Vec<super::Form> = FORMS
        .iter()
        .map(|(name, seen, reaches, _)| super::Form { name, seen, reaches: *reaches, bytes: |_| Vec::new() })
        .collect();
    let index = std::cell::Cell::new(0);
    super::holds(&[&forms], |writer, _| {
        let (_, _, _, change) = FORMS[index.replace(index.get() + 1)];
        let mut fields = vec![
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":authority", &writer.address),
            field(":path", "/mcp"),
            field("content-type", "application/json"),
            field("accept", "application/json, text/event-stream"),
            field("mcp-protocol-version", "2025-11-25"),
        ];
        let mut trailers = Vec::new();
        change(writer, &mut fields, &mut trailers);
        h2::send(&writer.address, &fields, writer.permitted().as_bytes(), &trailers);
    });
}
