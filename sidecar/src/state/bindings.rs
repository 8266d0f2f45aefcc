//! The log of sessions and tasks: lines appended one by one, rewritten from what is known when it has grown.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

pub(super) const FILE: &str = "bindings";

/// A log is rewritten once it is larger than this and than four times what it was when it was last rewritten.
const GROWN_BYTES: usize = 256 << 10;

pub(super) struct BindingLog {
    path: PathBuf,
    file: Option<File>,
    size: usize,
    rewritten_size: usize,
}

impl BindingLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, size: 0, rewritten_size: 0 }
    }

    /// Appends whole lines. `known` gives what a fresh log begins with: the first append begins one, so that a line which a
    /// killed process has cut short is never added to.
    pub(super) fn append(&mut self, lines: &str, known: impl FnOnce() -> String) -> io::Result<()> {
        let grown = self.size > GROWN_BYTES.max(4 * self.rewritten_size);
        match &mut self.file {
            Some(file) if !grown => {
                if let Err(error) = file.write_all(lines.as_bytes()) {
                    // Part of a line may be there: the next attempt begins a fresh log.
                    self.file = None;
                    return Err(error);
                }
                self.size += lines.len();
                Ok(())
            }
            // What is known already has what these lines say.
            _ => self.rewrite(&known()),
        }
    }

    fn rewrite(&mut self, lines: &str) -> io::Result<()> {
        self.file = None;
        let temporary = self.path.with_extension("tmp");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(lines.as_bytes())?;
        std::fs::rename(&temporary, &self.path)?;
        (self.size, self.rewritten_size) = (lines.len(), lines.len());
        self.file = Some(file);
        Ok(())
    }
}
