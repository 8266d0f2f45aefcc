//! Ids of requests that are open in a session of the legacy era: each once.
//!
//! Servers find the stream for an answer by the id of its request, and some send an answer to the stream of a later request with
//! the same id. There the sidecar would take it for the answer to that request: a list would pass unfiltered, a call count as
//! over. So an id is open until its answer has come, however late that is; the specification has no id used twice in a session
//! at all. An agent that cancels a request may get no answer (specification 2025-11-25, "Cancellation"): its id is then open for
//! as long as is given for one. What a server does all the same, it does beside later requests in any case.
//!
//! Beyond that, some servers give an answer a second time, on a stream that is taken up. Of a request whose answer comes anywhere but on
//! its own stream it must be known whether another one had the same id before it (`used`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reeve_policy::time::Instant;
use tokio::sync::oneshot;

use super::digest::Key;
use super::envelope::Id;
use super::used::{Since, Used};

/// The ids that are open.
#[derive(Clone, Debug, Default)]
pub struct OpenIds(Arc<Mutex<Ids>>);

#[derive(Debug, Default)]
struct Ids {
    open: HashMap<Key, Request>,
    opened: u64,
    used: Used,
}

/// A request whose id is open.
#[derive(Debug)]
struct Request {
    /// Tells it from later ones with the same id.
    number: u64,
    /// Tells who holds the id that the agent has cancelled the request. Unset once it has.
    cancel: Option<oneshot::Sender<()>>,
    /// When its id may be used again though no answer has come; none if it may not.
    until: Option<Instant>,
}

/// An id that is open, until this is dropped: when the answer has come.
#[derive(Debug)]
pub struct OpenId {
    all: OpenIds,
    key: Key,
    number: u64,
    cancelled: Option<oneshot::Receiver<()>>,
    /// Whether no request of its session had it before.
    first: bool,
}

impl OpenIds {
    /// What is known of the ids of a session that begins now, with the answer to a request that has this one: servers count that to
    /// the session.
    pub fn begin(&self, server: &str, session: &str, id: Option<&Id<'_>>) -> Since {
        let mut ids = self.lock();
        let since = ids.used.now();
        if let Some(id) = id {
            ids.used.note(&key(server, session, id), since);
        }
        since
    }

    /// Opens an id; none if it is open already. `1` and `"1"` are one, as they are for some servers.
    pub fn open(&self, server: &str, session: &str, since: Since, id: &Id<'_>, now: Instant) -> Option<OpenId> {
        let key = key(server, session, id);
        let mut ids = self.lock();
        if ids.open.get(&key).is_some_and(|request| request.until.is_none_or(|until| now < until)) {
            return None;
        }
        ids.opened += 1;
        let (cancel, cancelled) = oneshot::channel();
        let number = ids.opened;
        ids.open.insert(key, Request { number, cancel: Some(cancel), until: None });
        let first = ids.used.note(&key, since);
        Some(OpenId { all: self.clone(), key, number, cancelled: Some(cancelled), first })
    }

