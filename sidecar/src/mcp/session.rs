//! Sessions, and requests that wait for an answer: bounded, least recently used first out.
//!
//! ```text
//! server mints a session in its answer to initialize ─► Sessions::begin ─► a line for the log
//! every later legacy request ─► Sessions::check ─► unknown: 404, as by a server
//! server request relayed to the agent, list request to the server ─► Open::insert ··· answer ─► Open::take
//! ```
//!
//! Nothing here is kept by its name: the key is a digest of server, session and id. So entries have one size whatever a
//! server or an agent chooses, two servers cannot take over each other's sessions, and the log holds no session that
//! somebody who reads it could use.

mod recent;

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::envelope::Id;
use recent::Recent;

/// What entries are found by: the first half of a SHA-256.
type Key = [u8; 16];

/// Sessions that servers minted, and for whom.
#[derive(Debug)]
pub struct Sessions {
    known: Recent<Key, Arc<str>>,
}

/// A change of the sessions, as one line of the log that survives a restart of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SessionChange {
    /// A server gave a session to a grant.
    Begin {
        /// The session's digest, in hexadecimal.
        session: String,
        /// The grant, `namespace/name`.
        grant: String,
    },
    /// A session has ended.
    End {
        /// The session's digest, in hexadecimal.
        session: String,
    },
}

/// Whether a text can be a session id: visible ASCII (specification 2025-11-25, "Session Management"), and of a length that a header
/// can carry.
pub fn is_session_id(text: &str) -> bool {
    (1..=4_096).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Sessions {
    /// No sessions, and room for `capacity`.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { known: Recent::new(capacity) }
    }

    /// Notes that `server` gave `session` to `grant`. Returns the changes to log: the session that had to make room, and
    /// this one.
    pub fn begin(&mut self, server: &str, session: &str, grant: &Arc<str>) -> Vec<SessionChange> {
        let key = key("session", server, session, None);
        let evicted = self.known.insert(key, Arc::clone(grant));
        let begin = SessionChange::Begin { session: hex(&key), grant: grant.to_string() };
        evicted.map(|(key, _)| SessionChange::End { session: hex(&key) }).into_iter().chain([begin]).collect()
    }

    /// Whether `server` gave `session` to `grant`. Asking makes the session the most recently used.
    pub fn check(&mut self, server: &str, session: &str, grant: &str) -> bool {
        self.known.get(&key("session", server, session, None)).is_some_and(|owner| **owner == *grant)
    }

    /// Forgets a session that the server no longer knows. Returns the change to log.
    pub fn end(&mut self, server: &str, session: &str) -> Option<SessionChange> {
        let key = key("session", server, session, None);
        self.known.remove(&key).map(|_| SessionChange::End { session: hex(&key) })
    }

    /// Applies a change that was logged before a restart; one whose digest cannot be read is passed over.
    pub fn apply(&mut self, change: SessionChange) {
        match change {
            SessionChange::Begin { session, grant } => {
                if let Some(key) = unhex(&session) {
                    self.known.insert(key, grant.into());
                }
            }
            SessionChange::End { session } => {
                if let Some(key) = unhex(&session) {
                    self.known.remove(&key);
                }
            }
        }
    }

    /// What a fresh log begins with: the sessions that are known, least recently used first.
    pub fn snapshot(&self) -> impl Iterator<Item = SessionChange> {
        self.known.iter().map(|(key, grant)| SessionChange::Begin { session: hex(key), grant: grant.to_string() })
    }

    /// How many sessions are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SessionChange {
    /// The line, with its line feed.
    pub fn write(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads a line; None if it is not one, as the last line of a log that broke off.
    pub fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

/// Requests that wait for their answer in a session: those of the server to the agent, or the agent's for lists, whose
/// results may arrive on another stream than the request. `T` is what is to be known of them then.
#[derive(Debug)]
pub struct Open<T> {
    waiting: Recent<Key, T>,
}

impl<T> Open<T> {
    /// No requests, and room for `capacity`. When there is no room the request that has waited longest is forgotten: its
    /// answer is then one to no request.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { waiting: Recent::new(capacity) }
    }

    /// Notes a request. `session`: empty where there is none.
    pub fn insert(&mut self, server: &str, session: &str, id: &Id<'_>, about: T) {
        self.waiting.insert(key("open", server, session, Some(id)), about);
    }

    /// The request that this id answers, which is thereby no longer open.
    pub fn take(&mut self, server: &str, session: &str, id: &Id<'_>) -> Option<T> {
        self.waiting.remove(&key("open", server, session, Some(id)))
    }

    /// The request that this id answers, which stays open.
    pub fn peek(&self, server: &str, session: &str, id: &Id<'_>) -> Option<&T> {
        self.waiting.peek(&key("open", server, session, Some(id)))
    }

    /// How many requests are open.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The digest of what identifies an entry. Parts are told apart by their lengths.
fn key(kind: &str, server: &str, session: &str, id: Option<&Id<'_>>) -> Key {
    let mut hash = Sha256::new();
    for part in [kind, server, session] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    if let Some(id) = id {
        match (id.as_number(), id.as_str()) {
            (Some(number), _) => hash.update(number.to_le_bytes()),
            (None, text) => {
                hash.update(b"text");
                hash.update(text.unwrap_or_default());
            }
        }
    }
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

fn hex(key: &Key) -> String {
    key.iter().fold(String::with_capacity(32), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

fn unhex(text: &str) -> Option<Key> {
    let mut key = Key::default();
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests;
