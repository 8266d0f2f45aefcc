//! Puts the parts together: from what the command line says to a sidecar that serves, and to its orderly end.
//!
//! ```text
//! configuration (no port is bound before it is known to be good)
//!   ─► state of an earlier run ─► limiter, catalogues ─► rulesets, upstreams ─► ports ─► ready ─► … ─► stop ─► drain
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reeve_policy::catalogue::Catalogue;
use reeve_policy::limit::{Capacity, Limiter};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::audit::{self, Destination, Log, Settings};
use crate::clock::Clock;
use crate::config::source::{Inputs, Loaded, Rejected, load};
use crate::lifecycle::{self, DrainTrigger, Phase, Readiness};
use crate::listener::{self, Addresses, BindError, Bounds, Peer, bind};
use crate::live::inspector::Inspector;
use crate::live::reload::Reloader;
use crate::live::{Builder, Catalogues, Current, catalogue_key};
use crate::mcp::gate::Gate;
use crate::mcp::session::{SessionChange, Sessions};
use crate::metrics::Metrics;
use crate::proxy::{self, Proxy};
use crate::state::{self, Cache, Keeper, StateError};
use crate::upstream::Environment;
use crate::{admin, inspect};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where servers and policies come from.
    pub inputs: Inputs,
    /// Where agents connect.
    pub listen: Addresses,
    /// Where probes and metrics are.
    pub admin: Addresses,
    /// Where the effective policy and the limits are.
    pub inspect: Addresses,
    /// Where state is kept that survives a restart; none: it does not.
    pub cache_dir: Option<PathBuf>,
    /// How long calls in flight may take after the end was asked for.
    pub grace_period: Duration,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration has mistakes.
    #[error("the configuration has mistakes")]
    Configuration(Rejected),
    /// A duration of the listener is none; the configuration's check has told it before.
    #[error("{0}")]
    Listener(String),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    /// The cache directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system refused something that every process needs.
    #[error("the system refused a thread or a metric: {0}")]
    System(String),
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    agents: SocketAddr,
    admin: SocketAddr,
    inspect: SocketAddr,
    trigger: DrainTrigger,
    /// Ends what people and probes see, which they do until the last call has ended.
    unseen: DrainTrigger,
    grace_period: Duration,
    /// Ends when the last agent's connection has.
    serving: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    keeper: Keeper,
    audit: Log,
}

impl Sidecar {
    /// Starts a sidecar; it serves when this returns.
    ///
    /// # Errors
    /// Why it cannot; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, ServeError> {
        let environment = Arc::new(Environment::from_process());
        let loaded = read(&options.inputs, &environment).await?;
        let config = &loaded.config;
        let bounds = Bounds::of(&config.listener).map_err(ServeError::Listener)?;

        let clock = Clock::system();
        let cache = options.cache_dir.as_deref().map_or_else(|| Ok(Cache::none()), Cache::open)?;
        let limiter = Arc::new(Limiter::new(Capacity::default()));
        cache.restore_limits(&limiter, &clock);
        let sessions = Arc::new(Mutex::new(earlier_sessions(&cache)));
        let catalogues = Arc::new(earlier_catalogues(&cache, &loaded));

        let metrics = Metrics::new(clock.clone()).map_err(|error| ServeError::System(error.to_string()))?;
        let settings = Settings { on_full: config.audit.on_full, queue_bytes: config.audit.queue_bytes };
        let audit = Log::open(Destination::parse(&config.audit.to), settings, clock.clone())?;
        audit.note(&audit::Note::Started { version: env!("CARGO_PKG_VERSION") });
        metrics.observe_audit(audit.clone());
        let keeper = keep(&cache, &limiter, &sessions, &clock)?;

        let agents = bind(&options.listen, "agents", "--listen").await?;
        let probes = bind(&options.admin, "probes and metrics", "--admin").await?;
        let people = bind(&options.inspect, "inspection", "--inspect").await?;
        let addresses = [address(&agents), address(&probes), address(&people)];

        let (trigger, drain) = lifecycle::drain();
        let (unseen, seen) = lifecycle::drain();
        let readiness = Readiness::new(clock.clone(), drain.clone());
        let live = Arc::new(Current::default());
        let builder = Arc::new(Builder::new(Arc::clone(&limiter), catalogues, Arc::clone(&metrics)));
        let reloader = Reloader {
            current: Arc::clone(&live),
            builder,
            inputs: options.inputs,
            environment,
            metrics: Arc::clone(&metrics),
            audit: audit.clone(),
        };
        reloader.enforce(&loaded);
        readiness.configured();

