//! GET and DELETE: the stream of a legacy session, and its end. The modern era has neither.

use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderMap, Method, Response};

use super::body::{Body, Received};
use super::ending::Unanswered;
use super::examine::session;
use super::forward::{Awaited, Exchange, Expected, Sending};
use super::take::Taken;
use super::{Place, Shared};
use crate::live::{Backend, Route};
use crate::mcp::binding::Thing;
use crate::mcp::era;
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::version::Era;

impl Shared {
    /// Opens the stream on which a server sends what belongs to no request, or resumes one (`Last-Event-ID`).
    pub(super) async fn stream(
        self: &Arc<Self>,
        route: Arc<Route>,
        headers: HeaderMap,
        place: &mut Place,
    ) -> Result<Response<Body>, Rejection> {
        let version = era::without_body(&headers)?;
        if !takes_events(&headers) {
            let message = "A GET here opens an event stream: send Accept: text/event-stream. Calls are POSTed.";
            return Err(Rejection::new(Cause::HttpMethod, message));
        }
        let session: Option<Box<str>> = session(&headers, Era::Legacy).map(Into::into);
        let opening = match &session {
            Some(session) => {
                self.check_session(&route, session)?;
                Some(self.openings.begin(&route.name, session))
            }
            None => None,
        };
        let sending = Sending::new(&route.backend, Method::GET, headers, version, session);
        drop(route);
        let response = self.forward_bodiless(sending, Expected::Stream, place).await;
        drop(opening);
        Ok(response)
    }

    /// Ends a session, at the server. That it has ended is the server's to say: it is forgotten here when the server answers 404
    /// for it, as the specification asks of it, or when room is needed.
    pub(super) async fn end_session(
        self: &Arc<Self>,
        route: Arc<Route>,
        headers: HeaderMap,
        place: &mut Place,
    ) -> Result<Response<Body>, Rejection> {
        let version = era::without_body(&headers)?;
        let Some(session) = session(&headers, Era::Legacy) else {
            return Err(Rejection::new(Cause::MissingHeader, "DELETE ends the session that Mcp-Session-Id names."));
        };
        self.check_session(&route, session)?;
        let session = Some(session.into());
        let sending = Sending::new(&route.backend, Method::DELETE, headers, version, session);
        drop(route);
        Ok(self.forward_bodiless(sending, Expected::Anything, place).await)
    }

    async fn forward_bodiless(
        self: &Arc<Self>,
        sending: Sending,
        expected: Expected,
        place: &mut Place,
    ) -> Response<Body> {
        let awaited = Awaited::answer(None, expected);
        let exchange = Exchange::new(self, sending, awaited, Taken::nothing(self));
        self.forward(exchange, Received::nothing(), place).await
    }

    pub(super) fn forget_session(&self, backend: &Backend, session: &str) {
        let change = self.bindings().forget(Thing::Session, &backend.name, session);
        if let Some(change) = change {
            self.keeper.binding(change.write());
            // That it is no more ends nothing that the server has begun: its calls count on.
            let forgotten = self.unanswered().forget(&backend.name, session);
            forgotten.into_iter().for_each(Unanswered::lapse);
        }
    }
}

/// Whether an agent takes an event stream. Media types are alike in any case.
fn takes_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.map(str::to_ascii_lowercase).any(|accept| accept.contains("text/event-stream") || accept.contains("*/*"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn event_streams_are_accepted_in_any_case() {
        for (accept, taken) in [
            ("text/event-stream", true),
            ("TEXT/EVENT-STREAM", true),
            ("application/json, Text/Event-Stream;q=0.5", true),
            ("*/*", true),
            ("application/json", false),
            ("", false),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(takes_events(&headers), taken, "{accept:?}");
        }
        let lines = [(ACCEPT, "application/json"), (ACCEPT, "Text/event-stream")];
        assert!(takes_events(
            &lines.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
        ));
    }
}
