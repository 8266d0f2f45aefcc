//! What the operator has assigned, as it survives a restart: the configuration, when it was last vouched for, and by which
//! authorities to know the operator.

use std::io;
use std::time::Duration;

use reeve_wire::{Hash, World};
use serde::{Deserialize, Serialize};

use super::directory::Cache;
use super::sealed::{self, Outlives};
use super::stamp::Stamp;
use crate::clock::Clock;

const CONFIGURATION: &str = "configuration";
const VOUCHED: &str = "vouched";
const TRUST: &str = "trust";

/// What an earlier process has heard last of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Of which document.
    pub hash: Hash,
    /// What the operator had seen when it said that the document holds.
    pub world: World,
    /// How long ago that was; none if that cannot be told.
    pub ago: Option<Duration>,
}

/// [`Vouched`] as it is written.
#[derive(Serialize, Deserialize)]
struct Word {
    at: Stamp,
    hash: Hash,
    world: World,
}

impl Cache {
    /// The configuration that was kept last, as the line by which the operator gave it.
    pub fn configuration(&self) -> Option<Vec<u8>> {
        self.read(CONFIGURATION, "without the operator's word every call is refused (NoConfiguration)")
    }

    /// Keeps a configuration: an older one would be a step back, so it outlives the machine too. Where it cannot be kept no older one
    /// stays either, which may permit what this one forbids. Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep_configuration(&self, line: &[u8]) -> io::Result<()> {
        let written = self.write(CONFIGURATION, line, Outlives::Machine);
        if let (Err(_), Some(path)) = (&written, self.file(CONFIGURATION)) {
            // Deleting needs no room. A disk that refuses even that has said why when it was written to.
            let _ = std::fs::remove_file(path);
        }
        written
    }

    /// When and how the configuration was last vouched for.
    pub fn vouched(&self, clock: &Clock) -> Option<Vouched> {
        let content = self.read(VOUCHED, "the configuration counts as never vouched for")?;
        let word: Word = serde_json::from_slice(&content).ok()?;
        Some(Vouched { hash: word.hash, world: word.world, ago: word.at.until(&Stamp::now(clock)) })
    }

    /// Keeps that the operator has just vouched for a document. Blocks. If the machine fails an older word is found, which
    /// permits less.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep_vouched(&self, hash: Hash, world: World, clock: &Clock) -> io::Result<()> {
        let content = serde_json::to_vec(&Word { at: Stamp::now(clock), hash, world })?;
        self.write(VOUCHED, &content, Outlives::Process)
    }

    /// The authorities (PEM) by which the operator was last said to be known.
    pub fn trust(&self) -> Option<String> {
        let content = self.read(TRUST, "the operator is known by the authorities that the pod was given")?;
        String::from_utf8(content).ok()
    }

    /// Keeps the authorities (PEM) by which to know the operator. Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep_trust(&self, bundle: &str) -> io::Result<()> {
        self.write(TRUST, bundle.as_bytes(), Outlives::Machine)
    }

    fn read(&self, name: &str, lost: &str) -> Option<Vec<u8>> {
        sealed::read_or_set_aside(&self.file(name)?, lost)
    }

    /// Without a directory nothing is kept, which was said at the start.
    fn write(&self, name: &str, content: &[u8], outlives: Outlives) -> io::Result<()> {
        self.file(name).map_or(Ok(()), |path| sealed::write(&path, content, outlives))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reeve_policy::time::{Instant, WallTime};

    #[test]
    fn the_operators_word_ages_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Instant(0), WallTime(0));
        let (hash, world) = (Hash::of(b"document"), World { policies: 7, ..World::default() });
        Cache::open(folder.path()).unwrap().keep_vouched(hash, world, &clock).unwrap();
        clock.advance(Duration::from_secs(90));
        let found = Cache::open(folder.path()).unwrap().vouched(&clock);
        assert_eq!(found, Some(Vouched { hash, world, ago: Some(Duration::from_secs(90)) }));
    }

    #[test]
    fn a_configuration_that_cannot_be_kept_leaves_no_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.keep_configuration(b"older").unwrap();
        // Where it is written first.
        let in_the_way = folder.path().join("configuration.tmp");
        std::fs::create_dir(&in_the_way).unwrap();
        assert!(cache.keep_configuration(b"newer").is_err());
        assert_eq!(cache.configuration(), None);
        std::fs::remove_dir(in_the_way).unwrap();
        cache.keep_configuration(b"newer").unwrap();
        assert_eq!(cache.configuration().as_deref(), Some(&b"newer"[..]));
    }

    #[test]
    fn without_a_directory_nothing_is_kept_and_nothing_fails() {
        let cache = Cache::none();
        cache.keep_configuration(b"line").unwrap();
        cache.keep_trust("bundle").unwrap();
        assert_eq!((cache.configuration(), cache.trust()), (None, None));
    }
}
