//! An operator that is killed and started again under sidecars: how soon all is as it was, and how they come back.

use std::time::{Duration, Instant};

use reeve_bench::figures::{figure, mebibytes};
use reeve_bench::sidecar::bars::Bars;
use reeve_bench::table::Table;

use crate::fleet::{Connections, Fleet, last};
use crate::ground::{EACH, Ground};
use crate::pods;
use crate::statuses::Statuses;

const NAMESPACE: &str = "bench";
/// Without a change for so long, statuses are what they will be.
const QUIET: Duration = Duration::from_secs(3);
/// How long the operator is away: not at all, and long enough that sidecars wait as long as they ever do.
const AWAY: [Duration; 2] = [Duration::ZERO, Duration::from_secs(30)];

/// What was measured of one restart.
struct Restart {
    away: Duration,
    ready: Duration,
    answered: Duration,
    programmed: Duration,
    processor: Duration,
    memory: u64,
    began: Instant,
    connections: Connections,
}

/// Measures and prints.
///
/// # Panics
/// If a sidecar or a status does not follow.
pub async fn run(ground: &mut Ground, sidecars: usize, bars: &mut Bars) {
    ground.namespace(NAMESPACE).await;
    ground.policies(NAMESPACE).await;
    let statuses = Statuses::watch(&ground.cluster, Some(NAMESPACE)).await;
    let mut fleet = Fleet::new(ground.place.url());
    fleet.add(pods::make(&ground.cluster, NAMESPACE, 0..sidecars).await, false);
    ground.operator.current(sidecars).await;
    statuses.quiet(QUIET).await;
    let mut restarts = Vec::new();
    for away in AWAY {
        // So that each sidecar begins with the shortest of its waits.
        tokio::time::sleep(reeve_sidecar::sync::LONGEST_WAIT + Duration::from_secs(1)).await;
        restarts.push(restart(ground, &fleet, &statuses, away).await);
    }
    print(&restarts, sidecars);
    for restart in &restarts {
        let what =
            format!("all Programmed after it is ready, {sidecars} sidecars, away for {} s", restart.away.as_secs());
        bars.at_most(&what, restart.programmed.saturating_sub(restart.ready).as_secs_f64(), 10.0, " s");
    }
}

async fn restart(ground: &mut Ground, fleet: &Fleet, statuses: &Statuses, away: Duration) -> Restart {
    ground.operator.kill_now();
    tokio::time::sleep(away).await;
    fleet.board().connections();
    ground.operator = ground.place.start();
    let began = ground.operator.started;
    let used = ground.operator.used();
    let ready = ground.operator.ready().await;
    ground.operator.current(fleet.count()).await;
    let current = began.elapsed();
    statuses.in_force(NAMESPACE, crate::ground::CHANGED, 0, fleet.count()).await;
    let changed = statuses.quiet(QUIET).await;
    statuses.in_force(NAMESPACE, crate::ground::CHANGED, 0, fleet.count()).await;
    let connections = fleet.board().connections();
    Restart {
        away,
        ready,
        answered: last(&connections.answered, began),
        programmed: changed.saturating_duration_since(began).max(current),
        processor: ground.operator.since(used),
        memory: ground.operator.memory(),
        began,
        connections,
    }
}

fn print(restarts: &[Restart], sidecars: usize) {
    let mut table = Table::new(&[
        "away for s",
        "ready after s",
        "last stream after s",
        "all Programmed after s",
        "attempts",
        "most in 100 ms",
        "streams, most in 100 ms",
        "operator CPU s",
        "RSS MiB",
    ]);
    let seconds = |time: Duration| figure(time.as_secs_f64(), "");
    for restart in restarts {
        let Connections { attempts, answered } = &restart.connections;
        table.row([
            restart.away.as_secs().to_string(),
            seconds(restart.ready),
            seconds(restart.answered),
            seconds(restart.programmed),
            attempts.len().to_string(),
            Connections::most_in_a_tenth(attempts, restart.began).to_string(),
            Connections::most_in_a_tenth(answered, restart.began).to_string(),
            seconds(restart.processor),
            figure(mebibytes(restart.memory), ""),
        ]);
    }
    table.print(&format!(
        "**The operator is killed under {sidecars} sidecars and started again** (times from its start; each pod is governed by {EACH} \
         policies; attempts are connections that sidecars began, also those that were refused or told to try again)"
    ));
    for restart in restarts {
        let by_second = |times: &[Instant]| {
            let counts = Connections::by_second(times, restart.began);
            counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
        };
        let Connections { attempts, answered } = &restart.connections;
        println!(
            "\nAway for {} s, by second from the start: attempts {}; streams {}.",
            restart.away.as_secs(),
            by_second(attempts),
            by_second(answered)
        );
    }
}
