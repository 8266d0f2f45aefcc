//! The cache directory: who may use it, and what it held at the start.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reeve_policy::catalogue::Catalogue;
use reeve_policy::limit::Limiter;

use super::{catalogues, limits, sealed};
use crate::clock::Clock;

/// The cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made, or not written.
    #[error("the cache directory {} cannot be used: {source}; choose another with --cache-dir", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two processes would overwrite each other's counts.
    #[error("the cache directory {} is in use by another sidecar; give each its own with --cache-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// The cache directory of this process, or none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Cache(Option<Arc<Directory>>);

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Held, and with it the lock, as long as the process may write.
    _lock: File,
}

impl Cache {
    /// No directory: nothing survives.
    pub fn none() -> Self {
        Self(None)
    }

    /// Makes the directory if need be, and takes it for this process.
    ///
    /// # Errors
    /// If it cannot be used, or another process uses it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unusable = |source| StateError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(Some(Arc::new(Directory { path: path.to_owned(), _lock: lock })))),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Takes over what the limits had counted, if it is there and can be read.
    pub fn restore_limits(&self, limiter: &Limiter, clock: &Clock) {
        if self.0.is_some() {
            limits::restore(self, limiter, clock);
        }
    }

    /// The tools last seen of a server. `server` is whatever tells servers apart, as in [`super::Sources::catalogues`].
    pub fn catalogue(&self, server: &str) -> Option<Catalogue> {
        let path = self.file(&catalogues::file(server))?;
        let content = sealed::read_or_set_aside(&path, "the server's tools are unknown until they are listed again")?;
        Some(Catalogue::read(&content))
    }

    /// The lines of the log of sessions and tasks, in order.
    pub fn binding_lines(&self) -> Vec<String> {
        let Some(path) = self.file(super::bindings::FILE) else { return Vec::new() };
        match fs::read_to_string(&path) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                sealed::set_aside(
                    &path,
                    &error.to_string(),
                    "agents must begin their sessions again, and cannot reach their tasks",
                );
                Vec::new()
            }
        }
    }

    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|directory| directory.path.join(name))
    }
}
