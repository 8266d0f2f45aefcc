//! What an agent's bearer token says of itself. It is not verified, and nothing is permitted or refused on its word: it
//! only tells why a server that has just refused it may have done so.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use reeve_policy::json::{Document, Kind, Limits, Value};
use reeve_policy::time::WallTime;

/// How long after it was issued a token counts as just issued. Refused within this time, it was not for its age, and
/// another login would bring its like.
const JUST: Duration = Duration::from_secs(60);

/// Whether this `Authorization` brings a token (a JWT, RFC 9068) that was just issued for this resource.
pub fn was_just_issued_for(authorization: &HeaderValue, resource: &str, now: WallTime) -> bool {
    let claims = authorization.to_str().ok().and_then(claims);
    claims.is_some_and(|claims| {
        let issued = claims.root().get("iat").and_then(whole_seconds);
        let audience = claims.root().get("aud");
        issued.is_some_and(|issued| (now.0 / NANOS).abs_diff(issued) <= JUST.as_secs())
            && audience.is_some_and(|audience| names(audience, resource))
    })
}

const NANOS: i64 = 1_000_000_000;

/// The claims of the JWT in `Bearer HEAD.CLAIMS.SIGNATURE`.
fn claims(authorization: &str) -> Option<Document> {
    let (scheme, token) = authorization.split_once(' ')?;
    if !["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    Document::parse(Bytes::from(claims), Limits::default()).ok()
}

fn whole_seconds(claim: Value<'_>) -> Option<i64> {
    std::str::from_utf8(claim.raw()).ok()?.parse().ok()
}

/// Whether an audience, one text or a list of them, names the resource. A slash at the end does not matter.
fn names(audience: Value<'_>, resource: &str) -> bool {
    let is_it = |one: Value<'_>| one.as_str().is_some_and(|one| same(&one, resource));
    if audience.kind() == Kind::Array { audience.items().any(is_it) } else { is_it(audience) }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:14001/mcp";
    const NOW: WallTime = WallTime(1_700_000_030 * NANOS);

    fn is_for_here(scheme: &str, claims: &str) -> bool {
        let text = format!("{scheme} eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        was_just_issued_for(&HeaderValue::try_from(text).unwrap(), HERE, NOW)
    }

    #[test]
    fn a_token_that_was_just_issued_for_here_is_told_from_every_other() {
        for (claims, is) in [
            (r#"{"aud":"http://127.0.0.1:14001/mcp","iat":1700000000}"#, true),
            (r#"{"aud":["https://b","http://127.0.0.1:14001/mcp/"],"iat":1700000060}"#, true),
            (r#"{"aud":"http://127.0.0.1:14001/mcp","iat":1699999900}"#, false),
            (r#"{"aud":"http://127.0.0.1:14001/mcp","iat":1700009999}"#, false),
            (r#"{"aud":"http://127.0.0.1:14001/mcp"}"#, false),
            (r#"{"aud":"http://127.0.0.1:14001/mcp","iat":"1700000000"}"#, false),
            (r#"{"aud":"http://127.0.0.1:14001/other","iat":1700000000}"#, false),
            (r#"{"aud":{"a":"http://127.0.0.1:14001/mcp"},"iat":1700000000}"#, false),
            (r#"{"iat":1700000000}"#, false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(is_for_here("Bearer", claims), is, "{claims}");
            assert_eq!(is_for_here("dpop", claims), is, "{claims}");
            assert!(!is_for_here("Basic", claims), "{claims}");
        }
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        for text in ["Bearer opaque", "Bearer a.b.c", "Bearer ..", "Bearer", "", "Bearer a.!.c"] {
            assert!(!was_just_issued_for(&HeaderValue::from_static(text), HERE, NOW), "{text}");
        }
    }
}
