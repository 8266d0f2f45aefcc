//! Notices when the files of a configuration change.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files and what they held when they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<[u8; 32]>>);

/// Watches the files of a configuration.
#[derive(Debug)]
pub struct Watcher {
    files: Files,
}

impl Watcher {
    /// Begins to watch.
    pub fn new(files: Files) -> Self {
        Self { files }
    }

    /// Watches these files from now on: what the last attempt to load has read, whether it succeeded or not.
    pub fn watch(&mut self, files: Files) {
        self.files = files;
    }

    /// Waits until a file differs from what was read. Cancel safe.
    pub async fn changed(&mut self) {
        todo!()
    }
}