        let inspector = Inspector { live: Arc::clone(&live), limiter: Arc::clone(&limiter), clock: clock.clone() };
        metrics.observe_limits(Box::new({
            let inspector = inspector.clone();
            move || inspector.usage()
        }));
        let parts = proxy::Parts {
            gate: Gate::new(&bound(&agents), &config.listener.allowed_hosts, &config.listener.allowed_origins),
            live,
            limiter,
            audit: audit.clone(),
            metrics: Arc::clone(&metrics),
            clock,
            drain: drain.clone(),
            keeper: keeper.clone(),
            sessions,
        };
        let proxy = Proxy::new(parts, &config.listener).map_err(ServeError::Listener)?;
        let answer = move |request, _peer: Peer| proxy.clone().respond(request);
        let serving = tokio::spawn(listener::serve(agents, bounds, Arc::clone(&metrics) as _, drain, answer));
        let others = vec![
            tokio::spawn(admin::serve(probes, readiness.clone(), metrics, seen.clone())),
            tokio::spawn(inspect::serve(people, inspector, seen)),
            tokio::spawn(reloader.follow(loaded.files)),
        ];
        readiness.serving();
        let [agents, admin, inspect] = addresses;
        Ok(Self {
            agents,
            admin,
            inspect,
            trigger,
            unseen,
            grace_period: options.grace_period,
            serving,
            others,
            keeper,
            audit,
        })
    }

    /// Where agents connect.
    pub fn agents(&self) -> SocketAddr {
        self.agents
    }

    /// Where probes and metrics are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the effective policy and the limits are.
    pub fn inspect(&self) -> SocketAddr {
        self.inspect
    }

    /// Ends: accepts no more, lets calls in flight finish within the grace period, and keeps what is to be kept.
    pub async fn stop(mut self) {
        self.trigger.advance(Phase::Draining);
        if tokio::time::timeout(self.grace_period, &mut self.serving).await.is_err() {
            tracing::warn!("the grace period is over: calls in flight are cut off");
            self.trigger.advance(Phase::Ending);
            let _ = (&mut self.serving).await;
        }
        self.unseen.advance(Phase::Ending);
        for task in &self.others {
            task.abort();
        }
        let (keeper, audit) = (self.keeper.clone(), self.audit.clone());
        let closed = tokio::task::spawn_blocking(move || {
            if !keeper.close(LAST_WRITES) {
                tracing::warn!("not everything was written to the cache directory in time");
            }
            if let Err(bytes) = audit.close(LAST_WRITES) {
                tracing::warn!(bytes, "the end of the audit log was not written in time");
            }
        });
        let _ = closed.await;
    }
}

/// How long the last writes to the cache directory, and to the audit log, may take.
const LAST_WRITES: Duration = Duration::from_secs(5);

async fn read(inputs: &Inputs, environment: &Arc<Environment>) -> Result<Loaded, ServeError> {
    let (inputs, environment) = (inputs.clone(), Arc::clone(environment));
    let read = tokio::task::spawn_blocking(move || load(&inputs, &environment)).await;
    read.map_err(|error| ServeError::System(error.to_string()))?.map_err(ServeError::Configuration)
}

fn keep(
    cache: &Cache,
    limiter: &Arc<Limiter>,
    sessions: &Arc<Mutex<Sessions>>,
    clock: &Clock,
) -> Result<Keeper, ServeError> {
    let (limiter, sessions) = (Arc::clone(limiter), Arc::clone(sessions));
    let sources = state::Sources {
        limits: Box::new(move |now| limiter.snapshot(now)),
        sessions: Box::new(move || {
            let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.snapshot().map(|change| change.write()).collect()
        }),
    };
    Keeper::start(cache, sources, clock.clone()).map_err(|error| ServeError::System(error.to_string()))
}

fn earlier_sessions(cache: &Cache) -> Sessions {
    let mut sessions = Sessions::new(proxy::REMEMBERED);
    for change in cache.session_lines().iter().filter_map(|line| SessionChange::read(line)) {
        sessions.apply(change);
    }
    sessions
}

fn earlier_catalogues(cache: &Cache, loaded: &Loaded) -> Catalogues {
    let catalogues = Catalogues::default();
    for server in &loaded.config.servers {
        let key = catalogue_key(server);
        if let Some(bytes) = cache.catalogue(&key) {
            catalogues.of(&key).store(Arc::new(Catalogue::read(&bytes)));
        }
    }
    catalogues
}

fn bound(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

fn address(listeners: &[TcpListener]) -> SocketAddr {
    bound(listeners).first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[cfg(test)]
mod tests;
