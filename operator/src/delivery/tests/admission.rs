//! Who is let in.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use reeve_wire::AUDIENCE;

use super::office::{Office, timing};
use super::peer::{Peer, ask};
use crate::delivery::Timing;

const HOUR: Duration = Duration::from_secs(3_600);

async fn refused(office: &Office, authorization: Option<&str>) -> (StatusCode, String) {
    match ask(office.address, authorization).await {
        Ok(_) => panic!("{authorization:?} was let in"),
        Err(refused) => (refused.status, refused.text),
    }
}

#[tokio::test]
async fn a_token_of_another_audience_gets_nothing() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    let other = office.issuer.token("clinic:agent", "p1", "https://kubernetes.default.svc", HOUR);
    let (status, text) = refused(&office, Some(&format!("Bearer {other}"))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(text, "the token is not of audience reeve-operator: mount one that is\n");
    office.counts(r#"reeve_operator_sync_refusals_total{reason="WrongAudience"}"#, 1.0).await;
}

#[tokio::test]
async fn a_forged_or_expired_or_missing_token_gets_nothing() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    // Says all the right things, and nobody gave it out.
    let forged = Office::open().await.token("p1");
    let expired = office.issuer.token("clinic:agent", "p1", AUDIENCE, Duration::ZERO);
    for (authorization, reason) in [
        (Some(format!("Bearer {forged}")), "NotAuthenticated"),
        (Some(format!("Bearer {expired}")), "TokenExpired"),
        (Some("Bearer x".into()), "TokenMalformed"),
        (None, "NoToken"),
    ] {
        assert_eq!(refused(&office, authorization.as_deref()).await.0, StatusCode::UNAUTHORIZED, "{reason}");
        office.counts(&format!(r#"reeve_operator_sync_refusals_total{{reason="{reason}"}}"#), 1.0).await;
    }
}

#[tokio::test]
async fn a_token_whose_pod_is_another_or_gone_gets_nothing() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    let other = office.issuer.token("hospital:agent", "p1", AUDIENCE, HOUR);
    let (status, text) = refused(&office, Some(&format!("Bearer {other}"))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("hospital/p1-name as agent") && text.contains("clinic/p1-name as agent"), "{text}");

    let token = format!("Bearer {}", office.token("p1"));
    let mut peer = Peer::of(&office, "p1", None).await;
    peer.takes().await;
    office.registry.publish([("p1".into(), None)]);
    peer.ends().await;
    let (status, text) = refused(&office, Some(&token)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.starts_with("pod clinic/p1-name is not known"), "{text}");
}

#[tokio::test]
async fn nothing_is_given_before_every_watch_has_been_read() {
    let office = Office::closed(timing(), "reeve-0").await;
    office.give_word("p1", "a", 1);
    let token = format!("Bearer {}", office.token("p1"));
    let refused = ask(office.address, Some(&token)).await.err().unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers[RETRY_AFTER], "1");
    office.registry.open();
    assert!(ask(office.address, Some(&token)).await.is_ok());
}

#[tokio::test]
async fn a_pod_that_is_seen_a_moment_after_its_sidecar_is_served() {
    let office = Office::with(Timing { pod_within: super::office::LONGEST, ..timing() }).await;
    let (mut early, ()) = tokio::join!(Peer::of(&office, "p1", None), async {
        tokio::task::yield_now().await;
        office.give_word("p1", "a", 1);
    });
    assert_eq!(early.is_given().await.identity.uid.as_str(), "p1");
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_a_place_is_free_again_when_one_ends() {
    let office = Office::with(Timing { most_streams: 1, ..timing() }).await;
    office.give_word("p1", "a", 1);
    office.give_word("p2", "a", 1);
    let mut first = Peer::of(&office, "p1", None).await;
    first.takes().await;
    let token = format!("Bearer {}", office.token("p2"));
    assert_eq!(refused(&office, Some(&token)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    first.out = None;
    first.ends().await;
    office.counts(r#"reeve_operator_sync_streams_ended_total{reason="Closed"}"#, 1.0).await;
    let mut second = Peer::of(&office, "p2", None).await;
    second.takes().await;
}
