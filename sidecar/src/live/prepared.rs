//! A configuration that can serve, whatever brought it: files, or the operator.

use std::sync::Arc;

use reeve_policy::compile::Source;

use super::vouched::Vouched;
use crate::config::SidecarConfig;
use crate::config::source::Loaded;
use crate::upstream::Upstream;

/// What [`super::Builder`] makes serve.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The document, with the path of each server set.
    pub config: SidecarConfig,
    /// One for each server, in the order of [`SidecarConfig::servers`].
    pub servers: Vec<Backed>,
    /// How many policies there are, whatever number of servers each governs.
    pub policies: usize,
    /// When the operator has last vouched for it; none where nobody need, as for files.
    pub vouched: Option<Arc<Vouched>>,
}

/// What stands behind a server of a configuration.
#[derive(Clone, Debug)]
pub struct Backed {
    /// The policies that govern it.
    pub policies: Vec<Source>,
    /// The connections to it.
    pub upstream: Arc<Upstream>,
}

impl From<&Loaded> for Prepared {
    fn from(loaded: &Loaded) -> Self {
        let servers = loaded.config.servers.iter().zip(&loaded.upstreams);
        let servers = servers
            .map(|(server, upstream)| Backed { policies: loaded.sources(server), upstream: Arc::clone(upstream) })
            .collect();
        Self { config: loaded.config.clone(), servers, policies: loaded.policies.len(), vouched: None }
    }
}
