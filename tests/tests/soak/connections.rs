//! Ten thousand agents at once, each with a connection of its own.

use std::time::Duration;

use reeve_tests::books::{AGENTS, Counted, Scene, none_was_lost, settled, the_server_did_no_more, the_truth_was_told};
use reeve_tests::eventually::eventually;
use reeve_tests::ledger::Ledger;
use reeve_tests::load::{Agents, Load};
use reeve_tests::process::{may_open_many_files, memory};
use reeve_tests::wrk::{Found, Wrk};

use super::page;

const MANY: usize = 10_000;

/// How long they call, in seconds.
const WHILE: u64 = 60;

/// How many times longer than its share of the time an answer may take. Whoever waits for one makes the next call when it has come, so
/// that all share what is done in a second; those whose calls are refused do not wait for the server, and the others, one in three, for
/// their turn there.
const SHARES: u32 = 10;

/// The same load on a server alone, for a sixth of the time.
fn by_itself() -> Found {
    let ledger = Ledger::start();
    Wrk::start(&ledger.url, MANY, WHILE / 6).finish()
}

fn described(found: &Found) -> String {
    let Found { median, most, slowest, .. } = found;
    let seconds = |time: &Duration| format!("{:.2} s", time.as_secs_f64());
    format!(
        "half within {}, 99 of 100 within {}, the slowest within {}",
        seconds(median),
        seconds(most),
        seconds(slowest)
    )
}

#[test]
fn ten_thousand_agents_are_served_at_once_in_turn_and_none_of_their_calls_is_lost() {
    may_open_many_files();
    let alone = by_itself();
    let scene = Scene::with("{connectTimeout: 60s}", "listener: {maxConnections: 10500, maxRequests: 10500}");
    let sidecar = scene.setup.start();
    // Who gives up has lost its call by itself: these wait as long as all call.
    let load = Load::start(&scene.url, Agents { patience: Duration::from_secs(WHILE), ..AGENTS });
    load.goes_on(50);
    let before = memory(sidecar.process.id());
    let wrk = Wrk::start(&scene.url, MANY, WHILE);
    eventually("ten thousand connections are open", || {
        (sidecar.metric("reeve_connections") >= MANY as f64).then_some(())
    });
    load.goes_on(50);
    let during = memory(sidecar.process.id());
    let found = wrk.finish();
    assert!(found.errors.is_empty() && found.answers > MANY as u64, "{found:?}; the server alone: {alone:?}");
    let share = Duration::from_secs_f64(WHILE as f64 * MANY as f64 / found.answers as f64);
    assert!(found.slowest <= share * SHARES, "{share:?} for each, but {found:?}; the server alone: {alone:?}");
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    settled(&sidecar);
    let counted = Counted::by(&sidecar);
    the_server_did_no_more(&scene.ledger, counted);
    page::write(
        "connections",
        &format!(
            "{MANY} connections called without a pause for a minute: {} calls were answered, none failed. With them open the \
             process used {:.1} MiB, {:.1} KiB for each. Of the answers came {}. From the server by itself, under the same load: {}.\n",
            counted.allowed + counted.refused,
            during as f64 / f64::from(1 << 20),
            during.saturating_sub(before) as f64 / MANY as f64 / 1024.0,
            described(&found),
            described(&alone),
        ),
    );
}
