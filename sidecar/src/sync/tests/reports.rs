//! What the operator is told of policies and servers.

use reeve_wire::World;
use reeve_wire::message::{Outcome, ServerReason};
use serde_json::json;

use super::first;
use super::offers::{ALLOW_ALL, Offer};
use super::operator::Operator;
use super::pod::Pod;

fn seen() -> World {
    World { policies: 10, pod: 1, ..World::default() }
}

fn with_credential() -> Offer {
    let credentials = json!({"credentials": {"secretRef": {"name": "aws", "key": "token"}, "prefix": "Bearer "}});
    Offer::new().server("aws", &credentials).policy("imaging", 1, ALLOW_ALL).seen(seen())
}

#[tokio::test]
async fn a_policy_that_this_sidecar_cannot_read_denies_and_is_reported() {
    let mut operator = Operator::start().await;
    let pod = Pod::start(&operator).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    let spec =
        r#"{"serverRefs": [{"name": "*"}], "rules": [{"name": "r", "tools": ["*"], "action": "AllowOnMondays"}]}"#;
    let ack = stream.offers(&first().policy("newer", 4, spec)).await;
    assert!(matches!(ack.outcome, Outcome::Applied(_)), "{ack:?}");
    let problems = ack.running.unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].uid.as_str(), "uid-of-newer");
    assert!(problems[0].message.contains("AllowOnMondays"), "{problems:?}");
    assert!(pod.call().await.contains("PolicyInvalid"));
}

#[tokio::test]
async fn a_credential_that_is_missing_is_reported_and_taken_up_when_it_comes() {
    let offer = with_credential();
    let mut operator = Operator::start().await;
    let pod = Pod::mounting(&operator, &format!("aws={}", offer.mounts("aws"))).await;
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&offer).await;
    let states = stream.servers().await;
    assert_eq!(states[0].reason, ServerReason::SecretMissing, "{states:?}");
    assert!(states[0].message.contains("credentials.secretRef"), "{states:?}");
    assert!(pod.call().await.contains("the credential for it is not available"));
    std::fs::write(pod.mounted("aws", "credential"), "").unwrap();
    assert_eq!(stream.servers().await[0].reason, ServerReason::KeyMissing);
    assert!(pod.call().await.contains("the credential for it is not available"));
    std::fs::write(pod.mounted("aws", "credential"), "s3cret").unwrap();
    assert_eq!(stream.servers().await[0].reason, ServerReason::Resolved);
    assert!(pod.permits().await, "the next call has what was reported");
    assert!(pod.page("/metrics").await.contains("\nreeve_config_generation 1\n"), "nothing was enforced anew for it");
}

#[tokio::test]
async fn a_server_that_names_what_the_pod_was_not_given_needs_a_restart() {
    let mut operator = Operator::start().await;
    let pod = Pod::mounting(&operator, "aws=another").await;
    std::fs::write(pod.mounted("aws", "credential"), "of another Secret").unwrap();
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&with_credential()).await;
    let states = stream.servers().await;
    assert_eq!((states[0].reason, states[0].uid.as_str()), (ServerReason::RestartNeeded, "uid-of-aws"));
    assert!(states[0].message.contains("kubectl rollout restart"), "{states:?}");
    let answer = pod.call().await;
    assert!(answer.contains("something that its definition names is missing"), "{answer}");
}

#[tokio::test]
async fn an_authority_that_is_none_is_reported_and_other_servers_serve() {
    let bundle = json!({"kind": "ConfigMap", "name": "ca", "key": "ca.crt"});
    let bundle = json!({"url": "https://127.0.0.1:9/mcp", "tls": {"caBundle": bundle}});
    let offer = Offer::new().server("pacs", &bundle).policy("imaging", 1, ALLOW_ALL).seen(seen());
    let mut operator = Operator::start().await;
    let pod = Pod::mounting(&operator, &format!("pacs={}", offer.mounts("pacs"))).await;
    std::fs::write(pod.mounted("pacs", "ca.crt"), "no certificate").unwrap();
    let mut stream = operator.stream().await;
    stream.hello().await;
    stream.offers(&offer).await;
    let states = stream.servers().await;
    let of = |uid: &str| states.iter().find(|state| state.uid.as_str() == uid).unwrap();
    assert_eq!(of("uid-of-pacs").reason, ServerReason::CertificateInvalid, "{states:?}");
    assert_eq!(of("uid-of-aws").reason, ServerReason::Resolved);
    assert!(pod.permits().await);
    std::fs::write(pod.mounted("pacs", "ca.crt"), operator.pem()).unwrap();
    let states = stream.servers().await;
    assert_eq!((states.len(), states[0].reason), (1, ServerReason::Resolved), "only what has changed is told");
}
