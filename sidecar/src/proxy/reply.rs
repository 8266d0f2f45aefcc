//! What an agent is answered when its request does not reach a server, as HTTP responses.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use reeve_policy::decide::Verdict;

use super::body::Body;
use super::examine::{Decided, Kind};
use crate::live::Route;
use crate::mcp::answer::{self, Failure, Refusal};
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::version::Era;
use crate::upstream::{self, UpstreamError};

const X_CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// A JSON body with a status.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// No body: these headers are the answer.
pub(super) fn empty(headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

/// A request that is refused for what it is.
pub(super) fn rejected(rejection: &Rejection) -> Response<Body> {
    let mut response = json(rejection.status, rejection.body());
    if rejection.cause == Cause::HttpMethod {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    }
    response
}

/// A call that was decided or not given what it needs, and why.
pub(super) fn refused(route: &Route, id: Option<&[u8]>, era: Era, call: &Decided, verdict: &Verdict) -> Response<Body> {
    let text = verdict.sentence(&route.name, call.target());
    refusal(id.unwrap_or(b"null"), era, call.kind, &Refusal { text: &text, verdict })
}

/// A request that policy refuses, in the form that the thing it calls has for that.
pub(super) fn refusal(id: &[u8], era: Era, kind: Kind, refusal: &Refusal<'_>) -> Response<Body> {
    let body = match kind {
        Kind::Tool => answer::refused_call(id, era, refusal),
        Kind::Resource | Kind::Prompt => answer::refused_request(id, refusal),
    };
    let mut response = json(StatusCode::OK, body);
    if let Some(seconds) = refusal.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A request that its agent has cancelled and the server did not answer. 200, as clients read a JSON-RPC error only there.
pub(super) fn cancelled(id: Option<&[u8]>, server: &str) -> Response<Body> {
    json(StatusCode::OK, answer::cancelled(id, server))
}

/// A request that the server or the network failed. 200 for a request, whose client reads the error in it; 502 or 504 where
/// there is no request to answer.
pub(super) fn failed(id: Option<&[u8]>, error: &UpstreamError) -> Response<Body> {
    let failure = match error.cause {
        upstream::Cause::ConnectTimeout | upstream::Cause::ResponseTimeout | upstream::Cause::StreamIdle => {
            Failure::Timeout
        }
        _ => Failure::Unreachable,
    };
    let status = match (id, failure) {
        (Some(_), _) => StatusCode::OK,
        (None, Failure::Unreachable) => StatusCode::BAD_GATEWAY,
        (None, Failure::Timeout) => StatusCode::GATEWAY_TIMEOUT,
    };
    json(status, answer::failed(id, failure, &error.message()))
}
