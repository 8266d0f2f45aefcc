//! What ends a stream.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reeve_wire::message::{FromSidecar, Hello, Range, RetireReason, ToSidecar};
use reeve_wire::{AUDIENCE, LONGEST_TO_OPERATOR};

use super::office::{LONGEST, Office, timing};
use super::peer::{Peer, ask, hello};
use crate::delivery::Timing;

const SHORT: Duration = Duration::from_millis(300);

async fn ended(office: &Office, reason: &str) {
    office.counts(&format!(r#"reeve_operator_sync_streams_ended_total{{reason="{reason}"}}"#), 1.0).await;
}

async fn with(timing: Timing) -> Office {
    let office = Office::with(timing).await;
    office.give_word("p1", "a", 1);
    office
}

#[tokio::test]
async fn a_sidecar_that_falls_silent_is_given_up_and_said_to_be_gone() {
    let mut office = with(Timing { silence: SHORT, ..timing() }).await;
    let mut peer = Peer::of(&office, "p1", None).await;
    peer.ends().await;
    ended(&office, "Silent").await;
    office.hears_of("p1", |report| !report.connected).await;
}

#[tokio::test]
async fn a_sidecar_that_answers_pings_is_kept() {
    let silence = SHORT * 3;
    let office = with(Timing { ping_every: SHORT / 10, silence, ..timing() }).await;
    let begun = Instant::now();
    let mut peer = Peer::of(&office, "p1", None).await;
    let mut last = 0;
    while begun.elapsed() < silence * 2 {
        if let ToSidecar::Ping(number) = peer.hears().await.expect("it was given up") {
            peer.say(&FromSidecar::Pong(number)).await;
            assert!(number > last);
            last = number;
        }
    }
}

#[tokio::test]
async fn a_stream_without_a_hello_ends() {
    let office = with(Timing { hello_within: SHORT, ..timing() }).await;
    let mut peer = ask(office.address, Some(&format!("Bearer {}", office.token("p1")))).await.unwrap();
    assert!(peer.ends().await.is_empty());
    ended(&office, "NoHello").await;
}

#[tokio::test]
async fn a_sidecar_that_does_not_answer_a_configuration_is_given_up() {
    let office = with(Timing { answer_within: SHORT, ..timing() }).await;
    let mut peer = Peer::of(&office, "p1", None).await;
    peer.is_given().await;
    peer.ends().await;
    ended(&office, "Unanswered").await;
}

#[tokio::test]
async fn a_sidecar_that_reads_nothing_is_given_up() {
    let office = Office::with(Timing { silence: SHORT * 4, ..timing() }).await;
    office.give_word("p1", &"x".repeat(8 << 20), 1);
    let peer = Peer::of(&office, "p1", None).await;
    let talks = async {
        let mut every = tokio::time::interval(SHORT / 6);
        loop {
            every.tick().await;
            peer.say(&FromSidecar::Pong(0)).await;
        }
    };
    tokio::select! {
        () = ended(&office, "NotReading") => {}
        () = talks => {}
    }
}

#[tokio::test]
async fn what_is_no_line_of_the_protocol_ends_the_stream() {
    for (bytes, reason) in [
        (Bytes::from_static(b"\x00\xff\n"), "Malformed"),
        (Bytes::from_static(b"{\"ping\":1}\n{\"hello\":{}}\n"), "Malformed"),
        (Bytes::from(vec![b'x'; LONGEST_TO_OPERATOR + 1]), "LineTooLong"),
        (Bytes::from_static(b"{\"reports\":[]}\n"), "ProtocolViolated"),
        (Bytes::from(b"{}\n".repeat(10_001)), "Flood"),
    ] {
        let office = with(timing()).await;
        let mut peer = Peer::of(&office, "p1", None).await;
        peer.is_given().await;
        peer.send(bytes).await;
        peer.ends().await;
        ended(&office, reason).await;
    }
}

#[tokio::test]
async fn a_sidecar_of_a_protocol_too_far_apart_is_told_the_operators() {
    let office = with(timing()).await;
    let mut peer = ask(office.address, Some(&format!("Bearer {}", office.token("p1")))).await.unwrap();
    let protocol = Range { least: 8, most: 9 };
    peer.say(&FromSidecar::Hello(Hello { protocol, version: "9".into(), running: None, servers: Vec::new() })).await;
    assert!(matches!(peer.ends().await.as_slice(), [ToSidecar::Welcome(welcome)] if welcome.protocol == 1));
    ended(&office, "ProtocolUnknown").await;
}

#[tokio::test]
async fn the_newer_of_two_streams_of_a_pod_stays() {
    let mut office = with(timing()).await;
    let mut older = Peer::of(&office, "p1", None).await;
    older.takes().await;
    let mut newer = Peer::of(&office, "p1", None).await;
    newer.is_given().await;
    older.ends().await;
    ended(&office, "Replaced").await;
    office.give_word("p2", "a", 1);
    Peer::of(&office, "p2", None).await.takes().await;
    // The older stream's end is none of the pod's.
    let mut last = None;
    while let crate::control::Input::Report { report, .. } = office.hears().await {
        match report.pod.as_str() {
            "p1" => last = Some(report.connected),
            _ if !report.connected => break,
            _ => {}
        }
    }
    assert_eq!(last, Some(true));
}

fn retires(said: &[ToSidecar], reason: RetireReason) -> Option<u64> {
    said.iter().find_map(|message| match message {
        ToSidecar::Retire(retire) if retire.reason == reason => Some(retire.reconnect_after_millis),
        _ => None,
    })
}

#[tokio::test]
async fn a_stream_that_has_lived_long_enough_asks_for_another_and_ends() {
    let office = with(Timing { life: SHORT, retire_within: SHORT, ..timing() }).await;
    let mut peer = Peer::of(&office, "p1", None).await;
    assert!(retires(&peer.ends().await, RetireReason::Rebalance).is_some());
    ended(&office, "Retired").await;
}

#[tokio::test]
async fn a_stream_does_not_outlive_its_token() {
    let office = with(Timing { retire_within: SHORT, ..timing() }).await;
    let token = office.issuer.token("clinic:agent", "p1", AUDIENCE, Duration::from_secs(3));
    let mut peer = ask(office.address, Some(&format!("Bearer {token}"))).await.unwrap();
    peer.say(&hello(None)).await;
    peer.takes().await;
    assert!(retires(&peer.ends().await, RetireReason::Rebalance).is_some());
}

#[tokio::test]
async fn a_replica_that_ends_sends_its_sidecars_away_spread_over_a_time() {
    let office = Office::open().await;
    let mut peers = Vec::new();
    for number in 0..8 {
        let pod = format!("p{number}");
        office.give_word(&pod, "a", 1);
        let mut peer = Peer::of(&office, &pod, None).await;
        peer.takes().await;
        peers.push(peer);
    }
    let spread = Duration::from_secs(3_600);
    let draining = tokio::spawn({
        let delivery = office.delivery.clone();
        async move { delivery.drain(spread).await }
    });
    let mut waits = Vec::new();
    for peer in &mut peers {
        loop {
            if let ToSidecar::Retire(retire) = peer.hears().await.unwrap() {
                assert_eq!(retire.reason, RetireReason::Draining);
                break waits.push(retire.reconnect_after_millis);
            }
        }
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() == 8 && waits.iter().all(|wait| Duration::from_millis(*wait) <= spread), "{waits:?}");
    assert!(!draining.is_finished());
    let refused = ask(office.address, Some(&format!("Bearer {}", office.token("p1")))).await.err().unwrap();
    assert_eq!(refused.text, "this replica ends: connect to another\n");
    drop(peers);
    tokio::time::timeout(LONGEST, draining).await.unwrap().unwrap();
}
