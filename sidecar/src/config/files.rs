//! The files of a configuration, and what they held when they were read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The largest file that is read, in bytes. A little more than [`reeve_policy::load`] accepts, which says so better.
const MAX_BYTES: u64 = (4 << 20) + 1;

/// Files and what they held when they were read: nothing if they could not be. Two are equal if the same files held the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Files {
    /// Whether all of them could be read.
    pub fn could_be_read(&self) -> bool {
        self.0.values().all(Option::is_some)
    }

    /// Reads a file and remembers what it held. A file that is read again keeps what it held at first, so that a change in
    /// between is noticed.
    ///
    /// # Errors
    /// The file cannot be read, or is not a regular file.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = read(path);
        let digest = read.as_ref().ok().map(|bytes| Sha256::digest(bytes).into());
        self.0.entry(path.to_owned()).or_insert(digest);
        read
    }

    /// The same files as they are now.
    pub(super) fn again(&self) -> Self {
        let mut files = Self::default();
        for path in self.0.keys() {
            // What cannot be read is remembered as that.
            let _ = files.read(path);
        }
        files
    }

    /// The directories whose entries decide what these files are: those of the paths, and those where links lead.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let beside = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let linked = self.0.keys().filter_map(|path| path.canonicalize().ok());
        let mut directories: Vec<_> = self.0.keys().cloned().chain(linked).map(|path| beside(&path)).collect();
        directories.sort();
        directories.dedup();
        directories
    }
}

/// Why a file could not be read and what to do, without its name.
pub fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file: correct the path, or put the file there".to_owned(),
        io::ErrorKind::IsADirectory => "this is a directory: name a file in it".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        // A pipe or device could block or never end, and cannot be read again.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
