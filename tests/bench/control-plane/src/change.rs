//! From a changed policy to every sidecar that enforces it, and to a status that says so, at several numbers of sidecars; and what
//! a change costs that touches one pod.

use std::time::{Duration, Instant};

use reeve_bench::figures::{figure, mebibytes, median, millis};
use reeve_bench::load::Taken;
use reeve_bench::sidecar::bars::Bars;
use reeve_bench::table::Table;
use reeve_bench::usage;

use crate::fleet::{Change, Fleet, WHOLE};
use crate::ground::{CHANGED, EACH, Ground};
use crate::objects;
use crate::one;
use crate::pods;
use crate::statuses::Statuses;

/// The namespace of the agents.
pub const NAMESPACE: &str = "bench";
/// How long it is looked what the operator does while nothing is changed.
pub const IDLE: Duration = Duration::from_secs(10);

/// What was measured at one number of sidecars.
struct Size {
    sidecars: usize,
    /// Of sidecars that acknowledge on receipt, and of those that compile.
    light: Taken,
    whole: Taken,
    /// In milliseconds, until the API server has taken the change.
    taken: Vec<f64>,
    /// In milliseconds, until the status is true.
    programmed: Vec<f64>,
    /// Milliseconds of processor time: of the operator, and of all these sidecars.
    operator: Vec<f64>,
    fleet: Vec<f64>,
    /// The share of a processor that is used while nothing is changed.
    idle: f64,
    memory: u64,
}

/// Measures and prints.
///
/// # Panics
/// If a sidecar or a status does not follow.
pub async fn run(ground: &Ground, sizes: &[usize], rounds: usize, changes: usize, bars: &mut Bars) {
    ground.namespace(NAMESPACE).await;
    ground.policies(NAMESPACE).await;
    let statuses = Statuses::watch(&ground.cluster, Some(NAMESPACE)).await;
    let mut fleet = Fleet::new(ground.place.url());
    let (mut measured, mut single) = (Vec::new(), Vec::new());
    let mut versions = Versions::default();
    for &size in sizes {
        fleet.add(pods::make(&ground.cluster, NAMESPACE, fleet.count()..size).await, true);
        ground.operator.current(size).await;
        statuses.quiet(Duration::from_secs(1)).await;
        measured.push(at_size(ground, &fleet, &statuses, rounds, &mut versions).await);
        single.push(one::at_size(ground, &fleet, &statuses, changes).await);
    }
    print(&measured, rounds);
    bar(&measured, bars);
    one::print(&single, changes);
    one::bar(&single, bars);
}

/// Counts the versions of the policy that is changed.
#[derive(Default)]
struct Versions(u64);

async fn at_size(ground: &Ground, fleet: &Fleet, statuses: &Statuses, rounds: usize, versions: &mut Versions) -> Size {
    let (mut light, mut whole) = (Vec::new(), Vec::new());
    let (mut taken, mut programmed, mut operator, mut processor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        versions.0 += 1;
        let tool = format!("version_{}", versions.0);
        let policy = objects::policy(CHANGED, objects::APP, &tool);
        let generation = expect(ground, fleet, CHANGED, tool).await;
        let (used, own) = (ground.operator.used(), usage::processor(std::process::id()));
        let began = Instant::now();
        let answer = ground.cluster.apply(&objects::policies(NAMESPACE), &policy).await;
        taken.push(millis(began.elapsed()));
        assert_eq!(answer["metadata"]["generation"], generation, "each round changes the policy once");
        statuses.in_force(NAMESPACE, CHANGED, generation, fleet.count()).await;
        programmed.push(millis(began.elapsed()));
        let enforced = fleet.board().enforced(fleet.count()).await;
        operator.push(millis(ground.operator.since(used)));
        processor.push(millis(usage::processor(std::process::id()).saturating_sub(own)));
        for one in enforced {
            let times = if one.sidecar < fleet.compiling() { &mut whole } else { &mut light };
            times.push(one.at.saturating_duration_since(began));
        }
    }
    Size {
        sidecars: fleet.count(),
        light: Taken::new(Duration::ZERO, light),
        whole: Taken::new(Duration::ZERO, whole),
        taken,
        programmed,
        operator,
        fleet: processor,
        idle: ground.operator.idle(IDLE).await,
        memory: ground.operator.memory(),
    }
}

/// Notes who enforces the next generation of a policy, which names this tool; says which generation that is.
pub async fn expect(ground: &Ground, fleet: &Fleet, name: &str, tool: String) -> i64 {
    let policy = ground.cluster.get(&format!("{}/{name}", objects::policies(NAMESPACE))).await;
    let uid = policy["metadata"]["uid"].as_str().expect("a policy has a UID");
    let generation = policy["metadata"]["generation"].as_i64().expect("a policy has a generation") + 1;
    fleet.board().expect(Change { policy: uid.into(), generation, tool });
    generation
}

fn print(measured: &[Size], rounds: usize) {
    let mut times = Table::new(&[
        "sidecars",
        "API server p50 ms",
        "enforced p50 ms",
        "p99 ms",
        "max ms",
        "compiled p50 ms",
        "max ms",
        "Programmed p50 ms",
        "max ms",
    ]);
    for size in measured {
        let programmed = Taken::new(Duration::ZERO, durations(&size.programmed));
        let cells = [
            median(size.taken.iter().copied()),
            millis(size.light.percentile(0.5)),
            millis(size.light.percentile(0.99)),
            millis(size.light.longest()),
            millis(size.whole.percentile(0.5)),
            millis(size.whole.longest()),
            millis(programmed.percentile(0.5)),
            millis(programmed.longest()),
        ];
        times.row([size.sidecars.to_string()].into_iter().chain(cells.map(|value| figure(value, ""))));
    }
    times.print(&format!(
        "**A policy that governs every pod is applied** ({rounds} rounds; each pod is governed by {EACH} policies of 10 rules; times \
         from before the apply, server-side, by a client that stays connected; {WHOLE} sidecars compile, keep and enforce, all \
         others acknowledge on receipt)"
    ));
    let mut costs = Table::new(&[
        "sidecars",
        "operator CPU ms/change",
        "µs/sidecar",
        "sidecars' CPU ms/change",
        "operator idle, % of a core",
        "RSS MiB",
    ]);
    for size in measured {
        let operator = median(size.operator.iter().copied());
        #[allow(clippy::cast_precision_loss, reason = "thousands")]
        let each = operator * 1e3 / size.sidecars as f64;
        let fleet = median(size.fleet.iter().copied());
        let cells = [operator, each, fleet, size.idle * 100.0, mebibytes(size.memory)];
        costs.row([size.sidecars.to_string()].into_iter().chain(cells.map(|value| figure(value, ""))));
    }
    costs.print("**What that costs** (medians; the operator, the API server, etcd and all sidecars share this machine's processors)");
}

fn bar(measured: &[Size], bars: &mut Bars) {
    for size in measured.iter().filter(|size| size.sidecars == 1_000) {
        let all = Taken::new(Duration::ZERO, size.light.each.iter().chain(&size.whole.each).copied().collect());
        bars.at_most("applied → enforced, 1,000 sidecars, p99", millis(all.percentile(0.99)), 1e3, " ms");
    }
}

fn durations(millis: &[f64]) -> Vec<Duration> {
    millis.iter().map(|millis| Duration::from_secs_f64(millis / 1e3)).collect()
}
