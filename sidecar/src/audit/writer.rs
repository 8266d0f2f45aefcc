//! The writer: takes batches of lines from the queue and gets them out, in order, each line whole.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::queue::Queue;

/// How long to wait before a destination that failed is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A buffer that a burst has made larger than this is given back.
const KEPT_BUFFER: usize = 256 << 10;

/// Where lines go.
pub(super) trait Sink: Send {
    /// Called before each attempt. True: what follows goes to another place than before, so that a line that was cut there
    /// must be written whole here.
    fn prepare(&mut self) -> io::Result<bool>;

    /// Writes some bytes, at least one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// What it is, for the log.
    fn name(&self) -> String;
}

/// A destination that is always the same: a pipe, a terminal.
pub(super) struct Unseekable<W>(pub(super) W);

impl<W: Write + Send> Sink for Unseekable<W> {
    fn prepare(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn name(&self) -> String {
        "standard output".into()
    }
}

/// Standard output without the buffer that the standard library puts before it. A descriptor of our own; should none be
/// left, the buffered one.
pub(super) fn stdout() -> Box<dyn Write + Send> {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => Box::new(io::stdout()),
    }
}

/// Starts the thread. It ends when the queue does, or with the process. Without a thread nothing could be recorded, which is
/// the same as a destination that does not work.
pub(super) fn start(queue: &Arc<Queue>, sink: Box<dyn Sink>) {
    let writer = Writer { queue: Arc::clone(queue), sink, failing: false };
    if let Err(error) = std::thread::Builder::new().name("audit".into()).spawn(move || writer.run()) {
        queue.set_failing(true);
        tracing::error!(%error, "the audit log's thread cannot be started");
    }
}

struct Writer {
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    failing: bool,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.take(&mut batch) {
            self.write(&batch);
            self.queue.release(batch.len());
            batch.clear();
            batch.shrink_to(KEPT_BUFFER);
        }
    }

    /// Writes the batch, however long it takes.
    fn write(&mut self, batch: &[u8]) {
        let mut written = 0;
        let mut pause = FIRST_PAUSE;
        while written < batch.len() {
            match self.attempt(batch, &mut written) {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.recovered();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A full pipe that somebody has set to not block: the reader is slow, not gone.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.queue.pause(Duration::from_millis(1)),
                Err(error) => {
                    self.failed(&error);
                    self.queue.pause(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn attempt(&mut self, batch: &[u8], written: &mut usize) -> io::Result<()> {
        if self.sink.prepare()? {
            *written = line_start(batch, *written);
        }
        match self.sink.write(&batch[*written..])? {
            0 => Err(ErrorKind::WriteZero.into()),
            bytes => {
                *written += bytes;
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if !self.failing {
            self.failing = true;
            self.queue.set_failing(true);
            tracing::error!(%error, to = self.sink.name(), "the audit log cannot be written: trying again until it can");
        }
    }

    fn recovered(&mut self) {
        if self.failing {
            self.failing = false;
            self.queue.set_failing(false);
            tracing::info!(to = self.sink.name(), "the audit log is written again");
        }
    }
}

/// The beginning of the line in which position `at` lies.
fn line_start(batch: &[u8], at: usize) -> usize {
    batch[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}
