//! The tasks of the process, and what runs between them.
//!
//! ```text
//! five watches ─ Input ─► control's thread ─► registry ─► delivery ─┐
//!                              │                                    ├─► Route ─► the port with TLS
//!                              ├─► writer, events (leader)  webhook ┘
//! Lease ─ Leadership ──────────┘
//! authority ─ Trust ─► caBundle, webhook, delivery
//! ```

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Api, Client, Config};
use reeve_process::drain::{Drain, DrainTrigger, drain};
use reeve_process::places::Overflow;
use reeve_process::port::listen;
use reeve_wire::world::Kind;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::RunError;
use super::bridges;
use super::reread::{self, Rereads};
use super::route::Route;
use crate::admin::Pages;
use crate::control::{Control, Input};
use crate::control_loop::{self, Outlets};
use crate::delivery::{self, Delivery, Link, Registry, ServiceAccount, Timing};
use crate::events::Event;
use crate::http::Server;
use crate::http::server::{Bounds, PATIENCE};
use crate::kubernetes::events::Teller;
use crate::kubernetes::leader::{Candidate, Leadership, Replica};
use crate::kubernetes::watch::{Kind as Watched, Watch};
use crate::kubernetes::{events, kinds, owner, write};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::settings::Settings;
use crate::tls::bundle::Configuration;
use crate::tls::keeper::{Keeper, Place};
use crate::tls::{Resolver, Trust, TrustReceiver, bundle, files};
use crate::webhook::{self, Webhook};
use crate::world::{PodView, SharedWorld};

/// Inputs that wait for `control`. Watches wait when it is full.
const INPUTS: usize = 4_096;
/// Statuses and Events that wait to be written.
const WRITES: usize = 1_024;
/// How long the API server may take to open a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Tells nothing, and is closed when the election has ended.
type Released = oneshot::Receiver<Infallible>;

/// The running process.
pub(super) struct Parts {
    tasks: JoinSet<&'static str>,
    servers: JoinSet<()>,
    /// Closed when the Lease was given back.
    released: Option<Released>,
    route: Route,
}

/// What every part is made with.
struct Shared {
    settings: Settings,
    client: Client,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    drain: Drain,
    replica: Arc<str>,
    tasks: JoinSet<&'static str>,
}

impl Parts {
    /// Starts everything.
    pub(super) async fn start(settings: Settings) -> Result<(DrainTrigger, Self), RunError> {
        let mut config = Config::infer().await.map_err(|error| RunError::Cluster(error.to_string()))?;
        config.connect_timeout = Some(CONNECT);
        let client = Client::try_from(config).map_err(|error| RunError::Cluster(error.to_string()))?;
        let (listener, address) = open(settings.serving.listen, "--listen")?;
        let (admin_listener, _) = open(settings.serving.admin_listen, "--admin-listen")?;
        let metrics = Metrics::new().map_err(|error| RunError::Internal(error.to_string()))?;
        let (trigger, drain) = drain();
        let readiness = Readiness::new(drain.clone());
        let replica = settings.replica.pod_name.as_str().into();
        let mut shared = Shared { settings, client, metrics, readiness, drain, replica, tasks: JoinSet::new() };

        let (resolver, trust) = shared.authority();
        let world = SharedWorld::default();
        let (inputs, taken) = mpsc::channel(INPUTS);
        let (leadership, released) = shared.election(address.port(), &inputs);
        let rereads = shared.watches(&world, &inputs);
        let (made, seen) = mpsc::channel(WRITES);
        let route = shared.route(&world, &trust, &leadership, inputs, rereads, seen)?;
        shared.control(&world, taken, Arc::clone(&route.registry), &leadership, made);
        shared.observe_policies(world, leadership);

        let mut servers = JoinSet::new();
        let Shared { settings, metrics, readiness, drain, tasks, .. } = shared;
        let pages = Pages::new(readiness, Arc::clone(&metrics));
        let bounds = Bounds { connections: 64, overflow: Overflow::EndOldest, streams: 16, patience: PATIENCE };
        let admin = Server::plain(admin_listener, bounds, Arc::clone(&metrics), drain.clone());
        servers.spawn(admin.run(move |request| pages.clone().respond(request)));
        let connections = settings.serving.max_connections as usize;
        let bounds = Bounds { connections, overflow: Overflow::TurnAway, streams: 256, patience: PATIENCE };
        let server = Server::tls(listener, resolver, bounds, metrics, drain)
            .map_err(|error| RunError::Internal(error.to_string()))?;
        let answering = route.clone();
        servers.spawn(server.run(move |request| answering.clone().respond(request)));
        Ok((trigger, Self { tasks, servers, released: Some(released), route }))
    }

