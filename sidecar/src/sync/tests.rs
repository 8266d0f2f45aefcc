//! A sidecar and a small operator that speaks the protocol: what each is told, and what becomes of calls.

pub(super) mod offers;
mod operator;
mod outages;
mod pod;
mod reports;

use reeve_wire::World;
use reeve_wire::message::{Outcome, Retire, RetireReason, ToSidecar, Trust};

use offers::{ALLOW_ALL, Offer};
use operator::{Authority, Operator, Stream};
use pod::{Pod, eventually};

/// The first configuration: everything is permitted.
fn first() -> Offer {
    Offer::new().policy("imaging", 1, ALLOW_ALL).seen(World { policies: 10, pod: 1, ..World::default() })
}

/// An operator, and a pod of it that runs the first configuration.
async fn configured() -> (Operator, Pod, Stream) {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&first()).await;
    (operator, pod, stream)
}

#[tokio::test]
async fn what_the_operator_assigns_is_in_force_kept_and_acknowledged() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    assert_eq!(stream.header("authorization"), "Bearer token-of-the-pod");
    let hello = stream.hello().await;
    assert_eq!((hello.protocol, hello.running), (reeve_wire::PROTOCOL, None));
    stream.welcomes().await;
    let ack = stream.offers(&first()).await;
    assert!(matches!(ack.outcome, Outcome::Applied(_)), "{ack:?}");
    assert_eq!(ack.running.unwrap().origin, first().origin());
    assert!(pod.permits().await);
    let kept = pod.kept();
    assert!(kept.iter().any(|name| name == "configuration"), "{kept:?}");
    let metrics = pod.page("/metrics").await;
    for line in ["reeve_config_connected 1", "reeve_config_generation 1"] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}: {metrics}");
    }
    assert!(!metrics.contains("reeve_config_last_update_timestamp_seconds 0\n"));
}

#[tokio::test]
async fn pings_are_answered() {
    let mut operator = Operator::start().await;
    let _pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.welcomes().await;
    stream.says(&ToSidecar::Unknown).await;
    assert_eq!(stream.pings(7).await, 7, "what is not known is passed over");
}

#[tokio::test]
async fn an_older_configuration_is_refused_and_what_runs_goes_on() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    let denies =
        Offer::new().policy("imaging", 2, offers::NOTHING).seen(World { policies: 20, pod: 1, ..World::default() });
    stream.offers(&denies).await;
    let ack = stream.offers(&first()).await;
    let Outcome::RefusedOlder(parts) = ack.outcome else { panic!("{:?}", ack.outcome) };
    assert!(parts.contains(&reeve_wire::world::Kind::Policies), "{parts:?}");
    assert_eq!(ack.running.unwrap().origin.hash, denies.origin().hash);
    assert!(pod.call().await.contains("NoRule"));
}

#[tokio::test]
async fn a_document_whose_hash_is_wrong_is_never_used() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    let mut wrong = first().configuration();
    wrong.hash = reeve_wire::Hash::of(b"another");
    let ack = stream.configures(wrong).await;
    let Outcome::RefusedInvalid(why) = ack.outcome else { panic!("{:?}", ack.outcome) };
    assert!(why.contains("changed on its way"), "{why}");
    assert!(pod.call().await.contains("NoConfiguration"));
}

#[tokio::test]
async fn the_operator_is_only_believed_with_a_certificate_of_its_authority() {
    let mut operator = Operator::start().await;
    let stranger = Authority::new();
    let pod = Pod::knowing(&operator, &stranger.pem()).await;
    eventually("it tries again", async || operator.refused() >= 2).await;
    assert!(operator.has_no_stream(), "not a line was said to it");
    assert!(pod.call().await.contains("NoConfiguration"));
}

#[tokio::test]
async fn new_authorities_of_the_operator_hold_over_a_restart() {
    let mut operator = Operator::start().await;
    let mut pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    let next = Authority::new();
    stream.says(&ToSidecar::Trust(Trust { bundle: next.pem() })).await;
    stream.pings(1).await;
    drop(stream);
    operator.renew(next).await;
    operator.stream().await.hello().await;
    pod.restart().await;
    operator.stream().await.hello().await;
}

#[tokio::test]
async fn a_sidecar_that_is_asked_to_makes_another_stream_and_says_what_it_runs() {
    let (mut operator, _pod, stream) = configured().await;
    let retire = Retire { reason: RetireReason::Rebalance, reconnect_after_millis: 20 };
    stream.says(&ToSidecar::Retire(retire)).await;
    let hello = operator.stream().await.hello().await;
    assert_eq!(hello.running.unwrap().origin, first().origin());
}

#[tokio::test]
async fn a_document_that_the_sidecar_runs_need_not_be_sent_again() {
    let (_operator, pod, mut stream) = configured().await;
    let later = first().seen(World { policies: 30, pod: 1, ..World::default() });
    let bare = reeve_wire::message::Configuration { document: None, ..later.configuration() };
    let ack = stream.configures(bare).await;
    assert!(matches!(ack.outcome, Outcome::Applied(_)), "{ack:?}");
    assert_eq!(ack.running.unwrap().origin.world.policies, 30);
    assert!(pod.page("/metrics").await.contains("\nreeve_config_generation 1\n"), "nothing was enforced anew");
}
