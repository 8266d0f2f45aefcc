//! Files that are replaced as a whole and carry a checksum.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What a file begins with; the number changes when its form does.
const MAGIC: &[u8] = b"reeve-cache-1\n";

/// Larger than anything that is written here; what is larger is not read.
const LARGEST: u64 = 256 << 20;

/// What a written file outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlives {
    /// This process.
    Process,
    /// The machine, too: waits for the disk.
    Machine,
}

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// There is none.
    Absent,
    /// It is not what was written.
    Damaged(&'static str),
    /// The system says no.
    Io(io::Error),
}

/// Replaces the file: there is the old one or the new one, never a part.
pub(super) fn write(path: &Path, content: &[u8], outlives: Outlives) -> io::Result<()> {
    let temporary = with_suffix(path, "tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(content))?;
    file.write_all(content)?;
    if outlives == Outlives::Machine {
        file.sync_data()?;
    }
    fs::rename(&temporary, path)?;
    if let (Outlives::Machine, Some(directory)) = (outlives, path.parent()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Reads what [`write`] has written.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let bytes = match File::open(path) {
        Ok(mut file) => read_bounded(&mut file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unreadable::Absent),
        Err(error) => return Err(Unreadable::Io(error)),
    };
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unreadable::Damaged("it is not of this version"))?;
    let (checksum, content) = rest.split_at_checked(32).ok_or(Unreadable::Damaged("it is cut short"))?;
    if Sha256::digest(content)[..] != *checksum {
        return Err(Unreadable::Damaged("its checksum is wrong"));
    }
    Ok(content.to_vec())
}

fn read_bounded(file: &mut File) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::Damaged("it is too large"));
    }
    Ok(bytes)
}

/// [`read`], but a file that cannot be read is set aside and the log says what is lost by it.
pub(super) fn read_or_set_aside(path: &Path, lost: &str) -> Option<Vec<u8>> {
    match read(path) {
        Ok(content) => Some(content),
        Err(Unreadable::Absent) => None,
        Err(Unreadable::Damaged(why)) => {
            set_aside(path, why, lost);
            None
        }
        Err(Unreadable::Io(error)) => {
            set_aside(path, &error.to_string(), lost);
            None
        }
    }
}

/// Renames a file that is of no use, so that somebody can look at it. Only the last of its name is kept.
pub(super) fn set_aside(path: &Path, why: &str, lost: &str) {
    let aside = with_suffix(path, "unreadable");
    tracing::warn!(file = %path.display(), kept_as = %aside.display(), why, "a file of the cache cannot be used: {lost}");
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!(file = %path.display(), %error, "the file cannot be set aside");
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
