//! Logging in to a server through the sidecar.
//!
//! ```text
//! agent ── POST /mcp ─────────────────────────────► server: 401, WWW-Authenticate leads to its metadata
//!       ◄─ 401, WWW-Authenticate leads here ─────── `check_login`
//!       ── GET /.well-known/…/mcp ─► `metadata` ──► server: its metadata
//!       ◄─ the same, but `resource` is this URL ───
//!       ── the authorization server that they name, past the sidecar: a token for this URL ──►
//!       ── POST /mcp, Authorization ──────────────► server: takes the token, or not
//! ```
//!
//! The agent's token goes to the server and to nothing else; whether it takes a token that was issued for the sidecar's URL
//! is the server's to say. Where the sidecar holds the credential, agents have nothing to log in for: they are not invited to,
//! and a refusal of the credential is told as what it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::request;
use http::response;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};

use super::body::Body;
use super::forward::{Sending, collect};
use super::{Shared, record, reply};
use crate::live::{Backend, Route};
use crate::mcp::rejection::{self, Rejection};
use crate::mcp::{challenge, metadata, token};
use crate::memory::Share;
use crate::upstream::{Cause, UpstreamError};

/// How long a server may take to give its metadata, in all its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// What agents are told that look for an authorization server here.
pub(super) const NO_AUTHORIZATION_SERVER: &str = "This sidecar is no authorization server. Clients look for one here if the \
     MCP server names none in protected-resource metadata (RFC 9728): then agents cannot log in through the sidecar. Whoever \
     runs it can give it a credential for the server (servers[].credentials), so that agents need none.";

/// Whether clients look for an authorization server at this path, or take it for one: where its metadata would be (RFC
/// 8414, OpenID Connect Discovery), and the endpoints that revision 2025-03-26 has where there are none.
pub(super) fn is_of_authorization_server(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"].iter().any(|at| path.contains(at))
        || ["/authorize", "/token", "/register"].contains(&path)
}

/// The server whose metadata stand at this path: before its own path, or for the whole origin if it is the only one.
pub(super) fn described_at<'r>(routes: &'r [Arc<Route>], path: &str) -> Option<&'r Arc<Route>> {
    let named = routes.iter().find(|route| metadata::is_path_of(path, &route.path));
    named.or_else(|| routes.first().filter(|_| routes.len() == 1 && path == metadata::WELL_KNOWN))
}

/// Has the name by which the agent called as the Host, wherever it stands in the request.
pub(super) fn note_host(parts: &mut request::Parts) {
    if let Some(host) = parts.uri.authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok()) {
        parts.headers.insert(HOST, host);
    }
}

/// A URL of this sidecar, by the name that the agent called. The gate has checked that it is one of the sidecar's own.
fn url(host: Option<&HeaderValue>, path: &str) -> String {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}{path}")
}

impl Shared {
    /// Answers with the server's protected-resource metadata, of which `resource` is changed to the URL at which the agent
    /// finds the server.
    ///
    /// # Errors
    /// If there are none, or nobody needs them.
    pub(super) async fn metadata(&self, route: &Route, headers: &HeaderMap) -> Result<Response<Body>, Rejection> {
        if holds_login(route) {
            let message = format!(
                "The sidecar holds the credential for the MCP server {:?}: agents need not log in to it.",
                route.name
            );
            return Err(Rejection::new(rejection::Cause::NoMetadata, message));
        }
        let resource = url(headers.get(HOST), &route.path);
        let memory = self.answers.share_within(&route.answers);
        let mut search = Search { backend: route, resource: &resource, memory };
        let found = tokio::time::timeout(PATIENCE, search.find()).await.unwrap_or_else(|_| {
            let detail = format!("no metadata came within {PATIENCE:?}");
            Err(route.upstream.error(Cause::ResponseTimeout, detail))
        });
        match found {
            Ok(Some(document)) => {
                let answer = reply::json(StatusCode::OK, Bytes::new());
                Ok(answer.map(|_| Body::counted(document, search.memory)))
            }
            Ok(None) => {
                let message = format!(
                    "The MCP server {:?} publishes no protected-resource metadata (RFC 9728), by which agents could log in \
                     through the sidecar. Whoever runs the sidecar can give it a credential for the server \
                     (servers[].credentials), so that agents need none.",
                    route.name
                );
                Err(Rejection::new(rejection::Cause::NoMetadata, message))
            }
            Err(error) => {
                record::upstream_failed(&route.metrics, &error);
                Ok(reply::failed(None, &error))
            }
        }
    }

