//! Requests that wait for an answer which may come another way than it usually does: bounded, the longest waiting forgotten
//! first.
//!
//! ```text
//! server request relayed to the agent, list request to the server ─► Open::insert ··· answer ─► Open::take
//! ```

use std::num::NonZeroUsize;

use super::digest::Key;
use super::envelope::Id;
use super::recent::Recent;

/// Requests that wait for their answer in a session: those of the server to the agent, or the agent's for lists, whose
/// results may arrive on another stream than the request. `T` is what is to be known of them then.
#[derive(Debug)]
pub struct Open<T> {
    /// By session and id: of which session they are, and what is known of them.
    waiting: Recent<Key, (Key, T)>,
}

impl<T> Open<T> {
    /// No requests, and room for `capacity`. When there is no room the request that has waited longest is forgotten: its
    /// answer is then one to no request.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { waiting: Recent::new(capacity) }
    }

    /// Notes a request. `session`: empty where there is none. Gives what was known of one that had to make room.
    pub fn insert(&mut self, server: &str, session: &str, id: &Id<'_>, about: T) -> Option<T> {
        let entry = (key_of_session(server, session), about);
        self.waiting.insert(key(server, session, id), entry).map(|(_, (_, about))| about)
    }

    /// What is known of the request with this id, which stays open.
    fn get(&mut self, server: &str, session: &str, id: &Id<'_>) -> Option<&T> {
        self.waiting.get(&key(server, session, id)).map(|(_, about)| about)
    }

    /// The request that this id answers, which is thereby no longer open.
    pub fn take(&mut self, server: &str, session: &str, id: &Id<'_>) -> Option<T> {
        self.waiting.remove(&key(server, session, id)).map(|(_, about)| about)
    }

    /// Forgets the requests of a session that is no more: gives what was known of them.
    pub fn forget(&mut self, server: &str, session: &str) -> Vec<T> {
        let ended = key_of_session(server, session);
        self.waiting.remove_all(|(session, _)| *session == ended).into_iter().map(|(_, about)| about).collect()
    }
}

/// Requests that wait in two ranks: no number of [others](Rank::Other) has one forgotten that [counts](Rank::Counts).
#[derive(Debug)]
pub struct Ranked<T> {
    counting: Open<T>,
    others: Open<T>,
}

/// What forgetting a request would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Something would count no more that must.
    Counts,
    /// Nothing of the kind.
    Other,
}

impl<T> Ranked<T> {
    /// No requests, and room for `capacity` in each rank.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { counting: Open::new(capacity), others: Open::new(capacity) }
    }

    /// As [`Open::insert`]. An earlier one with this id makes room too, whatever its rank.
    #[must_use]
    pub fn insert(&mut self, server: &str, session: &str, id: &Id<'_>, about: T, rank: Rank) -> [Option<T>; 2] {
        let earlier = self.take(server, session, id);
        let rank = match rank {
            Rank::Counts => &mut self.counting,
            Rank::Other => &mut self.others,
        };
        [earlier, rank.insert(server, session, id, about)]
    }

    /// What is known of the request with this id, which stays open.
    pub fn get(&mut self, server: &str, session: &str, id: &Id<'_>) -> Option<&T> {
        self.counting.get(server, session, id).or_else(|| self.others.get(server, session, id))
    }

    /// As [`Open::take`].
    pub fn take(&mut self, server: &str, session: &str, id: &Id<'_>) -> Option<T> {
        self.counting.take(server, session, id).or_else(|| self.others.take(server, session, id))
    }

    /// As [`Open::forget`].
    #[must_use]
    pub fn forget(&mut self, server: &str, session: &str) -> Vec<T> {
        let mut forgotten = self.counting.forget(server, session);
        forgotten.extend(self.others.forget(server, session));
        forgotten
    }
}

fn key_of_session(server: &str, session: &str) -> Key {
    Key::of([server, session].map(str::as_bytes))
}

fn key(server: &str, session: &str, id: &Id<'_>) -> Key {
    let number = id.as_number().map(i64::to_le_bytes);
    let (kind, id): (&[u8], &[u8]) = match (&number, id.as_str()) {
        (Some(number), _) => (b"number", number),
        (None, text) => (b"text", text.unwrap_or_default().as_bytes()),
    };
    Key::of([server.as_bytes(), session.as_bytes(), kind, id])
}

#[cfg(test)]
mod tests;
