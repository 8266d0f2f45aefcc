//! What namespaces say of sidecars now, asked of the API server within bounds.
//!
//! An answer is never kept: a pod goes without a sidecar only if its namespace says so after it was asked about. But all that are asked
//! about before the API server is share its answer, so that many pods of one namespace are one question.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

use super::allowance::{AT_ONCE, Allowance, Unknown, WAITS};
use super::cluster::Cluster;

type Labels = Result<BTreeMap<String, String>, Unknown>;

/// Asks, and knows what is yet to be asked.
#[derive(Clone, Default)]
pub(super) struct Namespaces(Arc<Parts>);

struct Parts {
    /// By namespace: the question that the API server was not asked yet.
    waiting: Mutex<HashMap<String, Shared<BoxFuture<'static, Labels>>>>,
    at_once: Semaphore,
    allowance: Allowance,
}

impl Default for Parts {
    fn default() -> Self {
        Self { waiting: Mutex::default(), at_once: Semaphore::new(AT_ONCE), allowance: Allowance::default() }
    }
}

impl Namespaces {
    /// The labels that a namespace has now.
    pub(super) async fn labels(&self, cluster: &Arc<dyn Cluster>, namespace: &str) -> Labels {
        let asked = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || {
                let asked = Arc::clone(&self.0).ask(Arc::clone(cluster), namespace.to_owned()).boxed().shared();
                // It ends though nobody waits for it any more, so that nothing stays here.
                tokio::spawn(asked.clone());
                asked
            };
            waiting.entry(namespace.to_owned()).or_insert_with(begin).clone()
        };
        asked.await
    }
}

impl Parts {
    async fn ask(self: Arc<Self>, cluster: Arc<dyn Cluster>, namespace: String) -> Labels {
        let turn = async {
            let turn = self.at_once.acquire().await;
            self.allowance.wait().await;
            turn
        };
        let turn = tokio::time::timeout(WAITS, turn).await;
        // Who is asked about from now on needs a newer answer.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&namespace);
        let Ok(Ok(_turn)) = turn else { return Err(Unknown::Busy) };
        cluster.namespace_labels(&namespace).await.map_err(Unknown::Unanswered)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::Instant;

    use super::*;
    use crate::webhook::cluster::Named;
    use crate::webhook::review::UserInfo;

    /// Answers with the number of the question, after some time.
    #[derive(Default)]
    struct Numbered {
        asked: AtomicUsize,
        now: AtomicUsize,
        most_at_once: AtomicUsize,
    }

    const ANSWER_AFTER: Duration = Duration::from_millis(100);

    impl Cluster for Numbered {
        fn may_read<'a>(&'a self, _: &'a UserInfo, _: &'a str, _: &'a Named) -> BoxFuture<'a, Result<bool, String>> {
            async { Err("nobody asks".into()) }.boxed()
        }

        fn namespace_labels<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
            async move {
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_at_once.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(ANSWER_AFTER).await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                Ok([("number".to_owned(), number.to_string())].into())
            }
            .boxed()
        }
    }

    fn asking() -> (Namespaces, Arc<Numbered>, Arc<dyn Cluster>) {
        let counted = Arc::new(Numbered::default());
        (Namespaces::default(), Arc::clone(&counted), counted)
    }

    #[tokio::test(start_paused = true)]
    async fn pods_of_one_namespace_share_a_question_and_none_an_answer_to_one_that_was_asked_before_it() {
        let (namespaces, counted, cluster) = asking();
        let asker = async |pod: u32| {
            tokio::time::sleep(ANSWER_AFTER / 2 * (pod / 500)).await;
            let asked_before = counted.asked.load(Ordering::SeqCst);
            let labels = namespaces.labels(&cluster, "clinic").await.unwrap();
            assert!(labels["number"].parse::<usize>().unwrap() >= asked_before, "pod {pod}");
        };
        join_all((0..1_000).map(asker)).await;
        let asked = counted.asked.load(Ordering::SeqCst);
        assert!(asked <= AT_ONCE + 2, "as many as may be, and one each for those who found no turn: {asked}");
        assert!(namespaces.0.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn namespaces_that_are_made_up_by_the_thousand_are_asked_about_no_more_than_may_be_and_then_others_are_again()
    {
        let (namespaces, counted, cluster) = asking();
        let names: Vec<_> = (0..10_000).map(|number| format!("n{number}")).collect();
        let all = join_all(names.iter().map(|name| namespaces.labels(&cluster, name))).await;
        let (asked, refused) =
            (counted.asked.load(Ordering::SeqCst), all.iter().filter(|labels| **labels == Err(Unknown::Busy)).count());
        assert_eq!((asked + refused, counted.most_at_once.load(Ordering::SeqCst)), (10_000, AT_ONCE));
        // Each turn takes as long as an answer.
        assert!(asked <= AT_ONCE * 11, "{asked}");
        assert!(namespaces.labels(&cluster, "clinic").await.is_ok());
        assert!(namespaces.0.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_is_asked_about_all_the_while_has_its_answers_and_only_so_many_are_asked_for() {
        let (namespaces, counted, cluster) = asking();
        let begun = Instant::now();
        let asker = |number: u64| {
            let (namespaces, cluster) = (namespaces.clone(), Arc::clone(&cluster));
            async move {
                tokio::time::sleep(Duration::from_millis(number)).await;
                namespaces.labels(&cluster, "clinic").await
            }
        };
        let all = join_all((0..30_000).map(asker)).await;
        assert!(all.iter().all(Result::is_ok));
        let seconds = begun.elapsed().as_secs();
        let asked = u64::try_from(counted.asked.load(Ordering::SeqCst)).unwrap();
        assert!(asked <= 200 + 50 * (seconds + 1), "{asked} in {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_of_which_nobody_waits_for_the_answer_leaves_nothing() {
        let (namespaces, _, cluster) = asking();
        let held = namespaces.0.at_once.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let gave_up = tokio::time::timeout(WAITS / 2, namespaces.labels(&cluster, "clinic")).await;
        assert!(gave_up.is_err() && namespaces.0.waiting.lock().unwrap().len() == 1);
        tokio::time::sleep(WAITS).await;
        assert!(namespaces.0.waiting.lock().unwrap().is_empty());
        drop(held);
    }
}
