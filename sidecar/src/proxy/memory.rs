//! Memory that messages take while they are held: counted, and bounded for all of them together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a message waits for memory: a little, as messages are short; those that each hold a part of it must not wait for each
/// other for long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a large message waits for memory once it is its turn. Who waits for much keeps all behind him waiting for little.
const PATIENCE_OF_LARGE: Duration = Duration::from_millis(250);

/// What may be held at once.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// A permit is a KiB.
    free: Arc<Semaphore>,
    /// The turn of the large message that waits: of several that each hold a part, the first ends and leaves its part to the next.
    turn: Arc<Semaphore>,
}

/// There is no memory left for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What one message holds, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    permit: Option<OwnedSemaphorePermit>,
    kibibytes: usize,
}

impl Memory {
    /// Memory for this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let free = Semaphore::new(bytes.div_ceil(1 << 10).min(Semaphore::MAX_PERMITS));
        Self { free: Arc::new(free), turn: Arc::new(Semaphore::new(1)) }
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { memory: self.clone(), permit: None, kibibytes: 0 }
    }
}

impl Share {
    /// Holds at least this many bytes; waits a little for them.
    ///
    /// # Errors
    /// If there is no room. What was held before still is.
    pub(super) async fn cover(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_cover(bytes).is_ok() {
            return Ok(());
        }
        self.wait(bytes, PATIENCE).await
    }

    /// The same of a large message: waits for its turn among such, and then less than others.
    ///
    /// # Errors
    /// If there is no room. What was held before still is.
    pub(super) async fn cover_large(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_cover(bytes).is_ok() {
            return Ok(());
        }
        let turns = Arc::clone(&self.memory.turn);
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, turns.acquire()).await else { return Err(Full) };
        self.wait(bytes, PATIENCE_OF_LARGE).await
    }

    async fn wait(&mut self, bytes: usize, patience: Duration) -> Result<(), Full> {
        let Some(more) = self.lacking(bytes) else { return Ok(()) };
        let waiting = tokio::time::timeout(patience, Arc::clone(&self.memory.free).acquire_many_owned(more));
        self.add(waiting.await.ok().and_then(Result::ok), more)
    }

    /// Holds at least this many bytes, if there is room for them now.
    ///
    /// # Errors
    /// If there is none. What was held before still is.
    pub(super) fn try_cover(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(more) = self.lacking(bytes) else { return Ok(()) };
        let permit = Arc::clone(&self.memory.free).try_acquire_many_owned(more).ok();
        self.add(permit, more)
    }

    /// A share of its own for these bytes of what this one holds, or for all of it if that is less.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let kibibytes = bytes.div_ceil(1 << 10).min(self.kibibytes);
        self.kibibytes -= kibibytes;
        Self {
            memory: self.memory.clone(),
            permit: self.permit.as_mut().and_then(|permit| permit.split(kibibytes)),
            kibibytes,
        }
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        (self.permit, self.kibibytes) = (None, 0);
    }

    fn lacking(&self, bytes: usize) -> Option<u32> {
        let more = bytes.div_ceil(1 << 10).saturating_sub(self.kibibytes);
        (more > 0).then(|| u32::try_from(more).unwrap_or(u32::MAX))
    }

    fn add(&mut self, permit: Option<OwnedSemaphorePermit>, more: u32) -> Result<(), Full> {
        let permit = permit.ok_or(Full)?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        self.kibibytes += more as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_shares_together_hold_no_more_than_there_is() {
        let memory = Memory::new(8 << 10);
        let (mut one, mut two) = (memory.share(), memory.share());
        one.cover(5 << 10).await.unwrap();
        assert_eq!(two.cover(4 << 10).await, Err(Full));
        assert_eq!(two.try_cover((3 << 10) + 1), Err(Full));
        two.try_cover(3 << 10).unwrap();
        assert_eq!(one.try_cover(6 << 10), Err(Full));
        one.try_cover(5 << 10).unwrap();
        two.clear();
        one.try_cover(8 << 10).unwrap();
        drop(one);
        two.try_cover(8 << 10).unwrap();
    }

    #[test]
    fn a_part_of_a_share_is_held_by_itself_and_no_more_than_there_is() {
        let memory = Memory::new(8 << 10);
        let (mut whole, mut other) = (memory.share(), memory.share());
        whole.try_cover(6 << 10).unwrap();
        let (first, rest) = (whole.split(4 << 10), whole.split(4 << 10));
        assert_eq!((first.kibibytes, rest.kibibytes, whole.kibibytes), (4, 2, 0));
        assert_eq!(other.try_cover(3 << 10), Err(Full));
        drop(rest);
        other.try_cover(4 << 10).unwrap();
        drop(first);
        whole.try_cover(4 << 10).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_waits_for_another_to_end() {
        let memory = Memory::new(1 << 10);
        let (mut one, mut two) = (memory.share(), memory.share());
        one.cover(1).await.unwrap();
        let (waited, ()) = tokio::join!(two.cover(1), async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(one);
        });
        assert_eq!(waited, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_waits_a_moment_and_keeps_small_ones_waiting_no_longer() {
        let memory = Memory::new(8 << 10);
        let (mut held, mut large, mut small) = (memory.share(), memory.share(), memory.share());
        held.cover(2 << 10).await.unwrap();
        let (waited, ()) = tokio::join!(large.cover_large(8 << 10), async {
            tokio::time::sleep(PATIENCE_OF_LARGE / 2).await;
            held.clear();
        });
        assert_eq!(waited, Ok(()));
        large.clear();
        held.cover(2 << 10).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(tokio::join!(large.cover_large(8 << 10), small.cover(1 << 10)), (Err(Full), Ok(())));
        let a_tick = Duration::from_millis(1);
        assert!(begun.elapsed() <= PATIENCE_OF_LARGE + a_tick, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn of_large_messages_that_each_hold_a_part_of_it_the_first_makes_room_for_the_next() {
        let memory = Memory::new(8 << 10);
        let all = async |mut share: Share| {
            share.cover_large(4 << 10).await.unwrap();
            tokio::task::yield_now().await;
            share.cover_large(8 << 10).await
        };
        let (one, two) = tokio::join!(all(memory.share()), all(memory.share()));
        assert_ne!(one, two);
    }
}