    /// The agent has cancelled the request with this id, if one is open: tells who holds it, and has it open no longer than until
    /// then.
    pub fn cancel(&self, server: &str, session: &str, id: &Id<'_>, until: Instant) {
        if let Some(request) = self.lock().open.get_mut(&key(server, session, id))
            && let Some(cancel) = request.cancel.take()
        {
            request.until = Some(until);
            // Nobody listens where its exchange has ended without an answer.
            let _ = cancel.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        // A panic while it was held cannot have left it half changed: every use changes one entry, once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenId {
    /// What tells that the agent has cancelled the request, for who waits for its answer; given once.
    pub fn take_cancelled(&mut self) -> Option<oneshot::Receiver<()>> {
        self.cancelled.take()
    }

    /// Whether an answer with this id, wherever it comes, can only be the answer to this request: no other one of the session has had
    /// it, before or since.
    pub fn is_of_one_request(&self) -> bool {
        self.first && self.all.lock().open.get(&self.key).is_some_and(|request| request.number == self.number)
    }

    /// Has it open no longer than until then: an answer has come that may be this request's.
    pub fn open_until(&self, until: Instant) {
        if let Some(request) = self.all.lock().open.get_mut(&self.key).filter(|request| request.number == self.number) {
            request.until = Some(request.until.map_or(until, |earlier| earlier.min(until)));
        }
    }
}

impl Drop for OpenId {
    fn drop(&mut self) {
        let mut ids = self.all.lock();
        if ids.open.get(&self.key).is_some_and(|request| request.number == self.number) {
            ids.open.remove(&self.key);
        }
    }
}

fn key(server: &str, session: &str, id: &Id<'_>) -> Key {
    let number = id.as_number().map(|number| number.to_string());
    let id = number.as_deref().or(id.as_str()).unwrap_or_default();
    Key::of([server, session, id].map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    const NOW: Instant = Instant(0);
    const LATER: Instant = Instant(1_000);

    fn with_id<T>(id: &str, then: impl FnOnce(&Id<'_>) -> T) -> T {
        let document = Document::parse(Bytes::copy_from_slice(id.as_bytes()), Limits::default()).unwrap();
        then(&Id::read(document.root()).unwrap())
    }

    fn open(ids: &OpenIds, session: &str, id: &str) -> Option<OpenId> {
        with_id(id, |id| ids.open("server", session, Since::Began(0), id, NOW))
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

    #[test]
    fn who_holds_the_id_of_a_cancelled_request_is_told_and_nobody_else() {
        let ids = OpenIds::default();
        let [mut first, mut other, mut elsewhere] =
            [("one", "1"), ("one", "2"), ("two", "1")].map(|(session, id)| open(&ids, session, id).unwrap());
        with_id("1", |id| ids.cancel("server", "one", id, LATER));
        with_id("7", |id| ids.cancel("server", "one", id, LATER));
        assert_eq!(first.take_cancelled().unwrap().try_recv(), Ok(()));
        for id in [&mut other, &mut elsewhere] {
            assert_eq!(id.take_cancelled().unwrap().try_recv(), Err(oneshot::error::TryRecvError::Empty));
        }
    }

    #[test]
    fn the_id_of_a_cancelled_request_is_open_for_as_long_as_an_answer_is_waited_for_and_then_anothers() {
        let ids = OpenIds::default();
        let cancelled = open(&ids, "one", "1").unwrap();
        with_id("1", |id| ids.cancel("server", "one", id, LATER));
        // Once more changes nothing.
        with_id("1", |id| ids.cancel("server", "one", id, Instant(2_000)));
        let opened_at = |now| with_id("1", |id| ids.open("server", "one", Since::Began(0), id, now));
        assert!(opened_at(Instant(999)).is_none());
        assert!(cancelled.is_of_one_request());
        let another = opened_at(LATER).unwrap();
        assert!(!cancelled.is_of_one_request() && !another.is_of_one_request());
        drop(cancelled);
        assert!(opened_at(LATER).is_none(), "it is the other one's now");
        drop(another);
        assert!(open(&ids, "one", "1").is_some());
    }

    #[test]
    fn an_id_is_of_one_request_if_no_other_of_its_session_has_had_it() {
        let ids = OpenIds::default();
        let since = with_id("0", |id| ids.begin("server", "one", Some(id)));
        let opened = |session, id: &str, since| with_id(id, |id| ids.open("server", session, since, id, NOW)).unwrap();
        assert!(opened("one", "1", since).is_of_one_request());
        assert!(!opened("one", "1", since).is_of_one_request(), "an earlier one had it");
        assert!(!opened("one", "\"1\"", since).is_of_one_request(), "some servers take the two for one");
        assert!(!opened("one", "0", since).is_of_one_request(), "the one with whose answer the session began");
        assert!(opened("two", "1", since).is_of_one_request());
        assert!(!opened("three", "7", Since::Unknown).is_of_one_request(), "nobody knows");
    }

    #[test]
    fn an_id_for_which_an_answer_has_come_that_may_be_its_own_is_open_no_longer_than_is_said() {
        let ids = OpenIds::default();
        let waiting = open(&ids, "one", "1").unwrap();
        waiting.open_until(LATER);
        waiting.open_until(Instant(2_000));
        assert!(open(&ids, "one", "1").is_none());
        let another = with_id("1", |id| ids.open("server", "one", Since::Began(0), id, LATER)).unwrap();
        waiting.open_until(NOW);
        assert!(open(&ids, "one", "1").is_none(), "it is the other one's now");
        drop(another);
    }
}
