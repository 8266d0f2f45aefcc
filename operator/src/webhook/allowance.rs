//! How much the webhooks may ask of the API server: nobody need prove to a webhook that it is the API server, so that each question
//! could become questions to it, by the thousand.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// How many questions the API server is asked at once, of a kind.
pub(super) const AT_ONCE: usize = 8;
/// How many it is asked in a second, and at once after a while without any. Whoever applies a hundred servers at a time that name two
/// objects each is answered.
pub(super) const A_SECOND: u32 = 50;
const AFTER_A_WHILE: u32 = 200;
/// How long a question waits for its turn: together with its answer less than a webhook's answer may take.
pub(super) const WAITS: Duration = Duration::from_secs(1);

/// Why nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unknown {
    #[error("the operator asks as many such questions as it may ({A_SECOND} a second, {AT_ONCE} at once)")]
    Busy,
    #[error("{0}")]
    Unanswered(String),
}

/// How much may be asked.
#[derive(Debug)]
pub(super) struct Allowance {
    /// When all that was taken will have been given back.
    whole_at: Mutex<Instant>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { whole_at: Mutex::new(Instant::now()) }
    }
}

impl Allowance {
    /// Whether one more may be asked now.
    pub(super) fn take(&self) -> bool {
        let each = Duration::from_secs(1) / A_SECOND;
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let from = now.max(*whole_at);
        let may = from - now <= each * (AFTER_A_WHILE - 1);
        if may {
            *whole_at = from + each;
        }
        may
    }

    /// Waits until one more may be asked.
    pub(super) async fn wait(&self) {
        while !self.take() {
            tokio::time::sleep(Duration::from_secs(1) / A_SECOND).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_all_the_while_keeps_no_others_from_what_is_given_back() {
        let allowance = Allowance::default();
        let taken = async |times: u32, each: Duration| {
            let mut taken = 0;
            for _ in 0..times {
                taken += usize::from(allowance.take());
                tokio::time::advance(each).await;
            }
            taken
        };
        assert_eq!(taken(1_000, Duration::ZERO).await, 200);
        assert_eq!(taken(20_001, Duration::from_micros(100)).await, 100, "in two seconds");
    }
}
