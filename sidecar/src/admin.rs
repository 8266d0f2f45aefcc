//! Probes and metrics, over HTTP.
//!
//! | path | answers |
//! |---|---|
//! | `/started` | 200 once a configuration is in force, or ten seconds have passed without one |
//! | `/live` | 200 as long as the process answers at all |
//! | `/ready` | 200 while agents are served; depends on nothing outside this process |
//! | `/metrics` | every metric, as Prometheus reads it |

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::lifecycle::{Drain, Readiness};
use crate::listener::{self, Bounds, Peer};
use crate::metrics::{self, Metrics};

/// Serves until `drain` says so: while calls in flight finish, probes read that this process is no longer ready.
pub async fn serve(listeners: Vec<TcpListener>, readiness: Readiness, metrics: Arc<Metrics>, drain: Drain) {
    let answer = move |request: Request<Incoming>, _: Peer| {
        let response = answer(&request, &readiness, &metrics);
        async move { response }
    };
    listener::serve(listeners, Bounds::small(), Arc::new(()), drain, answer).await;
}

fn answer(request: &Request<Incoming>, readiness: &Readiness, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match request.uri().path() {
        "/live" => text(StatusCode::OK, "live\n"),
        "/started" => probe("started", readiness.started()),
        "/ready" => probe("ready", readiness.ready()),
        "/metrics" => match metrics.encode() {
            Ok(body) => typed(StatusCode::OK, metrics::CONTENT_TYPE, body.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the metrics cannot be written: {error}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "there are /started, /live, /ready and /metrics\n"),
    }
}

fn probe(word: &str, reached: Result<(), &'static str>) -> Response<Full<Bytes>> {
    match reached {
        Ok(()) => text(StatusCode::OK, &format!("{word}\n")),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not {word}: {why}\n")),
    }
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(body.as_bytes()))
}

/// An answer of this media type.
pub(crate) fn typed(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
