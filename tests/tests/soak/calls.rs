//! Ten million calls through one process.

use std::fmt::Write;
use std::time::{Duration, Instant};

use reeve_tests::books::{
    Counted, POLICY, Scene, none_was_lost, serves_on, settled, the_server_did_no_more, the_truth_was_told,
};
use reeve_tests::eventually::eventually;
use reeve_tests::ledger::Ledger;
use reeve_tests::process::memory;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::Sidecar;
use reeve_tests::wrk::Wrk;

use super::page;
use super::pipe::Pipe;
use super::troubles::{Trouble, lasting};

/// How many calls, unless `REEVE_CALLS` says otherwise.
const CALLS: usize = 10_000_000;

/// For how many seconds calls come without a pause while something goes wrong, or longer, until that is over.
const ROUND: u64 = 15;

/// How much more memory the process may use later than once everything has gone wrong a first time.
const MORE: u64 = 2 << 20;

/// How much more that may be after large answers: as much as `listener.maxTotalAnswerBytes` lets them take, which the allocator
/// need not give back.
const LARGE_ANSWERS: u64 = 64 << 20;

/// After which part of the calls large answers come.
const USUAL: f64 = 0.8;

/// How often they come at least, however quickly the calls are made.
const LARGE_ROUNDS: usize = 2;

/// Where the process stood after everything had gone wrong once more.
struct Sample {
    /// Whether there have been large answers.
    large: bool,
    counted: Counted,
    memory: u64,
    after: Duration,
}

#[test]
fn memory_is_flat_over_ten_million_calls_whatever_goes_wrong_among_them_and_the_books_add_up() {
    let calls = std::env::var("REEVE_CALLS").map_or(CALLS, |text| text.parse().expect("REEVE_CALLS is a number"));
    let sdks = Server::start(Kind::Rust);
    let ledger = Ledger::start();
    let config = format!(
        "servers: [{{name: upstream, path: /mcp, url: '{}'}}, {{name: sdks, path: /sdks, url: '{}'}}]\n\
         policyFiles: [policy.yaml]\nlistener: {{maxConnections: 2048}}\n",
        ledger.url, sdks.url
    );
    let mut scene = Scene::configured(ledger, &config);
    scene.setup.write("policy.yaml", &lasting(POLICY));
    let pipe = Pipe::make(&scene.audit);
    let mut sidecar = scene.setup.start();

    let begun = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    let mut done = 0;
    while done < calls || samples.iter().filter(|sample| sample.large).count() < LARGE_ROUNDS {
        let large = !samples.is_empty() && done as f64 >= calls as f64 * USUAL;
        let troubles: &[Trouble] = if large { &Trouble::LARGE } else { &Trouble::USUAL };
        for trouble in troubles {
            round(*trouble, &mut scene, &mut sidecar);
        }
        let counted = the_books_agree(&scene, &sidecar, &pipe);
        done = counted.allowed + counted.refused;
        samples.push(Sample { large, counted, memory: memory(sidecar.process.id()), after: begun.elapsed() });
        println!("{}", samples.last().map(row).unwrap_or_default());
    }
    let first = samples[0].memory;
    for Sample { large, memory, .. } in &samples {
        let most = first + MORE + if *large { LARGE_ANSWERS } else { 0 };
        assert!(*memory <= most, "{first} bytes after everything went wrong once, {memory} later");
    }
    if calls >= CALLS {
        page::write("calls", &table(&samples));
    }
}

/// Calls without a pause while something goes wrong. Then everything is as before.
fn round(trouble: Trouble, scene: &mut Scene, sidecar: &mut Sidecar) {
    let wrk = Wrk::start(&scene.url, 16, ROUND);
    let url = scene.url.replace("/mcp", "/sdks");
    trouble.make(scene, sidecar, &url);
    let found = wrk.finish();
    if trouble.costs_no_call() {
        assert!(found.errors.is_empty() && found.answers > 1_000, "{trouble:?}: {found:?}");
    }
    let told = serves_on(scene, sidecar);
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
}

/// That metrics, limits, audit log and server have counted the same.
fn the_books_agree(scene: &Scene, sidecar: &Sidecar, pipe: &Pipe) -> Counted {
    settled(sidecar);
    let counted = Counted::by(sidecar);
    let Counted { allowed, refused, .. } = counted;
    let recorded = eventually("every decision is recorded", || {
        Some(pipe.recorded()).filter(|recorded| recorded.allowed + recorded.refused >= allowed + refused)
    });
    assert_eq!((recorded.allowed, recorded.refused), (allowed, refused), "audit log and metrics");
    assert!(recorded.missing.is_empty(), "no record is missing: {recorded:?}");
    the_server_did_no_more(&scene.ledger, counted);
    counted
}

fn table(samples: &[Sample]) -> String {
    let mut table = format!(
        "One process. Before each row: {}; after large answers: {}.\n\n\
         | after | calls | allowed | refused | never sent | memory (RSS) | |\n|---|---|---|---|---|---|---|\n",
        words(&Trouble::USUAL),
        words(&Trouble::LARGE)
    );
    for sample in samples {
        let _ = writeln!(table, "{}", row(sample));
    }
    table
}

fn words(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| trouble.words()).collect::<Vec<_>>().join(", ")
}

fn row(Sample { large, counted: Counted { allowed, refused, unsent, .. }, memory, after }: &Sample) -> String {
    let mebibytes = *memory as f64 / f64::from(1 << 20);
    let minutes = after.as_secs_f64() / 60.0;
    let note = if *large { "after large answers" } else { "" };
    format!(
        "| {minutes:.0} min | {} | {allowed} | {refused} | {unsent} | {mebibytes:.1} MiB | {note} |",
        allowed + refused
    )
}
