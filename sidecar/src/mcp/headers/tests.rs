//! Which headers are refused, which must say what the body says, and what crosses.

use bytes::Bytes;
use http::header::{ACCEPT, COOKIE, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::mcp::envelope::Sender;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

fn cause(result: Result<(), Rejection>) -> Option<Cause> {
    result.err().map(|rejection| rejection.cause)
}

#[test]
fn the_body_is_plain_json_in_utf_8_or_refused() {
    for value in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json ;  charset=UTF-8",
        "application/json; charset=utf8",
        "application/json; charset=\"UTF8\"",
        "application/json;",
        "application/json; ;charset=utf-8; ",
    ] {
        assert_eq!(cause(check_body(&headers(&[("content-type", value)]))), None, "{value}");
    }
    for (value, expected) in [
        ("text/plain", Cause::MediaType),
        ("", Cause::MediaType),
        ("application/json-rpc", Cause::MediaType),
        ("application/jsonx", Cause::MediaType),
        ("application/json, text/plain", Cause::MediaType),
        ("application/json; boundary=x", Cause::MediaType),
        ("application/json; charset", Cause::MediaType),
        ("; charset=utf-8", Cause::MediaType),
        ("application/x-www-form-urlencoded", Cause::MediaType),
        ("application/json; charset=utf-16le", Cause::Charset),
        ("application/json; charset=utf_8", Cause::Charset),
        ("application/json; charset=\"utf8", Cause::Charset),
        ("application/json; charset=", Cause::Charset),
        ("application/json; charset=utf-8; charset=utf-7", Cause::Charset),
    ] {
        let rejection = check_body(&headers(&[("content-type", value)])).unwrap_err();
        assert_eq!((rejection.cause, rejection.status), (expected, StatusCode::UNSUPPORTED_MEDIA_TYPE), "{value}");
    }
    assert_eq!(cause(check_body(&HeaderMap::new())), Some(Cause::MediaType));
}

#[test]
fn an_encoded_body_is_refused() {
    for (value, expected) in
        [("identity", None), ("gzip", Some(Cause::ContentEncoding)), ("identity, gzip", Some(Cause::ContentEncoding))]
    {
        let headers = headers(&[("content-type", "application/json"), ("content-encoding", value)]);
        assert_eq!(cause(check_body(&headers)), expected, "{value}");
    }
}