    /// What the head of an answer means for who is logged in: challenges lead to the sidecar; a refusal that no login of the
    /// agent mends is an error that says so.
    ///
    /// # Errors
    /// [`Cause::CredentialRefused`], [`Cause::TokenRefused`].
    pub(super) fn check_login(&self, sending: &Sending, head: &mut response::Parts) -> Result<(), UpstreamError> {
        let backend = &sending.backend;
        let (status, challenged) = (head.status, head.headers.contains_key(WWW_AUTHENTICATE));
        let unauthorized = status == StatusCode::UNAUTHORIZED;
        let refused = unauthorized || (challenged && status == StatusCode::FORBIDDEN);
        if refused && is_refusal_of_sidecar(backend, &head.headers) {
            return Err(backend.upstream.error(Cause::CredentialRefused, format!("status {}", status.as_u16())));
        }
        let given = if unauthorized { sending.headers.get(AUTHORIZATION) } else { None };
        if let Some(given) = given
            && token::was_just_issued_for(given, &url(sending.headers.get(HOST), &backend.path), self.clock.wall())
        {
            let detail = "status 401 for a token that was just issued for the sidecar's URL";
            return Err(backend.upstream.error(Cause::TokenRefused, detail));
        }
        if challenged {
            challenge::lead_to(&mut head.headers, &url(sending.headers.get(HOST), &metadata::path_of(&backend.path)));
        }
        Ok(())
    }
}

/// Whether it is the sidecar's credential that a server refuses. Beside one in another header than the agent's, it may ask the agent
/// itself to log in.
fn is_refusal_of_sidecar(backend: &Backend, answer: &HeaderMap) -> bool {
    holds_login(backend) || (backend.server.credentials.is_some() && challenge::metadata_url(answer).is_none())
}

/// Whether what an agent would log in for is the sidecar's to give: the agent's own header is then dropped.
fn holds_login(backend: &Backend) -> bool {
    let header = backend.server.credentials.as_ref().map(|credentials| &credentials.header);
    header.is_some_and(|header| header.eq_ignore_ascii_case(AUTHORIZATION.as_str()))
}

/// A search for the metadata of a server.
struct Search<'r> {
    backend: &'r Backend,
    /// What stands in them for the server's own URL.
    resource: &'r str,
    memory: Share,
}

impl Search<'_> {
    /// Asks at the places where the metadata should be, and then where the server's challenge says. None if they are nowhere.
    /// What stands at one place does not matter if metadata stand at another.
    async fn find(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let mut unusable = None;
        let mut places = metadata::candidates(self.backend.upstream.path_and_query().as_str());
        let known = places.len();
        let mut tried = 0;
        while let Some(place) = places.get(tried) {
            match self.ask_at(place).await {
                Ok(Some(document)) => return Ok(Some(document)),
                Ok(None) => {}
                Err(error) if matches!(error.cause, Cause::Metadata | Cause::Redirect) => unusable = Some(error),
                Err(error) => return Err(error),
            }
            tried += 1;
            if tried == known {
                places.extend(self.challenged_to().await.filter(|place| !places.contains(place)));
            }
        }
        unusable.map_or(Ok(None), Err)
    }

    /// The metadata at one place; none if there is nothing.
    async fn ask_at(&mut self, place: &str) -> Result<Option<Bytes>, UpstreamError> {
        let upstream = &self.backend.upstream;
        let unusable =
            |detail: String| upstream.error(Cause::Metadata, format!("what the server has at {place} {detail}"));
        let Ok(path) = PathAndQuery::try_from(place) else { return Ok(None) };
        let answer = upstream.get(path, "application/json").await?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => return Ok(None),
            status => return Err(unusable(format!("has the status {}", status.as_u16()))),
        }
        let document = collect(self.backend, answer.into_body(), metadata::MAX_BYTES, &mut self.memory).await?;
        let document = document.ok_or_else(|| unusable(format!("is larger than {} bytes", metadata::MAX_BYTES)))?;
        metadata::renamed(document, self.resource).map(Some).map_err(|error| unusable(error.to_string()))
    }

    /// Where the server's challenge leads, as a path of the server itself: whatever name it has for its own origin, nothing
    /// but the server is asked.
    async fn challenged_to(&self) -> Option<String> {
        let upstream = &self.backend.upstream;
        let answer =
            upstream.get(upstream.path_and_query().clone(), "application/json, text/event-stream").await.ok()?;
        let led = challenge::metadata_url(answer.headers()).filter(|_| answer.status() == StatusCode::UNAUTHORIZED)?;
        let led = led.parse::<Uri>().ok()?;
        led.path_and_query().map(|place| place.as_str().to_owned()).filter(|place| place.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn the_name_that_was_called_is_noted_wherever_it_stands() {
        for (uri, host, noted) in [
            ("http://localhost:14001/mcp", None, Some("localhost:14001")),
            ("http://localhost:14001/mcp", Some("127.0.0.1:14001"), Some("localhost:14001")),
            ("/mcp", Some("127.0.0.1:14001"), Some("127.0.0.1:14001")),
            ("/mcp", None, None),
        ] {
            let mut request = Request::get(uri);
            request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            note_host(&mut parts);
            let found: Vec<&str> = parts.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap()).collect();
            assert_eq!(found, Vec::from_iter(noted), "{uri}");
        }
    }

    #[test]
    fn places_of_authorization_servers_are_known_and_nothing_else() {
        for path in [
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/mcp",
            "/mcp/.well-known/openid-configuration",
            "/authorize?client_id=a",
            "/token",
            "/register",
        ] {
            assert!(is_of_authorization_server(path), "{path}");
        }
        for path in ["/mcp", "/tokens", "/a/token", "/.well-known/oauth-protected-resource/a", ""] {
            assert!(!is_of_authorization_server(path), "{path}");
        }
    }
}
