//! What a configuration becomes: rulesets and upstreams that serve, swapped as one.
//!
//! ```text
//! Prepared ──build (not on the serving thread)──► Live {routes by path} ──swap──► Current ──► proxy
//! ```
//!
//! A call is decided under the [`Live`] that it finds, and then holds no more of it than the [`Backend`] that it is sent to. What
//! outlives a configuration stands beside it: the limiter's counters, and the [`Catalogues`] of tools that were seen.

pub mod aside;
pub mod inspector;
pub mod reload;
pub mod settle;
pub mod vouched;

mod enforcer;
mod foresight;
mod part;
mod prepared;

pub use enforcer::Enforcer;
pub use foresight::Foresight;
pub use prepared::{Backed, Prepared};

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use foldhash::fast::RandomState;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Ruleset, compile};
use reeve_policy::decide::{Call, ServerRequest, Subject, Verdict};
use reeve_policy::limit::Limiter;
use reeve_policy::time::WallTime;
use tokio::sync::Notify;

use crate::audit::Parties;
use crate::config::{Identity, Server, SidecarConfig};
use crate::mcp::open::Open;
use crate::memory::Memory;
use crate::metrics::{Metrics, ServerMetrics};
use crate::state::Cache;
use crate::upstream::Upstream;
use part::Before;
use vouched::{Lifetime, Vouched};

/// One server and how its calls are sent on: what a call or a stream needs to its end, whatever policies govern the server by
/// then. A stream may stay open for days, and holds nothing more of its configuration.
#[derive(Debug)]
pub struct Backend {
    /// The server's name.
    pub name: Arc<str>,
    /// Its configuration.
    pub server: Server,
    /// The path at which agents find it.
    pub path: Box<str>,
    /// Whom its calls are charged to, `namespace/name`.
    pub grant: Arc<str>,
    /// The connections to it.
    pub upstream: Arc<Upstream>,
    /// What is counted of it.
    pub metrics: Arc<ServerMetrics>,
    /// Its requests that were relayed to agents and wait for their answers. A table for each server, so that none can push
    /// out another's.
    asked: Arc<Mutex<Open<()>>>,
    /// What of the memory for all answers its own may hold.
    pub(crate) answers: Memory,
}

/// One server as agents reach it: a [`Backend`], which it reads as, and the rules under which it is called.
#[derive(Debug)]
pub struct Route {
    /// The server.
    pub backend: Arc<Backend>,
    /// The policies that govern it.
    pub ruleset: Ruleset,
    /// Between whom its calls are, for the audit log.
    pub parties: Parties,
    /// The tools it was seen to have.
    pub tools: Arc<ArcSwap<Catalogue>>,
    named_tools: HashSet<Arc<str>, RandomState>,
    /// How long what governs it holds without word from the operator; unset: for ever.
    lifetime: Option<Lifetime>,
}

impl Deref for Route {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

/// The most requests of one server that wait for an agent's answer: 16 bytes of key and a little more for each.
const ASKED_AT_ONCE: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

impl Backend {
    /// Its requests that were relayed to agents and wait for their answers.
    pub fn asked(&self) -> MutexGuard<'_, Open<()>> {
        // A panic while it was held cannot have left it half changed: every use is one call of its own.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    /// Decides a call at this moment: under the policies, unless what they say has become too old.
    pub fn decide(&self, call: &Call<'_>) -> Verdict {
        self.too_old().unwrap_or_else(|| self.ruleset.decide(call))
    }

    /// The same of a URI that is only referred to.
    pub fn decide_reference(&self, uri: &str, session: Option<&str>, now: WallTime) -> Verdict {
        self.too_old().unwrap_or_else(|| self.ruleset.decide_reference(uri, session, now))
    }

    /// The same of what the server asks of the agent.
    pub fn server_request(&self, kind: ServerRequest) -> Verdict {
        self.too_old().unwrap_or_else(|| self.ruleset.server_request(kind))
    }

    fn too_old(&self) -> Option<Verdict> {
        self.lifetime.as_ref()?.over()
    }

    /// The name of what is called, without a copy of it if policies name it as a tool.
    pub fn own_name(&self, name: &str) -> Arc<str> {
        self.named_tools.get(name).map_or_else(|| name.into(), Arc::clone)
    }

    /// Whether a policy or the catalogue knows a tool of this name, so that it may become a label.
    pub fn knows_tool(&self, name: &str) -> bool {
        self.named_tools.contains(name) || self.tools.load().tool(name).is_some()
    }
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

    /// Whether nothing else holds it, or a part of it, any more.
    pub fn is_alone(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && self.routes.iter().all(|route| Arc::strong_count(route) == 1)
    }

    /// Every route, in the order of the configuration.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

/// By what the tools of a server are kept over a restart: another URL is another server, whatever its name.
pub fn catalogue_key(server: &Server) -> String {
    format!("{} {}", server.name, server.url)
}

/// The tools that were seen, by server. Outlives configurations.
#[derive(Debug, Default)]
pub struct Catalogues {
    seen: Mutex<HashMap<String, Arc<ArcSwap<Catalogue>>>>,
    /// What an earlier run has seen.
    earlier: Cache,
}

impl Catalogues {
    /// Those of an earlier run, each read when its server comes.
    pub fn kept_in(earlier: Cache) -> Self {
        Self { seen: Mutex::default(), earlier }
    }

