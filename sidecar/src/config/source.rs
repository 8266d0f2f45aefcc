//! Where a configuration comes from: flags or a file, read into one value with every mistake located.
//!
//! ```text
//! --policy FILE… --upstream URL ──┐
//!                                 ├──► SidecarConfig, policies ──► check ──► Loaded (with upstreams, ready to connect)
//! --config FILE (+ policyFiles) ──┘                                  └────► Rejected: every mistake, each with its line
//! ```

mod reader;

use std::path::PathBuf;
use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;
use reeve_policy::compile::Source;
use reeve_policy::load::Diagnostic;

use super::{Files, OnFull, Server, SidecarConfig, check};
use crate::upstream::{Environment, Upstream};
use reader::Reader;

/// The name of the server that `--upstream` declares.
pub const FLAG_SERVER: &str = "upstream";

/// What the command line says of the configuration.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Where the servers and policies are.
    pub origin: Origin,
    /// `--grant`: a ServiceAccount's name, or `namespace/name`.
    pub grant: Option<String>,
    /// `--audit`.
    pub audit: Option<String>,
    /// `--audit-on-full`.
    pub audit_on_full: Option<OnFull>,
}

/// Where the servers and policies are.
#[derive(Clone, Debug)]
pub enum Origin {
    /// `--policy FILE… --upstream URL`: one server, served at the path of its URL.
    Flags {
        /// Policy files in any accepted form.
        policies: Vec<PathBuf>,
        /// The server's URL.
        upstream: String,
    },
    /// `--config FILE`.
    File(PathBuf),
}

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The document, with the flags applied, the paths of files resolved and the path of each server set.
    pub config: SidecarConfig,
    /// Every policy, of the document and of its policy files.
    pub policies: Vec<Arc<Policy>>,
    /// One for each server, in the order of [`SidecarConfig::servers`].
    pub upstreams: Vec<Arc<Upstream>>,
    /// What is legal but likely not what was meant.
    pub warnings: Vec<Diagnostic>,
    /// The files that were read, for [`super::watch::Watcher`].
    pub files: Files,
}

/// A configuration with mistakes.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Every mistake and warning, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, for [`super::watch::Watcher`].
    pub files: Files,
}

impl Loaded {
    /// The policies that govern a server of this configuration, as the compiler takes them.
    pub fn sources(&self, server: &Server) -> Vec<Source> {
        let mut governing: Vec<_> = match &server.policies {
            None => self.policies.iter().collect(),
            Some(names) => names.iter().flat_map(|name| check::called(&self.policies, name)).collect(),
        };
        // One may be named twice, with and without its namespace.
        governing.sort_by_key(|policy| Arc::as_ptr(policy));
        governing.dedup_by_key(|policy| Arc::as_ptr(policy));
        governing.into_iter().map(|policy| Source::Readable(Arc::clone(policy))).collect()
    }
}

/// Reads, checks and completes the configuration. Blocks on files and compiles policies: not for the serving thread.
///
/// # Errors
/// Every mistake found, in all files.
pub fn load(inputs: &Inputs, environment: &Environment) -> Result<Loaded, Rejected> {
    Reader::default().load(inputs, environment)
}

#[cfg(test)]
mod tests;
