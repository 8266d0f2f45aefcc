//! Starting among many: a thousand policies and a thousand pods.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reeve_bench::figures::{figure, mebibytes};
use reeve_bench::sidecar::bars::Bars;
use reeve_bench::table::Table;

use crate::cluster::AT_ONCE;
use crate::fleet::Fleet;
use crate::ground::Ground;
use crate::objects;
use crate::pods::{self, Pod};
use crate::statuses::Statuses;

/// In each namespace so many policies, all of which govern each of so many pods.
const POLICIES: usize = 100;
const PODS: usize = 100;
/// Without a change for so long, statuses are what they will be.
const QUIET: Duration = Duration::from_secs(3);

/// What was measured of one start.
struct Start {
    what: &'static str,
    ready: Duration,
    current: Option<Duration>,
    programmed: Option<Duration>,
    processor: Duration,
    memory: u64,
}

/// Measures and prints.
///
/// # Panics
/// If a sidecar or a status does not follow.
pub async fn run(ground: &mut Ground, namespaces: usize, bars: &mut Bars) {
    let pods = lay(ground, namespaces).await;
    let statuses = Statuses::watch(&ground.cluster, None).await;
    let mut fleet = Fleet::new(ground.place.url());
    fleet.add(pods.clone(), false);
    ground.operator.current(fleet.count()).await;
    let policies = namespaces * POLICIES;
    statuses.all_in_force(policies, PODS).await;
    statuses.quiet(QUIET).await;
    let grown = ground.operator.memory();

    let again = start(ground, policies, "sidecars run what they should", Some((&fleet, &statuses))).await;
    drop(fleet);
    let alone = start(ground, policies, "no sidecar connects", None).await;
    ground.operator.kill_now();
    let mut fresh = Fleet::new(ground.place.url());
    fresh.add(pods, false);
    let anew = start(ground, policies, "sidecars run nothing yet", Some((&fresh, &statuses))).await;
    for start in [&again, &anew] {
        let seconds = start.programmed.unwrap_or_default().as_secs_f64();
        bars.at_most(&format!("all Programmed after a start, {}", start.what), seconds, 10.0, " s");
    }
    print(&[alone, again, anew], namespaces, grown);
}

/// Makes everything; gives the pods.
async fn lay(ground: &Ground, namespaces: usize) -> Vec<Pod> {
    let mut all = Vec::new();
    for number in 0..namespaces {
        let namespace = format!("tenant-{number}");
        ground.namespace(&namespace).await;
        let policies = stream::iter(0..POLICIES).map(|number| {
            let (cluster, path) = (ground.cluster.clone(), objects::policies(&namespace));
            let policy = objects::policy(&format!("p{number}"), objects::APP, &format!("version_{number}"));
            async move { cluster.apply(&path, &policy).await }
        });
        policies.buffer_unordered(AT_ONCE).for_each(async |_| ()).await;
        all.extend(pods::make(&ground.cluster, &namespace, 0..PODS).await);
    }
    all
}

/// Ends the operator without a warning, starts it anew, and waits until everything is as it should be.
async fn start(ground: &mut Ground, policies: usize, what: &'static str, fleet: Option<(&Fleet, &Statuses)>) -> Start {
    ground.operator.kill_now();
    ground.operator = ground.place.start();
    let began = ground.operator.started;
    // The process began with it.
    let used = ground.operator.used();
    let ready = ground.operator.ready().await;
    let (mut current, mut programmed) = (None, None);
    if let Some((fleet, statuses)) = fleet {
        ground.operator.current(fleet.count()).await;
        current = Some(began.elapsed());
        statuses.all_in_force(policies, PODS).await;
        let last = statuses.quiet(QUIET).await;
        statuses.all_in_force(policies, PODS).await;
        programmed = Some(last.saturating_duration_since(began).max(current.unwrap_or_default()));
    }
    let (processor, memory) = (ground.operator.since(used), ground.operator.memory());
    Start { what, ready, current, programmed, processor, memory }
}

fn print(starts: &[Start], namespaces: usize, grown: u64) {
    let mut table = Table::new(&[
        "",
        "ready after s",
        "all sidecars current after s",
        "all Programmed after s",
        "operator CPU s",
        "RSS MiB",
    ]);
    let seconds = |time: Duration| figure(time.as_secs_f64(), "");
    for start in starts {
        let optional = |time: Option<Duration>| time.map(seconds).unwrap_or_default();
        table.row([
            start.what.to_owned(),
            seconds(start.ready),
            optional(start.current),
            optional(start.programmed),
            seconds(start.processor),
            figure(mebibytes(start.memory), ""),
        ]);
    }
    table.print(&format!(
        "**The operator starts, {} policies × {} pods** ({namespaces} namespaces, in each {POLICIES} policies of 10 rules that \
         govern all of {PODS} pods; sidecars acknowledge on receipt; before it was killed it had {} MiB)",
        namespaces * POLICIES,
        namespaces * PODS,
        figure(mebibytes(grown), "")
    ));
}
