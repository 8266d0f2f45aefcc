//! Whether requesters may read what a server names, asked of the API server within bounds.
//!
//! An answer holds for a short time, few are asked at once and in a second, and what finds no place is refused: nobody may read what
//! was not asked about.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::allowance::{AT_ONCE, Allowance, Unknown, WAITS};
use super::cluster::{Cluster, Named};
use super::review::UserInfo;

/// How long an answer holds: enough for what is applied together, and for a client that tries again.
const HOLDS: Duration = Duration::from_secs(5);
/// The most answers that are kept: more than can be given while one holds.
const MOST_KEPT: usize = 1_024;
/// The longest requester that is kept, in bytes of its names, groups and more.
const LONGEST_KEPT: usize = 4_096;

/// What was answered lately, and how much may be asked.
pub(super) struct Rights {
    answers: Mutex<HashMap<Question, Answered>>,
    at_once: Semaphore,
    allowance: Allowance,
}

#[derive(PartialEq, Eq, Hash)]
struct Question {
    /// The requester with all by which it may be known, written so that no two are alike.
    user: String,
    namespace: String,
    object: Named,
}

struct Answered {
    may: bool,
    until: Instant,
}

impl Default for Rights {
    fn default() -> Self {
        Self { answers: Mutex::default(), at_once: Semaphore::new(AT_ONCE), allowance: Allowance::default() }
    }
}

impl Rights {
    /// Whether a user may read an object.
    pub(super) async fn may_read(
        &self,
        cluster: &dyn Cluster,
        user: &UserInfo,
        namespace: &str,
        object: &Named,
    ) -> Result<bool, Unknown> {
        let question = Question { user: written(user), namespace: namespace.to_owned(), object: object.clone() };
        if let Some(may) = self.known(&question) {
            return Ok(may);
        }
        let turn = tokio::time::timeout(WAITS, self.at_once.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Unknown::Busy) };
        // Whoever had the turn before may have asked the same.
        if let Some(may) = self.known(&question) {
            return Ok(may);
        }
        if !self.allowance.take() {
            return Err(Unknown::Busy);
        }
        let may = cluster.may_read(user, namespace, object).await.map_err(Unknown::Unanswered)?;
        self.keep(question, may);
        Ok(may)
    }

    fn known(&self, question: &Question) -> Option<bool> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(question).filter(|answered| Instant::now() < answered.until).map(|answered| answered.may)
    }

    fn keep(&self, question: Question, may: bool) {
        if question.user.len() + question.namespace.len() + question.object.name.len() > LONGEST_KEPT {
            return;
        }
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if answers.len() >= MOST_KEPT {
            answers.retain(|_, answered| now < answered.until);
        }
        if answers.len() < MOST_KEPT {
            answers.insert(question, Answered { may, until: now + HOLDS });
        }
    }
}

