//! Probes and metrics, over HTTP: `/started`, `/live`, `/ready`, `/metrics`.
//!
//! | path | answers 200 when |
//! |---|---|
//! | `/started` | the start is over: a configuration is in force, or 10 seconds have passed |
//! | `/live` | the process can answer at all |
//! | `/ready` | calls are served; depends on nothing outside this process |
//! | `/metrics` | always |
//!
//! Where this is bound to loopback, a page in somebody's browser must not read it (DNS rebinding), so that it is called by a name of
//! loopback or one that is permitted. Elsewhere any name is good: kubelet and Prometheus call a pod by its address.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::lifecycle::{Drain, Readiness};
use crate::listener::{self, Bounds, Peer};
use crate::mcp::gate::Gate;
use crate::mcp::rejection::Rejection;
use crate::metrics::{self, Metrics};

const PATHS: &str = "/started\n/live\n/ready\n/metrics\n";

/// Serves until the process drains. `hosts`: by which names loopback may be called beside its own.
pub async fn serve(
    listeners: Vec<TcpListener>,
    hosts: Vec<String>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    drain: Drain,
) {
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let pages = Pages { readiness, metrics, door: Arc::new(Door::new(&addresses, &hosts)) };
    let answer = move |request: Request<Incoming>, peer: Peer| pages.clone().respond(request, peer.local);
    listener::serve(listeners, Bounds::small(), Arc::new(()), drain, answer).await;
}

/// Which names are asked for, and at which addresses.
#[derive(Debug)]
struct Door {
    gate: Gate,
    /// The bound addresses that are loopback's.
    loopback: Vec<SocketAddr>,
}

impl Door {
    fn new(bound: &[SocketAddr], hosts: &[String]) -> Self {
        let loopback = bound.iter().filter(|address| address.ip().to_canonical().is_loopback()).copied().collect();
        Self { gate: Gate::forwarded(bound, hosts), loopback }
    }

    /// Whether a request that came to this address may be answered.
    fn check<B>(&self, request: &Request<B>, at: SocketAddr) -> Result<(), Rejection> {
        if self.loopback.contains(&at) { self.gate.check(request.uri(), request.headers()) } else { Ok(()) }
    }
}

#[derive(Clone, Debug)]
struct Pages {
    readiness: Readiness,
    metrics: Arc<Metrics>,
    door: Arc<Door>,
}

impl Pages {
    /// `at`: the address that was called.
    async fn respond<B>(self, request: Request<B>, at: SocketAddr) -> Response<Full<Bytes>> {
        if let Err(rejection) = self.door.check(&request, at) {
            return text(StatusCode::FORBIDDEN, format!("{}\n", rejection.message));
        }
        if let Some(refusal) = only_reading(request.method()) {
            return refusal;
        }
        match request.uri().path() {
            "/started" => probe(self.readiness.started()),
            "/live" => probe(Ok(())),
            "/ready" => probe(self.readiness.ready()),
            "/metrics" => scrape(self.metrics).await,
            _ => text(StatusCode::NOT_FOUND, format!("There is no such page. These are:\n{PATHS}")),
        }
    }
}

