//! Puts the parts together: from what the command line says to a sidecar that serves, and to its orderly end.
//!
//! ```text
//! supply of configurations (no port is bound before it is known to be good)
//!   ─► state of an earlier run ─► limiter, catalogues ─► ports ─► rulesets, upstreams ─► ready ─► … ─► stop ─► drain
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reeve_policy::limit::{Capacity, Limiter};
use reeve_resident::Program;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::audit::{self, Destination, Log, Settings};
use crate::clock::Clock;
use crate::config::Audit;
use crate::config::source::Rejected;
use crate::lifecycle::{self, Drain, DrainTrigger, Phase, Readiness};
use crate::listener::{self, Addresses, BindError, Bounds, Peer, bind};
use crate::live::inspector::Inspector;
use crate::live::settle::settle;
use crate::live::{Builder, Catalogues, Current, Enforcer, Foresight};
use crate::mcp::binding::{Bindings, Change};
use crate::mcp::gate::Gate;
use crate::metrics::Metrics;
use crate::proxy::{self, Proxy};
use crate::state::{self, Cache, Keeper, StateError};
use crate::supply::Supply;
use crate::sync::SettingsError;
use crate::trace::{self, Tracer, Tracing};
use crate::{admin, inspect};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where servers and policies come from.
    pub supply: Supply,
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
    /// Whether and how calls are traced.
    pub tracing: trace::Settings,
    /// What of the program may be given back; by default nothing.
    pub program: Program,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration has mistakes.
    #[error("the configuration has mistakes")]
    Configuration(Rejected),
    /// What is said of the operator cannot be used.
    #[error(transparent)]
    Operator(#[from] SettingsError),
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
    tracing: Option<Tracing>,
}

impl Sidecar {
    /// Starts a sidecar; it serves when this returns.
    ///
    /// # Errors
    /// Why it cannot; nothing is left running then.
    pub async fn start(options: Options) -> Result<Self, ServeError> {
        Self::start_by(options, Clock::system()).await
    }

    /// The same by another clock.
    pub(crate) async fn start_by(options: Options, clock: Clock) -> Result<Self, ServeError> {
        let supply = options.supply.clone().open().await?;
        let fixed = supply.fixed().clone();
        let bounds = Bounds::of(&fixed.listener).map_err(ServeError::Listener)?;
        let cache = options.cache_dir.as_deref().map_or_else(|| Ok(Cache::none()), Cache::open)?;
        let ground = Ground::lay(&cache, &fixed.audit, clock)?;
        let ports = Ports::bind(&options)?;
        ground.audit.note(&audit::Note::Started { version: env!("CARGO_PKG_VERSION") });
        let [agents, admin, inspect] = ports.addresses();
        let tracing =
            Tracing::begin(options.tracing.clone(), supply.environment(), &ground.clock, &ground.metrics).await;

        let (trigger, drain) = lifecycle::drain();
        let (unseen, seen) = lifecycle::drain();
        let readiness = Readiness::new(ground.clock.clone(), drain.clone());
        let enforcer = ground.enforcer(readiness.clone());
        let current = Arc::clone(&enforcer.current);
        let follower = supply.begin(enforcer, &cache, &ground.clock);
        tell(&ports, &current, options.cache_dir.as_deref());

        let inspector = ground.inspector(&current);
        ground.metrics.observe_limits(Box::new({
            let inspector = inspector.clone();
            move || inspector.usage()
        }));
        let settling = settle(Arc::clone(&current), options.program);
        let foresight = Foresight::new(Arc::clone(&current));
        ground.metrics.observe_policies(Box::new(move |metrics| foresight.show(metrics)));
        let Ground { metrics, audit, keeper, .. } = &ground;
        let (metrics, audit, keeper) = (Arc::clone(metrics), audit.clone(), keeper.clone());
        let gate = Gate::new(&bound(&ports.agents), &fixed.listener.allowed_hosts, &fixed.listener.allowed_origins);
        let tracer = tracing.as_ref().map(|tracing| Arc::clone(&tracing.tracer));
        let parts = ground.proxy_parts(current, gate, drain.clone(), tracer);
        let proxy = Proxy::new(parts, &fixed.listener).map_err(ServeError::Listener)?;
        let answer = move |request, _peer: Peer| proxy.clone().respond(request);
        let observer = Arc::clone(&metrics) as _;
        let serving = tokio::spawn(listener::serve(ports.agents, bounds, observer, drain, answer));
        let hosts = fixed.listener.allowed_hosts.clone();
        let others = vec![
            tokio::spawn(admin::serve(ports.admin, hosts.clone(), readiness.clone(), metrics, seen.clone())),
            tokio::spawn(inspect::serve(ports.inspect, hosts, inspector, seen)),
            tokio::spawn(follower.follow()),
            tokio::spawn(settling),
        ];
        readiness.serving();
        let grace_period = options.grace_period;
        Ok(Self { agents, admin, inspect, trigger, unseen, grace_period, serving, others, keeper, audit, tracing })
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
        let _ = tokio::join!(closed, async {
            if let Some(tracing) = self.tracing {
                tracing.end(LAST_WRITES).await;
            }
        });
    }
}

