//! The effective policy and the state of limits, over HTTP, for people: `/policy` and `/limits`.
//!
//! On loopback only, unless `--inspect` says otherwise: `kubectl port-forward` reaches it, the network does not. Whatever shares
//! the pod can read it too, so it shows no secret: no credential, no user or query of a URL, no session id. The keys of
//! limits with `scope: Key` are values of arguments, as their author chose to count by them.

pub(crate) mod secrets;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::admin::{only_reading, page, text};
use crate::lifecycle::Drain;
use crate::listener::{self, Bounds, Peer};
use crate::live::inspector::Inspector;
use crate::mcp::gate::Gate;

const PATHS: &str = "/policy\n/limits\n";

/// Serves until the process drains. `hosts`: by which names it may be called beside its own.
pub async fn serve(listeners: Vec<TcpListener>, hosts: Vec<String>, inspector: Inspector, drain: Drain) {
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    // A page in somebody's browser must not read these (DNS rebinding).
    let pages = Pages { gate: Arc::new(Gate::forwarded(&addresses, &hosts)), inspector };
    let answer = move |request: Request<Incoming>, _: Peer| pages.clone().respond(request);
    listener::serve(listeners, Bounds::small(), Arc::new(()), drain, answer).await;
}

#[derive(Clone, Debug)]
struct Pages {
    gate: Arc<Gate>,
    inspector: Inspector,
}

impl Pages {
    async fn respond<B>(self, request: Request<B>) -> Response<Full<Bytes>> {
        if let Err(rejection) = self.gate.check(request.uri(), request.headers()) {
            return text(StatusCode::FORBIDDEN, format!("{}\n", rejection.message));
        }
        if let Some(refusal) = only_reading(request.method()) {
            return refusal;
        }
        match request.uri().path() {
            "/policy" => self.show(Inspector::policy).await,
            "/limits" => self.show(Inspector::limits).await,
            _ => text(StatusCode::NOT_FOUND, format!("There is no such page. These are:\n{PATHS}")),
        }
    }

    /// Pages can be long: not on the thread that serves calls.
    async fn show(self, look: fn(&Inspector) -> Value) -> Response<Full<Bytes>> {
        let written = tokio::task::spawn_blocking(move || serde_json::to_vec_pretty(&look(&self.inspector)));
        match written.await {
            Ok(Ok(mut json)) => {
                json.push(b'\n');
                page(StatusCode::OK, "application/json", json)
            }
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

#[cfg(test)]
mod tests;
