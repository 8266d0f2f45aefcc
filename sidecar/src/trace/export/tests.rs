//! The exporter before a collector made of a socket.

use std::num::NonZeroUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::sampler::Sampler;
use super::*;
use crate::metrics::Metrics;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
const WRONG: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

struct World {
    listener: TcpListener,
    counters: SpanCounters,
    queue: Arc<Queue>,
    end: End,
    exporter: tokio::task::JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let number = |number| NonZeroUsize::new(number).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("api-key", HeaderValue::from_static("secret"));
        let export = Export {
            url: format!("http://{}/v1/traces", listener.local_addr().unwrap()),
            headers,
            tls: None,
            timeout: Duration::from_millis(500),
            sampler: Sampler::default(),
            resource: Vec::new(),
            batch: Batch {
                delay: Duration::from_millis(1),
                patience: Duration::from_secs(5),
                queue: number(8),
                size: number(2),
            },
        };
        let counters = Metrics::new(Clock::system()).unwrap().span_counters();
        let (tracer, exporter, end) = start(&export, &Environment::default(), &Clock::system(), &counters).unwrap();
        let queue = Arc::clone(&tracer.queue);
        Self { listener, counters, queue, end, exporter: tokio::spawn(exporter.run()) }
    }

    fn record(&self, count: usize) {
        (0..count).for_each(|_| assert!(self.queue.push(vec![0x2a, 0])));
    }

    /// Answers one request on each of its own connections.
    async fn answer(&self, answer: &str) -> String {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let request = request_of(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    }

    async fn ended(self) -> [u64; 4] {
        self.end.tell();
        self.exporter.await.unwrap();
        let SpanCounters { exported, queue_full, undelivered, refused } = &self.counters;
        [exported, queue_full, undelivered, refused].map(prometheus::IntCounter::get)
    }
}

async fn request_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return head.to_owned();
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{text}");
    }
}

#[tokio::test]
async fn a_batch_is_posted_with_what_it_is_and_the_operators_key() {
    let world = World::new().await;
    world.record(2);
    let head = world.answer(OK).await;
    for line in [
        "post /v1/traces http/1.1",
        "content-type: application/x-protobuf",
        "api-key: secret",
        "user-agent: reeve-sidecar/",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(world.ended().await, [2, 0, 0, 0]);
}

#[tokio::test]
async fn a_batch_that_may_be_taken_later_is_sent_again_and_one_that_never_will_is_given_up() {
    let world = World::new().await;
    world.record(2);
    world.answer(BUSY).await;
    world.answer(OK).await;
    world.record(1);
    let (mut stream, _) = world.listener.accept().await.unwrap();
    request_of(&mut stream).await;
    stream.write_all(WRONG.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(world.ended().await, [2, 0, 1, 0]);
}

#[tokio::test]
async fn what_the_collector_says_it_refused_is_counted() {
    let world = World::new().await;
    world.record(2);
    // ExportTraceServiceResponse { partial_success { rejected_spans: 1 } }
    world.answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x01").await;
    assert_eq!(world.ended().await, [1, 0, 0, 1]);
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_up_the_end_for_one_attempt_only() {
    let mut world = World::new().await;
    let address = world.listener.local_addr().unwrap();
    world.listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    world.record(5);
    let begun = Instant::now();
    assert_eq!(world.ended().await, [0, 0, 5, 0]);
    assert!(begun.elapsed() < Duration::from_secs(4), "patience would have been five for each batch");
}

#[tokio::test]
async fn a_silent_collector_is_left_after_the_timeout() {
    let world = World::new().await;
    world.record(1);
    let (mut stream, _) = world.listener.accept().await.unwrap();
    request_of(&mut stream).await;
    let (counted, _) = tokio::join!(world.ended(), async { stream.read_buf(&mut Vec::new()).await });
    assert_eq!(counted, [0, 0, 1, 0]);
}

#[test]
fn what_cannot_be_used_is_told_by_the_name_of_its_variable() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
    ];
    let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let export = super::super::Settings::read(read).export.unwrap();
    let counters = Metrics::new(Clock::system()).unwrap().span_counters();
    let Err(problems) = start(&export, &Environment::default(), &Clock::system(), &counters) else {
        panic!("it starts")
    };
    assert!(problems[0].starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE cannot be followed: "), "{problems:?}");
    assert!(problems[0].contains("/nowhere/ca.pem") && problems[0].ends_with("no call is traced"), "{problems:?}");
}

#[tokio::test]
async fn a_collector_that_wishes_to_be_left_alone_for_ever_is_asked_again_at_the_end() {
    let world = World::new().await;
    world.record(2);
    world.answer("HTTP/1.1 503 Busy\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\r\n").await;
    world.record(2);
    let World { listener, counters, end, exporter, .. } = world;
    // The first batch is given up, as it would have to wait longer than it may; the second waits.
    while counters.undelivered.get() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(timeout(Duration::from_millis(200), listener.accept()).await.is_err(), "it is left alone");
    end.tell();
    let (mut stream, _) = listener.accept().await.unwrap();
    request_of(&mut stream).await;
    stream.write_all(OK.as_bytes()).await.unwrap();
    exporter.await.unwrap();
    assert_eq!((counters.exported.get(), counters.undelivered.get()), (2, 2));
}
