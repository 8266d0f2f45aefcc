//! Room for questions: how many bytes of them, and of what they become once they are read, may be held at once.
//!
//! ```text
//! a question ─► waiting ─► bodies, as long as it says it is ─► read ─► weighed ─► trees ─► parsed, answered ─► all is given back
//! ```
//!
//! Nobody need prove to a webhook that it is the API server, so that anybody could have as many questions held as there is memory.
//! Small questions have room of their own: those about pods come in by the hundred, and none waits because large ones do. All that
//! a question takes of one kind it takes at once, bodies before trees, so that no two wait for each other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::server::STREAM_WINDOW;

/// Bytes at once.
#[derive(Clone, Copy)]
struct Sizes {
    /// Up to here one is small. A pod's question seldom has 64 KiB, and a tree of ten times that.
    small_to: usize,
    /// Of all small ones.
    small: usize,
    /// Of all others.
    large: usize,
}

/// The large ones hold one of the longest.
const BODIES: Sizes = Sizes { small_to: 512 << 10, small: 8 << 20, large: 16 << 20 };
const TREES: Sizes = Sizes { small_to: 1 << 20, small: 32 << 20, large: 96 << 20 };
/// Questions that wait for room for their bodies at once: those with small ones, and all others. What has come of each is held by its
/// connection: no more than its window.
const WAITING: (usize, usize) = (384, 128);

/// The most bytes that all questions take together: what [`WAITING`] hold, bodies, trees. A third of what the chart lets an operator
/// have.
pub(super) const MOST: usize =
    (WAITING.0 + WAITING.1) * STREAM_WINDOW as usize + BODIES.small + BODIES.large + TREES.small + TREES.large;

/// What a tree is taken to need, in bytes: twice what it holds, since what is changed or checked is a copy.
mod each {
    /// A value, in a list that grows by doubling.
    pub(super) const VALUE: usize = 96;
    /// A name in a map, with its place there.
    pub(super) const NAME: usize = 200;
    /// A map that is not empty: its first names have a node for eleven.
    pub(super) const MAP: usize = 1_280;
    /// A text, beside its bytes.
    pub(super) const TEXT: usize = 64;
}

/// The room of all questions at once.
pub(super) struct Room {
    waiting: (Arc<Semaphore>, Arc<Semaphore>),
    bodies: Shared,
    trees: Shared,
}

/// Bytes that are given back when this is dropped.
pub(super) type Held = OwnedSemaphorePermit;

/// More than there ever is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

struct Shared {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    sizes: Sizes,
}

impl Default for Room {
    fn default() -> Self {
        let waiting = (Arc::new(Semaphore::new(WAITING.0)), Arc::new(Semaphore::new(WAITING.1)));
        Self { waiting, bodies: Shared::new(BODIES), trees: Shared::new(TREES) }
    }
}

impl Room {
    /// A place among the questions that wait with a body of this many bytes, if there is one.
    pub(super) fn enter(&self, bytes: usize) -> Option<Held> {
        let (small, large) = &self.waiting;
        let of = if bytes <= BODIES.small_to { small } else { large };
        Arc::clone(of).try_acquire_owned().ok()
    }

    /// Waits for room for a body of this many bytes.
    pub(super) async fn body(&self, bytes: usize) -> Result<Held, TooMuch> {
        self.bodies.take(bytes).await
    }

    /// Waits for room for what a body becomes when it is parsed.
    pub(super) async fn tree(&self, body: &[u8]) -> Result<Held, TooMuch> {
        self.trees.take(weight(body)).await
    }

    /// The bytes that nobody holds.
    #[cfg(test)]
    pub(super) fn free(&self) -> [usize; 6] {
        let Self { waiting, bodies, trees } = self;
        [&waiting.0, &waiting.1, &bodies.small, &bodies.large, &trees.small, &trees.large]
            .map(|of| of.available_permits())
    }
}

impl Shared {
    fn new(sizes: Sizes) -> Self {
        Self { small: Arc::new(Semaphore::new(sizes.small)), large: Arc::new(Semaphore::new(sizes.large)), sizes }
    }

    async fn take(&self, bytes: usize) -> Result<Held, TooMuch> {
        let of = if bytes <= self.sizes.small_to { &self.small } else { &self.large };
        let bytes = u32::try_from(bytes).ok().filter(|_| bytes <= self.sizes.large).ok_or(TooMuch)?;
        // Never closed.
        Arc::clone(of).acquire_many_owned(bytes).await.map_err(|_| TooMuch)
    }
}

/// How many bytes what JSON becomes may need, as far as can be seen without parsing it: never much less, often more.
fn weight(json: &[u8]) -> usize {
    let (mut values, mut names, mut maps, mut texts) = (1_usize, 0_usize, 0_usize, 0_usize);
    let mut is_text = false;
    let mut bytes = json.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_text => drop(bytes.next()),
            b'"' => {
                is_text = !is_text;
                texts += usize::from(is_text);
            }
            _ if is_text => {}
            b',' | b'[' => values += 1,
            b':' => names += 1,
            b'{' => {
                values += 1;
                maps += usize::from(bytes.peek() != Some(&b'}'));
            }
            _ => {}
        }
    }
    2 * json.len() + values * each::VALUE + names * each::NAME + maps * each::MAP + texts * each::TEXT
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_stands_in_texts_weighs_no_more_than_its_bytes() {
        let text = r#""a,b:{[\"{,\\""#;
        assert_eq!(weight(text.as_bytes()), 2 * text.len() + each::VALUE + each::TEXT);
        let empty = 2 * 2 + 2 * each::VALUE;
        assert_eq!((weight(b"{}"), weight(b"[]")), (empty, empty));
        assert_eq!(
            weight(br#"{"a":[1,{"b":2}]}"#),
            2 * 17 + 5 * each::VALUE + 2 * (each::NAME + each::MAP + each::TEXT)
        );
    }

    #[tokio::test]
    async fn small_questions_pass_while_large_ones_hold_all_their_room_and_what_is_held_is_given_back() {
        let room = Room::default();
        let free = room.free();
        let large = vec![room.body(10 << 20).await.unwrap(), room.body(6 << 20).await.unwrap()];
        assert!(room.body(1 << 20).now_or_never().is_none(), "there is room for so many bytes");
        let small = room.body(1 << 10).await.unwrap();
        drop((large, small));
        assert_eq!(room.free(), free);
        let listed = |values: usize| format!("[{}0]", "0,".repeat(values));
        let held = room.tree(listed(900_000).as_bytes()).await.unwrap();
        assert!(room.tree(listed(200_000).as_bytes()).now_or_never().is_none());
        drop(room.tree(listed(10).as_bytes()).await.unwrap());
        assert_eq!(room.tree(listed(5_200_000).as_bytes()).await.unwrap_err(), TooMuch);
        drop(held);
        assert_eq!(room.free(), free);
    }
}
