//! Memory that messages take while they are held: counted, and bounded for all of them together, and for each server's own.

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
pub(crate) struct Memory(Arc<Room>);

#[derive(Debug)]
struct Room {
    /// A permit is a KiB.
    free: Arc<Semaphore>,
    /// The turn of the large message that waits: of several that each hold a part, the first ends and leaves its part to the next.
    turn: Semaphore,
}

/// There is no memory left for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What one message holds, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    /// Of what its server's messages may hold. Taken first: those who wait for it wait for each other, and keep nothing from others.
    part: Option<Hold>,
    all: Hold,
}

/// What one message holds of one memory.
#[derive(Debug)]
struct Hold {
    memory: Memory,
    permit: Option<OwnedSemaphorePermit>,
    kibibytes: usize,
}

impl Memory {
    /// Memory for this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let free = Semaphore::new(bytes.div_ceil(1 << 10).min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Room { free: Arc::new(free), turn: Semaphore::new(1) }))
    }

    /// A share that holds nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { part: None, all: self.hold() }
    }

    /// The same of a message that may hold no more than `part` has room for, either.
    pub(crate) fn share_within(&self, part: &Self) -> Share {
        Share { part: Some(part.hold()), all: self.hold() }
    }

    fn hold(&self) -> Hold {
        Hold { memory: self.clone(), permit: None, kibibytes: 0 }
    }
}

impl Share {
    /// Holds at least this many bytes; waits a little for them.
    ///
    /// # Errors
    /// If there is no room. What was held before still is.
    pub(crate) async fn cover(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_cover(bytes).is_ok() {
            return Ok(());
        }
        let waiting = async {
            for hold in self.holds() {
                hold.wait(bytes).await?;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Err(Full))
    }

    /// The same of a large message: waits for its turn among such, and then less than others.
    ///
    /// # Errors
    /// If there is no room. What was held before still is.
    pub(crate) async fn cover_large(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_cover(bytes).is_ok() {
            return Ok(());
        }
        for hold in self.holds() {
            hold.wait_in_turn(bytes).await?;
        }
        Ok(())
    }

    /// Holds at least this many bytes, if there is room for them now.
    ///
    /// # Errors
    /// If there is none. What was held before still is.
    pub(crate) fn try_cover(&mut self, bytes: usize) -> Result<(), Full> {
        self.holds().try_for_each(|hold| hold.try_cover(bytes))
    }

    /// A share of its own for these bytes of what this one holds, or for all of it if that is less.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        Self { part: self.part.as_mut().map(|part| part.split(bytes)), all: self.all.split(bytes) }
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) {
        self.holds().for_each(|hold| (hold.permit, hold.kibibytes) = (None, 0));
    }

    fn holds(&mut self) -> impl Iterator<Item = &mut Hold> {
        self.part.iter_mut().chain([&mut self.all])
    }
}

impl Hold {
    async fn wait(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(more) = self.lacking(bytes) else { return Ok(()) };
        let permit = Arc::clone(&self.memory.0.free).acquire_many_owned(more).await;
        self.add(permit.ok(), more)
    }

    async fn wait_in_turn(&mut self, bytes: usize) -> Result<(), Full> {
        if self.try_cover(bytes).is_ok() {
            return Ok(());
        }
        let memory = self.memory.clone();
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, memory.0.turn.acquire()).await else { return Err(Full) };
        tokio::time::timeout(PATIENCE_OF_LARGE, self.wait(bytes)).await.unwrap_or(Err(Full))
    }

    fn try_cover(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(more) = self.lacking(bytes) else { return Ok(()) };
        let permit = Arc::clone(&self.memory.0.free).try_acquire_many_owned(more).ok();
        self.add(permit, more)
    }

    fn split(&mut self, bytes: usize) -> Self {
        let kibibytes = bytes.div_ceil(1 << 10).min(self.kibibytes);
        self.kibibytes -= kibibytes;
        Self {
            memory: self.memory.clone(),
            permit: self.permit.as_mut().and_then(|permit| permit.split(kibibytes)),
            kibibytes,
        }
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
        assert_eq!([&first, &rest, &whole].map(|share| share.all.kibibytes), [4, 2, 0]);
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

    #[tokio::test(start_paused = true)]
    async fn those_of_one_part_hold_no_more_than_it_has_and_keep_out_nobody_else() {
        let (memory, part, other) = (Memory::new(8 << 10), Memory::new(4 << 10), Memory::new(4 << 10));
        let mut held = memory.share_within(&part);
        held.cover(3 << 10).await.unwrap();
        let waits = |mut share: Share| tokio::spawn(async move { share.cover_large(2 << 10).await });
        let waiting: Vec<_> = (0..40).map(|_| waits(memory.share_within(&part))).collect();
        tokio::task::yield_now().await;
        let begun = tokio::time::Instant::now();
        memory.share_within(&other).cover_large(4 << 10).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO, "it waits behind none of them");
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Err(Full));
        }
        let mut rest = held.split(1 << 10);
        held.clear();
        assert_eq!(rest.try_cover(5 << 10), Err(Full), "the part has no more, whatever there is");
        rest.clear();
        memory.share_within(&part).try_cover(4 << 10).unwrap();
        memory.share().try_cover(8 << 10).unwrap();
    }
}