    /// The catalogue of the server with this [`catalogue_key`], empty if nothing was seen of it. May read a file: not for the
    /// serving thread.
    pub fn of(&self, server: &str) -> Arc<ArcSwap<Catalogue>> {
        let mut seen = self.lock();
        if let Some(known) = seen.get(server) {
            return Arc::clone(known);
        }
        let tools = Arc::new(ArcSwap::from_pointee(self.earlier.catalogue(server).unwrap_or_default()));
        seen.insert(server.to_owned(), Arc::clone(&tools));
        tools
    }

    /// Every catalogue, by [`catalogue_key`].
    pub fn all(&self) -> Vec<(String, Arc<Catalogue>)> {
        self.lock().iter().map(|(server, tools)| (server.clone(), tools.load_full())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<ArcSwap<Catalogue>>>> {
        // A panic while the map was held cannot have left it half changed: every use is one call of its own.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes configurations serve.
#[derive(Debug)]
pub struct Builder {
    /// What counts.
    pub limiter: Arc<Limiter>,
    /// What was seen.
    pub catalogues: Arc<Catalogues>,
    /// What is counted for people.
    pub metrics: Arc<Metrics>,
    number: AtomicU64,
}

impl Builder {
    /// A builder that has built nothing.
    pub fn new(limiter: Arc<Limiter>, catalogues: Arc<Catalogues>, metrics: Arc<Metrics>) -> Self {
        Self { limiter, catalogues, metrics, number: AtomicU64::new(0) }
    }

    /// Compiles the policies; not for the serving thread. Upstreams that would be as in `previous` are kept, with their open
    /// connections.
    pub fn build(&self, prepared: &Prepared, previous: Option<&Live>) -> Live {
        let routes = prepared.config.servers.iter().zip(&prepared.servers).map(|(server, backed)| {
            let before = previous.and_then(|live| live.of(&server.name));
            let kept = before.map(|before| &before.upstream).filter(|kept| kept.is_like(&backed.upstream));
            let upstream = kept.unwrap_or(&backed.upstream);
            // Under another URL it is another server, which has asked for nothing yet.
            let asked =
                before.filter(|before| before.server.url == server.url).map(|before| Arc::clone(&before.backend.asked));
            let asked = asked.unwrap_or_else(|| Arc::new(Mutex::new(Open::new(ASKED_AT_ONCE))));
            let former = previous.zip(before).map(|(live, before)| Before {
                config: &live.config,
                server: &before.server,
                part: &before.answers,
            });
            let answers = part::of(&prepared.config, server, former);
            let ruleset = compile(&backed.policies, &subject(&prepared.config.identity, server), &self.limiter);
            let lifetime = lifetime(&ruleset, prepared.vouched.as_ref());
            Arc::new(self.route(server, Arc::clone(upstream), asked, answers, ruleset, lifetime))
        });
        let routes = routes.collect();
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        Live { number, config: prepared.config.clone(), routes }
    }

    fn route(
        &self,
        server: &Server,
        upstream: Arc<Upstream>,
        asked: Arc<Mutex<Open<()>>>,
        answers: Memory,
        ruleset: Ruleset,
        lifetime: Option<Lifetime>,
    ) -> Route {
        let backend = Backend {
            name: server.name.as_str().into(),
            path: server.agent_path().into(),
            grant: ruleset.subject().grant().into(),
            upstream,
            asked,
            answers,
            metrics: self.metrics.server(&server.name),
            server: server.clone(),
        };
        Route {
            parties: Parties::new(&backend.grant, &ruleset.subject().pod, &backend.name),
            backend: Arc::new(backend),
            named_tools: ruleset.named_tools().cloned().collect(),
            ruleset,
            tools: self.catalogues.of(&catalogue_key(server)),
            lifetime,
        }
    }
}

fn subject(identity: &Identity, server: &Server) -> Subject {
    Subject {
        server: server.name.clone(),
        namespace: identity.namespace.clone(),
        service_account: identity.service_account.clone(),
        pod: identity.pod.clone().unwrap_or_else(host_name),
        labels: identity.labels.clone(),
    }
}

/// How long the policies hold, where somebody must vouch for them.
fn lifetime(ruleset: &Ruleset, vouched: Option<&Arc<Vouched>>) -> Option<Lifetime> {
    let (most, policy) = ruleset.max_config_age()?;
    Some(Lifetime { vouched: Arc::clone(vouched?), most, policy: Arc::clone(policy) })
}

/// What the pod is called, where nothing says otherwise: Kubernetes gives its name to the host.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The configuration in force; none until the first one came.
#[derive(Debug, Default)]
pub struct Current {
    live: ArcSwapOption<Live>,
    replaced: Notify,
}

impl Current {
    /// The configuration in force now.
    pub fn load(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    /// Puts a configuration into force, at once and as a whole; gives the one before.
    pub fn swap(&self, live: Live) -> Option<Arc<Live>> {
        let before = self.live.swap(Some(Arc::new(live)));
        self.replaced.notify_one();
        before
    }

    /// Waits until another configuration is in force than when this was last waited for. For one who waits.
    pub async fn replaced(&self) {
        self.replaced.notified().await;
    }
}
