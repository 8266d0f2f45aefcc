//! Ten thousand agents at once, each with a connection of its own.

use reeve_tests::books::{AGENTS, Counted, Scene, none_was_lost, settled, the_server_did_no_more, the_truth_was_told};
use reeve_tests::eventually::eventually;
use reeve_tests::load::Load;
use reeve_tests::process::{may_open_many_files, memory};
use reeve_tests::wrk::Wrk;

use super::page;

const MANY: usize = 10_000;

#[test]
fn ten_thousand_agents_are_served_at_once_and_none_of_their_calls_is_lost() {
    may_open_many_files();
    let scene = Scene::with("{connectTimeout: 60s}", "listener: {maxConnections: 10500, maxRequests: 10500}");
    let sidecar = scene.setup.start();
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(50);
    let before = memory(sidecar.process.id());
    let wrk = Wrk::start(&scene.url, MANY, 60);
    eventually("ten thousand connections are open", || {
        (sidecar.metric("reeve_connections") >= MANY as f64).then_some(())
    });
    load.goes_on(50);
    let during = memory(sidecar.process.id());
    let found = wrk.finish();
    assert!(found.errors.is_empty() && found.answers > MANY as u64, "{found:?}");
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
             process used {:.1} MiB, {:.1} KiB for each.\n",
            counted.allowed + counted.refused,
            during as f64 / f64::from(1 << 20),
            during.saturating_sub(before) as f64 / MANY as f64 / 1024.0
        ),
    );
}