/// What everything else stands on: clocks, counters, logs, and what an earlier run has left.
struct Ground {
    clock: Clock,
    limiter: Arc<Limiter>,
    bindings: Arc<Mutex<Bindings>>,
    catalogues: Arc<Catalogues>,
    metrics: Arc<Metrics>,
    audit: Log,
    keeper: Keeper,
}

impl Ground {
    fn lay(cache: &Cache, wanted: &Audit, clock: Clock) -> Result<Self, ServeError> {
        let limiter = Arc::new(Limiter::new(Capacity::default()));
        cache.restore_limits(&limiter, &clock);
        let bindings = Arc::new(Mutex::new(earlier_bindings(cache)));
        let catalogues = Arc::new(Catalogues::kept_in(cache.clone()));

        let metrics = Metrics::new(clock.clone()).map_err(|error| ServeError::System(error.to_string()))?;
        let settings = Settings { on_full: wanted.on_full, queue_bytes: wanted.queue_bytes };
        let audit = Log::open(Destination::parse(&wanted.to), settings, clock.clone())?;
        metrics.observe_audit(audit.clone());
        let keeper = keep(cache, &limiter, &bindings, &catalogues, &clock)?;
        Ok(Self { clock, limiter, bindings, catalogues, metrics, audit, keeper })
    }

    fn enforcer(&self, readiness: Readiness) -> Enforcer {
        let (limiter, catalogues) = (Arc::clone(&self.limiter), Arc::clone(&self.catalogues));
        Enforcer {
            current: Arc::default(),
            builder: Builder::new(limiter, catalogues, Arc::clone(&self.metrics)),
            metrics: Arc::clone(&self.metrics),
            audit: self.audit.clone(),
            readiness,
        }
    }

    fn inspector(&self, live: &Arc<Current>) -> Inspector {
        Inspector { live: Arc::clone(live), limiter: Arc::clone(&self.limiter), clock: self.clock.clone() }
    }

    fn proxy_parts(self, live: Arc<Current>, gate: Gate, drain: Drain, tracer: Option<Arc<Tracer>>) -> proxy::Parts {
        let Self { clock, limiter, bindings, metrics, audit, keeper, .. } = self;
        proxy::Parts { live, gate, limiter, audit, metrics, tracer, clock, drain, keeper, bindings }
    }
}

/// Every port, bound before anything is served on one.
struct Ports {
    agents: Vec<TcpListener>,
    admin: Vec<TcpListener>,
    inspect: Vec<TcpListener>,
}

impl Ports {
    fn bind(options: &Options) -> Result<Self, BindError> {
        Ok(Self {
            agents: bind(&options.listen, "agents", "--listen")?,
            admin: bind(&options.admin, "probes and metrics", "--admin")?,
            inspect: bind(&options.inspect, "inspection", "--inspect")?,
        })
    }

    /// The first address of each.
    fn addresses(&self) -> [SocketAddr; 3] {
        [&self.agents, &self.admin, &self.inspect]
            .map(|listeners| bound(listeners).first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))))
    }
}

fn bound(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

/// Says where everything is, and what becomes of what is counted.
fn tell(ports: &Ports, current: &Current, cache_dir: Option<&Path>) {
    let urls = |listeners: &[TcpListener], path: &str| {
        let urls: Vec<_> = bound(listeners).iter().map(|address| format!("http://{address}{path}")).collect();
        urls.join(" or ")
    };
    for route in current.load().iter().flat_map(|live| live.routes()) {
        let server_urls = urls(&ports.agents, &route.path);
        tracing::info!(server = &*route.name, "agents: connect them to {server_urls}");
    }
    tracing::info!("metrics: scrape {} (beside it: /started, /live, /ready)", urls(&ports.admin, "/metrics"));
    tracing::info!("inspection: look at {} (beside it: /limits)", urls(&ports.inspect, "/policy"));
    match cache_dir {
        Some(folder) => tracing::info!("state: counters, sessions, tasks and tools are kept in {}", folder.display()),
        None => tracing::info!("state: nothing survives a restart, counters neither; give --cache-dir to keep it"),
    }
}

/// How long the last writes to the cache directory, and to the audit log, may take, and the last spans to the collector.
const LAST_WRITES: Duration = Duration::from_secs(5);

fn keep(
    cache: &Cache,
    limiter: &Arc<Limiter>,
    bindings: &Arc<Mutex<Bindings>>,
    catalogues: &Arc<Catalogues>,
    clock: &Clock,
) -> Result<Keeper, ServeError> {
    let (limiter, bindings, catalogues) = (Arc::clone(limiter), Arc::clone(bindings), Arc::clone(catalogues));
    let sources = state::Sources {
        limits: Box::new(move |now| limiter.snapshot(now)),
        bindings: Box::new(move || {
            let bindings = bindings.lock().unwrap_or_else(PoisonError::into_inner);
            bindings.snapshot().map(|change| change.write()).collect()
        }),
        catalogues: Box::new(move || catalogues.all()),
    };
    Keeper::start(cache, sources, clock.clone()).map_err(|error| ServeError::System(error.to_string()))
}

fn earlier_bindings(cache: &Cache) -> Bindings {
    let mut bindings = Bindings::new(proxy::REMEMBERED);
    for change in cache.binding_lines().iter().filter_map(|line| Change::read(line)) {
        bindings.apply(change);
    }
    bindings
}
