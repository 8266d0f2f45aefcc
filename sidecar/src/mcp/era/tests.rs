//! Each cell of the table, reached by a real header and a real body.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::mcp::envelope::Sender;

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-06-18";
const UNKNOWN: &str = "2031-01-01";

fn headers(version: Option<&'static str>) -> HeaderMap {
    version.map(|version| (PROTOCOL_VERSION, HeaderValue::from_static(version))).into_iter().collect()
}

fn outcome(header: Option<&'static str>, body: &str) -> Result<Version, Rejection> {
    let document = Document::parse(Bytes::copy_from_slice(body.as_bytes()), Limits::default()).unwrap();
    agree(&headers(header), &Envelope::read(&document, Sender::Agent).unwrap())
}

fn body(body: Body) -> String {
    let with_meta = |version: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{{"_meta":{{"{key}":"{version}"}}}}}}"#,
            key = crate::mcp::envelope::META_PROTOCOL_VERSION
        )
    };
    match body {
        Body::Handshake => {
            r#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#.into()
        }
        Body::Request => r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#.into(),
        Body::Notification => r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#.into(),
        Body::Response => r#"{"jsonrpc":"2.0","id":7,"result":{}}"#.into(),
        Body::MetaLegacy => with_meta(LEGACY),
        Body::MetaModern => with_meta(MODERN),
        Body::MetaUnknown => with_meta(UNKNOWN),
    }
}

#[test]
fn every_cell_of_the_table_is_what_it_says() {
    let rows = [None, Some(LEGACY), Some(MODERN), Some(UNKNOWN)];
    let expected = [
        // initialize      request           notification    response        _meta legacy           _meta modern       _meta unknown
        ["2025-11-25", "2025-03-26", "2025-03-26", "2025-03-26", "missing_header", "missing_header", "missing_header"],
        ["2025-11-25", LEGACY, LEGACY, LEGACY, "unsupported_version", "era_mismatch", "header_mismatch"],
        ["era_mismatch", "invalid_params", MODERN, "era_mismatch", "era_mismatch", MODERN, "header_mismatch"],
        [
            "unsupported_version",
            "unsupported_version",
            "unsupported_version",
            "unsupported_version",
            "header_mismatch",
            "header_mismatch",
            "unsupported_version",
        ],
    ];
    for (header, row) in rows.into_iter().zip(expected) {
        for (column, expected) in Body::ALL.into_iter().zip(row) {
            let found = match outcome(header, &body(column)) {
                Ok(version) => version.as_str(),
                Err(rejection) => {
                    assert_eq!(rejection.status, StatusCode::BAD_REQUEST);
                    let id: Option<&[u8]> = (column != Body::Notification).then_some(b"7");
                    assert_eq!(rejection.id.as_deref(), id, "{header:?} {column:?}");
                    rejection.cause.as_str()
                }
            };
            assert_eq!(found, expected, "{header:?} × {column:?}");
        }
    }
}

#[test]
fn two_known_versions_of_one_era_must_be_the_same() {
    let rejection = outcome(Some("2025-11-25"), &body(Body::MetaLegacy)).unwrap_err();
    assert_eq!(rejection.cause, Cause::HeaderMismatch);
}

#[test]
fn the_codes_are_those_of_the_specification() {
    for (header, column, code) in [
        (Some(LEGACY), Body::MetaModern, -32020),
        (None, Body::MetaModern, -32020),
        (Some(MODERN), Body::MetaUnknown, -32020),
        (Some(MODERN), Body::Request, -32602),
        (Some(UNKNOWN), Body::MetaUnknown, -32022),
    ] {
        assert_eq!(outcome(header, &body(column)).unwrap_err().code(), code, "{header:?} × {column:?}");
    }
}

#[test]
fn a_handshake_that_offers_what_is_not_legacy_counts_as_the_assumed_version() {
    for offered in [r#""2026-07-28""#, r#""2031-01-01""#, "7", "null"] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":{offered}}}}}"#);
        assert_eq!(outcome(None, &body), Ok(Version::ASSUMED), "{offered}");
    }
}

#[test]
fn a_version_that_is_no_string_is_unknown() {
    for value in ["null", "20260728", "{}", r#"["2026-07-28"]"#] {
        let body = body(Body::MetaModern).replace(r#""2026-07-28""#, value);
        assert_eq!(outcome(Some(MODERN), &body).unwrap_err().cause, Cause::HeaderMismatch, "{value}");
        assert_eq!(outcome(None, &body).unwrap_err().cause, Cause::MissingHeader, "{value}");
        assert_eq!(outcome(Some(LEGACY), &body).unwrap_err().cause, Cause::HeaderMismatch, "{value}");
    }
}

#[test]
fn an_escaped_version_is_the_version() {
    let body = body(Body::MetaModern).replace("2026", r"\u00320\u00326");
    assert_eq!(outcome(Some(MODERN), &body), Ok(Version::V2026_07_28));
}

#[test]
fn two_version_headers_are_refused_even_if_they_agree() {
    let mut headers = headers(Some(MODERN));
    headers.append(PROTOCOL_VERSION, HeaderValue::from_static(MODERN));
    assert_eq!(without_body(&headers).unwrap_err().cause, Cause::DuplicateHeader);
    let joined = headers_of(b"2025-06-18, 2026-07-28");
    assert_eq!(without_body(&joined).unwrap_err().cause, Cause::UnsupportedVersion);
}

fn headers_of(value: &[u8]) -> HeaderMap {
    [(PROTOCOL_VERSION, HeaderValue::from_bytes(value).unwrap())].into_iter().collect()
}

#[test]
fn a_request_without_a_body_speaks_its_header_and_never_the_modern_era() {
    assert_eq!(without_body(&headers(None)), Ok(Version::ASSUMED));
    assert_eq!(without_body(&headers(Some(LEGACY))), Ok(Version::V2025_06_18));
    let modern = without_body(&headers(Some(MODERN))).unwrap_err();
    assert_eq!((modern.cause, modern.status), (Cause::HttpMethod, StatusCode::METHOD_NOT_ALLOWED));
    assert_eq!(without_body(&headers_of(b"\xff")).unwrap_err().cause, Cause::UnsupportedVersion);
}

#[test]
fn the_markdown_has_a_row_for_each_header_and_a_column_for_each_body() {
    let text = markdown();
    assert_eq!(text.lines().count(), 2 + Header::ALL.len());
    assert!(text.lines().all(|line| line.matches('|').count() == Body::ALL.len() + 2), "{text}");
}
