//! Ids of requests that are open in a session of the legacy era: each once.
//!
//! Servers find the stream for an answer by the id of its request, and some send an answer to the stream of a later request with
//! the same id. There the sidecar would take it for the answer to that request: a list would pass unfiltered, a call count as
//! over. So an id is open until its answer has come, however late that is; the specification has no id used twice in a session
//! at all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::digest::Key;
use super::envelope::Id;

/// The ids that are open.
#[derive(Clone, Debug, Default)]
pub struct OpenIds(Arc<Mutex<HashSet<Key>>>);

/// An id that is open, until this is dropped: when the answer has come.
#[derive(Debug)]
pub struct OpenId {
    all: OpenIds,
    key: Key,
}

impl OpenIds {
    /// Opens an id; none if it is open already. `1` and `"1"` are one, as they are for some servers.
    pub fn open(&self, server: &str, session: &str, id: &Id<'_>) -> Option<OpenId> {
        let number = id.as_number().map(|number| number.to_string());
        let id = number.as_deref().or(id.as_str()).unwrap_or_default();
        let key = Key::of([server, session, id].map(str::as_bytes));
        self.lock().insert(key).then(|| OpenId { all: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        // A panic while it was held cannot have left it half changed: every use is one call of its own.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenId {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    fn open(ids: &OpenIds, session: &str, id: &str) -> Option<OpenId> {
        let document = Document::parse(Bytes::copy_from_slice(id.as_bytes()), Limits::default()).unwrap();
        ids.open("server", session, &Id::read(document.root()).unwrap())
    }

    #[test]
    fn an_id_is_open_once_in_its_session_until_its_answer_has_come() {
        let ids = OpenIds::default();
        let first = open(&ids, "one", "1").unwrap();
        assert!(open(&ids, "one", "1").is_none());
        assert!(open(&ids, "one", "\"1\"").is_none(), "some servers take the two for one");
        let _others = [open(&ids, "one", "2").unwrap(), open(&ids, "two", "1").unwrap()];
        drop(first);
        assert!(open(&ids, "one", "\"1\"").is_some());
    }
}
