//! Which headers contradict the argument that they repeat.

use bytes::Bytes;
use http::HeaderValue;
use reeve_policy::catalogue::Tool;
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::mcp::envelope::{Envelope, Sender};

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap()
}

const TOOL: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "limits":{"type":"object","properties":{"max":{"type":"integer","x-mcp-header":"Max"}}},
    "dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
    "plain":{"type":"string"}}}}"#;

fn verified(lines: &[(&str, &str)], arguments: &str) -> Option<Cause> {
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#);
    let document = document(&body);
    let params = Envelope::read(&document, Sender::Agent).unwrap().params;
    let headers: HeaderMap = lines
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let tool = Tool::read(self::document(TOOL).root()).unwrap();
    verify(tool.repeated(), &headers, &params).err().map(|rejection| rejection.cause)
}

#[test]
fn a_header_that_says_what_the_argument_says_passes() {
    let arguments = r#"{"region":"us-west1","limits":{"max":42},"dry":true}"#;
    for lines in [
        &[("mcp-param-region", "us-west1"), ("mcp-param-max", "42"), ("mcp-param-dry-run", "true")][..],
        &[("mcp-param-region", "=?base64?dXMtd2VzdDE=?=")],
        &[("mcp-param-max", "42.0")],
        &[("mcp-param-max", "4.2e1")],
        &[("mcp-param-unknown", "whatever"), ("mcp-param-plain", "whatever")],
        &[],
    ] {
        assert_eq!(verified(lines, arguments), None, "{lines:?}");
    }
    assert_eq!(verified(&[("mcp-param-max", "42")], r#"{"limits":{"max":42.0}}"#), None);
}

#[test]
fn a_header_that_says_something_else_is_refused() {
    let arguments = r#"{"region":"us-west1","limits":{"max":42},"dry":true}"#;
    for (name, value) in [
        ("mcp-param-region", "us-east1"),
        ("mcp-param-region", "US-WEST1"),
        ("mcp-param-max", "43"),
        ("mcp-param-max", "42.5"),
        ("mcp-param-max", "inf"),
        ("mcp-param-max", "x"),
        ("mcp-param-dry-run", "True"),
        ("mcp-param-dry-run", "1"),
    ] {
        assert_eq!(verified(&[(name, value)], arguments), Some(Cause::HeaderMismatch), "{name}: {value}");
    }
    assert_eq!(verified(&[("mcp-param-region", "=?base64?x?=")], arguments), Some(Cause::InvalidHeader));
}

#[test]
fn a_header_of_an_argument_that_is_not_there_is_refused() {
    for arguments in ["{}", "null", r#"{"region":null}"#, r#"{"region":{}}"#, r#"{"region":["us-west1"]}"#] {
        assert_eq!(
            verified(&[("mcp-param-region", "us-west1")], arguments),
            Some(Cause::HeaderMismatch),
            "{arguments}"
        );
    }
    assert_eq!(verified(&[("mcp-param-max", "42")], r#"{"limits":42}"#), Some(Cause::HeaderMismatch));
}

#[test]
fn a_missing_header_is_left_to_the_server() {
    assert_eq!(verified(&[("mcp-param-max", "42")], r#"{"region":"us-west1","limits":{"max":42}}"#), None);
}
