use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Either, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;
use crate::lifecycle::{DrainTrigger, Phase, drain};
use crate::proxy::Body;

const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
    too_many: AtomicUsize,
    header_timeouts: AtomicUsize,
    too_large: AtomicUsize,
    stalled: AtomicUsize,
}

impl Observer for Counts {
    fn opened(&self) {
        self.opened.fetch_add(1, Ordering::SeqCst);
    }
    fn closed(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
    fn refused(&self, refusal: Refusal) {
        match refusal {
            Refusal::TooManyConnections => &self.too_many,
            Refusal::HeaderTimeout => &self.header_timeouts,
            Refusal::HeadersTooLarge => &self.too_large,
            Refusal::Stalled => &self.stalled,
        }
        .fetch_add(1, Ordering::SeqCst);
    }
}

struct Running {
    address: SocketAddr,
    counts: Arc<Counts>,
    trigger: DrainTrigger,
    ended: tokio::task::JoinHandle<()>,
}

/// More than the kernel holds for a connection on which nobody reads.
const LARGE: usize = 64 << 20;

/// Starts a listener whose service answers `hello` once it has read the whole request, and before that [`LARGE`] bytes to
/// `/large`, and to `/slices` as the proxy gives them; `/hang` is never answered.
async fn start(bounds: Bounds) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, drain) = drain();
    let counts = Arc::new(Counts::default());
    let service = |request: Request<Incoming>, _peer: Peer| async move {
        let path = request.uri().path().to_owned();
        if path == "/hang" {
            std::future::pending::<()>().await;
        }
        let _ = request.into_body().collect().await;
        let mut answer = vec![b'.'; if path == "/" { 0 } else { LARGE }];
        answer.extend_from_slice(b"hello");
        let answer = Bytes::from(answer);
        Response::new(if path == "/slices" {
            Either::Right(Body::from(answer))
        } else {
            Either::Left(Full::new(answer))
        })
    };
    let observer = Arc::clone(&counts) as Arc<dyn Observer>;
    let ended = tokio::spawn(serve(vec![listener], bounds, observer, drain, service));
    Running { address, counts, trigger, ended }
}

fn bounds() -> Bounds {
    Bounds::of(&config::Listener::default()).unwrap()
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waited = timeout(DEADLINE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(stream).await
}

/// Reads until the `hello` of an answer, or the end.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    while !text.ends_with(b"hello") {
        match timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(n) => text.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8(text).unwrap()
}

