//! A server that takes only callers who are logged in, and the authorization server at which they log in.

use std::process::Command;

use serde_json::Value;

use crate::eventually::eventually;
use crate::http::{self, Exchange, request};
use crate::process::{Process, free_port, node, peer, root};

/// What becomes of the resource for which a client asks a token (RFC 8707).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Nothing: every token is for the server.
    Configured,
    /// The token is for it, whatever it is.
    Requested,
    /// The token is for it if it is the server; any other is refused.
    Known,
}

/// Which tokens the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Those that were issued for its own URL.
    Own,
    /// Those of its authorization server, whatever they were issued for.
    Any,
}

/// Whether the server publishes protected-resource metadata (RFC 9728).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// It does.
    Published,
    /// It does not.
    None,
}

/// Both, running.
#[derive(Debug)]
pub struct Guarded {
    /// Where the server is.
    pub url: String,
    issuer: String,
    _authorization: Process,
    _server: Process,
}

impl Guarded {
    /// Starts both and waits until they answer.
    pub fn start(audience: Audience, takes: Takes, metadata: Metadata) -> Self {
        let (issuer_port, port) = (free_port().to_string(), free_port().to_string());
        let (issuer, url) = (format!("http://127.0.0.1:{issuer_port}"), format!("http://127.0.0.1:{port}/mcp"));
        let audience = match audience {
            Audience::Configured => "configured",
            Audience::Requested => "requested",
            Audience::Known => "known",
        };
        let takes = if takes == Takes::Own { "own" } else { "any" };
        let metadata = if metadata == Metadata::Published { "yes" } else { "no" };
        let mut authorization = Command::new(node());
        authorization.arg(peer("node/authorization.mjs")).args([&*issuer_port, &*url, audience]);
        let mut server = Command::new(peer("client/bin/python"));
        server.arg(root().join("tests/peers/python/guarded.py")).args([&*port, &*issuer, takes, metadata]);
        let guarded = Self {
            _authorization: Process::start(&mut authorization),
            _server: Process::start(&mut server),
            issuer,
            url,
        };
        for url in [&guarded.issuer, &guarded.url] {
            eventually(&format!("{url} answers"), || http::answers(url).then_some(()));
        }
        guarded
    }

    /// A token for the server, given to a client that the authorization server has known before: the sidecar.
    ///
    /// # Panics
    /// If none is given.
    pub fn token(&self) -> String {
        let resource = self.url.replace(':', "%3A").replace('/', "%2F");
        let form = format!(
            "grant_type=client_credentials&client_id=sidecar&client_secret=sidecar-secret&scope=tools&resource={resource}"
        );
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let bytes = request("POST", &format!("{}/token", self.issuer), &headers, &form);
        let answer = Exchange::begin(http::split(&self.issuer).0, &bytes).expect("the server listens").rest();
        let token = answer.json().get("access_token").and_then(Value::as_str).map(str::to_owned);
        token.unwrap_or_else(|| panic!("no token: {answer:?}"))
    }
}
