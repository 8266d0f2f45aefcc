//! What one call asks of a server, whichever connection carries it: it may have to be sent more than once.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

use super::Outgoing;
use super::error::{Cause, Failure};
use crate::mcp::headers;

/// The most headers of a request, of which a map can hold some more: as many as an agent may send, whatever of them is not sent on, and
/// the two of a trace.
const MAX_HEADERS: usize = headers::MOST + 2;

/// The most headers that a request is given on its way: `Host`, a credential, one for an HTTP proxy.
const ADDED: usize = 3;

/// A request and where in a server it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand<'a> {
    outgoing: Outgoing<'a>,
    pub(super) path_and_query: &'a PathAndQuery,
    /// The credential, which takes the place of every header of its name.
    pub(super) secret: Option<&'a (HeaderName, HeaderValue)>,
}

impl<'a> Errand<'a> {
    /// # Errors
    /// The request has more headers than one can have.
    pub(super) fn new(
        outgoing: Outgoing<'a>,
        path_and_query: &'a PathAndQuery,
        secret: Option<&'a (HeaderName, HeaderValue)>,
    ) -> Result<Self, Failure> {
        match outgoing.headers.len() {
            ..=MAX_HEADERS => Ok(Self { outgoing, path_and_query, secret }),
            count => Err(Failure::unsent(Cause::Headers, format!("{count} headers are too many"))),
        }
    }

    pub(super) fn method(&self) -> &'a Method {
        self.outgoing.method
    }

    pub(super) fn body(&self) -> &'a Bytes {
        self.outgoing.body
    }

    /// The headers of the sender that are sent. The body is here and whole: its length is what it is, and nothing need be
    /// expected before it is sent.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let is_sent = |name: &str| !matches!(name, "host" | "content-length" | "transfer-encoding" | "expect");
        self.outgoing.headers.iter().filter(move |(name, _)| is_sent(name.as_str()))
    }

    /// The request as a value, without the URL that it goes to.
    pub(super) fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.outgoing.body.clone());
        *request.method_mut() = self.outgoing.method.clone();
        let mut headers = HeaderMap::with_capacity(self.outgoing.headers.len() + ADDED);
        for (name, value) in self.headers() {
            headers.append(name, value.clone());
        }
        if let Some((name, value)) = self.secret {
            headers.insert(name, value.clone());
        }
        *request.headers_mut() = headers;
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_sender_says_of_its_host_and_of_how_its_body_comes_is_sent_over_either_protocol() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "agent.example"),
            ("content-length", "99"),
            ("content-length", "98"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("accept", "a"),
            ("accept", "b"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let (body, path) = (Bytes::from_static(b"call"), PathAndQuery::from_static("/"));
        let outgoing = Outgoing { method: &Method::POST, headers: &headers, body: &body };
        let errand = Errand::new(outgoing, &path, None).unwrap();
        assert!(errand.headers().all(|(name, _)| name == "accept"));
        assert_eq!(errand.headers().count(), 2);
        assert!(errand.request().headers().iter().eq(errand.headers()));
    }

    #[test]
    fn a_request_of_an_agent_with_as_many_headers_as_it_may_have_is_sent_with_those_of_its_trace() {
        let mut headers = HeaderMap::new();
        for _ in 0..headers::MOST {
            headers.append("x-one", HeaderValue::from_static("1"));
        }
        for name in ["traceparent", "tracestate"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let (body, path) = (Bytes::new(), PathAndQuery::from_static("/"));
        let is_sent = |headers: &HeaderMap| {
            let outgoing = Outgoing { method: &Method::GET, headers, body: &body };
            Errand::new(outgoing, &path, None).is_ok()
        };
        assert!(is_sent(&headers));
        headers.append("x-one", HeaderValue::from_static("1"));
        assert!(!is_sent(&headers));
    }
}
