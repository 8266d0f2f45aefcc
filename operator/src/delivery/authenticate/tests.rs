//! Tokens that are given something, and those that are not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;

use super::*;

/// Answers every token alike, and counts.
struct Always(Result<Review, String>, AtomicUsize);

impl Reviewer for Always {
    fn review(&self, _token: String) -> BoxFuture<'_, Result<Review, String>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(self.0.clone()))
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn headers(name: &str, audience: &str, expires: i64) -> HeaderMap {
    let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"aud":["{audience}"],"exp":{expires},"jti":"{name}"}}"#));
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer e30.{payload}.c2ln").parse().unwrap())])
}

fn of_pod(username: &str, keys: &[(&str, &str)]) -> Result<Review, String> {
    let key = |(key, value): &(&str, &str)| (format!("authentication.kubernetes.io/{key}"), vec![(*value).to_owned()]);
    Ok(Review::Of { username: username.into(), extra: BTreeMap::from_iter(keys.iter().map(key)) })
}

const BOUND: &[(&str, &str)] = &[("pod-name", "agent-0"), ("pod-uid", "p1")];
const AGENT: &str = "system:serviceaccount:clinic:agent";

fn with(answer: Result<Review, String>) -> (Authenticator, Arc<Always>) {
    let reviewer = Arc::new(Always(answer, AtomicUsize::new(0)));
    (Authenticator::new(Arc::clone(&reviewer) as Arc<dyn Reviewer>), reviewer)
}

async fn reason(authenticator: &Authenticator, headers: &HeaderMap, now: i64) -> &'static str {
    authenticator.check(headers, second(now)).await.map_or_else(|refusal| refusal.reason(), |_| "accepted")
}

#[tokio::test]
async fn a_pods_token_tells_its_pod_and_is_asked_about_once_until_it_expires() {
    let (authenticator, reviewer) = with(of_pod(AGENT, BOUND));
    let headers = headers("a", AUDIENCE, 100);
    for now in [1, 50, 99] {
        let caller = authenticator.check(&headers, second(now)).await.unwrap();
        let account = ServiceAccount { namespace: "clinic".into(), name: "agent".into() };
        assert_eq!(caller, Caller { account, pod: "agent-0".into(), uid: "p1".into(), expires: second(100) });
    }
    assert_eq!(reviewer.1.load(Ordering::Relaxed), 1);
    assert_eq!(reason(&authenticator, &headers, 100).await, "TokenExpired");
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_without_asking() {
    let (authenticator, reviewer) = with(of_pod(AGENT, BOUND));
    let written = |text: &str| HeaderMap::from_iter([(AUTHORIZATION, text.parse().unwrap())]);
    let mut twice = headers("a", AUDIENCE, 100);
    twice.append(AUTHORIZATION, "Bearer x".parse().unwrap());
    for (headers, expected) in [
        (HeaderMap::new(), "NoToken"),
        (twice, "NoToken"),
        (written("Basic YTpi"), "NoToken"),
        (written("Bearer"), "NoToken"),
        (written("Bearer secret"), "TokenMalformed"),
        (headers("a", "https://kubernetes.default.svc", 100), "WrongAudience"),
        (headers("a", AUDIENCE, 10), "TokenExpired"),
    ] {
        assert_eq!(reason(&authenticator, &headers, 10).await, expected, "{headers:?}");
    }
    assert_eq!(reviewer.1.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_token_of_no_pod_or_of_no_service_account_is_refused_by_name() {
    let headers = headers("a", AUDIENCE, 100);
    for (answer, expected) in [
        (of_pod(AGENT, &[]), "NotBoundToPod"),
        (of_pod(AGENT, &[("pod-name", "agent-0")]), "NotBoundToPod"),
        (of_pod(AGENT, &[("pod-name", "agent-0"), ("pod-uid", "")]), "NotBoundToPod"),
        (of_pod("system:node:worker", BOUND), "NotServiceAccount"),
        (of_pod("system:serviceaccount:clinic", BOUND), "NotServiceAccount"),
        (Ok(Review::Refused("invalid bearer token".into())), "NotAuthenticated"),
    ] {
        assert_eq!(reason(&with(answer).0, &headers, 10).await, expected);
    }
}

#[tokio::test]
async fn a_refused_token_is_asked_about_again_after_seconds_and_an_unanswered_question_at_once() {
    let (authenticator, reviewer) = with(Ok(Review::Refused("invalid bearer token".into())));
    for now in [10, 11, 14, 16] {
        assert_eq!(reason(&authenticator, &headers("a", AUDIENCE, 100), now).await, "NotAuthenticated");
    }
    assert_eq!(reviewer.1.load(Ordering::Relaxed), 2);

    let (authenticator, reviewer) = with(Err("connection refused".into()));
    for now in [10, 10] {
        assert_eq!(reason(&authenticator, &headers("a", AUDIENCE, 100), now).await, "ReviewUnavailable");
    }
    assert_eq!(reviewer.1.load(Ordering::Relaxed), 2);
}