#[test]
fn more_headers_than_can_be_sent_on_are_refused() {
    let of = |count: usize| headers(&vec![("x-one", "1"); count]);
    assert_eq!(cause(check(&of(MOST))), None);
    let rejection = check(&of(MOST + 1)).unwrap_err();
    assert_eq!(
        (rejection.cause, rejection.status),
        (Cause::HeadersTooLarge, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
}

#[test]
fn a_header_that_must_be_unique_is_refused_twice() {
    for name in [
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "mcp-param-region",
        "mcp-anything",
        "content-type",
        "content-encoding",
        "authorization",
        "last-event-id",
    ] {
        assert_eq!(cause(check(&headers(&[(name, "a"), (name, "a")]))), Some(Cause::DuplicateHeader), "{name}");
        assert_eq!(cause(check(&headers(&[(name, "a")]))), None, "{name}");
    }
    assert_eq!(cause(check(&headers(&[("accept", "a"), ("accept", "b"), ("cookie", "a"), ("cookie", "b")]))), None);
}

#[test]
fn a_header_of_the_protocol_is_visible_ascii() {
    assert_eq!(cause(check(&headers(&[("mcp-name", "caf\u{e9}")]))), Some(Cause::InvalidHeader));
    assert_eq!(cause(check(&headers(&[("x-name", "caf\u{e9}")]))), None);
}

#[test]
fn connection_cannot_have_headers_of_the_protocol_removed() {
    for value in ["mcp-protocol-version", "close, MCP-Session-Id", "content-type", "keep-alive,authorization"] {
        assert_eq!(cause(check(&headers(&[("connection", value)]))), Some(Cause::InvalidHeader), "{value}");
    }
    assert_eq!(cause(check(&headers(&[("connection", "keep-alive, x-private")]))), None);
}

fn verified(lines: &[(&str, &str)], body: &str, era: Era) -> Option<Cause> {
    let document = Document::parse(Bytes::copy_from_slice(body.as_bytes()), Limits::default()).unwrap();
    let envelope = Envelope::read(&document, Sender::Agent).unwrap();
    cause(verify(&headers(lines), &envelope, era, &[]))
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_datastore"}}"#;

#[test]
fn in_the_modern_era_method_and_name_repeat_the_body() {
    let method = ("mcp-method", "tools/call");
    let verified = |lines: &[(&str, &str)]| verified(lines, CALL, Era::Modern);
    assert_eq!(verified(&[method, ("mcp-name", "get_datastore")]), None);
    assert_eq!(verified(&[method, ("mcp-name", "=?base64?Z2V0X2RhdGFzdG9yZQ==?=")]), None);
    assert_eq!(verified(&[method]), Some(Cause::MissingHeader));
    assert_eq!(verified(&[("mcp-name", "get_datastore")]), Some(Cause::MissingHeader));
    assert_eq!(verified(&[method, ("mcp-name", "delete_datastore")]), Some(Cause::HeaderMismatch));
    assert_eq!(verified(&[method, ("mcp-name", "Get_datastore")]), Some(Cause::HeaderMismatch));
    assert_eq!(verified(&[("mcp-method", "Tools/Call"), ("mcp-name", "get_datastore")]), Some(Cause::HeaderMismatch));
    assert_eq!(
        verified(&[("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="), ("mcp-name", "get_datastore")]),
        Some(Cause::HeaderMismatch)
    );
    assert_eq!(verified(&[method, ("mcp-name", "=?base64?Z2V0X2RhdGFzdG9yZQ?=")]), Some(Cause::InvalidHeader));
}

#[test]
fn each_method_that_names_something_repeats_it() {
    for (method, member, missing) in [
        ("tools/call", "name", Some(Cause::MissingHeader)),
        ("prompts/get", "name", Some(Cause::MissingHeader)),
        ("resources/read", "uri", Some(Cause::MissingHeader)),
        ("tasks/get", "taskId", None),
        ("tasks/update", "taskId", None),
        ("tasks/cancel", "taskId", None),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"{member}":"x"}}}}"#);
        assert_eq!(verified(&[("mcp-method", method), ("mcp-name", "x")], &body, Era::Modern), None, "{method}");
        let other = verified(&[("mcp-method", method), ("mcp-name", "y")], &body, Era::Modern);
        assert_eq!(other, Some(Cause::HeaderMismatch), "{method}");
        assert_eq!(verified(&[("mcp-method", method)], &body, Era::Modern), missing, "{method}");
        let empty = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
        let unnamed = verified(&[("mcp-method", method), ("mcp-name", "x")], &empty, Era::Modern);
        assert_eq!(unnamed, Some(Cause::InvalidParams), "{method}");
    }
}

#[test]
fn a_method_that_names_nothing_has_no_name_header() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"x"}}"#;
    assert_eq!(verified(&[("mcp-method", "tools/list")], body, Era::Modern), None);
    let named = verified(&[("mcp-method", "tools/list"), ("mcp-name", "x")], body, Era::Modern);
    assert_eq!(named, Some(Cause::HeaderMismatch));
}

#[test]
fn a_notification_needs_no_method_header_but_may_not_contradict_it() {
    let body = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    assert_eq!(verified(&[], body, Era::Modern), None);
    assert_eq!(verified(&[("mcp-method", "notifications/cancelled")], body, Era::Modern), None);
    assert_eq!(verified(&[("mcp-method", "tools/call")], body, Era::Modern), Some(Cause::HeaderMismatch));
}

#[test]
fn in_the_legacy_era_routing_headers_are_neither_read_nor_forwarded() {
    let lines = [("mcp-method", "tools/list"), ("mcp-name", "other"), ("mcp-param-region", "x")];
    assert_eq!(verified(&lines, CALL, Era::Legacy), None);
    let mut headers = headers(&lines);
    for_upstream(&mut headers, Era::Legacy);
    assert!(headers.is_empty(), "{headers:?}");
}

#[test]
fn a_mismatch_is_answered_with_the_request_id() {
    let document = Document::parse(Bytes::from_static(CALL.as_bytes()), Limits::default()).unwrap();
    let envelope = Envelope::read(&document, Sender::Agent).unwrap();
    let rejection = verify(&HeaderMap::new(), &envelope, Era::Modern, &[]).unwrap_err();
    assert_eq!((rejection.id.as_deref(), rejection.code()), (Some(&b"1"[..]), -32020));
}

