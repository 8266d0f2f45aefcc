//! The files of a configuration, and what they held when they were read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// The largest file that is read, in bytes. A little more than [`reeve_policy::load`] accepts, which says so better.
const MAX_BYTES: u64 = (4 << 20) + 1;

/// A file that was changed no longer ago than this when it was read may change again without another time of change: the
/// clocks of some file systems tick each two seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Files and what they held when they were read: nothing if they could not be.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<PathBuf, Option<Content>>);

/// What a file held.
#[derive(Clone, Copy, Debug)]
struct Content {
    digest: [u8; 32],
    /// As long as the file has the same, it holds the same.
    stamp: Option<Stamp>,
}

/// Which file stands at a path, how long it is, and when it and its metadata were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([i128; 5]);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self([
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.size().into(),
            time(metadata.mtime(), metadata.mtime_nsec()),
            time(metadata.ctime(), metadata.ctime_nsec()),
        ])
    }

    /// The same, if a later change is certain to change it. Who sets an old time of change himself, and twice within one tick of
    /// the clock, is not noticed.
    fn settled(metadata: &Metadata) -> Option<Self> {
        let unchanged_for = metadata.modified().ok()?.elapsed().ok()?;
        (unchanged_for > SETTLED_AFTER).then(|| Self::of(metadata))
    }
}

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
        let content = read.as_ref().ok().map(|(bytes, stamp)| Content { digest: digest(bytes), stamp: *stamp });
        self.0.entry(path.to_owned()).or_insert(content);
        read.map(|(bytes, _)| bytes)
    }

    /// Whether they hold the same now. Those whose metadata say so are not read.
    pub(super) fn are_unchanged(&self) -> bool {
        self.0.iter().all(|(path, content)| {
            let Some(Content { digest: before, stamp }) = content else { return read(path).is_err() };
            let metadata = std::fs::metadata(path).ok();
            (stamp.is_some() && metadata.as_ref().map(Stamp::of) == *stamp)
                || read(path).is_ok_and(|(bytes, _)| digest(&bytes) == *before)
        })
    }

    /// The names of the files, and of those where links lead.
    pub(super) fn names(&self) -> Vec<OsString> {
        let linked = self.0.keys().filter_map(|path| path.canonicalize().ok());
        let all = self.0.keys().cloned().chain(linked);
        all.filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect()
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

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn read(path: &Path) -> io::Result<(Vec<u8>, Option<Stamp>)> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        // A pipe or device could block or never end, and cannot be read again.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = File::open(path)?;
    let (mut bytes, stamp) = (Vec::new(), Stamp::settled(&file.metadata()?));
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_touched_for_long_is_only_looked_at_and_a_change_of_it_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        let write = |text: &str, age: u64| {
            std::fs::write(&path, text).unwrap();
            let changed = std::time::SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        };
        write("one", 60);
        let mut files = Files::default();
        files.read(&path).unwrap();
        assert!(files.0[&path].unwrap().stamp.is_some() && files.are_unchanged());
        write("two", 60);
        assert!(!files.are_unchanged(), "the time of change of its metadata tells it");
        write("one", 0);
        assert!(files.are_unchanged(), "what it holds is what counts");
        let mut files = Files::default();
        files.read(&path).unwrap();
        assert!(files.0[&path].unwrap().stamp.is_none(), "it may change once more without another time");
    }
}
