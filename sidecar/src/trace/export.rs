//! Sends spans to the collector, a batch at a time, and gives up those that it does not take.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use reeve_process::back_off::BackOff;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::protobuf::{field_len, push_attribute, push_bytes, push_head, rejected_spans};
use super::queue::Queue;
use super::settings::{Batch, Export};
use super::{Ids, Tracer};
use crate::clock::Clock;
use crate::config::{Server, UpstreamLimits};
use crate::lifecycle::{self, Drain, DrainTrigger, Phase};
use crate::metrics::SpanCounters;
use crate::upstream::{Body, Environment, Outgoing, Progress, Traffic, Upstream, UpstreamError};

/// How long to wait before a batch is sent once more: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest that a collector may wish to be left alone.
const LONGEST_WISH: u64 = 300;

/// The most of an answer that is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Sends what a [`Tracer`] makes.
#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    queue: Arc<Queue>,
    counters: SpanCounters,
    /// The message `Resource`: what the spans are of.
    resource: Vec<u8>,
    bounds: Batch,
    ending: Drain,
    /// Whether the last batch was not delivered, so that it need not be told again.
    failing: bool,
    /// Until when the collector wishes to be left alone.
    rests: Instant,
}

/// Ends an [`Exporter`].
#[derive(Debug)]
pub(super) struct End {
    queue: Arc<Queue>,
    trigger: DrainTrigger,
}

impl End {
    /// No more spans will come: the exporter sends what it has, and tries nothing twice.
    pub(super) fn tell(&self) {
        self.queue.close();
        self.trigger.advance(Phase::Draining);
    }

    /// How many spans wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// Makes a tracer and what sends its spans. Reads certificates, so not for the serving thread; connects to nothing.
///
/// # Errors
/// What of the variables cannot be used, in sentences with their names.
pub(super) fn start(
    export: &Export,
    environment: &Environment,
    clock: &Clock,
    counters: &SpanCounters,
) -> Result<(Arc<Tracer>, Exporter, End), Vec<String>> {
    let collector = Collector::new(export, environment)?;
    let queue = Arc::new(Queue::new(export.batch));
    let (trigger, ending) = lifecycle::drain();
    let tracer = Tracer {
        sampler: export.sampler,
        ids: Ids::default(),
        clock: clock.clone(),
        queue: Arc::clone(&queue),
        counters: counters.clone(),
    };
    let exporter = Exporter {
        collector,
        queue: Arc::clone(&queue),
        counters: counters.clone(),
        resource: resource(&export.resource),
        bounds: export.batch,
        ending,
        failing: false,
        rests: Instant::now(),
    };
    Ok((Arc::new(tracer), exporter, End { queue, trigger }))
}

impl Exporter {
    /// Sends spans until no more will come.
    pub(super) async fn run(mut self) {
        while let Some(spans) = self.queue.batch().await {
            let body = Bytes::from(request(&self.resource, &spans));
            let count = spans.len() as u64;
            drop(spans);
            self.deliver(&body, count).await;
        }
    }

    async fn deliver(&mut self, body: &Bytes, count: u64) {
        let mut back_off = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        self.unless_ending(sleep_until(self.rests)).await;
        let until = Instant::now() + self.bounds.patience;
        loop {
            let was_ending = self.ending.phase() >= Phase::Draining;
            match self.collector.send(body).await {
                Ok(refused) => return self.delivered(count, refused),
                Err(failure) => {
                    let pause = back_off.wait().max(failure.pause);
                    self.failed(&failure);
                    self.rests = Instant::now() + failure.pause;
                    if !failure.may_pass || was_ending || Instant::now() + pause >= until {
                        self.counters.undelivered.inc_by(count);
                        return;
                    }
                    self.unless_ending(sleep(pause)).await;
                }
            }
        }
    }

    /// Whoever ends waits no longer, and tries once more.
    async fn unless_ending(&self, wait: impl Future<Output = ()>) {
        tokio::select! {
            () = wait => {}
            () = self.ending.draining() => {}
        }
    }

    fn delivered(&mut self, count: u64, refused: u64) {
        let refused = refused.min(count);
        self.counters.exported.inc_by(count - refused);
        self.counters.refused.inc_by(refused);
        match (refused, std::mem::replace(&mut self.failing, refused > 0)) {
            (0, true) => tracing::info!(collector = self.collector.url, "spans are delivered again"),
            (1.., false) => tracing::warn!(
                collector = self.collector.url,
                "the collector does not take all spans: reeve_spans_total counts those that it refuses"
            ),
            _ => {}
        }
    }

    fn failed(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                collector = self.collector.url,
                detail = failure.detail,
                "spans are not delivered: those that are given up are counted in reeve_spans_total, and told no more here"
            );
        }
    }
}

/// Where spans go.
#[derive(Debug)]
struct Collector {
    upstream: Upstream,
    /// Its URL, for the log.
    url: String,
    headers: HeaderMap,
    timeout: Duration,
}

/// Why a batch was not taken.
#[derive(Debug)]
struct Failure {
    detail: String,
    /// Whether it may be taken later.
    may_pass: bool,
    /// How long the collector wants to be left alone.
    pause: Duration,
}

