//! Spans that wait to be sent, bounded. To put one in never waits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::settings::Batch;

/// The most bytes of spans that wait, and that are sent at once unless one span alone has more. A usual span has half a KiB.
const MOST_BYTES: usize = 8 << 20;
const LARGEST_BATCH: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Queue {
    bounds: Batch,
    waiting: Mutex<Waiting>,
    /// Tells the one who takes that a batch begins, is full, or is the last.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: VecDeque<Vec<u8>>,
    bytes: usize,
    /// No more spans will come.
    closed: bool,
}

impl Waiting {
    /// The first spans: at most so many, and no more bytes than a batch may have.
    fn take(&mut self, most: usize) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        let fits = |span: &&Vec<u8>| {
            let before = bytes;
            bytes += span.len();
            before == 0 || bytes <= LARGEST_BATCH
        };
        let count = self.spans.iter().take(most).take_while(fits).count();
        let batch: Vec<_> = self.spans.drain(..count).collect();
        self.bytes -= batch.iter().map(Vec::len).sum::<usize>();
        batch
    }
}

impl Queue {
    pub(super) fn new(bounds: Batch) -> Self {
        Self { bounds, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Puts a span in. False if there is no room for it.
    pub(super) fn push(&self, span: Vec<u8>) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + span.len();
        if waiting.closed || waiting.spans.len() >= self.bounds.queue.get() || bytes > MOST_BYTES {
            return false;
        }
        waiting.bytes = bytes;
        waiting.spans.push_back(span);
        let length = waiting.spans.len();
        drop(waiting);
        if length == 1 || length == self.bounds.size.get() {
            self.changed.notify_one();
        }
        true
    }

    /// The next batch: when it is full, or its first span has waited long enough. None once all are taken that will ever come.
    /// For one caller.
    pub(super) async fn batch(&self) -> Option<Vec<Vec<u8>>> {
        self.until(|waiting| !waiting.spans.is_empty() || waiting.closed).await;
        let full = self.until(|waiting| waiting.spans.len() >= self.bounds.size.get() || waiting.closed);
        let _ = timeout(self.bounds.delay, full).await;
        let mut waiting = self.lock();
        let batch = waiting.take(self.bounds.size.get());
        if waiting.spans.is_empty() {
            // What a burst has made large is given back.
            waiting.spans = VecDeque::new();
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// No more spans will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().spans.len()
    }

    async fn until(&self, holds: impl Fn(&Waiting) -> bool) {
        while !holds(&self.lock()) {
            self.changed.notified().await;
        }
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    const DELAY: Duration = Duration::from_secs(5);

    fn queue() -> Queue {
        let [queue, size] = [5, 2].map(|number| NonZeroUsize::new(number).unwrap());
        Queue::new(Batch { delay: DELAY, patience: DELAY, queue, size })
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_span_of_a_batch_waits_for_others_but_not_for_ever() {
        let queue = queue();
        let begun = Instant::now();
        assert!(queue.push(vec![1]));
        assert_eq!(queue.batch().await, Some(vec![vec![1]]));
        assert_eq!(begun.elapsed(), DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_waits_for_nothing() {
        let queue = queue();
        let begun = Instant::now();
        let put = async { (1..=3).for_each(|span| assert!(queue.push(vec![span]))) };
        let (batch, ()) = tokio::join!(queue.batch(), put);
        assert_eq!(batch, Some(vec![vec![1], vec![2]]));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(queue.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_room_is_turned_away() {
        let queue = queue();
        assert_eq!((0..7).filter(|span| queue.push(vec![*span])).count(), 5);
        queue.batch().await;
        assert!(queue.push(vec![9]));
    }

    #[tokio::test(start_paused = true)]
    async fn large_spans_are_bounded_by_their_bytes() {
        let most = NonZeroUsize::new(10_000).unwrap();
        let queue = Queue::new(Batch { delay: DELAY, patience: DELAY, queue: most, size: most });
        let large = || vec![0; LARGEST_BATCH / 2];
        assert_eq!((0..100).filter(|_| queue.push(large())).count(), MOST_BYTES / large().len());
        assert_eq!(queue.batch().await.unwrap().len(), 2);
        assert!(queue.push(vec![0; LARGEST_BATCH]), "there is room again");
        let mut rest = 0;
        while queue.len() > 0 {
            rest += queue.batch().await.unwrap().len();
        }
        assert_eq!(rest, MOST_BYTES / large().len() - 2 + 1);
        assert!(queue.push(large()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_at_once_after_what_waits() {
        let queue = queue();
        let begun = Instant::now();
        assert!(queue.push(vec![1]));
        let (batch, ()) = tokio::join!(queue.batch(), async { queue.close() });
        assert_eq!(batch, Some(vec![vec![1]]));
        assert_eq!(queue.batch().await, None);
        assert!(!queue.push(vec![2]), "nothing is taken any more");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
