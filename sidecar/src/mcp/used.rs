//! Which ids the requests of sessions have had: whether one is had for the first time.
//!
//! Servers give an answer again on a stream that is taken up (`Last-Event-ID`), for as long as a session lasts. So an answer is told
//! by its id alone only where no other request of its session has ever had that.
//!
//! ```text
//! ids of the last requests ─► two filters, the newer one and the one before it ─► the older one is forgotten when the newer is full
//! a session that began before the older one did ─► which ids it has had is not known: none is had for the first time
//! ```
//!
//! A filter (Bloom's) takes one byte an id, and no more for many. It takes some few ids for had that were not, and never one for new that was
//! had.

use super::digest::Key;

/// The ids that a filter has room for, beyond which it would take too many for had.
const ROOM: usize = 32_768;

/// What is known of the ids that a session has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All, as it began when so many ids had been noted.
    Began(u64),
    /// Not all: an earlier run of the process saw it begin.
    Unknown,
}

/// The ids that were had.
#[derive(Debug)]
pub struct Used {
    newer: Filter,
    older: Filter,
    /// The ids noted so far.
    noted: u64,
    /// How many of them are forgotten.
    forgotten: u64,
    room: usize,
}

#[derive(Debug, Default)]
struct Filter {
    /// None as long as there are no ids.
    bits: Vec<u64>,
    ids: usize,
}

impl Default for Used {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl Used {
    /// None, and room for so many ids in each filter, a power of two.
    fn with_room(room: usize) -> Self {
        Self { newer: Filter::default(), older: Filter::default(), noted: 0, forgotten: 0, room }
    }

    /// That of a session that begins now.
    pub(super) fn now(&self) -> Since {
        Since::Began(self.noted)
    }

    /// Notes that a request of a session has this id. Whether it is certainly the first one there.
    pub(super) fn note(&mut self, id: &Key, session: Since) -> bool {
        let known = matches!(session, Since::Began(began) if began >= self.forgotten);
        let first = known && !self.newer.has(id) && !self.older.has(id);
        if self.newer.ids == self.room {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.forgotten += self.newer.ids as u64;
            self.newer.clear();
        }
        self.newer.add(id, self.room);
        self.noted += 1;
        first
    }
}

impl Filter {
    fn add(&mut self, id: &Key, room: usize) {
        // Eight bits for each.
        self.bits.resize(room / 8, 0);
        let bits = self.bits.len() * 64;
        for place in places(id) {
            let place = place % bits;
            self.bits[place / 64] |= 1 << (place % 64);
        }
        self.ids += 1;
    }

    fn has(&self, id: &Key) -> bool {
        let bits = self.bits.len() * 64;
        bits > 0 && places(id).map(|place| place % bits).all(|place| self.bits[place / 64] & 1 << (place % 64) != 0)
    }

    fn clear(&mut self) {
        self.bits.fill(0);
        self.ids = 0;
    }
}

/// A digest is as good as four of a quarter of its bytes.
fn places(id: &Key) -> impl Iterator<Item = usize> {
    id.bytes().chunks_exact(4).map(|quarter| quarter.iter().fold(0, |place, byte| place << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(session: u8, id: u16) -> Key {
        Key::of([&[session][..], &id.to_le_bytes()])
    }

    #[test]
    fn ids_that_are_new_are_told_so_with_few_exceptions_however_many_there_were() {
        let mut used = Used::with_room(1_024);
        for session in 0..20 {
            let since = used.now();
            let first = (0..1_000).filter(|id| used.note(&key(session, *id), since)).count();
            assert!(first > 920, "{first} of 1,000");
        }
        assert!(used.newer.bits.len() * 8 <= 1_024 && used.older.bits.len() * 8 <= 1_024);
    }

    #[test]
    fn a_session_that_an_earlier_run_saw_begin_has_no_id_for_the_first_time() {
        let mut used = Used::default();
        assert!(!used.note(&key(0, 0), Since::Unknown));
        let since = used.now();
        assert!(used.note(&key(1, 0), since) && !used.note(&key(1, 0), since));
    }

    proptest! {
        /// Sessions begin and have ids, in any order and far beyond the room.
        #[test]
        fn no_id_is_had_for_the_first_time_twice(steps in prop::collection::vec((0u8..6, 0u16..40, any::<bool>()), 0..400)) {
            let mut used = Used::with_room(32);
            let mut sessions = [Since::Unknown; 6];
            let mut had = HashSet::new();
            for (session, id, begins) in steps {
                let since = &mut sessions[usize::from(session)];
                if begins && *since == Since::Unknown {
                    *since = used.now();
                    had.retain(|(of, _)| *of != session);
                }
                let first = used.note(&key(session, id), *since);
                prop_assert!(!(first && had.contains(&(session, id))), "{session} {id}");
                prop_assert!(!(first && *since == Since::Unknown));
                had.insert((session, id));
            }
        }
    }
}
