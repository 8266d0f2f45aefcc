//! Everything that an agent can do to the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::ledger::Behaviour;
use reeve_tests::load::{Agents, Load, Outcome};
use reeve_tests::process::may_open_many_files;

use super::scene::{
    AGENTS, Counted, Scene, none_was_lost, serves_on, settled, the_books_agree, the_server_did_no_more,
    the_truth_was_told,
};

#[test]
fn agents_that_hang_up_in_the_middle_of_calls_take_nothing_from_others_and_no_quota_twice() {
    let scene = Scene::new();
    let mut sidecar = scene.setup.start();
    scene.ledger.behave(Behaviour::AnswersAfter(Duration::from_millis(60)));
    let load = Load::start(&scene.url, AGENTS);
    let restless = Load::start(&scene.url, Agents { count: 16, patience: Duration::from_millis(30), ..AGENTS });
    restless.until("given up", 200, |told| told.outcome == Outcome::GivenUp);
    load.goes_on(50);
    let mut told = load.finish();
    none_was_lost(&told);
    told.extend(restless.finish());
    the_truth_was_told(&scene.ledger, &told);
    settled(&sidecar);
    the_server_did_no_more(&scene.ledger, Counted::by(&sidecar));
    scene.ledger.behave(Behaviour::Answers);
    serves_on(&scene, &mut sidecar);
}

/// Sends one byte a second until the other side ends the connection; gives what it said.
fn trickle(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut said = Vec::new();
    for byte in bytes.chunks(1) {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => said.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(byte).is_err() {
            break;
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn agents_that_send_a_byte_a_second_are_cut_off_and_keep_nobody_waiting() {
    const SLOW: usize = 50;
    let scene = Scene::with("{}", "listener: {headerTimeout: 2s, bodyTimeout: 2s, maxConnections: 200}");
    let mut sidecar = scene.setup.start();
    let address = http::split(&scene.url).0.to_owned();
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(20);
    let slow = |beginning: String, rest: &'static [u8]| {
        let address = address.clone();
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(beginning.as_bytes()).unwrap();
            trickle(stream, rest)
        })
    };
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
    let headers: Vec<_> =
        (0..SLOW).map(|_| slow(head.clone(), b"X-Slow: a name that goes on for a minute and more")).collect();
    let bodies: Vec<_> = (0..SLOW)
        .map(|_| {
            slow(
                format!("{head}Content-Length: 1000\r\n\r\n"),
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}",
            )
        })
        .collect();
    load.goes_on(50);
    for thread in headers {
        let said = thread.join().unwrap();
        assert!(said.starts_with("HTTP/1.1 408") && said.contains("listener.headerTimeout"), "{said}");
    }
    for thread in bodies {
        let said = thread.join().unwrap();
        assert!(said.starts_with("HTTP/1.1 408") && said.contains("listener.bodyTimeout"), "{said}");
    }
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    the_books_agree(&scene, &sidecar);
    let cut = sidecar.metric("reeve_refused_connections_total{cause=\"header_timeout\"}");
    let late = sidecar.metric("reeve_rejected_requests_total{cause=\"body_timeout\"}");
    assert_eq!((cut, late), (SLOW as f64, SLOW as f64));
    serves_on(&scene, &mut sidecar);
}

#[test]
fn ten_thousand_connections_are_bounded_told_and_counted_and_take_nothing_from_those_that_are_there() {
    const MANY: usize = 10_000;
    const PERMITTED: f64 = 1_024.0;
    may_open_many_files();
    // Those that are there are to stay while the others come.
    let scene = Scene::with("{}", "listener: {headerTimeout: 5m}");
    let mut sidecar = scene.setup.start();
    let address = http::split(&scene.url).0.to_owned();
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(50);
    let connect = || {
        let address = address.clone();
        std::thread::spawn(move || (0..MANY / 8).map(|_| TcpStream::connect(&address).unwrap()).collect::<Vec<_>>())
    };
    let threads: Vec<_> = (0..8).map(|_| connect()).collect();
    let mut connections: Vec<TcpStream> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let refused = || sidecar.metric("reeve_refused_connections_total{cause=\"too_many_connections\"}");
    let surplus = (MANY + AGENTS.count) as f64 - PERMITTED;
    eventually("the others are turned away", || (refused() >= surplus).then_some(()));
    assert!(sidecar.metric("reeve_connections") <= PERMITTED);
    load.goes_on(50);
    let last = connections.last_mut().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut said = String::new();
    last.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("listener.maxConnections"), "{said}");
    drop(connections);
    eventually("only the agents are left", || {
        (sidecar.metric("reeve_connections") <= AGENTS.count as f64).then_some(())
    });
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    the_books_agree(&scene, &sidecar);
    serves_on(&scene, &mut sidecar);
}
