//! Bytes that come bit by bit and are wanted whole.
//!
//! What is small grows as a vector does, unless it is known how much is to come: then it is given room for that. What is large is given room once, for more than most of it can need: so much that every
//! allocator asks the kernel for it and gives it back as soon as it is free. A page of it is in memory only once something has come
//! for it. Growing step by step would take up to three times the bytes at its worst, and the steps that are left behind stay with
//! the allocator, between others, for as long as the process runs.

use bytes::{Bytes, BytesMut};

/// What is larger is given room once.
pub const LARGE: usize = 2 << 20;

/// How much. The C library on Linux comes to keep what it gets back that has up to 32 MiB, and never more
/// (`DEFAULT_MMAP_THRESHOLD_MAX`, mallopt(3)).
const ROOM: usize = 33 << 20;

/// Bytes that have come so far. Most bodies come in one piece, which stays where it is.
#[derive(Debug, Default)]
pub struct Pieces {
    /// The only piece.
    first: Bytes,
    joined: BytesMut,
    /// How many are to come, as far as that is known.
    expected: usize,
}

impl Pieces {
    /// None yet of so many. A promise takes no memory: what nothing has come for is not touched.
    pub fn expecting(bytes: usize) -> Self {
        Self { expected: bytes, ..Self::default() }
    }

    /// How many bytes have come.
    pub fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next bytes.
    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        let first = std::mem::take(&mut self.first);
        let more = first.len() + piece.len();
        make_room(&mut self.joined, if self.expected <= LARGE { more.max(self.expected) } else { more });
        self.expected = 0;
        self.joined.extend_from_slice(&first);
        self.joined.extend_from_slice(&piece);
    }

    /// All of them.
    pub fn join(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}

/// Makes room for this many more bytes. Where the kernel promises no more memory than there is, it may refuse what is asked for
/// here; then the buffer grows as it needs to.
pub fn make_room(buffer: &mut BytesMut, more: usize) {
    let length = buffer.len() + more;
    if length <= LARGE || length.max(ROOM) <= buffer.capacity() {
        return buffer.reserve(more);
    }
    let mut large = Vec::new();
    if large.try_reserve_exact(length.max(2 * buffer.capacity()).max(ROOM)).is_ok() {
        large.extend_from_slice(buffer);
        // Nobody else has a part of it, so that this gives it back as it is.
        if let Ok(large) = Bytes::from(large).try_into_mut() {
            *buffer = large;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_single_piece_stays_where_it_is() {
        let piece = Bytes::from(vec![1; 2 * LARGE]);
        let mut pieces = Pieces::default();
        pieces.push(piece.clone());
        assert_eq!(pieces.join().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn what_is_expected_is_given_room_once_and_no_more_than_it_needs() {
        let mut pieces = Pieces::expecting(70_000);
        let mut places = Vec::new();
        for _ in 0..70 {
            pieces.push(Bytes::from_static(&[1; 1_000]));
            places.push(pieces.joined.as_ptr());
        }
        assert_eq!(pieces.joined.capacity(), 70_000);
        assert!(places[1..].iter().all(|place| *place == places[1]));
        pieces.push(Bytes::from_static(b"more than was said"));
        assert_eq!(pieces.join().len(), 70_018);
    }

    #[test]
    fn what_is_large_is_copied_once_and_stays_where_it_is() {
        let mut pieces = Pieces::default();
        let mut places = Vec::new();
        for _ in 0..300 {
            pieces.push(Bytes::from_static(&[1; 100_000]));
            places.push(pieces.joined.as_ptr());
        }
        assert!(pieces.joined.capacity() >= ROOM);
        assert!(places[LARGE / 100_000 + 1..].iter().all(|place| *place == pieces.joined.as_ptr()));
        assert_eq!(pieces.join().len(), 30_000_000);
    }

    #[test]
    fn there_is_room_for_more_than_is_expected() {
        let mut buffer = BytesMut::new();
        for _ in 0..3 {
            make_room(&mut buffer, ROOM);
            let length = buffer.len();
            buffer.resize(length + ROOM, 1);
        }
        assert_eq!(buffer.len(), 3 * ROOM);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn joined_they_are_what_came(lengths in proptest::collection::vec(0..LARGE, 0..5)) {
            let (mut pieces, mut came) = (Pieces::default(), Vec::new());
            for (length, byte) in lengths.into_iter().zip(0..) {
                came.resize(came.len() + length, byte);
                pieces.push(vec![byte; length].into());
                prop_assert_eq!(pieces.len(), came.len());
            }
            prop_assert!(pieces.join() == came);
        }
    }
}
