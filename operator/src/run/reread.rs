//! Makes watches read their kind anew, when a sidecar runs what is newer than what is known here.

use std::sync::Arc;

use reeve_wire::world::Kind;
use tokio::sync::{Notify, mpsc};

/// One bell for each watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Rereads {
    policies: Arc<Notify>,
    cluster_policies: Arc<Notify>,
    servers: Arc<Notify>,
    namespaces: Arc<Notify>,
    pods: Arc<Notify>,
}

impl Rereads {
    /// The bell of the watch of this kind; one that nobody hears for a kind that is none.
    pub(super) fn of(&self, kind: Kind) -> Arc<Notify> {
        Arc::clone(match kind {
            Kind::Policies => &self.policies,
            Kind::ClusterPolicies => &self.cluster_policies,
            Kind::Servers => &self.servers,
            Kind::Namespace => &self.namespaces,
            Kind::Pod => &self.pods,
            Kind::Other => return Arc::default(),
        })
    }
}

/// Rings for what is asked for, until nobody can ask any more. Asking twice before a watch hears it is asking once.
pub(super) async fn run(mut asked: mpsc::Receiver<Kind>, rereads: Rereads) {
    while let Some(kind) = asked.recv().await {
        rereads.of(kind).notify_one();
    }
}
