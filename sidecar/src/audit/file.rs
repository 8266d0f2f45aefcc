//! A file as the audit log's destination: appended to, and followed when a log rotation puts another in its place.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;
use super::writer::Sink;

pub(super) struct File {
    path: PathBuf,
    file: std::fs::File,
    identity: (u64, u64),
}

impl File {
    pub(super) fn open(path: PathBuf) -> Result<Self, OpenError> {
        match open(&path) {
            Ok((file, identity)) => Ok(Self { path, file, identity }),
            Err(source) => Err(OpenError { path, source }),
        }
    }
}

impl Sink for File {
    /// Looks whether the path still leads to the open file; rotation by rename, by removal and by a changed symbolic link are
    /// all seen before the next batch. (`copytruncate` needs nothing: the file is open for appending.)
    fn prepare(&mut self) -> io::Result<bool> {
        let in_place = std::fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity);
        if in_place {
            return Ok(false);
        }
        (self.file, self.identity) = open(&self.path)?;
        Ok(true)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn open(path: &Path) -> io::Result<(std::fs::File, (u64, u64))> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && ends_within_a_line(path, metadata.len())? {
        file.write_all(b"\n")?;
    }
    Ok((file, identity(&metadata)))
}

/// Whether a process that was killed, or a disk that was full, has left the file with a line cut short.
fn ends_within_a_line(path: &Path, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(false);
    }
    let mut reader = std::fs::File::open(path)?;
    reader.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    let read = reader.read(&mut last)?;
    Ok(read == 1 && last != *b"\n")
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
