//! The effective policy and the state of limits, over HTTP on loopback: `kubectl port-forward` reaches it, the agents'
//! network does not.
//!
//! `/policy` shows each server with the policies that govern it, `/limits` every limit and what its counter holds. The keys of
//! limits may be values of arguments, so this is for people who may read those.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::admin::typed;
use crate::lifecycle::Drain;
use crate::listener::{self, Bounds, Peer};
use crate::live::inspector::Inspector;
use crate::mcp::gate::Gate;

/// Serves until the process drains. Only for requests that name this host: a web page that somebody has open must not read
/// it.
pub async fn serve(listeners: Vec<TcpListener>, inspector: Inspector, drain: Drain) {
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let gate = Gate::new(&addresses, &[], &[]);
    let answer = move |request: Request<Incoming>, _: Peer| {
        let response = match gate.check(request.uri(), request.headers()) {
            Ok(()) => answer(&request, &inspector),
            Err(rejection) => json(StatusCode::FORBIDDEN, &json!({"error": rejection.message})),
        };
        async move { response }
    };
    listener::serve(listeners, Bounds::small(), std::sync::Arc::new(()), drain, answer).await;
}

fn answer(request: &Request<Incoming>, inspector: &Inspector) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return json(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "only GET and HEAD"}));
    }
    match request.uri().path() {
        "/policy" => json(StatusCode::OK, &inspector.policy()),
        "/limits" => json(StatusCode::OK, &inspector.limits()),
        _ => json(StatusCode::NOT_FOUND, &json!({"error": "there are /policy and /limits"})),
    }
}

fn json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut body = serde_json::to_vec_pretty(value).unwrap_or_default();
    body.push(b'\n');
    typed(status, "application/json", body.into())
}
