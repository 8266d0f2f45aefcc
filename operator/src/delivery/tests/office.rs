//! A replica of the operator at a port of its own, with an issuer of tokens in the API server's place.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use reeve_wire::message::PodReport;
use reeve_wire::world::Kind;
use reeve_wire::{AUDIENCE, World};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::assignment;
use crate::assignment::Assignment;
use crate::control::Input;
use crate::delivery::{Delivery, Leader, Link, Metrics, Parts, Registry, Review, Reviewer, ServiceAccount, Timing};

/// Longer than anything takes on a machine that does much else.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Gives tokens out, and vouches for those it gave.
#[derive(Default)]
pub(super) struct Issuer(Mutex<HashMap<String, (String, Review)>>);

impl Issuer {
    /// A token of a ServiceAccount (`namespace:name`), bound to a pod.
    pub(super) fn token(&self, account: &str, pod: &str, audience: &str, lives: Duration) -> String {
        let mut issued = self.0.lock().unwrap();
        let expires = (Timestamp::now() + lives).as_second();
        let claims = format!(r#"{{"aud":["{audience}"],"exp":{expires},"jti":"{}"}}"#, issued.len());
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let key = |key: &str, value: String| (format!("authentication.kubernetes.io/{key}"), vec![value]);
        let extra = BTreeMap::from([key("pod-name", format!("{pod}-name")), key("pod-uid", pod.to_owned())]);
        let review = Review::Of { username: format!("system:serviceaccount:{account}"), extra };
        issued.insert(token.clone(), (audience.to_owned(), review));
        token
    }
}

impl Reviewer for Issuer {
    fn review(&self, token: String) -> BoxFuture<'_, Result<Review, String>> {
        let review = match self.0.lock().unwrap().get(&token) {
            Some((audience, review)) if audience == AUDIENCE => review.clone(),
            _ => Review::Refused("invalid bearer token".into()),
        };
        Box::pin(std::future::ready(Ok(review)))
    }
}

/// A replica.
pub(super) struct Office {
    pub(super) delivery: Delivery,
    pub(super) registry: Arc<Registry>,
    pub(super) issuer: Arc<Issuer>,
    pub(super) address: SocketAddr,
    pub(super) heard: mpsc::Receiver<Input>,
    pub(super) rereads: mpsc::Receiver<Kind>,
    pub(super) trust: watch::Sender<Arc<str>>,
    pub(super) leader: watch::Sender<Option<Leader>>,
    pub(super) metrics: prometheus::Registry,
    pub(super) token_file: tempfile::NamedTempFile,
    _tasks: JoinSet<()>,
}

pub(super) fn timing() -> Timing {
    // Pings often, and ends nothing: tests of what ends streams say so.
    let (silence, answer_within) = (LONGEST, LONGEST);
    let pod_within = Duration::from_millis(200);
    Timing { ping_every: Duration::from_millis(100), silence, answer_within, pod_within, ..Timing::default() }
}

impl Office {
    pub(super) async fn open() -> Self {
        Self::with(timing()).await
    }

    pub(super) async fn with(timing: Timing) -> Self {
        let office = Self::closed(timing, "reeve-0").await;
        office.registry.open();
        office
    }

    pub(super) async fn closed(timing: Timing, replica: &str) -> Self {
        let (reports, heard) = mpsc::channel(64);
        let (reread, rereads) = mpsc::channel(64);
        let trust = watch::Sender::new(Arc::from("authorities"));
        let leader = watch::Sender::new(None);
        let metrics = prometheus::Registry::new();
        let (registry, issuer) = (Arc::new(Registry::new()), Arc::new(Issuer::default()));
        let delivery = Delivery::new(Parts {
            registry: Arc::clone(&registry),
            reviewer: Arc::clone(&issuer) as Arc<dyn Reviewer>,
            replica: replica.into(),
            account: ServiceAccount { namespace: "reeve-system".into(), name: "reeve".into() },
            trust: trust.subscribe(),
            reports,
            reread,
            metrics: Metrics::register(&metrics).unwrap(),
            timing,
        });
        let token_file = tempfile::NamedTempFile::new().unwrap();
        let link = Link { leader: leader.subscribe(), trust: trust.subscribe(), token: token_file.path().into() };
        let (address, mut tasks) = serve(delivery.clone()).await;
        let running = delivery.clone();
        tasks.spawn(async move { running.run(link).await });
        Self { delivery, registry, issuer, address, heard, rereads, trust, leader, metrics, token_file, _tasks: tasks }
    }

    /// What is given to a pod from now on.
    pub(super) fn give(&self, assignment: Assignment) {
        self.registry.publish([(assignment.pod().clone(), Some(Arc::new(assignment)))]);
    }

    /// The same, of a pod that need not be named otherwise.
    pub(super) fn give_word(&self, pod: &str, word: &str, policies: u64) {
        self.give(Assignment { world: World { policies, ..World::default() }, ..assignment(pod, word) });
    }

    /// A token of a pod as the kubelet projects it.
    pub(super) fn token(&self, pod: &str) -> String {
        self.issuer.token("clinic:agent", pod, AUDIENCE, Duration::from_secs(3_600))
    }

    pub(super) fn replica_token(&self, pod: &str) -> String {
        self.issuer.token("reeve-system:reeve", pod, AUDIENCE, Duration::from_secs(3_600))
    }

    /// What is heard next, by replica.
    pub(super) async fn hears(&mut self) -> Input {
        timeout(LONGEST, self.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    /// Waits until a report of the pod is heard that is as asked for, and gives the replica that it came from.
    pub(super) async fn hears_of(&mut self, pod: &str, is_it: impl Fn(&PodReport) -> bool) -> Arc<str> {
        loop {
            if let Input::Report { replica, report } = self.hears().await
                && report.pod.as_str() == pod
                && is_it(&report)
            {
                return replica;
            }
        }
    }

    /// Waits until a metric (name and labels as in the text form) has a value.
    pub(super) async fn counts(&self, metric: &str, value: f64) {
        let wanted = format!("{metric} {value}");
        let shows = async {
            loop {
                let text = prometheus::TextEncoder::new().encode_to_string(&self.metrics.gather()).unwrap();
                if text.lines().any(|line| line == wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONGEST, shows).await.unwrap_or_else(|_| panic!("it never was {wanted}"));
    }
}

async fn serve(delivery: Delivery) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let delivery = delivery.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let delivery = delivery.clone();
                    async move { Ok::<_, Infallible>(delivery.respond(request).await) }
                });
                let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service).await;
            });
        }
    });
    (address, tasks)
}
