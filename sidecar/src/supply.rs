//! How configurations arrive: the one place that knows that there are two ways.
//!
//! ```text
//! Supply ──open (everything wrong with it is told before a port is bound)──► Opened ──begin──► Follower ──follow──► …
//!   Files     read, checked                                           the first is in force    files are watched
//!   Operator  URL and authorities checked                             the last kept one is     its stream is followed
//! ```

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Audit;
use crate::config::source::{Inputs, Loaded, load};
use crate::live::Enforcer;
use crate::live::reload::{Fixed, Reloader};
use crate::serve::ServeError;
use crate::state::Cache;
use crate::sync;
use crate::upstream::Environment;

/// Where configurations come from.
#[derive(Clone, Debug)]
pub enum Supply {
    /// Files, or flags in their stead.
    Files(Inputs),
    /// The operator.
    Operator {
        /// How it is reached.
        settings: sync::Settings,
        /// What is recorded of decisions, which the operator does not say.
        audit: Audit,
    },
}

/// A supply of which all is good that can be known before anything is served.
#[derive(Debug)]
pub struct Opened {
    source: Source,
    fixed: Fixed,
    environment: Arc<Environment>,
}

#[derive(Debug)]
enum Source {
    Files(Inputs, Box<Loaded>),
    Operator(Box<sync::Way>),
}

impl Supply {
    /// Reads what there is to read.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub async fn open(self) -> Result<Opened, ServeError> {
        let environment = Arc::new(Environment::from_process());
        let (source, fixed) = match self {
            Self::Files(inputs) => {
                let loaded = read(&inputs, &environment).await?;
                let fixed = Fixed::of(&loaded.config);
                (Source::Files(inputs, Box::new(loaded)), fixed)
            }
            Self::Operator { settings, audit } => {
                let way = sync::Way::new(settings)?;
                (Source::Operator(Box::new(way)), Fixed { audit, ..Fixed::default() })
            }
        };
        Ok(Opened { source, fixed, environment })
    }
}

impl Opened {
    /// The settings that are read at start only.
    pub fn fixed(&self) -> &Fixed {
        &self.fixed
    }

    /// Proxy variables and the system's authorities.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Puts the first configuration into force, if it is here.
    pub fn begin(self, enforcer: Enforcer, cache: &Cache, clock: &Clock) -> Follower {
        let Self { source, fixed, environment } = self;
        match source {
            Source::Files(inputs, loaded) => {
                let reloader = Reloader { enforcer, inputs, fixed, environment };
                reloader.enforce(&loaded);
                tracing::info!(
                    policies = loaded.policies.len(),
                    "standalone: every policy given governs, McpPolicy and ClusterMcpPolicy alike, whatever pods, \
                     ServiceAccounts, namespaces or servers it selects, and configMaxAge has no effect; give only those that \
                     should govern"
                );
                Follower::Files(Box::new(reloader), loaded)
            }
            Source::Operator(way) => {
                let client = sync::Client::begin(*way, fixed, environment, enforcer, cache.clone(), clock.clone());
                Follower::Operator(Box::new(client))
            }
        }
    }
}

/// Brings every later configuration.
#[derive(Debug)]
pub enum Follower {
    /// From files.
    Files(Box<Reloader>, Box<Loaded>),
    /// From the operator.
    Operator(Box<sync::Client>),
}

impl Follower {
    /// Follows the source for ever.
    pub async fn follow(self) {
        match self {
            Self::Files(reloader, loaded) => reloader.follow(*loaded).await,
            Self::Operator(client) => client.follow().await,
        }
    }
}

async fn read(inputs: &Inputs, environment: &Arc<Environment>) -> Result<Loaded, ServeError> {
    let (inputs, environment) = (inputs.clone(), Arc::clone(environment));
    let read = tokio::task::spawn_blocking(move || load(&inputs, &environment)).await;
    read.map_err(|error| ServeError::System(error.to_string()))?.map_err(ServeError::Configuration)
}