/// Waits for the other side to close; gives what it said before.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_the_end_is_seen() {
    let running = start(bounds()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..3 {
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    drop(stream);
    eventually("the connection is seen to close", || running.counts.closed.load(Ordering::SeqCst) == 1).await;
    assert_eq!(running.counts.opened.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn http2_is_served_on_the_same_port() {
    let running = start(bounds()).await;
    let mut client = http2(&running).await;
    let response = get(&mut client, "http://x/").await;
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2(running: &Running) -> Http2 {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn get(client: &mut Http2, uri: &str) -> Response<Incoming> {
    let request = Request::get(uri).body(Full::default()).unwrap();
    timeout(DEADLINE, client.send_request(request)).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_http2_stream_of_which_nothing_is_taken_ends_alone_and_is_counted() {
    let running = start(Bounds { stall_timeout: Duration::from_millis(50), ..bounds() }).await;
    let mut client = http2(&running).await;
    let unread = get(&mut client, "http://x/slices").await;
    eventually("it has ended", || running.counts.stalled.load(Ordering::SeqCst) == 1).await;
    let other = get(&mut client, "http://x/").await;
    assert_eq!(other.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert!(
        timeout(DEADLINE, unread.into_body().collect()).await.unwrap().is_err(),
        "a part is not taken for the whole"
    );
}

#[tokio::test]
async fn an_http2_stream_that_is_read_slowly_is_given_whole() {
    let stall_timeout = Duration::from_secs(5);
    let running = start(Bounds { stall_timeout, ..bounds() }).await;
    let mut slow = get(&mut http2(&running).await, "http://x/slices").await.into_body();
    let (begun, mut read) = (tokio::time::Instant::now(), 0);
    while let Some(frame) = timeout(DEADLINE, slow.frame()).await.unwrap() {
        let before = read;
        read += frame.expect("it is not cut off").into_data().unwrap().len();
        if before * 20 / LARGE < read * 20 / LARGE {
            tokio::time::sleep(stall_timeout / 15).await;
        }
    }
    assert_eq!(read, LARGE + "hello".len());
    assert!(begun.elapsed() > stall_timeout, "the test reads too fast to tell");
}

#[tokio::test]
async fn the_connection_one_too_many_is_told_so_and_the_next_after_a_free_place_is_served() {
    let running = start(Bounds { connections: 1, ..bounds() }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut first).await.starts_with("HTTP/1.1 200 OK"));
    let mut second = TcpStream::connect(running.address).await.unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("listener.maxConnections"), "{answer}");
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
    assert_eq!(running.counts.too_many.load(Ordering::SeqCst), 1);
    drop(first);
    eventually("the place is free", || running.counts.closed.load(Ordering::SeqCst) == 1).await;
    let mut third = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut third).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn headers_that_trickle_are_cut_off_on_the_first_and_on_a_later_request() {
    let hasty = Bounds { header_timeout: Duration::from_millis(50), ..bounds() };
    let running = start(hasty).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    closed(&mut silent).await;
    let mut later = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut later).await.starts_with("HTTP/1.1 200 OK"));
    later.write_all(b"GET / HT").await.unwrap();
    let told = read_answer(&mut later).await;
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("listener.headerTimeout"), "{told}");
    eventually("both are counted", || running.counts.header_timeouts.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test]
async fn what_begins_as_http2_is_told_nothing_in_another_protocol_when_its_headers_take_too_long() {
    let hasty = Bounds { header_timeout: Duration::from_millis(50), ..bounds() };
    let running = start(hasty).await;
    for beginning in ["PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        // In two parts, as it may come.
        stream.write_all(&beginning.as_bytes()[..5]).await.unwrap();
        stream.write_all(&beginning.as_bytes()[5..]).await.unwrap();
        let told = String::from_utf8_lossy(&closed(&mut stream).await).into_owned();
        assert!(!told.contains("HTTP/1.1"), "{told}");
    }
    eventually("both are counted", || running.counts.header_timeouts.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout() {
    let hasty = Bounds { header_timeout: Duration::from_millis(30), ..bounds() };
    let running = start(hasty).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    let quiet = timeout(Duration::from_millis(120), stream.readable()).await;
    assert!(quiet.is_err(), "the connection was closed while idle");
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_connection_without_requests_ends_after_its_idle_time_and_is_not_counted_as_an_attack() {
    let running = start(Bounds { idle_timeout: Duration::from_millis(50), ..bounds() }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    closed(&mut stream).await;
    eventually("it has ended", || running.counts.closed.load(Ordering::SeqCst) == 1).await;
    assert_eq!(running.counts.header_timeouts.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_that_takes_long_to_answer_meets_no_timeout() {
    let hasty =
        Bounds { header_timeout: Duration::from_millis(20), idle_timeout: Duration::from_millis(20), ..bounds() };
    let running = start(hasty).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n").await.unwrap();
    let quiet = timeout(Duration::from_millis(120), stream.readable()).await;
    assert!(quiet.is_err(), "the connection was closed while its request was being served");
    stream.write_all(b"!").await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off_and_counted() {
    let running = start(Bounds { stall_timeout: Duration::from_millis(50), ..bounds() }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    eventually("it has ended", || running.counts.closed.load(Ordering::SeqCst) == 1).await;
    assert_eq!(running.counts.stalled.load(Ordering::SeqCst), 1);
    assert!(closed(&mut stream).await.len() < LARGE, "what the kernel had taken");
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_given_all_of_its_answer() {
    let idle_timeout = Duration::from_secs(1);
    let running = start(Bounds { idle_timeout, header_timeout: idle_timeout, ..bounds() }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut pace = tokio::time::interval(idle_timeout / 20);
    let (begun, mut answer, mut buffer) = (tokio::time::Instant::now(), Vec::new(), vec![0; LARGE / 100]);
    while !answer.ends_with(b"hello") {
        pace.tick().await;
        match timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
        }
    }
    assert!(answer.len() > LARGE, "cut off after {} bytes", answer.len());
    assert!(begun.elapsed() > 3 * idle_timeout, "the test reads too fast to tell");
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 OK"), "the connection serves on");
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused() {
    let running = start(bounds()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200 << 10));
    let _ = stream.write_all(request.as_bytes()).await;
    let answer = read_answer(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    eventually("it is counted", || running.counts.too_large.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn draining_closes_the_port_and_idle_connections_and_lets_a_request_finish() {
    let running = start(bounds()).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200 OK"));
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    busy.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n").await.unwrap();
    eventually("both are open", || running.counts.opened.load(Ordering::SeqCst) == 2).await;

    running.trigger.advance(Phase::Draining);
    closed(&mut idle).await;
    assert!(TcpStream::connect(running.address).await.is_err());
    assert!(!running.ended.is_finished());
    busy.write_all(b"!").await.unwrap();
    assert!(read_answer(&mut busy).await.starts_with("HTTP/1.1 200 OK"));
    timeout(DEADLINE, running.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_still_open_after_the_grace_period_is_cut() {
    let running = start(bounds()).await;
    let mut stuck = TcpStream::connect(running.address).await.unwrap();
    stuck.write_all(b"GET /hang HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    eventually("it is open", || running.counts.opened.load(Ordering::SeqCst) == 1).await;
    running.trigger.advance(Phase::Draining);
    running.trigger.advance(Phase::Ending);
    closed(&mut stuck).await;
    timeout(DEADLINE, running.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn at_a_port_of_probes_whoever_holds_connections_keeps_nobody_out() {
    let running = start(Bounds { connections: 2, ..Bounds::small() }).await;
    let mut held = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut held).await.ends_with("hello"));
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut probe = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut probe).await.ends_with("hello"));
    assert_eq!(closed(&mut held).await, b"", "the oldest made room");
    let mut next = TcpStream::connect(running.address).await.unwrap();
    assert!(ask(&mut next).await.ends_with("hello"));
    assert_eq!(closed(&mut silent).await, b"");
    eventually("those that were ended are closed", || running.counts.closed.load(Ordering::SeqCst) == 2).await;
}