/// Gathering can take milliseconds: not on the thread that serves calls.
async fn scrape(metrics: Arc<Metrics>) -> Response<Full<Bytes>> {
    match tokio::task::spawn_blocking(move || metrics.encode()).await {
        Ok(Ok(encoded)) => page(StatusCode::OK, metrics::CONTENT_TYPE, encoded),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn probe(reached: Result<(), &'static str>) -> Response<Full<Bytes>> {
    match reached {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

/// The refusal of a request that is not for reading a page.
pub(crate) fn only_reading(method: &Method) -> Option<Response<Full<Bytes>>> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "These pages can only be read.\n");
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(refusal)
}

/// A page of plain text.
pub(crate) fn text(status: StatusCode, content: impl Into<Bytes>) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", content)
}

/// A page.
pub(crate) fn page(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(content.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::lifecycle::{DrainTrigger, Phase, drain};
    use http_body_util::BodyExt;
    use reeve_policy::time::{Instant, WallTime};

    const BOUND: [&str; 3] = ["127.0.0.1:14020", "[::1]:14020", "10.1.2.3:14020"];

    fn pages() -> (Pages, DrainTrigger) {
        let clock = Clock::manual(Instant(0), WallTime(0));
        let (trigger, drain) = drain();
        let readiness = Readiness::new(clock.clone(), drain);
        let door = Arc::new(Door::new(&BOUND.map(at), &["metrics.local".to_owned()]));
        (Pages { readiness, metrics: Metrics::new(clock).unwrap(), door }, trigger)
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    async fn get(pages: &Pages, path: &str) -> (u16, String) {
        let request = Request::get(path).header(header::HOST, "127.0.0.1:14020").body(()).unwrap();
        let response = pages.clone().respond(request, at(BOUND[0])).await;
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_probes_follow_the_start_and_the_end() {
        let (pages, trigger) = pages();
        assert_eq!(get(&pages, "/live").await, (200, "ok\n".into()));
        assert_eq!(get(&pages, "/ready").await, (503, "waiting for the listener\n".into()));
        pages.readiness.serving();
        assert_eq!(get(&pages, "/started").await, (503, "waiting for a configuration\n".into()));
        pages.readiness.configured();
        assert_eq!((get(&pages, "/started").await.0, get(&pages, "/ready").await.0), (200, 200));
        trigger.advance(Phase::Draining);
        assert_eq!(get(&pages, "/ready").await, (503, "shutting down\n".into()));
        assert_eq!((get(&pages, "/started").await.0, get(&pages, "/live").await.0), (200, 200));
    }

    #[tokio::test]
    async fn metrics_are_in_prometheus_own_form() {
        let (pages, _trigger) = pages();
        let response = pages.respond(Request::get("/metrics").body(()).unwrap(), at(BOUND[2])).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], metrics::CONTENT_TYPE);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            std::str::from_utf8(&body).unwrap().contains("\n# TYPE reeve_build_info gauge\nreeve_build_info{version=")
        );
    }

    #[tokio::test]
    async fn an_unknown_page_names_those_there_are_and_nothing_can_be_written() {
        let (pages, _trigger) = pages();
        let (status, body) = get(&pages, "/metric").await;
        assert!(status == 404 && body.contains("/metrics\n"), "{body}");
        let response = pages.respond(Request::post("/metrics").body(()).unwrap(), at(BOUND[2])).await;
        assert_eq!(
            (response.status(), &response.headers()[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("GET, HEAD"))
        );
    }

    #[tokio::test]
    async fn loopback_is_called_by_its_own_names_and_a_pod_by_any() {
        let (pages, _trigger) = pages();
        for (address, host, status) in [
            (BOUND[0], "127.0.0.1:14020", 200),
            (BOUND[0], "localhost:9999", 200),
            (BOUND[1], "[::1]:14020", 200),
            (BOUND[1], "metrics.local", 200),
            (BOUND[0], "evil.example", 403),
            (BOUND[0], "evil.example:14020", 403),
            (BOUND[1], "10.9.9.9:14020", 403),
            (BOUND[2], "10.1.2.3:14020", 200),
            (BOUND[2], "evil.example", 200),
            // Bound to every address, and called at loopback: as through a forwarded port.
            ("127.0.0.1:14120", "evil.example", 200),
        ] {
            let request = Request::get("/metrics").header(header::HOST, host).body(()).unwrap();
            let response = pages.clone().respond(request, at(address)).await;
            assert_eq!(response.status().as_u16(), status, "{host} at {address}");
        }
        let page = Request::get("/metrics")
            .header(header::HOST, "localhost:14020")
            .header(header::ORIGIN, "https://evil.example");
        let response = pages.clone().respond(page.body(()).unwrap(), at(BOUND[0])).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&text).contains("Origin"), "{text:?}");
    }
}
