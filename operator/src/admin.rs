//! Probes and metrics, over plain HTTP: `/live`, `/ready`, `/metrics`.
//!
//! | path | answers 200 when |
//! |---|---|
//! | `/live` | the process can answer at all |
//! | `/ready` | the authority is there, every watch is synced and the webhooks know the authority; says what it waits for |
//! | `/metrics` | always |

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::http::{Body, whole};
use crate::metrics::{self, Metrics};
use crate::readiness::Readiness;

const PATHS: &str = "/live\n/ready\n/metrics\n";

/// What the pages show. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

impl Pages {
    /// The pages of one process.
    pub fn new(readiness: Readiness, metrics: Arc<Metrics>) -> Self {
        Self { readiness, metrics }
    }

    /// Answers one request.
    pub async fn respond<B>(self, request: Request<B>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "These pages can only be read.\n");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match request.uri().path() {
            "/live" => text(StatusCode::OK, "ok\n"),
            "/ready" => match self.readiness.ready() {
                Ok(()) => text(StatusCode::OK, "ok\n"),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/metrics" => self.scrape().await,
            _ => text(StatusCode::NOT_FOUND, format!("There is no such page. These are:\n{PATHS}")),
        }
    }

    /// Gathering reads the world: not on a thread that serves.
    async fn scrape(self) -> Response<Body> {
        match tokio::task::spawn_blocking(move || self.metrics.encode()).await {
            Ok(Ok(encoded)) => page(StatusCode::OK, metrics::CONTENT_TYPE, encoded),
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

fn text(status: StatusCode, content: impl Into<Bytes>) -> Response<Body> {
    page(status, "text/plain; charset=utf-8", content)
}

fn page(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(content));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use reeve_process::drain::drain;

    async fn get(pages: &Pages, path: &str) -> (u16, String) {
        let response = pages.clone().respond(Request::get(path).body(()).unwrap()).await;
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_says_what_it_waits_for_and_life_depends_on_nothing() {
        let (_trigger, drain) = drain();
        let readiness = Readiness::new(drain);
        let awaited = readiness.awaits("the watch of pods");
        let pages = Pages::new(readiness, Metrics::new().unwrap());
        assert_eq!(get(&pages, "/ready").await, (503, "waiting for the watch of pods\n".into()));
        assert_eq!(get(&pages, "/live").await, (200, "ok\n".into()));
        awaited.reached();
        assert_eq!(get(&pages, "/ready").await.0, 200);
    }

    #[tokio::test]
    async fn an_unknown_page_names_those_there_are_and_nothing_can_be_written() {
        let (_trigger, drain) = drain();
        let pages = Pages::new(Readiness::new(drain), Metrics::new().unwrap());
        let (status, body) = get(&pages, "/metric").await;
        assert!(status == 404 && body.contains("/metrics\n"), "{body}");
        assert!(get(&pages, "/metrics").await.1.contains("reeve_build_info"));
        let response = pages.respond(Request::post("/metrics").body(()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
