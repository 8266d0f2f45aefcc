//! Small tasks that carry what one part tells to another that wants it in other words.

use std::sync::Arc;
use std::time::Instant;

use kube::Client;
use tokio::sync::{mpsc, watch};

use crate::control::Input;
use crate::delivery::Leader;
use crate::events::Event;
use crate::kubernetes::leader::Leadership;
use crate::metrics::Metrics;
use crate::tls::TrustReceiver;
use crate::webhook::Webhook;
use crate::webhook::notice::{Notice, Pending, Workloads};
use crate::world::PodView;

/// Tells `control` and the metrics whether this replica leads.
pub(super) async fn leading(
    mut leadership: watch::Receiver<Leadership>,
    inputs: mpsc::Sender<Input>,
    metrics: Arc<Metrics>,
) {
    let mut told: Option<u64> = None;
    loop {
        let known = leadership.borrow_and_update().clone();
        let leads = known.leads(Instant::now());
        let term = leads.then_some(known.term);
        metrics.leads(leads);
        // Each renewal is a change; `control` is told of beginnings and ends. A term may have ended and another begun unseen here,
        // while what was to be written in the one was dropped.
        if told != term {
            let ended = std::mem::replace(&mut told, term).map(|_| Input::Leading(false));
            let begun = term.map(|_| Input::Leading(true));
            for input in [ended, begun].into_iter().flatten() {
                if inputs.send(input).await.is_err() {
                    return;
                }
            }
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// Tells delivery where the leader is, if it is another replica.
pub(super) async fn leader(
    mut leadership: watch::Receiver<Leadership>,
    server_name: String,
    leader: watch::Sender<Option<Leader>>,
) {
    loop {
        let known = leadership.borrow_and_update().clone();
        let other = known.holder.filter(|_| known.until.is_none());
        let other = other.map(|holder| Leader { address: holder.address, server_name: server_name.clone() });
        leader.send_if_modified(|told| {
            let differs = *told != other;
            if differs {
                *told = other;
            }
            differs
        });
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the webhook by which authorities new sidecars are to know the operator.
pub(super) async fn trust(mut trust: TrustReceiver, webhook: Webhook) {
    loop {
        let bundle = trust.borrow_and_update().to_string();
        webhook.trust(bundle);
        if trust.changed().await.is_err() {
            return;
        }
    }
}

/// Tells of injections once their pods were seen.
pub(super) async fn injections(
    mut notices: mpsc::Receiver<Notice>,
    mut made: mpsc::Receiver<PodView>,
    events: mpsc::Sender<Event>,
) {
    let mut pending = Pending::default();
    loop {
        tokio::select! {
            // A pod is admitted before it is made.
            biased;
            notice = notices.recv() => match notice {
                Some(notice) => pending.put(notice, Instant::now()),
                None => return,
            },
            pod = made.recv() => match pod {
                Some(pod) => {
                    if let Some(event) = pending.seen(&pod, Instant::now()) {
                        // An Event more or less: nothing waits for it.
                        let _ = events.try_send(event);
                    }
                }
                None => return,
            },
        }
    }
}

/// Carries what is told of the makers of pods, about the workload that people know.
pub(super) async fn workloads(mut told: mpsc::Receiver<Event>, client: Client, events: mpsc::Sender<Event>) {
    let mut workloads = Workloads::new(client);
    while let Some(event) = told.recv().await {
        if events.send(workloads.resolve(event).await).await.is_err() {
            return;
        }
    }
}
