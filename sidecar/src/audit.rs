//! The audit log: one JSON line for each decision.
//!
//! ```text
//! serving thread                                        writer thread
//! reserve(entry) ── number, room in bytes ──► Slot
//!      │ no room: Full (onFull: Deny) or a lost record (Drop)
//!      ▼
//! call is served ──► slot.write(decision) ──► queue ──► batches of whole lines ──► stdout, a file
//! ```
//!
//! Room is reserved *before* a call is let through, so that no call passes that cannot be recorded. Every decision has a number,
//! counted from 1 in each run of the process: a number that is missing is a decision whose record was lost (the log was
//! full with `onFull: Drop`, or the process was killed while the call was in flight or its record in the queue). The first
//! line of a run is `started`, the last of an orderly end `stopped`; a run without the latter was killed.
//!
//! A destination that fails (disk full, a closed pipe) makes the log full until it works again; what waits is kept and written
//! then. Lines are never torn by that: a line that was cut by the end of a file or process is left behind on a line of its own.

mod arguments;
mod entry;
mod file;
mod line;
mod queue;
mod text;
mod writer;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::OnFull;

pub use arguments::{Arguments, SessionTag};
pub use entry::{Decision, Entry, Event, Note, Parties};
pub use line::{Line, ShadowLine, schema};

use queue::Queue;

/// The smallest queue: below it a single large record could never be taken.
const SMALLEST_QUEUE: usize = 64 << 10;

/// Where records go.
pub enum Destination {
    /// Nowhere; nothing is counted either.
    Off,
    /// Standard output.
    Stdout,
    /// A file: appended to, made if need be, and opened anew when another stands in its place (log rotation).
    File(PathBuf),
    /// Anything else; used by the demonstration and by tests.
    Writer(Box<dyn Write + Send>),
}

impl Destination {
    /// Reads `stdout`, `off` or a path.
    pub fn parse(text: &str) -> Self {
        match text {
            "off" => Self::Off,
            "stdout" => Self::Stdout,
            path => Self::File(path.into()),
        }
    }
}

/// How the log behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What happens to a call when the log is full.
    pub on_full: OnFull,
    /// The most memory for records: reserved by calls in flight, and waiting to be written.
    pub queue_bytes: usize,
}

/// The log cannot take another record: the call must be refused (`AuditUnavailable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot take another record")]
pub struct Full;

/// The destination cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the audit log {} cannot be opened: {source}; choose another place with --audit", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// The audit log. Cheap to clone. Its writer ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Log {
    clock: Clock,
    inner: Option<Arc<Inner>>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    on_full: OnFull,
    /// Tells the runs of the process apart: sequence numbers begin anew in each.
    run: String,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Log {
    /// Opens the destination and starts the writer.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(destination: Destination, settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        let sink: Box<dyn writer::Sink> = match destination {
            Destination::Off => return Ok(Self { clock, inner: None }),
            Destination::Stdout => Box::new(writer::Unseekable(writer::stdout())),
            Destination::File(path) => Box::new(file::File::open(path)?),
            Destination::Writer(writer) => Box::new(writer::Unseekable(writer)),
        };
        let queue = Arc::new(Queue::new(settings.queue_bytes.max(SMALLEST_QUEUE)));
        writer::start(&queue, sink);
        let inner = Inner { queue, on_full: settings.on_full, run: text::random_hex() };
        Ok(Self { clock, inner: Some(Arc::new(inner)) })
    }

    /// Whether anything is recorded; if not, hashing arguments is in vain.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// Numbers a decision and takes room for its record, before the call is let through. The entry is rendered now, so that
    /// nothing of the request need be kept until the call ends.
    ///
    /// # Errors
    /// If there is no room and `onFull` is `Deny`. The refusal that must follow has no record but its number, which is missing.
    pub fn reserve(&self, entry: &Entry<'_>) -> Result<Slot, Full> {
        let Some(inner) = &self.inner else { return Ok(Slot(State::Off)) };
        let sequence = inner.queue.number();
        let line = entry::render(entry, sequence, &inner.run);
        let room = line.len() + entry::DECISION_BYTES;
        if inner.queue.reserve(room, inner.on_full) {
            Ok(Slot(State::Held { inner: Arc::clone(inner), line, room }))
        } else {
            inner.queue.count_lost();
            match inner.on_full {
                OnFull::Deny => Err(Full),
                OnFull::Drop => Ok(Slot(State::Lost)),
            }
        }
    }

    /// Records something that is not a decision; if there is no room, it is lost and counted.
    pub fn note(&self, note: &Note<'_>) {
        let Some(inner) = &self.inner else { return };
        let sequence = inner.queue.number();
        let line = entry::render_note(note, sequence, &inner.run, self.clock.wall());
        if inner.queue.reserve(line.len(), OnFull::Drop) {
            inner.queue.push(&line, line.len());
        } else {
            inner.queue.count_lost();
        }
    }

    /// Bytes that calls in flight have reserved or that wait to be written.
    pub fn queue_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.queue.used())
    }

    /// The most that [`Log::queue_bytes`] can be.
    pub fn queue_limit(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.queue.limit())
    }

    /// Decisions that have no record.
    pub fn lost(&self) -> u64 {
        self.inner.as_ref().map_or(0, |inner| inner.queue.lost())
    }

    /// Records the orderly end, and waits until everything is written. Blocks. Nothing is taken afterwards.
    ///
    /// # Errors
    /// How many bytes were not written before the deadline.
    pub fn close(&self, deadline: Duration) -> Result<(), usize> {
        self.note(&Note::Stopped);
        let Some(inner) = &self.inner else { return Ok(()) };
        inner.queue.end();
        inner.queue.wait_until_written(deadline)
    }
}

/// Room for one record. Dropped without [`Slot::write`], the decision is counted as lost.
#[derive(Debug)]
#[must_use = "a decision is recorded by `write`"]
pub struct Slot(State);

#[derive(Debug)]
enum State {
    Off,
    Lost,
    Held { inner: Arc<Inner>, line: Vec<u8>, room: usize },
}

impl Slot {
    /// Completes the record and hands it to the writer. Never blocks on the destination.
    pub fn write(mut self, decision: &Decision<'_>) {
        if let State::Held { inner, mut line, room } = std::mem::replace(&mut self.0, State::Off) {
            entry::render_decision(decision, &mut line, room);
            inner.queue.push(&line, room);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let State::Held { inner, room, .. } = &self.0 {
            inner.queue.release(*room);
            inner.queue.count_lost();
        }
    }
}

#[cfg(test)]
mod tests;
