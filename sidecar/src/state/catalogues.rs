//! The tools last seen of each server, one file for each.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use reeve_policy::catalogue::Catalogue;
use sha2::{Digest, Sha256};

use super::directory::Cache;
use super::sealed::{self, Outlives};

/// Writes what differs from what was written last.
pub(super) struct Catalogues {
    cache: Cache,
    written: HashMap<String, Written>,
}

struct Written {
    /// What was compared last: lists that were not listed again need no look at their content.
    catalogue: Arc<Catalogue>,
    digest: [u8; 32],
}

impl Catalogues {
    pub(super) fn new(cache: Cache) -> Self {
        Self { cache, written: HashMap::new() }
    }

    /// Writes the catalogues that have changed; servers that are gone keep their files, as they may come back.
    pub(super) fn write(&mut self, catalogues: Vec<(String, Arc<Catalogue>)>) -> io::Result<()> {
        let mut result = Ok(());
        for (server, catalogue) in catalogues {
            result = result.and(self.write_one(&server, catalogue));
        }
        result
    }

    fn write_one(&mut self, server: &str, catalogue: Arc<Catalogue>) -> io::Result<()> {
        let name = file(server);
        let before = self.written.get(&name);
        let is_empty = catalogue.tools().next().is_none();
        if before.is_some_and(|before| Arc::ptr_eq(&before.catalogue, &catalogue)) || (before.is_none() && is_empty) {
            return Ok(());
        }
        let content = catalogue.write();
        let digest = Sha256::digest(&content).into();
        if before.is_none_or(|before| before.digest != digest)
            && let Some(path) = self.cache.file(&name)
        {
            sealed::write(&path, &content, Outlives::Process)?;
        }
        self.written.insert(name, Written { catalogue, digest });
        Ok(())
    }
}

/// The name of a server's file: no character of the server's own name, which may be any.
pub(super) fn file(server: &str) -> String {
    let digest = Sha256::digest(server.as_bytes());
    digest[..12].iter().fold(String::from("catalogue-"), |name, byte| format!("{name}{byte:02x}"))
}
