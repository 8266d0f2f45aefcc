//! The ways around an MCP gateway that have been seen, as far as they lie in the bytes of one request: each with its name,
//! and what becomes of it here. What must pass stands beside it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use reeve_policy::json::{Document, Limits};

use super::envelope::{Envelope, Message, Sender};
use super::method::{Form, Handling, Named};
use super::rejection::{Cause, Rejection};
use super::{era, headers, method};

/// What a request would be: the tool that the policy is asked for, or why it is refused before.
type Seen = Result<String, Cause>;

fn see(lines: &[(&str, &str)], body: &[u8]) -> Seen {
    read(lines, body).map_err(|rejection| rejection.cause)
}

fn read(lines: &[(&str, &str)], body: &[u8]) -> Result<String, Rejection> {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers::check(&map)?;
    headers::check_body(&map)?;
    let document = Document::parse(Bytes::copy_from_slice(body), Limits::default())?;
    let envelope = Envelope::read(&document, Sender::Agent)?;
    let version = era::agree(&map, &envelope)?;
    headers::verify(&map, &envelope, version.era(), &[])?;
    let (form, name) = match &envelope.message {
        Message::Request { method, .. } => (Form::Request, method.as_ref()),
        Message::Notification { method } => (Form::Notification, method.as_ref()),
        Message::Response { .. } => return Ok("a response".to_owned()),
    };
    match method::handling(Sender::Agent, form, name, version.era()) {
        Handling::Decide(Named::Tool) => envelope.params.name().map(std::borrow::Cow::into_owned),
        Handling::Deny => Err(Rejection::method_unknown(version.era(), None)),
        other => Ok(format!("{other:?}")),
    }
}

/// A header line.
type Line = (&'static str, &'static str);

const JSON: Line = ("content-type", "application/json");
const LEGACY: Line = ("mcp-protocol-version", "2025-11-25");
const MODERN: Line = ("mcp-protocol-version", "2026-07-28");
const CALL: Line = ("mcp-method", "tools/call");
const NAME: Line = ("mcp-name", "echo");

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params}}}}}"#)
}