/// The names that are left of these, sorted.
fn left(lines: &[(&str, &str)], change: impl FnOnce(&mut HeaderMap)) -> Vec<String> {
    let mut headers = headers(lines);
    change(&mut headers);
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_the_server_needs_reaches_it_untouched() {
    let kept = [
        ("accept", "application/json, text/event-stream"),
        ("authorization", "Bearer x"),
        ("content-type", "application/json"),
        ("cookie", "a=b"),
        ("mcp-protocol-version", "2025-11-25"),
        ("traceparent", "00-1-2-01"),
        ("user-agent", "agent"),
        ("x-api-key", "k"),
    ];
    let names: Vec<_> = kept.iter().map(|(name, _)| (*name).to_owned()).collect();
    for era in Era::ALL {
        assert_eq!(left(&kept, |headers| for_upstream(headers, era)), names);
    }
    let legacy = [("last-event-id", "7"), ("mcp-session-id", "s")];
    assert_eq!(left(&legacy, |headers| for_upstream(headers, Era::Legacy)), ["last-event-id", "mcp-session-id"]);
    assert!(left(&legacy, |headers| for_upstream(headers, Era::Modern)).is_empty());
    let modern = [("mcp-method", "m"), ("mcp-name", "n"), ("mcp-param-x", "p")];
    assert_eq!(left(&modern, |headers| for_upstream(headers, Era::Modern)).len(), 3);
}

#[test]
fn what_ends_at_the_sidecar_does_not_cross_it() {
    let dropped = [
        ("connection", "keep-alive, x-private"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic x"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("http2-settings", "x"),
        ("sec-websocket-key", "x"),
        ("origin", "http://127.0.0.1:14001"),
        ("accept-encoding", "gzip"),
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "elsewhere"),
        ("x-real-ip", "127.0.0.1"),
        ("x-client-ip", "127.0.0.1"),
        ("x-cluster-client-ip", "127.0.0.1"),
        ("true-client-ip", "127.0.0.1"),
        ("cf-connecting-ip", "127.0.0.1"),
        ("cf-connecting-ipv6", "::1"),
        ("fastly-client-ip", "127.0.0.1"),
        ("x-envoy-external-address", "127.0.0.1"),
        ("x-envoy-internal", "true"),
        ("x-envoy-original-path", "/admin"),
        ("x-original-url", "/admin"),
        ("x-original-host", "elsewhere"),
        ("x-rewrite-url", "/admin"),
        ("x-http-method", "DELETE"),
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "DELETE"),
        ("via", "1.1 elsewhere"),
        ("proxy-authenticate", "Basic"),
        ("mcp_protocol_version", "2025-11-25"),
        ("content_type", "text/plain"),
    ];
    for era in Era::ALL {
        let left = left(&dropped, |headers| for_upstream(headers, era));
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn an_answer_keeps_what_the_agent_needs_and_loses_what_leads_around_the_sidecar() {
    let kept = [
        ("content-type", "text/event-stream"),
        ("mcp-session-id", "s"),
        ("retry-after", "1"),
        ("www-authenticate", "Bearer"),
        ("x-accel-buffering", "no"),
    ];
    let names: Vec<_> = kept.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(left(&kept, |headers| for_agent(headers, Era::Legacy)), names);
    assert!(!left(&kept, |headers| for_agent(headers, Era::Modern)).contains(&"mcp-session-id".to_owned()));
    let dropped = [
        ("connection", "x-private"),
        ("x-private", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("alt-svc", "h3=\":443\""),
        ("location", "http://elsewhere/mcp"),
        ("content-location", "/other"),
        ("refresh", "0; url=http://elsewhere"),
        ("strict-transport-security", "max-age=1"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "*"),
        ("upgrade", "h2c"),
    ];
    let left = left(&dropped, |headers| for_agent(headers, Era::Legacy));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_header_with_several_values_crosses_with_all_of_them() {
    let mut headers = headers(&[("x-tag", "a"), ("x-tag", "b"), ("origin", "x"), ("www-authenticate", "Bearer")]);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    for_upstream(&mut headers, Era::Legacy);
    assert_eq!(headers.get_all("x-tag").iter().count(), 2);
    assert!(!headers.contains_key(ORIGIN) && headers.contains_key(ACCEPT) && headers.contains_key(WWW_AUTHENTICATE));
}

#[test]
fn cookies_in_several_headers_are_one() {
    for (lines, joined) in [
        (&["a=1"][..], "a=1"),
        (&["a=1", "b=2", "c=\"3\""], "a=1; b=2; c=\"3\""),
        (&["a=1; b=2", "c=caf\u{e9}"], "a=1; b=2; c=caf\u{e9}"),
    ] {
        let lines: Vec<_> = lines.iter().map(|value| ("cookie", *value)).collect();
        for era in Era::ALL {
            let mut headers = headers(&lines);
            for_upstream(&mut headers, era);
            let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(cookies, [joined.as_bytes()]);
        }
    }
}
