//! What agents can make the sidecar hold: as much as it may, and then it serves on.

use reeve_tests::eventually::eventually;
use reeve_tests::http::Exchange;
use reeve_tests::process::{memory, threads};
use reeve_tests::sidecar::Sidecar;

use super::bounds::bounded;

/// Larger than what is read where it came.
const LARGE: usize = 70_000;

/// The most threads of a sidecar that reads large messages: those that are always there, and a few that read.
const THREADS: u64 = 16;

/// A request with a large body of which the last byte is yet to come.
fn held_back(sidecar: &Sidecar) -> Exchange {
    let body = format!("{{\"x\": \"{}\"", "x".repeat(LARGE));
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\ncontent-type: application/json\r\n\
                        accept: application/json, text/event-stream\r\nconnection: close\r\n\r\n",
        address(sidecar),
        body.len() + 1
    );
    Exchange::begin(address(sidecar), format!("{head}{body}").as_bytes()).unwrap()
}

fn address(sidecar: &Sidecar) -> &str {
    sidecar.agents.trim_start_matches("http://")
}

#[test]
fn bodies_that_are_held_back_take_little_more_memory_than_they_are_counted_for_and_keep_no_usual_call_out() {
    let (upstream, sidecar, agent) = bounded("{}", "{maxBodyBytes: 1048576, maxTotalBodyBytes: 4194304}");
    assert!(agent.passes("echo", &upstream));
    let before = memory(sidecar.process.id());
    let _held: Vec<_> = (0..100).map(|_| held_back(&sidecar)).collect();
    eventually("those for which there is no room are told so", || {
        (sidecar.metric("reeve_rejected_requests_total{cause=\"busy\"}") > 0.0).then_some(())
    });
    let more = memory(sidecar.process.id()).saturating_sub(before);
    assert!(more <= 12 << 20, "{more} bytes more than before, for 4 MiB of bodies on 100 connections");
    assert!(agent.passes("echo", &upstream));
}

#[test]
fn large_messages_that_come_all_at_once_are_read_a_few_at_a_time() {
    let (upstream, sidecar, agent) = bounded("{}", "{}");
    let mut held: Vec<_> = (0..100).map(|_| held_back(&sidecar)).collect();
    held.iter_mut().for_each(|exchange| exchange.send(b"}"));
    for exchange in held {
        assert_eq!(exchange.rest().status, 400, "it is no message");
    }
    // A thread that has read stays for ten seconds.
    let threads = threads(sidecar.process.id());
    assert!(threads <= THREADS, "{threads} threads");
    assert!(agent.passes("echo", &upstream));
}
