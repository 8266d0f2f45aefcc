//! Requests refused for what they are, before any policy: the one table of causes.
//!
//! A cause is the label of `reeve_rejected_requests_total`, and fixes the HTTP status and the JSON-RPC code of the answer.
//! Codes from -32700 to -32600 and -32020 to -32099 mean what JSON-RPC and the MCP specification say; Reeve's own lie
//! outside the range that they reserve and equal the HTTP status.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use reeve_policy::json::{ParseError, ParseErrorKind};
use serde::Serialize;

use super::version::{Era, Version};

/// Declares [`Cause`] and, beside each, its label, its HTTP status, its JSON-RPC code and what it means.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $name:ident $label:literal => $status:ident, $code:literal;)+) => {
        /// Why a request is refused before any policy is asked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[doc = $doc])+ $name,)+ }

        impl Cause {
            /// Every cause, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word used in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// The HTTP status of the answer. [`Cause::MethodUnknown`] is answered otherwise in the legacy era, in which a
            /// 404 ends the session: see [`Rejection::method_unknown`].
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// The JSON-RPC error code of the answer.
            pub fn code(self) -> i64 {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence that says what the cause means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

causes! {
    /// The Host is not one of the sidecar's own.
    Host "host" => FORBIDDEN, 403;
    /// The Origin is not one of the sidecar's own.
    Origin "origin" => FORBIDDEN, 403;
    /// No server is served at this path.
    Path "path" => NOT_FOUND, 404;
    /// The server has no protected-resource metadata for agents to log in by, or the sidecar holds its credential.
    NoMetadata "no_metadata" => NOT_FOUND, 404;
    /// The HTTP method is not one of the transport, or not one of this era.
    HttpMethod "http_method" => METHOD_NOT_ALLOWED, 405;
    /// The request asks for another transport: WebSocket, or the HTTP+SSE of 2024-11-05.
    Transport "transport" => METHOD_NOT_ALLOWED, 405;
    /// The headers are larger than is permitted.
    HeadersTooLarge "headers_too_large" => REQUEST_HEADER_FIELDS_TOO_LARGE, 431;
    /// As many requests are in flight as may be.
    TooManyRequests "too_many_requests" => SERVICE_UNAVAILABLE, 503;
    /// The body is not `application/json`.
    MediaType "media_type" => UNSUPPORTED_MEDIA_TYPE, -32600;
    /// The body's character set is not UTF-8.
    Charset "charset" => UNSUPPORTED_MEDIA_TYPE, -32600;
    /// The body is encoded, for example compressed.
    ContentEncoding "content_encoding" => UNSUPPORTED_MEDIA_TYPE, -32600;
    /// The body is larger than is read.
    TooLarge "too_large" => PAYLOAD_TOO_LARGE, -32600;
    /// The body did not arrive in time.
    BodyTimeout "body_timeout" => REQUEST_TIMEOUT, 408;
    /// The body broke off.
    BodyIncomplete "body_incomplete" => BAD_REQUEST, -32700;
    /// The sidecar holds as many request bodies as it may.
    Busy "busy" => SERVICE_UNAVAILABLE, 503;
    /// The body is empty.
    Empty "empty" => BAD_REQUEST, -32700;
    /// The body begins with a byte order mark.
    ByteOrderMark "bom" => BAD_REQUEST, -32700;
    /// The body is not JSON.
    Malformed "malformed" => BAD_REQUEST, -32700;
    /// The body is not UTF-8.
    InvalidUtf8 "utf8" => BAD_REQUEST, -32700;
    /// A string escapes half of a surrogate pair.
    Surrogate "surrogate" => BAD_REQUEST, -32700;
    /// A number is not JSON, or too large for servers to agree on.
    Number "number" => BAD_REQUEST, -32700;
    /// Data follows the JSON document.
    TrailingData "trailing_data" => BAD_REQUEST, -32700;
    /// No configuration has come yet.
    NotConfigured "not_configured" => SERVICE_UNAVAILABLE, 503;
    /// The sidecar itself failed.
    Internal "internal" => INTERNAL_SERVER_ERROR, -32603;
    /// A key occurs twice in one object: servers differ in which they read.
    DuplicateKey "duplicate_key" => BAD_REQUEST, -32600;
    /// Arrays and objects nest too deep.
    TooDeep "too_deep" => BAD_REQUEST, -32600;
    /// The body holds too many values.
    TooManyValues "too_many_values" => BAD_REQUEST, -32600;
    /// The body is a batch of messages.
    Batch "batch" => BAD_REQUEST, -32600;
    /// A key looks like a key of the protocol to a reader that ignores case or characters.
    CaseVariantKey "case_variant_key" => BAD_REQUEST, -32600;
    /// The body is JSON, but not one JSON-RPC 2.0 message.
    NotJsonRpc "not_jsonrpc" => BAD_REQUEST, -32600;
    /// The message's id is neither a string nor a whole number that every server echoes alike.
    InvalidId "invalid_id" => BAD_REQUEST, -32600;
    /// Another request of the session has this id, and is not answered yet: its answer could be taken for this one's.
    DuplicateId "duplicate_id" => BAD_REQUEST, -32600;
    /// A request has no id.
    MissingId "missing_id" => BAD_REQUEST, -32600;
    /// The request lacks what its method needs, or has it in another type.
    InvalidParams "invalid_params" => BAD_REQUEST, -32602;
    /// A listener subscribes to more resources or tasks than one may.
    TooManySubscriptions "too_many_subscriptions" => BAD_REQUEST, -32602;
    /// A header that must be unique occurs twice.
    DuplicateHeader "duplicate_header" => BAD_REQUEST, -32020;
    /// A header of the protocol is not text, not decodable, or named as hop-by-hop.
    InvalidHeader "invalid_header" => BAD_REQUEST, -32020;
    /// A header that this era requires is missing.
    MissingHeader "missing_header" => BAD_REQUEST, -32020;
    /// A header says something else than the body.
    HeaderMismatch "header_mismatch" => BAD_REQUEST, -32020;
    /// Header and body belong to different eras of the protocol.
    EraMismatch "era_mismatch" => BAD_REQUEST, -32020;
    /// The protocol version is not one that exists, or not one of this form of request.
    UnsupportedVersion "unsupported_version" => BAD_REQUEST, -32022;
    /// The method is not one that the sidecar relays in this era and direction.
    MethodUnknown "method_unknown" => NOT_FOUND, -32601;
    /// The session is not one that the server gave this grant.
    UnknownSession "unknown_session" => NOT_FOUND, 404;
    /// The task is not one that the server gave this grant.
    UnknownTask "unknown_task" => OK, -32602;
    /// A response answers no open request of the server.
    UnmatchedResponse "unmatched_response" => BAD_REQUEST, -32600;
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Cause {
    /// The table, in Markdown, as `docs/` shows it.
    pub fn markdown() -> String {
        let mut table = String::from("| cause | HTTP | JSON-RPC | meaning |\n|---|---|---|---|\n");
        for cause in Self::ALL {
            let (status, code, meaning) = (cause.status().as_u16(), cause.code(), cause.meaning());
            table.push_str(&format!("| `{cause}` | {status} | {code} | {meaning} |\n"));
        }
        table
    }
}

/// A request that is refused for what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub cause: Cause,
    /// The HTTP status to answer with.
    pub status: StatusCode,
    /// What is wrong and what would be right, in a sentence without values of the request's arguments.
    pub message: Cow<'static, str>,
    /// The message's id as it was written, where one could be read.
    pub id: Option<Box<[u8]>>,
    /// The version that was asked for, and the era of those that could be instead.
    versions: Option<(Box<str>, Option<Era>)>,
}

impl Rejection {
    /// A rejection without an id.
    pub fn new(cause: Cause, message: impl Into<Cow<'static, str>>) -> Self {
        Self { cause, status: cause.status(), message: message.into(), id: None, versions: None }
    }

    /// The same rejection of the message that has this id, given as it was written.
    #[must_use]
    pub fn of(mut self, id: Option<&[u8]>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// Of a request or notification whose method has no place in the era. A notification or a request of the modern era is
    /// answered 404; a legacy request 200, because a legacy client takes 404 for the end of its session, and a legacy
    /// notification 400.
    pub fn method_unknown(era: Era, id: Option<&[u8]>) -> Self {
        let message = format!("Method not found: Reeve relays no such method in the {era} era of the protocol.");
        let mut rejection = Self::new(Cause::MethodUnknown, message).of(id);
        rejection.status = match (era, id) {
            (Era::Modern, _) => StatusCode::NOT_FOUND,
            (Era::Legacy, Some(_)) => StatusCode::OK,
            (Era::Legacy, None) => StatusCode::BAD_REQUEST,
        };
        rejection
    }

    /// Of a version that is not known. `era`: the only era whose versions could be spoken instead, if there is only one.
    pub(super) fn unsupported_version(requested: &str, era: Option<Era>) -> Self {
        let requested: String = requested.chars().take(64).collect();
        let message = format!("Unsupported protocol version; supported: {}.", supported(era).join(", "));
        let mut rejection = Self::new(Cause::UnsupportedVersion, message);
        rejection.versions = Some((requested.into(), era));
        rejection
    }

    /// The JSON-RPC error code.
    pub fn code(&self) -> i64 {
        self.cause.code()
    }

    /// The answer's body, a JSON-RPC error. Without an id where none could be read: `null` is in no version's schema, and
    /// some clients wait for ever on it.
    pub fn body(&self) -> Bytes {
        let data = self.versions.as_ref().map(|(requested, era)| Versions { supported: supported(*era), requested });
        super::answer::error(self.id.as_deref(), self.code(), &self.message, data.as_ref())
    }
}

/// The `data` of an `UnsupportedProtocolVersion` error.
#[derive(Serialize)]
struct Versions<'a> {
    supported: Vec<&'static str>,
    requested: &'a str,
}

fn supported(era: Option<Era>) -> Vec<&'static str> {
    let spoken = |version: &Version| era.is_none_or(|era| version.era() == era);
    Version::ALL.into_iter().rev().filter(spoken).map(Version::as_str).collect()
}

impl From<ParseError> for Rejection {
    fn from(error: ParseError) -> Self {
        let cause = match error.kind {
            ParseErrorKind::Empty => Cause::Empty,
            ParseErrorKind::ByteOrderMark => Cause::ByteOrderMark,
            ParseErrorKind::Syntax => Cause::Malformed,
            ParseErrorKind::InvalidUtf8 => Cause::InvalidUtf8,
            ParseErrorKind::LoneSurrogate => Cause::Surrogate,
            ParseErrorKind::Number => Cause::Number,
            ParseErrorKind::DuplicateKey => Cause::DuplicateKey,
            ParseErrorKind::TooDeep => Cause::TooDeep,
            ParseErrorKind::TooManyTokens => Cause::TooManyValues,
            ParseErrorKind::TrailingData => Cause::TrailingData,
            ParseErrorKind::TooLong => Cause::TooLarge,
        };
        Self::new(cause, format!("The body is not one strict JSON document: {error}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_label_a_meaning_and_a_code_it_may_use() {
        let mut labels: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert!(cause.meaning().ends_with('.'), "{cause}");
            let standard = matches!(cause.code(), -32700 | -32600 | -32601 | -32602 | -32603 | -32020 | -32022);
            assert!(standard || cause.code() == i64::from(cause.status().as_u16()), "{cause}");
        }
    }

    #[test]
    fn the_table_shows_every_cause() {
        assert_eq!(Cause::markdown().lines().count(), Cause::ALL.len() + 2);
        assert!(Cause::markdown().contains("| `batch` | 400 | -32600 | The body is a batch of messages. |"));
    }

    #[test]
    fn an_unknown_id_is_left_out_and_a_known_one_is_echoed_byte_for_byte() {
        let rejection = Rejection::new(Cause::Batch, "One message, please.");
        let expected: &[u8] = br#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"One message, please."}}"#;
        assert_eq!(rejection.body(), expected);
        let expected: &[u8] =
            br#"{"jsonrpc":"2.0","id":"\u0061","error":{"code":-32600,"message":"One message, please."}}"#;
        assert_eq!(rejection.of(Some(br#""\u0061""#)).body(), expected);
    }

    #[test]
    fn an_unknown_method_ends_no_legacy_session() {
        assert_eq!(Rejection::method_unknown(Era::Legacy, Some(b"1")).status, StatusCode::OK);
        assert_eq!(Rejection::method_unknown(Era::Legacy, None).status, StatusCode::BAD_REQUEST);
        assert_eq!(Rejection::method_unknown(Era::Modern, Some(b"1")).status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_unsupported_version_is_told_which_are_supported() {
        let body = Rejection::unsupported_version("v9", Some(Era::Modern)).of(Some(b"7")).body();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.ends_with(r#""data":{"supported":["2026-07-28"],"requested":"v9"}}}"#), "{text}");
        assert_eq!(supported(None).first(), Some(&"2026-07-28"));
        assert_eq!(supported(None).len(), Version::ALL.len());
    }
}