impl Collector {
    fn new(export: &Export, environment: &Environment) -> Result<Self, Vec<String>> {
        let seconds = export.timeout.as_secs() + 1;
        let limits = UpstreamLimits {
            response_timeout: format!("{seconds}s"),
            stream_idle_timeout: Some(format!("{seconds}s")),
            max_idle_connections: 1,
            ..UpstreamLimits::default()
        };
        let server = Server { tls: export.tls.clone(), limits, ..Server::new("collector", &export.url) };
        let upstream = Upstream::new(&server, environment).map_err(|errors| {
            let sentence = |error: &crate::upstream::BuildError| {
                format!("{} cannot be followed: {error}: no call is traced", variable(error.pointer))
            };
            errors.iter().map(sentence).collect::<Vec<_>>()
        })?;
        let mut headers = export.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        Ok(Self { upstream, url: export.shown_url().to_owned(), headers, timeout: export.timeout })
    }

    /// Sends a batch, and tells how many of its spans were refused.
    async fn send(&self, body: &Bytes) -> Result<u64, Failure> {
        let sent = timeout(self.timeout, async {
            let outgoing = Outgoing { method: &Method::POST, headers: &self.headers, body };
            let response = self.upstream.send(outgoing, Traffic::Message, &Progress::new()).await?;
            let (head, body) = response.into_parts();
            Ok::<_, UpstreamError>(Response::from_parts(head, read(body).await?))
        });
        match sent.await {
            Ok(Ok(response)) if response.status().is_success() => Ok(rejected_spans(response.body())),
            Ok(Ok(response)) => Err(turned_away(response.status(), response.headers())),
            Ok(Err(error)) => Err(Failure { detail: error.detail, may_pass: true, pause: Duration::ZERO }),
            Err(_) => {
                let detail = format!("it did not answer within {:?} (OTEL_EXPORTER_OTLP_TIMEOUT)", self.timeout);
                Err(Failure { detail, may_pass: true, pause: Duration::ZERO })
            }
        }
    }
}

const USER_AGENT: &str = concat!("reeve-sidecar/", env!("CARGO_PKG_VERSION"));

/// The variable that a part of the collector's definition comes from.
fn variable(pointer: &str) -> &'static str {
    match pointer {
        "/tls/caBundle" => "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "/tls/clientCertificate" => "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "/tls/clientKey" => "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        _ => "OTEL_EXPORTER_OTLP_ENDPOINT",
    }
}

/// The beginning of a body. It is read to its end, so that its connection may be used again; of one that is too long the rest is not.
async fn read(mut body: Body) -> Result<Vec<u8>, UpstreamError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        whole.extend_from_slice(&data);
        if whole.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok(whole)
}

/// By the specification of OTLP these statuses pass, and no others.
fn turned_away(status: StatusCode, headers: &HeaderMap) -> Failure {
    let may_pass = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let hint = match status.as_u16() {
        401 | 403 => ": see OTEL_EXPORTER_OTLP_HEADERS",
        404 | 405 => ": traces are taken at another path, see OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        _ => "",
    };
    let detail = format!("it answers with status {status}{hint}");
    Failure { detail, may_pass, pause: Duration::from_secs(seconds.unwrap_or(0).min(LONGEST_WISH)) }
}

/// The message `ExportTraceServiceRequest` with these spans.
pub(super) fn request(resource: &[u8], spans: &[Vec<u8>]) -> Vec<u8> {
    const RESOURCE_SPANS: u32 = 1;
    const RESOURCE: u32 = 1;
    const SCOPE_SPANS: u32 = 2;
    const SCOPE: u32 = 1;
    const SPAN: u32 = 2;
    let scope = scope();
    let in_scope = field_len(scope.len()) + spans.iter().map(|span| field_len(span.len())).sum::<usize>();
    let of_resource = field_len(resource.len()) + field_len(in_scope);
    let mut out = Vec::with_capacity(field_len(of_resource));
    push_head(&mut out, RESOURCE_SPANS, of_resource);
    push_bytes(&mut out, RESOURCE, resource);
    push_head(&mut out, SCOPE_SPANS, in_scope);
    push_bytes(&mut out, SCOPE, &scope);
    for span in spans {
        push_bytes(&mut out, SPAN, span);
    }
    out
}

/// The message `InstrumentationScope`: what makes the spans.
fn scope() -> Vec<u8> {
    const NAME: u32 = 1;
    const VERSION: u32 = 2;
    let mut scope = Vec::new();
    push_bytes(&mut scope, NAME, b"reeve");
    push_bytes(&mut scope, VERSION, env!("CARGO_PKG_VERSION").as_bytes());
    scope
}

pub(super) fn resource(attributes: &[(String, String)]) -> Vec<u8> {
    const ATTRIBUTE: u32 = 1;
    let mut resource = Vec::new();
    for (key, value) in attributes {
        push_attribute(&mut resource, ATTRIBUTE, key, value);
    }
    resource
}

#[cfg(test)]
mod tests;