    /// Waits for one of the tasks to end, which none should. Cancel safe.
    pub(super) async fn ended(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => format!("a task ({error})"),
            None => "everything".to_owned(),
        }
    }

    /// Asks sidecars to leave, over a time, and waits until the last connection has ended and the Lease was given back.
    pub(super) async fn drained(&mut self, spread: Duration) {
        self.route.drain(spread).await;
        while self.servers.join_next().await.is_some() {}
        if let Some(released) = self.released.take() {
            let _ = released.await;
        }
    }
}

fn open(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen { address, flag, source };
    let listener = listen(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(address = %bound, flag, "listening");
    Ok((listener, bound))
}

impl Shared {
    fn task(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// One that computes for long at a time, on a thread of its own: the webhooks and sidecars' sessions do not wait for it.
    fn thread(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (runtime, drain) = (tokio::runtime::Handle::current(), self.drain.clone());
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = task => {}
                    () = drain.ending() => {}
                }
            });
        });
        self.task(name, async move {
            if let Err(error) = thread.await {
                tracing::error!(%error, "{name} failed");
            }
        });
    }

    /// Keeps the authority, the certificate and the webhook configurations' bundle.
    fn authority(&mut self) -> (Arc<Resolver>, TrustReceiver) {
        let resolver = Arc::new(Resolver::default());
        let (sender, trust) = watch::channel(Trust::default());
        let (knows, known) = watch::channel(Trust::default());
        let (shown, metrics) = (Arc::clone(&resolver), Arc::clone(&self.metrics));
        let ready = self.readiness.awaits("a certificate to show");
        if let Some(folder) = self.settings.tls.certificate_folder.clone() {
            let following = files::follow(folder, shown, sender, known, metrics, ready);
            self.task("the reading of the certificate's folder", following);
        } else {
            let place = Place {
                secret: self.settings.tls.ca_secret.clone(),
                names: self.settings.names(),
                lifetimes: self.settings.lifetimes(),
            };
            let secrets = Api::namespaced(self.client.clone(), &self.settings.replica.namespace);
            self.task("the keeping of the authority", Keeper::new(secrets, place, shown, sender, metrics).run(ready));
        }

        let (mutating, validating) = (&self.settings.tls.mutating_webhook, &self.settings.tls.validating_webhook);
        let configurations = [Configuration::mutating(mutating), Configuration::validating(validating)]
            .into_iter()
            .filter(|configuration| !configuration.name.is_empty())
            .collect();
        let ready = self.readiness.awaits("the webhook configurations to hold the operator's authority");
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        let kept = bundle::keep(client, configurations, trust.clone(), knows, metrics, ready);
        self.task("the keeping of the caBundle", kept);
        (resolver, trust)
    }

    /// Takes part in the election, and tells `control` of its outcome.
    fn election(&mut self, port: u16, inputs: &mpsc::Sender<Input>) -> (watch::Receiver<Leadership>, Released) {
        let Settings { replica, .. } = self.settings.clone();
        let me = Replica { name: replica.pod_name.clone(), address: self.settings.address(port) };
        let (sender, leadership) = watch::channel(Leadership::default());
        let (client, drain) = (self.client.clone(), self.drain.clone());
        let (held, released) = oneshot::channel();
        self.task("the election", async move {
            let _held = held;
            let owner = owner::deployment(client.clone(), &replica.namespace, &replica.deployment).await;
            let leases = Api::namespaced(client, &replica.namespace);
            Candidate::new(leases, replica.lease, me, owner, sender).run(drain).await;
        });
        let told = bridges::leading(leadership.clone(), inputs.clone(), Arc::clone(&self.metrics));
        self.task("the telling of who leads", told);
        (leadership, released)
    }

    fn watches(&mut self, world: &SharedWorld, inputs: &mpsc::Sender<Input>) -> Rereads {
        let rereads = Rereads::default();
        self.watch(kinds::policies(world), inputs, &rereads, Kind::Policies);
        self.watch(kinds::cluster_policies(world), inputs, &rereads, Kind::ClusterPolicies);
        self.watch(kinds::servers(), inputs, &rereads, Kind::Servers);
        self.watch(kinds::namespaces(), inputs, &rereads, Kind::Namespace);
        self.watch(kinds::pods(), inputs, &rereads, Kind::Pod);
        rereads
    }

    fn watch<View: Send + 'static>(
        &mut self,
        watched: Watched<View>,
        inputs: &mpsc::Sender<Input>,
        rereads: &Rereads,
        kind: Kind,
    ) {
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        let listed = self.readiness.awaits(format!("the list of {}", watched.name));
        let watch = Watch::new(watched, client, inputs.clone(), rereads.of(kind), metrics, listed);
        // Policies are compiled as they arrive.
        match kind {
            Kind::Policies | Kind::ClusterPolicies => self.thread("a watch", watch.run()),
            _ => self.task("a watch", watch.run()),
        }
    }

    /// Runs `control` on a thread of its own, and what writes for it.
    fn control(
        &mut self,
        world: &SharedWorld,
        inputs: mpsc::Receiver<Input>,
        registry: Arc<Registry>,
        leadership: &watch::Receiver<Leadership>,
        made: mpsc::Sender<PodView>,
    ) {
        let (writes, to_write) = mpsc::channel(WRITES);
        let (told, to_tell) = mpsc::channel(WRITES);
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        self.task("the writing of statuses", write::run(client, to_write, leadership.clone(), metrics));
        self.tell_events(to_tell, Teller::Leader(leadership.clone()));

        let control = Control::new(Arc::clone(world), Arc::clone(&self.replica), self.settings.delivery.epoch);
        let synced = self.readiness.awaits("every watch to be read");
        let outlets = Outlets { registry, writes, events: told, made, metrics: Arc::clone(&self.metrics), synced };
        self.thread("control", control_loop::run(control, inputs, outlets));
    }

    /// What answers at the port with TLS: the webhooks and delivery.
    fn route(
        &mut self,
        world: &SharedWorld,
        trust: &TrustReceiver,
        leadership: &watch::Receiver<Leadership>,
        inputs: mpsc::Sender<Input>,
        rereads: Rereads,
        made: mpsc::Receiver<PodView>,
    ) -> Result<Route, RunError> {
        let registry = Arc::new(Registry::new());
        let webhook = self.webhook(world, trust, made)?;
        let delivery = self.delivery(&registry, trust, leadership, inputs, rereads)?;
        Ok(Route { webhook, delivery, registry })
    }

    fn webhook(
        &mut self,
        world: &SharedWorld,
        trust: &TrustReceiver,
        made: mpsc::Receiver<PodView>,
    ) -> Result<Webhook, RunError> {
        let (injections, notices) = mpsc::channel(WRITES);
        let (told, to_tell) = mpsc::channel(WRITES);
        let counted = webhook::metrics::Metrics::new(self.metrics.registry()).map_err(unregistered)?;
        let webhook = Webhook::new(Arc::clone(world), self.settings.injection(), self.client.clone())
            .counting(counted)
            .telling(injections);
        self.task("the telling of injections", bridges::injections(notices, made, told));
        self.tell_events(to_tell, Teller::Each);
        self.task("the webhook's trust", bridges::trust(trust.clone(), webhook.clone()));
        Ok(webhook)
    }

    fn delivery(
        &mut self,
        registry: &Arc<Registry>,
        trust: &TrustReceiver,
        leadership: &watch::Receiver<Leadership>,
        inputs: mpsc::Sender<Input>,
        rereads: Rereads,
    ) -> Result<Delivery, RunError> {
        let (reread, asked) = mpsc::channel(16);
        self.task("the reading anew", reread::run(asked, rereads));
        let account = &self.settings.replica;
        let account = ServiceAccount { namespace: account.namespace.clone(), name: account.service_account.clone() };
        let delivery = Delivery::new(delivery::Parts {
            registry: Arc::clone(registry),
            reviewer: Arc::new(delivery::Cluster::new(self.client.clone())),
            replica: Arc::clone(&self.replica),
            account,
            trust: trust.clone(),
            reports: inputs,
            reread,
            metrics: delivery::Metrics::register(self.metrics.registry()).map_err(unregistered)?,
            timing: Timing {
                life: self.settings.delivery.stream_life,
                most_streams: self.settings.serving.max_connections,
                ..Timing::default()
            },
        });
        let (sender, leader) = watch::channel(None);
        let told = bridges::leader(leadership.clone(), self.settings.service_name(), sender);
        self.task("the telling of where the leader is", told);
        let link = Link { leader, trust: trust.clone(), token: self.settings.delivery.token_file.clone() };
        let running = delivery.clone();
        self.task("delivery", async move { running.run(link).await });
        Ok(delivery)
    }

    /// Tells Events, those of what made a pod about the workload that people know.
    fn tell_events(&mut self, events: mpsc::Receiver<Event>, teller: Teller) {
        let (client, metrics, replica) = (self.client.clone(), Arc::clone(&self.metrics), Arc::clone(&self.replica));
        let (of_workloads, to_tell) = mpsc::channel(WRITES);
        self.task("the finding of workloads", bridges::workloads(events, client.clone(), of_workloads));
        self.task("the telling of Events", events::run(client, replica, to_tell, teller, metrics));
    }

    /// How many pods each policy has, as its status says: told by the leader alone.
    fn observe_policies(&self, world: SharedWorld, leadership: watch::Receiver<Leadership>) {
        self.metrics.observe(move |metrics| {
            if leadership.borrow().leads(Instant::now()) {
                metrics.tell_policies(&world.read().unwrap_or_else(std::sync::PoisonError::into_inner));
            } else {
                metrics.forget_policies();
            }
        });
    }
}

fn unregistered(error: impl std::fmt::Display) -> RunError {
    RunError::Internal(format!("a metric cannot be registered: {error}"))
}
