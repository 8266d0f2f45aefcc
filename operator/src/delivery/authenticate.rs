//! Who asks: a token → the pod that it is bound to.
//!
//! What the API server has vouched for is remembered until the token expires, by the token's hash: a token itself is never
//! kept. What it refused is remembered for seconds, in a table of its own, so that no flood of bad tokens reaches the API server
//! or pushes the good ones out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use reeve_wire::{AUDIENCE, Uid};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::claims::Claims;
use super::refusal::Refusal;
use super::review::{Review, Reviewer};
use super::verdicts::Verdicts;

/// How long an answer of the API server is waited for.
const LONGEST_REVIEW: Duration = Duration::from_secs(5);
/// How many tokens it is asked about at once.
const MOST_REVIEWS: usize = 32;
/// How long a refusal is remembered: a token that is refused once seldom becomes a good one.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// About 200 bytes each: every sidecar of a large cluster, with the token before its present one.
const MOST_ACCEPTED: usize = 50_000;
const MOST_REFUSED: usize = 4_096;

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Whom the API server has vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: ServiceAccount,
    pub(super) pod: String,
    pub(super) uid: Uid,
    /// Until when its token is good.
    pub(super) expires: Timestamp,
}

pub(super) struct Authenticator {
    reviewer: Arc<dyn Reviewer>,
    asking: Semaphore,
    accepted: Mutex<Verdicts<Caller>>,
    refused: Mutex<Verdicts<Refusal>>,
}

impl Authenticator {
    pub(super) fn new(reviewer: Arc<dyn Reviewer>) -> Self {
        Self {
            reviewer,
            asking: Semaphore::new(MOST_REVIEWS),
            accepted: Mutex::new(Verdicts::new(MOST_ACCEPTED)),
            refused: Mutex::new(Verdicts::new(MOST_REFUSED)),
        }
    }

    /// Who sent these headers.
    pub(super) async fn check(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Refusal> {
        let token = bearer(headers)?;
        let claims = Claims::of(token).ok_or(Refusal::Malformed)?;
        if !claims.audiences.iter().any(|audience| audience == AUDIENCE) {
            return Err(Refusal::Audience);
        }
        if claims.expires <= now {
            return Err(Refusal::Expired);
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.known(&hash, now) {
            return known;
        }
        let review = self.review(token).await?;
        let verdict = caller(review, claims.expires);
        self.remember(hash, &verdict, now);
        verdict
    }

    fn known(&self, hash: &[u8; 32], now: Timestamp) -> Option<Result<Caller, Refusal>> {
        if let Some(caller) = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).get(hash, now) {
            return Some(Ok(caller));
        }
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(hash, now).map(Err)
    }

    fn remember(&self, hash: [u8; 32], verdict: &Result<Caller, Refusal>, now: Timestamp) {
        match verdict {
            Ok(caller) => {
                let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                accepted.insert(hash, caller.clone(), caller.expires, now);
            }
            Err(refusal) => {
                let until = now.checked_add(REFUSED_FOR).unwrap_or(now);
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.insert(hash, refusal.clone(), until, now);
            }
        }
    }

    async fn review(&self, token: &str) -> Result<Review, Refusal> {
        let ask = async {
            let _turn = self.asking.acquire().await.map_err(|closed| closed.to_string())?;
            self.reviewer.review(token.to_owned()).await
        };
        match tokio::time::timeout(LONGEST_REVIEW, ask).await {
            Ok(answer) => answer.map_err(Refusal::Unreviewed),
            Err(_) => Err(Refusal::Unreviewed(format!("no answer within {} s", LONGEST_REVIEW.as_secs()))),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::NoToken) };
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::NoToken) }
}

fn caller(review: Review, expires: Timestamp) -> Result<Caller, Refusal> {
    let (username, extra) = match review {
        Review::Refused(why) => return Err(Refusal::NotAuthenticated(why)),
        Review::Of { username, extra } => (username, extra),
    };
    let Some((namespace, name)) =
        username.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'))
    else {
        return Err(Refusal::NotServiceAccount(username));
    };
    let account = ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() };
    let one = |key: &str| match extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    match (one("authentication.kubernetes.io/pod-name"), one("authentication.kubernetes.io/pod-uid")) {
        (Some(pod), Some(uid)) => Ok(Caller { account, pod, uid: uid.as_str().into(), expires }),
        _ => Err(Refusal::NoPod(username)),
    }
}

#[cfg(test)]
mod tests;
