//! An operator that is down, slow or cut off never loosens, and never stops enforcement.

use std::time::{Duration, Instant};

use reeve_policy::time::WallTime;
use reeve_wire::World;
use reeve_wire::message::Outcome;
use serde_json::json;

use super::offers::{ALLOW_ALL, NOTHING, Offer};
use super::operator::{Operator, Stream};
use super::pod::{Pod, eventually};
use super::{configured, first};
use crate::clock::Clock;

#[tokio::test]
async fn a_sidecar_without_its_operator_serves_its_last_good_configuration_after_a_restart() {
    let (mut operator, mut pod, _stream) = configured().await;
    operator.down().await;
    assert!(pod.permits().await, "an operator that is down changes nothing");
    pod.restart().await;
    assert!(pod.page("/started").await.starts_with("HTTP/1.1 200"));
    assert!(pod.permits().await);
    pod.shows("/metrics", "\nreeve_config_connected 0\n").await;
}

#[tokio::test]
async fn what_cannot_be_kept_lets_nothing_older_be_in_force_after_a_restart() {
    let (mut operator, mut pod, mut stream) = configured().await;
    pod.lets_replace("configuration", false);
    let denies =
        |policies| Offer::new().policy("imaging", 2, NOTHING).seen(World { policies, pod: 1, ..World::default() });
    let ack = stream.offers(&denies(20)).await;
    assert!(matches!(ack.outcome, Outcome::Applied(_)), "it is in force: {ack:?}");
    operator.down().await;
    pod.restart().await;
    assert!(pod.call().await.contains("NoConfiguration"), "the one before permitted it");

    operator.up().await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&denies(20)).await;
    pod.lets_replace("configuration", true);
    stream.offers(&denies(21)).await;
    operator.down().await;
    pod.restart().await;
    assert!(pod.call().await.contains("NoRule"), "what is offered again is kept once it can be");
}

#[tokio::test]
async fn what_was_seen_before_a_restart_is_not_forgotten_by_it() {
    let (mut operator, mut pod, mut stream) = configured().await;
    stream.offers(&first().seen(World { policies: 90, pod: 1, ..World::default() })).await;
    pod.restart().await;
    let mut stream = operator.stream().await;
    assert_eq!(stream.hello().await.running.unwrap().origin.world.policies, 90);
    let between = Offer::new().policy("other", 1, NOTHING).seen(World { policies: 50, pod: 1, ..World::default() });
    let ack = stream.offers(&between).await;
    assert!(matches!(ack.outcome, Outcome::RefusedOlder(_)), "{ack:?}");
    pod.shows("/metrics", "\nreeve_config_last_reload_successful 0\n").await;
    stream.offers(&first().seen(World { policies: 91, pod: 1, ..World::default() })).await;
    pod.shows("/metrics", "\nreeve_config_last_reload_successful 1\n").await;
}

#[tokio::test]
async fn a_fresh_sidecar_without_any_configuration_denies_and_says_why() {
    let mut operator = Operator::start().await;
    operator.down().await;
    let pod = Pod::start(&operator).await;
    let answer = pod.call().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("NoConfiguration"), "{answer}");
    assert!(answer.contains("has not received a configuration"), "{answer}");
    let started = pod.page("/started").await;
    assert!(started.starts_with("HTTP/1.1 503") && started.contains("waiting for a configuration"), "{started}");
    operator.up().await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&first()).await;
    assert!(pod.permits().await);
    assert!(pod.page("/started").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_kept_configuration_that_is_damaged_is_none() {
    let (mut operator, mut pod, _stream) = configured().await;
    operator.down().await;
    pod.damage("configuration");
    pod.restart().await;
    assert!(pod.call().await.contains("NoConfiguration"));
}

/// How long the configuration holds in the tests of that.
const MOST: Duration = Duration::from_secs(3_600);

/// An operator whose configuration holds for so long, and a pod that runs it.
async fn aging() -> (Operator, Pod, Stream, Clock) {
    let mut operator = Operator::start().await;
    let clock = Clock::manual(reeve_policy::time::Instant(1 << 50), WallTime(1 << 60));
    let pod = Pod::timed_by(&operator, &clock).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&aged()).await;
    assert!(pod.permits().await);
    (operator, pod, stream, clock)
}

fn aged() -> Offer {
    first().boundary("all", 1, &json!({"tier": "Boundary", "configMaxAge": "1h"}))
}

#[tokio::test]
async fn configuration_that_is_too_old_denies() {
    let (mut operator, mut pod, mut stream, clock) = aging().await;
    for _ in 0..3 {
        clock.advance(MOST);
        assert!(pod.permits().await);
        stream.pings(1).await;
    }
    operator.down().await;
    clock.advance(MOST);
    assert!(pod.permits().await, "it holds for as long as it says");
    clock.advance(Duration::from_nanos(1));
    let answer = pod.call().await;
    assert!(answer.contains("ConfigurationStale") && answer.contains("configMaxAge of policy all"), "{answer}");
    pod.restart().await;
    assert!(pod.call().await.contains("ConfigurationStale"), "it has not become younger by a restart");
    operator.up().await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.pings(1).await;
    assert!(pod.call().await.contains("ConfigurationStale"), "a replica that has given nothing vouches for nothing");
    stream.offers(&aged()).await;
    assert!(pod.permits().await);
}

#[tokio::test]
async fn pings_of_an_operator_whose_offer_was_refused_do_not_keep_a_configuration_young() {
    let (_operator, pod, mut stream, clock) = aging().await;
    let ack = stream.offers(&Offer::new().policy("imaging", 0, ALLOW_ALL)).await;
    assert!(matches!(ack.outcome, Outcome::RefusedOlder(_)), "{ack:?}");
    clock.advance(MOST + Duration::from_secs(1));
    stream.pings(3).await;
    assert!(pod.call().await.contains("ConfigurationStale"));
}

#[tokio::test]
async fn an_operator_that_is_silent_for_fifteen_seconds_is_given_up_and_another_stream_made() {
    let (mut operator, pod, mut stream) = configured().await;
    for number in 0..2 {
        stream.pings(number).await;
        pass(reeve_wire::SILENCE * 3 / 4).await;
    }
    assert!(pod.permits().await && operator.has_no_stream(), "each word counts");
    pass(reeve_wire::SILENCE / 2).await;
    // The stream that is silent is open to the end.
    assert_eq!(operator.stream().await.hello().await.running.unwrap().origin, first().origin());
    assert!(pod.permits().await);
    drop(stream);
}

/// Lets so much time pass for everything in this process, at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_cut_stream_is_made_anew_with_back_off() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.welcomes().await;
    stream.offers(&first()).await;
    let begun = Instant::now();
    drop(stream);
    let mut waits = Vec::new();
    for _ in 0..2 {
        let before = Instant::now();
        let mut stream = operator.stream().await;
        assert_eq!(stream.hello().await.running.unwrap().origin, first().origin());
        waits.push(before.elapsed());
    }
    // At least half of one second, and then of two.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{waits:?}");
    assert!(pod.permits().await);
}

#[tokio::test]
async fn an_operator_that_refuses_is_tried_again() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    drop(operator.stream().await);
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.welcomes().await;
    eventually("connected", async || pod.page("/metrics").await.contains("\nreeve_config_connected 1\n")).await;
}
