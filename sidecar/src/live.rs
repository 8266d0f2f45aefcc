//! What a configuration becomes: rulesets and upstreams that serve, swapped as one.
//!
//! ```text
//! config::Loaded ──build (not on the serving thread)──► Live {routes by path} ──swap──► Current ──► proxy
//! ```
//!
//! A call is decided under the [`Live`] that it finds and runs to its end under it. What outlives a configuration stands
//! beside it: the limiter's counters, and the [`Catalogues`] of tools that were seen.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Ruleset, compile};
use reeve_policy::decide::Subject;
use reeve_policy::limit::Limiter;

use crate::config::{Loaded, Server, SidecarConfig};
use crate::upstream::{BuildError, Environment, Upstream};

/// One server as agents reach it: where, under which rules, and how its calls are sent on.
#[derive(Debug)]
pub struct Route {
    /// The server's name.
    pub name: Arc<str>,
    /// Its configuration.
    pub server: Server,
    /// The path at which agents find it.
    pub path: Box<str>,
    /// Whom its calls are charged to, `namespace/name`.
    pub grant: Arc<str>,
    /// The policies that govern it.
    pub ruleset: Ruleset,
    /// The connections to it.
    pub upstream: Arc<Upstream>,
    /// The tools it was seen to have.
    pub tools: Arc<ArcSwap<Catalogue>>,
}

/// A configuration that serves.
#[derive(Debug)]
pub struct Live {
    /// Counts the configurations since the process began, from 1.
    pub number: u64,
    /// The document that it was made from.
    pub config: SidecarConfig,
    routes: Vec<Arc<Route>>,
}

impl Live {
    /// The route at exactly this path.
    pub fn at(&self, path: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| *route.path == *path)
    }

    /// The route of the server of this name.
    pub fn of(&self, server: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| *route.name == *server)
    }

    /// Every route, in the order of the configuration.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

/// The tools that were seen, by server. Outlives configurations.
#[derive(Debug, Default)]
pub struct Catalogues(std::sync::Mutex<HashMap<String, Arc<ArcSwap<Catalogue>>>>);

impl Catalogues {
    /// The catalogue of a server, empty if nothing was seen of it.
    pub fn of(&self, server: &str) -> Arc<ArcSwap<Catalogue>> {
        Arc::clone(self.lock().entry(server.to_owned()).or_default())
    }

    /// Every catalogue, by server.
    pub fn all(&self) -> Vec<(String, Arc<Catalogue>)> {
        self.lock().iter().map(|(server, tools)| (server.clone(), tools.load_full())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<ArcSwap<Catalogue>>>> {
        // A panic while the map was held cannot have left it half changed: every use is one call of its own.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Makes configurations serve.
#[derive(Debug)]
pub struct Builder {
    /// What counts.
    pub limiter: Arc<Limiter>,
    /// What was seen.
    pub catalogues: Arc<Catalogues>,
    /// The process's proxies and certificate authorities.
    pub environment: Environment,
    number: AtomicU64,
}

impl Builder {
    /// A builder that has built nothing.
    pub fn new(limiter: Arc<Limiter>, catalogues: Arc<Catalogues>, environment: Environment) -> Self {
        Self { limiter, catalogues, environment, number: AtomicU64::new(0) }
    }

    /// Compiles the policies and prepares the connections. Reads files and takes its time: not for the serving thread.
    /// Upstreams whose configuration and files are as in `previous` are kept, with their open connections.
    ///
    /// # Errors
    /// The first server that cannot be prepared, by name.
    pub fn build(&self, loaded: &Loaded, previous: Option<&Live>) -> Result<Live, (String, BuildError)> {
        let routes = loaded.config.servers.iter().map(|server| {
            let upstream = match previous.and_then(|live| live.of(&server.name)) {
                Some(route) if route.server == *server && route.upstream.is_current() => Arc::clone(&route.upstream),
                _ => Upstream::new(server, &self.environment)
                    .map(Arc::new)
                    .map_err(|error| (server.name.clone(), error))?,
            };
            Ok(Arc::new(self.route(loaded, server, upstream)))
        });
        let routes = routes.collect::<Result<Vec<_>, _>>()?;
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Live { number, config: loaded.config.clone(), routes })
    }

    fn route(&self, loaded: &Loaded, server: &Server, upstream: Arc<Upstream>) -> Route {
        let identity = &loaded.config.identity;
        let subject = Subject {
            server: server.name.clone(),
            namespace: identity.namespace.clone(),
            service_account: identity.service_account.clone(),
            pod: identity.pod.clone().unwrap_or_else(host_name),
            labels: identity.labels.clone(),
        };
        Route {
            name: server.name.as_str().into(),
            path: server.agent_path().into(),
            grant: subject.grant().into(),
            ruleset: compile(&loaded.sources(server), subject, &self.limiter),
            upstream,
            tools: self.catalogues.of(&server.name),
            server: server.clone(),
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The configuration in force; none until the first one came.
#[derive(Debug, Default)]
pub struct Current(ArcSwapOption<Live>);

impl Current {
    /// The configuration in force now.
    pub fn load(&self) -> Option<Arc<Live>> {
        self.0.load_full()
    }

    /// Puts a configuration into force, at once and as a whole.
    pub fn swap(&self, live: Live) {
        self.0.store(Some(Arc::new(live)));
    }
}
