//! Where a configuration comes from: flags or a file, read into one value with every mistake located.
//!
//! ```text
//! --policy FILE… --upstream URL ──┐
//!                                 ├──► SidecarConfig, policies ──► check ──► Loaded (with upstreams, ready to connect)
//! --config FILE (+ policyFiles) ──┘                                  └────► Rejected: every mistake, each with its line
//! ```

mod reader;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Drafts, Problem, Source};
use reeve_policy::load::{Diagnostic, Positions};

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
    /// Where each policy stands.
    places: Vec<Place>,
}

/// Where a policy stands.
#[derive(Clone, Debug)]
struct Place {
    positions: Positions,
    /// Where the object stands in what `positions` knows.
    base: String,
}

impl Place {
    fn diagnose(&self, Problem { pointer, message, severity }: Problem) -> Diagnostic {
        self.positions.diagnose(&format!("{}{pointer}", self.base), message, severity)
    }
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
        self.governing(server).into_iter().map(|policy| Source::Readable(Arc::clone(policy))).collect()
    }

    /// What is likely not meant in the policies, as their servers' tools tell: what all servers that a policy governs agree in.
    /// `tools` gives those that a server was seen to have; of one that was not seen nothing is told. Compiles the policies: not
    /// for the serving thread.
    pub fn hints(&self, tools: impl Fn(&Server) -> Option<Arc<Catalogue>>) -> Vec<Diagnostic> {
        let servers = self.config.servers.iter().map(|server| (self.governing(server), tools(server)));
        let servers: Vec<_> = servers.collect();
        let mut drafts = Drafts::default();
        let mut hints = Vec::new();
        for (policy, place) in self.policies.iter().zip(&self.places) {
            let governs = |policies: &[&Arc<Policy>]| policies.iter().any(|other| Arc::ptr_eq(policy, other));
            let seen = servers.iter().filter(|(policies, _)| governs(policies)).map(|(_, tools)| tools.as_deref());
            let Some(seen) = seen.collect::<Option<Vec<_>>>().filter(|seen| !seen.is_empty()) else { continue };
            let known: HashSet<_> = drafts.check(policy, None).into_iter().collect();
            let mut agreed = drafts.check(policy, Some(seen[0]));
            agreed.retain(|problem| !known.contains(problem));
            for other in &seen[1..] {
                // In what was meant instead, servers need not agree.
                let others: HashSet<_> =
                    drafts.check(policy, Some(other)).into_iter().map(|problem| problem.pointer).collect();
                agreed.retain(|problem| others.contains(&problem.pointer));
            }
            hints.extend(agreed.into_iter().map(|problem| place.diagnose(problem)));
        }
        hints
    }

    fn governing(&self, server: &Server) -> Vec<&Arc<Policy>> {
        let mut governing: Vec<_> = match &server.policies {
            None => self.policies.iter().collect(),
            Some(names) => names.iter().flat_map(|name| check::called(&self.policies, name)).collect(),
        };
        // One may be named twice, with and without its namespace.
        governing.sort_by_key(|policy| Arc::as_ptr(policy));
        governing.dedup_by_key(|policy| Arc::as_ptr(policy));
        governing
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
