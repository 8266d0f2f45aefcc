//! Ids of requests that are open in a session of the legacy era: each once.
//!
//! Servers find the stream for an answer by the id of its request, and some send an answer to the stream of a later request with
//! the same id. There the sidecar would take it for the answer to that request: a list would pass unfiltered, a call count as
//! over.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reeve_policy::time::Instant;

use super::digest::Key;
use super::envelope::Id;

/// The ids that are open.
#[derive(Clone, Debug, Default)]
pub struct OpenIds(Arc<Mutex<Ids>>);

#[derive(Debug, Default)]
struct Ids {
    open: HashMap<Key, Opened>,
    /// The number of the next opening.
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    number: u64,
    /// When it is free again though nobody closed it.
    until: Option<Instant>,
}

/// An id that is open, until this is dropped: when the answer has come.
#[derive(Debug)]
pub struct OpenId {
    all: OpenIds,
    key: Key,
    number: u64,
}

impl OpenIds {
    /// Opens an id; none if it is open already. `1` and `"1"` are one, as they are for some servers.
    pub fn open(&self, server: &str, session: &str, id: &Id<'_>, now: Instant) -> Option<OpenId> {
        let number = id.as_number().map(|number| number.to_string());
        let id = number.as_deref().or(id.as_str()).unwrap_or_default();
        let key = Key::of([server, session, id].map(str::as_bytes));
        let mut ids = self.lock();
        let opened = Opened { number: ids.next, until: None };
        match ids.open.entry(key) {
            Entry::Occupied(mut other) => match other.get().until {
                Some(until) if until <= now => drop(other.insert(opened)),
                _ => return None,
            },
            Entry::Vacant(free) => drop(free.insert(opened)),
        }
        ids.next += 1;
        Some(OpenId { all: self.clone(), key, number: opened.number })
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        // What a panic elsewhere leaves behind is whole: a number may be passed over.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenId {
    /// Has it be free at this time though nobody has closed it.
    pub fn close_at(&self, until: Instant) {
        if let Some(opened) = self.all.lock().open.get_mut(&self.key).filter(|opened| opened.number == self.number) {
            opened.until = Some(until);
        }
    }
}

impl Drop for OpenId {
    fn drop(&mut self) {
        if let Entry::Occupied(opened) = self.all.lock().open.entry(self.key)
            && opened.get().number == self.number
        {
            opened.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    fn open(ids: &OpenIds, session: &str, id: &str, now: u64) -> Option<OpenId> {
        let document = Document::parse(Bytes::copy_from_slice(id.as_bytes()), Limits::default()).unwrap();
        ids.open("server", session, &Id::read(document.root()).unwrap(), Instant(now))
    }

    #[test]
    fn an_id_is_open_once_in_its_session_until_its_answer_has_come() {
        let ids = OpenIds::default();
        let first = open(&ids, "one", "1", 0).unwrap();
        assert!(open(&ids, "one", "1", u64::MAX).is_none());
        assert!(open(&ids, "one", "\"1\"", u64::MAX).is_none(), "some servers take the two for one");
        let _others = [open(&ids, "one", "2", 0).unwrap(), open(&ids, "two", "1", 0).unwrap()];
        drop(first);
        assert!(open(&ids, "one", "\"1\"", 0).is_some());
    }

    #[test]
    fn an_id_is_free_at_the_time_that_was_said_and_then_belongs_to_who_opened_it_last() {
        let ids = OpenIds::default();
        let left = open(&ids, "one", "1", 0).unwrap();
        left.close_at(Instant(5));
        assert!(open(&ids, "one", "1", 4).is_none());
        let later = open(&ids, "one", "1", 5).unwrap();
        left.close_at(Instant(6));
        drop(left);
        assert!(open(&ids, "one", "1", 6).is_none());
        drop(later);
        assert!(open(&ids, "one", "1", 6).is_some());
    }
}
