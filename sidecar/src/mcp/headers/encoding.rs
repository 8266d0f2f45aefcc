//! How a header's value carries text that a header cannot: `=?base64?…?=` (specification 2026-07-28, "Value Encoding").

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::mcp::rejection::{Cause, Rejection};

/// The text that a value stands for. The markers count only in lower case and as a pair; anything else is literal.
///
/// # Errors
/// If the value is not visible ASCII, or its Base64 is not canonical or not UTF-8: servers differ in what they make of it.
pub(super) fn decode<'h>(name: &str, value: &'h HeaderValue) -> Result<Cow<'h, str>, Rejection> {
    let invalid = |what: &str| Rejection::new(Cause::InvalidHeader, format!("`{name}` {what}."));
    let text = value.to_str().map_err(|_| invalid("is not visible ASCII: encode it as =?base64?…?="))?;
    let text = text.trim_matches([' ', '\t']);
    let Some(encoded) = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| invalid("is not canonical Base64"))?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| invalid("is not the Base64 of UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &'static str) -> Option<String> {
        decode("mcp-name", &HeaderValue::from_static(text)).ok().map(Cow::into_owned)
    }

    #[test]
    fn the_specifications_own_examples_decode() {
        for (value, text) in [
            ("us-west1", "us-west1"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("=?base64??=", ""),
        ] {
            assert_eq!(decoded(value).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn markers_in_other_case_or_alone_are_literal() {
        for value in ["=?BASE64?SGVsbG8=?=", "=?base64?SGVsbG8=", "SGVsbG8=?=", "=?Base64?SGVsbG8=?="] {
            assert_eq!(decoded(value).as_deref(), Some(value), "{value}");
        }
    }

    #[test]
    fn base64_that_two_decoders_read_differently_is_refused() {
        for value in [
            "=?base64?SGVsbG8?=",
            "=?base64?SGVs!!!bG8=?=",
            "=?base64?SGVsbG9=?=",
            "=?base64?SGVs bG8=?=",
            "=?base64?_-8=?=",
            "=?base64?/w==?=",
        ] {
            assert_eq!(decoded(value), None, "{value}");
        }
    }

    #[test]
    fn white_space_around_a_value_is_not_part_of_it() {
        assert_eq!(decoded("  get_datastore\t").as_deref(), Some("get_datastore"));
    }
}
