//! What crosses the sidecar, in either direction, and what ends at it.

use http::header::{CONNECTION, COOKIE, HeaderName};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use super::names::Names;
use super::parameters::is_parameter;
use super::{LAST_EVENT_ID, METHOD, NAME, SESSION_ID};
use crate::mcp::version::Era;

/// Makes an agent's headers those of the request to the server, in place. `Host`, `Content-Length`, `Expect` and the header of a
/// credential that the sidecar holds stay, though they are not sent: what the sidecar says takes their place, or nothing
/// ([`Outgoing`](crate::upstream::Outgoing)).
///
/// Kept is what is not dropped, so that headers which a server asks of its clients arrive. Dropped are:
/// - hop-by-hop headers, and those that `Connection` names;
/// - Origin, which was this sidecar's own and has been checked;
/// - Accept-Encoding, so that answers can be read and filtered;
/// - what claims a forwarding history, another client or another target than the request's (`Forwarded`, `X-Forwarded-*`,
///   `X-Envoy-*`, `CF-Connecting-IP`, `X-Original-URL` and their kin): the agent may not speak for proxies;
/// - in the legacy era `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*`, which nobody verifies there; in the modern one
///   `Mcp-Session-Id` and `Last-Event-ID`, which it does not have;
/// - names with `_`, which some servers read as `-`.
///
/// Several `Cookie` headers become one.
pub fn for_upstream(headers: &mut HeaderMap, era: Era) {
    drop_where(headers, |name| {
        let word = name.as_str();
        is_hop_by_hop(word)
            || AGENTS_OWN.contains(word)
            || speaks_for_proxies(word)
            || match era {
                Era::Legacy => *name == METHOD || *name == NAME || is_parameter(name),
                Era::Modern => *name == SESSION_ID || *name == LAST_EVENT_ID,
            }
    });
    join_cookies(headers);
}

/// Makes a server's headers those of the answer to the agent, in place.
///
/// Dropped are hop-by-hop headers and those that `Connection` names; what frames the body, which may be filtered; what
/// would lead the agent around the sidecar (`Alt-Svc`, `Location`, `Refresh`, `Strict-Transport-Security`); what says which
/// pages may read it (`Access-Control-*`), which is this sidecar's to say; and in the modern era `Mcp-Session-Id`.
/// `WWW-Authenticate`, `Retry-After`, `X-Accel-Buffering` and all others stay.
pub fn for_agent(headers: &mut HeaderMap, era: Era) {
    drop_where(headers, |name| {
        let word = name.as_str();
        is_hop_by_hop(word)
            || SERVERS_OWN.contains(word)
            || word.starts_with("access-control-")
            || (era == Era::Modern && *name == SESSION_ID)
    });
}

/// The names that `Connection` declares to be hop-by-hop, as they are written.
pub(super) fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

fn drop_where(headers: &mut HeaderMap, is_dropped: impl Fn(&HeaderName) -> bool) {
    let named: Vec<HeaderName> =
        named_in_connection(headers).filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    let mut dropped = SmallVec::<[HeaderName; 4]>::new();
    dropped.extend(headers.keys().filter(|name| is_dropped(name) || named.contains(name)).cloned());
    for name in dropped {
        headers.remove(name);
    }
}

/// HTTP/2 may carry cookies in several headers, which are one in HTTP/1.1 (RFC 9113 section 8.2.3) and mean the same everywhere.
fn join_cookies(headers: &mut HeaderMap) {
    let some_repeat = headers.len() > headers.keys_len();
    if !some_repeat || headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookies) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookies);
    }
}

/// RFC 9110 section 7.6.1, and what older software uses.
static HOP_BY_HOP: Names = Names::of(&[
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
    "keep-alive",
    "proxy-connection",
    "http2-settings",
]);

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(name) || name.starts_with("sec-websocket-")
}

/// What is about the agent's own connection or client, which ends at the sidecar.
static AGENTS_OWN: Names = Names::of(&["origin", "accept-encoding"]);

/// What frames an answer, which is framed anew, and what leads around the sidecar.
static SERVERS_OWN: Names =
    Names::of(&["content-length", "alt-svc", "location", "content-location", "refresh", "strict-transport-security"]);

/// What only proxies say, of other clients, or of other targets or methods than the request's.
static PROXIES: Names = Names::of(&[
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "via",
]);

fn speaks_for_proxies(name: &str) -> bool {
    PROXIES.contains(name) || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-") || name.contains('_')
}
