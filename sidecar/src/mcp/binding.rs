//! What servers give to one grant and to nobody else: sessions and tasks. Bounded, least recently used first out, and before
//! those what was never used.
//!
//! ```text
//! server mints a session in its answer to initialize, a task in its answer to a call ─► Bindings::bind ─► a line for the log
//! every later request that names one ─► Bindings::check ─► unknown: as by a server that does not have it
//! ```

mod known;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use self::known::Known;
use super::digest::Key;
use super::headers::SESSION_ID;
use super::used::Since;

/// What is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A session of the legacy era.
    Session,
    /// A task, of either era.
    Task,
}

impl Thing {
    const ALL: [Self; 2] = [Self::Session, Self::Task];
}

/// Which grant each session and each task belongs to.
#[derive(Debug)]
pub struct Bindings {
    sessions: Known,
    tasks: Known,
    /// The servers that have made a task here.
    task_makers: HashSet<Arc<str>>,
}

/// What is known of a session or task.
#[derive(Debug)]
struct Bound {
    grant: Arc<str>,
    /// Of a session: which ids its requests have had.
    ids: Since,
}

/// A change of the bindings, as one line of the log that survives a restart of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A server gave something to a grant.
    Begin {
        /// What.
        of: Thing,
        /// Its digest, in hexadecimal.
        digest: String,
        /// The grant, `namespace/name`.
        grant: String,
    },
    /// It is forgotten.
    End {
        /// What.
        of: Thing,
        /// Its digest, in hexadecimal.
        digest: String,
    },
}

/// The session that the headers of a server's answer to `initialize` bring; none if they bring none. It is visible ASCII
/// (specification 2025-11-25, "Session Management"), and comes back in the headers of requests, which have `room` bytes.
///
/// # Errors
/// What is wrong with it: every request that named it would be refused.
pub fn minted(headers: &HeaderMap, room: usize) -> Result<Option<&str>, String> {
    let Some(value) = headers.get(SESSION_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = value.to_str().ok().filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
    let id = id.ok_or("the session id that the server gives (Mcp-Session-Id) is not visible ASCII")?;
    if SESSION_ID.as_str().len() + id.len() > room {
        let (has, size) = ("the session id that the server gives (Mcp-Session-Id) has", id.len());
        return Err(format!("{has} {size} bytes, which requests could not carry (listener.maxHeaderBytes: {room})"));
    }
    Ok(Some(id))
}

impl Bindings {
    /// Nothing bound, and room for `capacity` of each thing.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { sessions: Known::new(capacity), tasks: Known::new(capacity), task_makers: HashSet::new() }
    }

    /// Notes that `server` gave the session or task `id` to `grant`. Returns the changes to log: the one that had to make room,
    /// and this one; none if it was noted before.
    pub fn bind(&mut self, of: Thing, server: &Arc<str>, id: &str, grant: &Arc<str>) -> Vec<Change> {
        self.bind_with(of, server, id, grant, Since::Unknown)
    }

    /// As [`bind`](Self::bind), of a session that begins with this knowledge of its ids.
    pub fn begin(&mut self, server: &Arc<str>, session: &str, grant: &Arc<str>, ids: Since) -> Vec<Change> {
        self.bind_with(Thing::Session, server, session, grant, ids)
    }

    fn bind_with(&mut self, of: Thing, server: &Arc<str>, id: &str, grant: &Arc<str>, ids: Since) -> Vec<Change> {
        if of == Thing::Task && !self.task_makers.contains(server) {
            self.task_makers.insert(Arc::clone(server));
        }
        let key = key(of, server, id);
        let known = self.known(of);
        if known.peek(&key).is_some_and(|bound| bound.grant == *grant) {
            return Vec::new();
        }
        let evicted = known.insert(key, Bound { grant: Arc::clone(grant), ids });
        let begin = Change::Begin { of, digest: key.hex(), grant: grant.to_string() };
        evicted.map(|key| Change::End { of, digest: key.hex() }).into_iter().chain([begin]).collect()
    }

    /// Whether `server` gave it to `grant`. Asking makes it the most recently used.
    pub fn check(&mut self, of: Thing, server: &str, id: &str, grant: &str) -> bool {
        self.known(of).get(&key(of, server, id)).is_some_and(|bound| *bound.grant == *grant)
    }

    /// What is known of the ids of a session, if `server` gave it to `grant`. Asking makes it the most recently used.
    pub fn session(&mut self, server: &str, id: &str, grant: &str) -> Option<Since> {
        let bound = self.sessions.get(&key(Thing::Session, server, id)).filter(|bound| *bound.grant == *grant)?;
        Some(bound.ids)
    }

    /// Whether this server has made a task since the start of the process.
    pub fn makes_tasks(&self, server: &str) -> bool {
        self.task_makers.contains(server)
    }

    /// Forgets what the server no longer knows. Returns the change to log.
    pub fn forget(&mut self, of: Thing, server: &str, id: &str) -> Option<Change> {
        let key = key(of, server, id);
        self.known(of).remove(&key).map(|_| Change::End { of, digest: key.hex() })
    }

    /// Applies a change that was logged before a restart; one whose digest cannot be read is passed over.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Begin { of, digest, grant } => {
                if let Some(key) = Key::from_hex(&digest) {
                    self.known(of).restore(key, Bound { grant: grant.into(), ids: Since::Unknown });
                }
            }
            Change::End { of, digest } => {
                if let Some(key) = Key::from_hex(&digest) {
                    self.known(of).remove(&key);
                }
            }
        }
    }

    /// What a fresh log begins with: what is known, what was never used and then least recently used first.
    pub fn snapshot(&self) -> impl Iterator<Item = Change> {
        Thing::ALL.into_iter().zip([&self.sessions, &self.tasks]).flat_map(|(of, known)| {
            known.iter().map(move |(key, bound)| Change::Begin {
                of,
                digest: key.hex(),
                grant: bound.grant.to_string(),
            })
        })
    }

    fn known(&mut self, of: Thing) -> &mut Known {
        match of {
            Thing::Session => &mut self.sessions,
            Thing::Task => &mut self.tasks,
        }
    }
}

impl Change {
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

fn key(of: Thing, server: &str, id: &str) -> Key {
    let of: &[u8] = match of {
        Thing::Session => b"session",
        Thing::Task => b"task",
    };
    Key::of([of, server.as_bytes(), id.as_bytes()])
}

#[cfg(test)]
mod tests;
