//! What a sidecar is given, and when.

use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use reeve_wire::message::{FromSidecar, Outcome, ToSidecar};
use reeve_wire::world::Kind;
use reeve_wire::{PATH, World, lines};

use super::assignment;
use super::office::Office;
use super::peer::{Peer, hello, running};
use crate::assignment::Assignment;

#[tokio::test]
async fn a_pod_is_only_given_its_own_configuration() {
    let office = Office::open().await;
    for (pod, word) in [("p1", "one"), ("p2", "two")] {
        office.give_word(pod, word, 1);
    }
    for (pod, word) in [("p2", "two"), ("p1", "one")] {
        let given = Peer::of(&office, pod, None).await.is_given().await;
        assert_eq!(given.identity.uid.as_str(), pod);
        assert!(given.document.unwrap().get().contains(word));
    }
}

#[tokio::test]
async fn a_change_reaches_the_sidecars_of_its_pods_and_no_other() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    office.give_word("p2", "a", 1);
    let (mut first, mut second) = (Peer::of(&office, "p1", None).await, Peer::of(&office, "p2", None).await);
    first.takes().await;
    second.takes().await;
    office.counts(r#"reeve_sidecars{state="current"}"#, 2.0).await;

    office.give_word("p1", "b", 2);
    office.give_word("p2", "a", 2);
    assert!(first.takes().await.document.unwrap().get().contains('b'));
    office.counts("reeve_config_push_seconds_count", 1.0).await;
    // What comes before the next change of the second pod would have come by now.
    office.give_word("p2", "c", 3);
    assert_eq!(second.is_given().await.world.policies, 3);
    office.counts(r#"reeve_sidecars{state="behind"}"#, 1.0).await;
}

#[tokio::test]
async fn a_sidecar_that_runs_the_document_is_not_sent_it_again() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    let given = Peer::of(&office, "p1", None).await.takes().await;
    assert!(given.document.is_some());

    office.give_word("p1", "a", 2);
    let mut again = Peer::of(&office, "p1", Some(running(&given))).await;
    let same = again.takes().await;
    assert_eq!((same.hash, same.world.policies), (given.hash, 2));
    assert!(same.document.is_none());
    office.give_word("p1", "b", 3);
    assert!(again.is_given().await.document.is_some());
}

#[tokio::test]
async fn a_thousand_pods_share_one_document() {
    let office = Office::open().await;
    let shared = assignment("p0", "shared");
    let document = shared.document.clone().unwrap();
    let pods: Vec<String> = (0..1_000).map(|number| format!("p{number}")).collect();
    for pod in &pods {
        let identity = assignment(pod, "").identity;
        office.give(Assignment { identity, world: World::default(), ..shared.clone() });
    }
    let said = lines::write(&hello(None)).unwrap();
    let mut open = Vec::new();
    for pod in &pods {
        let frame = Ok::<_, std::convert::Infallible>(Frame::data(said.clone()));
        // Says hello, and nothing more for ever.
        let body = StreamBody::new(futures_util::StreamExt::chain(
            futures_util::stream::iter([frame]),
            futures_util::stream::pending(),
        ));
        let request = Request::post(format!("http://reeve{PATH}"))
            .version(Version::HTTP_2)
            .header(AUTHORIZATION, format!("Bearer {}", office.token(pod)))
            .body(body)
            .unwrap();
        let mut answer = office.delivery.answer(request).await.into_body();
        loop {
            let piece: Bytes = answer.frame().await.expect("the stream has ended").unwrap().into_data().unwrap();
            if std::ptr::eq(piece.as_ptr(), document.as_ptr()) {
                break;
            }
            assert_ne!(piece, document, "the document was copied for {pod}");
        }
        open.push(answer);
    }
    office.counts(r#"reeve_sidecars{state="behind"}"#, 1_000.0).await;
    drop(open);
    office.counts(r#"reeve_sidecars{state="behind"}"#, 0.0).await;
}

#[tokio::test]
async fn what_a_sidecar_refuses_as_older_is_read_anew_and_offered_again() {
    let mut office = Office::open().await;
    office.give_word("p1", "a", 5);
    let mut peer = Peer::of(&office, "p1", None).await;
    let offered = peer.is_given().await;
    peer.answer(&offered, Outcome::RefusedOlder(vec![Kind::Policies, Kind::Policies]), None).await;
    assert_eq!(office.rereads.recv().await, Some(Kind::Policies));
    office.give_word("p1", "a", 7);
    assert_eq!(peer.takes().await.world.policies, 7);
    office.counts(r#"reeve_sidecars{state="current"}"#, 1.0).await;
}

#[tokio::test]
async fn a_sidecar_is_told_the_authorities_when_it_connects_and_when_they_change() {
    let office = Office::open().await;
    office.give_word("p1", "a", 1);
    let mut peer = Peer::of(&office, "p1", None).await;
    let Some(ToSidecar::Welcome(welcome)) = peer.hears().await else { panic!("no welcome") };
    assert_eq!((welcome.replica.as_str(), welcome.protocol), ("reeve-0", 1));
    for expected in ["authorities", "later ones"] {
        loop {
            match peer.hears().await.unwrap() {
                ToSidecar::Trust(trust) => break assert_eq!(trust.bundle, expected),
                ToSidecar::Ping(number) => peer.say(&FromSidecar::Pong(number)).await,
                _ => {}
            }
        }
        office.trust.send_replace(Arc::from("later ones"));
    }
}

#[tokio::test]
async fn what_a_sidecar_says_is_heard_and_so_is_that_it_hung_up() {
    let mut office = Office::open().await;
    office.give_word("p1", "a", 1);
    let mut peer = Peer::of(&office, "p1", None).await;
    office.hears_of("p1", |report| report.connected && report.running.is_none()).await;
    let given = peer.takes().await;
    let ran = running(&given);
    assert_eq!(&*office.hears_of("p1", |report| report.running.as_ref() == Some(&ran)).await, "reeve-0");
    drop(peer);
    office.hears_of("p1", |report| !report.connected && report.running.as_ref() == Some(&ran)).await;
}
