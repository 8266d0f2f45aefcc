//! The files of a configuration, and what they held when they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

    /// The same, if a change from now on is certain to change it. The time of change of the file's content anybody may set, that of
    /// its metadata only the kernel, at each change of either.
    fn settled(metadata: &Metadata, now: SystemTime) -> Option<Self> {
        let stamp = Self::of(metadata);
        let Self([.., content, all]) = stamp;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
        let unchanged_for = i128::try_from(now).ok()? - content.max(all);
        (unchanged_for > i128::try_from(SETTLED_AFTER.as_nanos()).ok()?).then_some(stamp)
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
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = read(path, SystemTime::now());
        let content = read.as_ref().ok().map(|(bytes, stamp)| Content { digest: digest(bytes), stamp: *stamp });
        self.0.entry(path.to_owned()).or_insert(content);
        read.map(|(bytes, _)| bytes)
    }

    /// Whether they hold the same now. Those whose metadata say so are not read; one that is read need not be the next time, once its
    /// last change is old enough.
    pub(super) fn are_unchanged(&mut self) -> bool {
        self.are_unchanged_at(SystemTime::now())
    }

    fn are_unchanged_at(&mut self, now: SystemTime) -> bool {
        self.0.iter_mut().all(|(path, content)| {
            let Some(Content { digest: before, stamp }) = content else { return read(path, now).is_err() };
            let metadata = std::fs::metadata(path).ok();
            if stamp.is_some() && metadata.as_ref().map(Stamp::of) == *stamp {
                return true;
            }
            let Ok((bytes, settled)) = read(path, now) else { return false };
            let same = digest(&bytes) == *before;
            if same {
                *stamp = settled;
            }
            same
        })
    }

    /// Where these files are now.
    pub(super) fn places(&self) -> Places {
        let linked = self.0.keys().filter_map(|path| path.canonicalize().ok());
        let mut places = Places::default();
        for path in self.0.keys().cloned().chain(linked) {
            places.names.extend(path.file_name().map(ToOwned::to_owned));
            places.directories.insert(match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            });
        }
        places
    }
}

/// Where files are: at their paths, and where links lead at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The names of the files.
    pub(super) names: BTreeSet<OsString>,
    /// The directories whose entries decide what the files are.
    pub(super) directories: BTreeSet<PathBuf>,
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

fn read(path: &Path, now: SystemTime) -> io::Result<(Vec<u8>, Option<Stamp>)> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        // A pipe or device could block or never end, and cannot be read again.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = File::open(path)?;
    let (mut bytes, stamp) = (Vec::new(), Stamp::settled(&file.metadata()?, now));
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a file whose content was last changed this many seconds ago, as it says itself.
    fn write(path: &Path, text: &str, age: u64) {
        std::fs::write(path, text).unwrap();
        let changed = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(path).unwrap().set_modified(changed).unwrap();
    }

    #[test]
    fn an_edited_file_is_read_until_its_change_is_old_enough_and_only_looked_at_after_that() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        write(&path, "one", 0);
        let mut files = Files::default();
        files.read(&path).unwrap();
        let is_only_looked_at = |files: &Files| files.0[&path].unwrap().stamp.is_some();
        let (now, later) = (SystemTime::now(), SystemTime::now() + 2 * SETTLED_AFTER);
        assert!(
            files.are_unchanged_at(now) && !is_only_looked_at(&files),
            "it may change once more without another time"
        );
        assert!(files.are_unchanged_at(later) && is_only_looked_at(&files));
        write(&path, "two", 60);
        for _ in 0..2 {
            assert!(!files.are_unchanged_at(later), "the time of change of its metadata tells it");
        }
        write(&path, "one", 0);
        assert!(files.are_unchanged_at(later), "what it holds is what counts");
    }

    #[test]
    fn a_change_whose_time_was_set_back_is_as_young_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        write(&path, "one", 60);
        let mut files = Files::default();
        files.read(&path).unwrap();
        assert!(files.0[&path].unwrap().stamp.is_none(), "a second change may be set back to the same time");
        write(&path, "two", 60);
        assert!(!files.are_unchanged());
    }
}