#[test]
fn each_known_way_around_in_a_legacy_body_is_refused() {
    let deep = call(&format!(r#""name":"echo","arguments":{}1{}"#, "[".repeat(200), "]".repeat(200)));
    let rows: &[(&str, &[u8], Cause)] = &[
        ("duplicate key: name", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"rm"}}"#, Cause::DuplicateKey),
        ("duplicate key: params", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"params":{"name":"rm"}}"#, Cause::DuplicateKey),
        ("duplicate key: method", br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"rm"}}"#, Cause::DuplicateKey),
        ("duplicate key: escaped", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\u0061me":"rm"}}"#, Cause::DuplicateKey),
        ("duplicate key: in arguments", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}"#, Cause::DuplicateKey),
        ("case variant: Name (Go SDK, CVE-2026-27896)", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"rm"}}"#, Cause::CaseVariantKey),
        ("case variant: Method", br#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"rm"}}"#, Cause::CaseVariantKey),
        ("case variant: long s in params", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"},\"param\u{17f}\":{\"name\":\"rm\"}}".as_bytes(), Cause::CaseVariantKey),
        ("case variant: Kelvin sign in task", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"tas\u{212a}\":{}}}".as_bytes(), Cause::CaseVariantKey),
        ("NUL suffix (GHSA-q382-vc8q-7jhj)", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name\u0000":"rm"}}"#, Cause::CaseVariantKey),
        ("batch", br#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}]"#, Cause::Batch),
        ("batch behind white space", b" \t\r\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", Cause::Batch),
        ("byte order mark", b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", Cause::ByteOrderMark),
        ("UTF-16", b"{\x00\"\x00j\x00\"\x00:\x001\x00}\x00", Cause::Malformed),
        ("invalid UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"\xff\"}}", Cause::InvalidUtf8),
        ("overlong UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools\xc0\xafcall\"}", Cause::InvalidUtf8),
        ("lone surrogate", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#, Cause::Surrogate),
        ("NaN", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":NaN}}}"#, Cause::Malformed),
        ("1e400", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1e400}}}"#, Cause::Number),
        ("second document", br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"rm"}}"#, Cause::TrailingData),
        ("nesting above 128", deep.as_bytes(), Cause::TooDeep),
        ("empty", b"", Cause::Empty),
        ("call without an id", br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"rm"}}"#, Cause::MissingId),
        ("call with a null id", br#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"rm"}}"#, Cause::InvalidId),
        ("no jsonrpc", br#"{"id":1,"method":"tools/call","params":{"name":"rm"}}"#, Cause::NotJsonRpc),
        ("method in other case", br#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"rm"}}"#, Cause::MethodUnknown),
        ("method with a space", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"rm"}}"#, Cause::MethodUnknown),
        ("positional params", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["rm"]}"#, Cause::NotJsonRpc),
        ("call and response in one", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"},"result":{}}"#, Cause::NotJsonRpc),
        ("name that is no string", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["rm"]}}"#, Cause::InvalidParams),
    ];
    for (name, body, expected) in rows {
        assert_eq!(see(&[JSON, LEGACY], body), Err(*expected), "{name}");
    }
}

#[test]
fn each_known_way_around_in_headers_is_refused() {
    let legacy = call(r#""name":"echo""#);
    let modern = call(&format!(r#""name":"echo",{META}"#));
    let type_is = |value| ("content-type", value);
    let rows: &[(&str, &[Line], &str, Cause)] = &[
        ("era mixed: legacy header, modern body", &[JSON, LEGACY, CALL, NAME], &modern, Cause::EraMismatch),
        ("era mixed: modern header, legacy body", &[JSON, MODERN, CALL, NAME], &legacy, Cause::InvalidParams),
        ("era mixed: no header, modern body", &[JSON, CALL, NAME], &modern, Cause::MissingHeader),
        (
            "version that does not exist",
            &[JSON, ("mcp-protocol-version", "2099-01-01")],
            &legacy,
            Cause::UnsupportedVersion,
        ),
        ("Mcp-Name of another tool", &[JSON, MODERN, CALL, ("mcp-name", "rm")], &modern, Cause::HeaderMismatch),
        (
            "Mcp-Method of another method",
            &[JSON, MODERN, ("mcp-method", "tools/list"), NAME],
            &modern,
            Cause::HeaderMismatch,
        ),
        ("no Mcp-Name", &[JSON, MODERN, CALL], &modern, Cause::MissingHeader),
        (
            "two Mcp-Name, the second agreeing",
            &[JSON, MODERN, CALL, ("mcp-name", "rm"), NAME],
            &modern,
            Cause::DuplicateHeader,
        ),
        ("two versions", &[JSON, LEGACY, MODERN, CALL, NAME], &modern, Cause::DuplicateHeader),
        (
            "Connection removes the version",
            &[JSON, MODERN, CALL, NAME, ("connection", "mcp-protocol-version")],
            &modern,
            Cause::InvalidHeader,
        ),
        ("gzip", &[JSON, LEGACY, ("content-encoding", "gzip")], &legacy, Cause::ContentEncoding),
        ("charset=utf-16le", &[type_is("application/json; charset=utf-16le"), LEGACY], &legacy, Cause::Charset),
        ("text/plain", &[type_is("text/plain"), LEGACY], &legacy, Cause::MediaType),
        ("no Content-Type", &[LEGACY], &legacy, Cause::MediaType),
        ("two Content-Types", &[JSON, type_is("text/plain"), LEGACY], &legacy, Cause::DuplicateHeader),
    ];
    for (name, lines, body, expected) in rows {
        assert_eq!(see(lines, body.as_bytes()), Err(*expected), "{name}");
    }
}

#[test]
fn legitimate_variants_of_a_call_are_seen_as_the_call_they_are() {
    let legacy: &[(&str, &str)] = &[
        ("escaped method", r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"tools\/call","params":{"name":"echo"}}"#),
        ("escaped name", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u0065cho"}}"#),
        (
            "key order and white space",
            "\r\n{ \"params\" : {\"name\":\t\"echo\"} ,\"method\":\"tools/call\",\"id\":\"x\",\"jsonrpc\":\"2.0\" } \n",
        ),
        (
            "keys of arguments in any case",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"Name":1,"name":2}}}"#,
        ),
        (
            "keys of extensions",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"com.example/Name":1}},"x":1}"#,
        ),
        ("as a task", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","task":{"ttl":1}}}"#),
    ];
    for (name, body) in legacy {
        assert_eq!(see(&[JSON, LEGACY], body.as_bytes()), Ok("echo".to_owned()), "{name}");
        assert_eq!(see(&[JSON], body.as_bytes()), Ok("echo".to_owned()), "{name}, without a version");
    }
    let modern = call(&format!(r#""name":"echo",{META}"#));
    let retry = call(&format!(r#""name":"echo","inputResponses":{{}},"requestState":"s",{META}"#));
    for body in [&modern, &retry] {
        assert_eq!(see(&[JSON, MODERN, CALL, NAME], body.as_bytes()), Ok("echo".to_owned()));
        assert_eq!(
            see(&[JSON, MODERN, CALL, ("mcp-name", "=?base64?ZWNobw==?=")], body.as_bytes()),
            Ok("echo".to_owned())
        );
    }
}

#[test]
fn a_tool_of_another_case_or_script_is_another_tool() {
    for name in ["ECHO", "echo ", " echo", "\u{435}cho", "echo\u{200b}"] {
        assert_eq!(see(&[JSON, LEGACY], call(&format!(r#""name":"{name}""#)).as_bytes()), Ok(name.to_owned()));
    }
}
