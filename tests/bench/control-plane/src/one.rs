//! What a change costs that touches one pod, among few and among many.

use std::time::{Duration, Instant};

use reeve_bench::figures::{figure, millis};
use reeve_bench::load::Taken;
use reeve_bench::sidecar::bars::Bars;
use reeve_bench::table::Table;

use crate::change::{IDLE, NAMESPACE, expect};
use crate::fleet::Fleet;
use crate::ground::Ground;
use crate::objects;
use crate::pods::ONLY;
use crate::statuses::Statuses;

/// The policy that governs one pod.
const POLICY: &str = "only-one";

/// What was measured at one number of sidecars.
pub struct Size {
    sidecars: usize,
    /// Until the pod's sidecar, which compiles, enforces the change.
    enforced: Taken,
    /// Until the status is true.
    programmed: Taken,
    /// Milliseconds of the operator's processor time for each change, without what it uses when nothing is changed.
    each: f64,
    /// The share of a processor that is used when nothing is changed.
    idle: f64,
}

/// Changes the policy of one pod again and again.
///
/// # Panics
/// If its sidecar or the status does not follow.
pub async fn at_size(ground: &Ground, fleet: &Fleet, statuses: &Statuses, changes: usize) -> Size {
    let policy = |tool: &str| objects::policy(POLICY, ONLY, tool);
    let path = objects::policies(NAMESPACE);
    ground.cluster.apply(&path, &policy("begin")).await;
    statuses.in_force(NAMESPACE, POLICY, 1, 1).await;
    statuses.quiet(Duration::from_secs(1)).await;
    let before = ground.operator.idle(IDLE).await;
    let (used, began) = (ground.operator.used(), Instant::now());
    let (mut enforced, mut programmed) = (Vec::new(), Vec::new());
    for change in 0..changes {
        let tool = format!("only_{}_{change}", fleet.count());
        let policy = policy(&tool);
        let generation = expect(ground, fleet, POLICY, tool).await;
        let begun = Instant::now();
        ground.cluster.apply(&path, &policy).await;
        statuses.in_force(NAMESPACE, POLICY, generation, 1).await;
        programmed.push(begun.elapsed());
        let times = fleet.board().enforced(1).await;
        enforced.extend(times.iter().map(|one| one.at.saturating_duration_since(begun)));
    }
    let (processor, elapsed) = (ground.operator.since(used), began.elapsed());
    let idle = f64::midpoint(before, ground.operator.idle(IDLE).await);
    #[allow(clippy::cast_precision_loss, reason = "hundreds")]
    let each = (millis(processor) - idle * millis(elapsed)) / changes as f64;
    Size {
        sidecars: fleet.count(),
        enforced: Taken::new(elapsed, enforced),
        programmed: Taken::new(elapsed, programmed),
        each,
        idle,
    }
}

/// Prints what was measured.
pub fn print(measured: &[Size], changes: usize) {
    let mut table = Table::new(&[
        "pods",
        "operator CPU ms/change",
        "× fewest",
        "enforced p50 ms",
        "p99 ms",
        "Programmed p50 ms",
        "p99 ms",
        "operator idle, % of a core",
    ]);
    let fewest = measured.first().map_or(f64::NAN, |size| size.each);
    for size in measured {
        let cells = [
            size.each,
            size.each / fewest,
            millis(size.enforced.percentile(0.5)),
            millis(size.enforced.percentile(0.99)),
            millis(size.programmed.percentile(0.5)),
            millis(size.programmed.percentile(0.99)),
            size.idle * 100.0,
        ];
        table.row([size.sidecars.to_string()].into_iter().chain(cells.map(|value| figure(value, ""))));
    }
    table.print(&format!(
        "**A policy that governs one pod is applied, one change after the other** ({changes} changes; its sidecar compiles; the \
         operator's CPU is without what it uses when nothing is changed)"
    ));
}

/// It costs no more among many than among few.
pub fn bar(measured: &[Size], bars: &mut Bars) {
    if let (Some(fewest), Some(most)) = (measured.first(), measured.last())
        && measured.len() > 1
    {
        let what = format!("operator CPU of one pod's change, {} pods to {}", most.sidecars, fewest.sidecars);
        bars.at_most(&what, most.each / fewest.each, 1.2, " ×");
    }
}