/// A requester, with the length of each part before it.
fn written(UserInfo { username, uid, groups, extra }: &UserInfo) -> String {
    let mut text = String::new();
    let mut part = |of: &str| text.push_str(&format!("{}:{of}", of.len()));
    part(username);
    part(if uid.is_some() { "with" } else { "without" });
    part(uid.as_deref().unwrap_or_default());
    part(&groups.len().to_string());
    groups.iter().for_each(|group| part(group));
    for (name, values) in extra {
        part(name);
        part(&values.len().to_string());
        values.iter().for_each(|value| part(value));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use futures_util::future::{BoxFuture, join_all};

    use super::*;

    /// Answers that whoever is called alice may, after this time; counts how often it is asked, and how many ask at once.
    #[derive(Default)]
    struct Counted {
        after: Duration,
        asked: AtomicUsize,
        now: AtomicUsize,
        most_at_once: AtomicUsize,
    }

    impl Cluster for Counted {
        fn may_read<'a>(
            &'a self,
            user: &'a UserInfo,
            _namespace: &'a str,
            object: &'a Named,
        ) -> BoxFuture<'a, Result<bool, String>> {
            async move {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_at_once.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(self.after).await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                if object.name == "broken" {
                    Err("the API server is away".into())
                } else {
                    Ok(user.username == "alice")
                }
            }
            .boxed()
        }

        fn namespace_labels<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
            async { Err("nobody asks".into()) }.boxed()
        }
    }

    impl Counted {
        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        UserInfo { username: name.into(), uid: None, groups, extra: BTreeMap::new() }
    }

    fn secret(name: &str) -> Named {
        Named { resource: "secrets", name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_for_seconds_and_only_for_the_same_requester_namespace_and_object() {
        let (rights, cluster) = (Rights::default(), Counted::default());
        let may = async |user: &UserInfo, namespace: &str, object: &Named| {
            rights.may_read(&cluster, user, namespace, object).await.unwrap()
        };
        let (alice, aws) = (user("alice", &["a", "b"]), secret("aws"));
        assert!(may(&alice, "clinic", &aws).await && may(&alice, "clinic", &aws).await);
        assert_eq!(cluster.asked(), 1);
        let config = Named { resource: "configmaps", name: "aws".into() };
        let named = UserInfo { uid: Some(String::new()), ..alice.clone() };
        let scoped = UserInfo { extra: [("a".to_owned(), vec!["b".to_owned()])].into(), ..alice.clone() };
        assert!(!may(&user("mallory", &["a", "b"]), "clinic", &aws).await);
        for (user, namespace, object) in [
            (&user("alice", &["ab"]), "clinic", &aws),
            (&user("alice", &["1:a", "b"]), "clinic", &aws),
            (&named, "clinic", &aws),
            (&scoped, "clinic", &aws),
            (&alice, "ward", &aws),
            (&alice, "clinic", &secret("aws2")),
            (&alice, "clinic", &config),
        ] {
            assert!(may(user, namespace, object).await);
        }
        assert_eq!(cluster.asked(), 9);
        tokio::time::advance(HOLDS).await;
        assert!(may(&alice, "clinic", &aws).await);
        assert_eq!(cluster.asked(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_by_the_thousand_is_refused_and_asked_of_the_api_server_no_more_than_it_is_to_be() {
        let (rights, cluster) = (Rights::default(), Counted::default());
        let alice = user("alice", &[]);
        let mut refused = 0;
        for number in 0..10_000 {
            let answer = rights.may_read(&cluster, &alice, "clinic", &secret(&format!("s{number}"))).await;
            refused += usize::from(answer == Err(Unknown::Busy));
        }
        assert_eq!((cluster.asked(), refused), (200, 9_800));
        tokio::time::advance(Duration::from_secs(1)).await;
        for number in 0..1_000 {
            let _ = rights.may_read(&cluster, &alice, "clinic", &secret(&format!("t{number}"))).await;
        }
        assert_eq!(cluster.asked(), 250);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rights.may_read(&cluster, &alice, "clinic", &secret("aws")).await, Ok(true));
    }

    #[tokio::test(start_paused = true)]
    async fn few_are_asked_at_once_and_who_finds_no_turn_in_time_is_refused() {
        let (rights, cluster) =
            (Arc::new(Rights::default()), Counted { after: Duration::from_secs(60), ..Counted::default() });
        let alice = user("alice", &[]);
        let secrets: Vec<_> = (0..100).map(|number| secret(&format!("s{number}"))).collect();
        let all = join_all(secrets.iter().map(|secret| rights.may_read(&cluster, &alice, "clinic", secret))).await;
        assert_eq!(all.iter().filter(|answer| **answer == Err(Unknown::Busy)).count(), 92);
        assert_eq!((cluster.asked(), cluster.most_at_once.load(Ordering::SeqCst)), (8, 8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded_and_what_nobody_answered_is_not_kept() {
        let (rights, cluster) = (Rights::default(), Counted::default());
        let alice = user("alice", &[]);
        for number in 0..2 * MOST_KEPT {
            tokio::time::advance(Duration::from_millis(20)).await;
            rights.may_read(&cluster, &alice, "clinic", &secret(&format!("s{number}"))).await.unwrap();
        }
        let kept = || rights.answers.lock().unwrap().len();
        assert!(kept() <= MOST_KEPT, "{}", kept());
        let before = kept();
        let large = user(&"x".repeat(LONGEST_KEPT), &[]);
        rights.may_read(&cluster, &large, "clinic", &secret("aws")).await.unwrap();
        for _ in 0..2 {
            let answer = rights.may_read(&cluster, &alice, "clinic", &secret("broken")).await;
            assert_eq!(answer, Err(Unknown::Unanswered("the API server is away".into())));
        }
        assert_eq!(kept(), before);
    }
}
