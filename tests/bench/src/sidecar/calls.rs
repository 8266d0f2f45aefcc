//! The usual call, through everything that can be measured, at 1 and 16 connections, and at 16 with agents and a server that never sleep.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::figures::{count, figure, mebibytes, median, micros};
use crate::load::{Agents, Call, Era, Expected, USUAL};
use crate::policies::DENIED_TOOL;
use crate::server::Server;
use crate::sidecar::bars::Bars;
use crate::subject::{Place, Running, Subject, Upstream};
use crate::table::Table;
use crate::usage;

/// The calls that are made before anything is measured.
const WARM_UP: usize = 2_000;

/// The calls that are measured, and how they are made.
#[derive(Clone, Copy, Debug)]
struct Load {
    connections: usize,
    calls: usize,
    idle: Idle,
}

/// What agents and server, which are one thread, do while they have nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// They sleep, and are woken by the proxy, at its cost. A faster one finds them asleep less often.
    Sleep,
    /// They look again at once: no proxy pays for waking them.
    Spin,
}

const LOADS: [Load; 3] = [
    Load { connections: 1, calls: 20_000, idle: Idle::Sleep },
    Load { connections: 16, calls: 40_000, idle: Idle::Sleep },
    Load { connections: 16, calls: 40_000, idle: Idle::Spin },
];

impl Load {
    fn name(self) -> String {
        let connections = if self.connections == 1 { "connection" } else { "connections" };
        let awake = if self.idle == Idle::Spin { ", agents awake" } else { "" };
        format!("{} {connections}{awake}", self.connections)
    }
}

/// What is measured, and what is called.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    subject: Subject,
    call: Call,
    reaches_the_server: bool,
    samples: Vec<[Sample; LOADS.len()]>,
}

/// One case in one round.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// Microseconds of processor time of the proxy, each call.
    processor: f64,
    /// Calls a second.
    rate: f64,
    /// Microseconds within which half of the calls, and 99 of 100, were answered.
    half: f64,
    most: f64,
    /// How often agents and server slept, each call.
    sleeps: f64,
    /// MiB in use afterwards.
    memory: f64,
}

impl Case {
    fn new(subject: Subject) -> Self {
        Self { name: subject.name(), subject, call: USUAL, reaches_the_server: true, samples: Vec::new() }
    }

    fn refusing(name: &str, subject: Subject, expected: Expected) -> Self {
        let call = Call { tool: DENIED_TOOL, expected, ..USUAL };
        Self { name: name.to_owned(), subject, call, reaches_the_server: false, samples: Vec::new() }
    }

    /// The median of what all rounds have of one load.
    fn median(&self, load: usize, of: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(|sample| of(&sample[load])))
    }
}

fn cases() -> Vec<Case> {
    let hundred = Subject::Reeve { rules: 100 };
    let modern = Case {
        name: "Reeve, 100 rules, 2026-07-28".into(),
        call: Call { era: Era::Modern, ..USUAL },
        ..Case::new(hundred)
    };
    let refused = Expected { status: 200, part: "\"isError\":true" };
    vec![
        Case::new(Subject::Direct),
        Case::new(Subject::Splice),
        Case::new(Subject::Minimal),
        Case::new(Subject::Reeve { rules: 1 }),
        Case::new(hundred),
        Case::new(Subject::Reeve { rules: 10_000 }),
        modern,
        Case::refusing("Reeve refusing, 100 rules", hundred, refused),
        Case::new(Subject::Envoy),
        Case::refusing("Envoy refusing", Subject::Envoy, Expected { status: 403, part: "RBAC: access denied" }),
    ]
}

/// Measures, prints the table, and adds the bars.
///
/// # Panics
/// If a call is answered otherwise than it must be, or reaches the server though it must not.
pub async fn run(place: &Place, server: &Server, upstream: &Upstream, rounds: usize, bars: &mut Bars) {
    let mut cases = cases();
    for round in 1..=rounds {
        eprintln!("calls: round {round} of {rounds}");
        for case in &mut cases {
            let running = place.start(case.subject, upstream).await;
            let mut samples = [Sample::default(); LOADS.len()];
            for (sample, load) in samples.iter_mut().zip(LOADS) {
                let reached = server.calls();
                *sample = measure(&running, &case.call, load).await;
                let reached = usize::try_from(server.calls() - reached).expect("a number of calls");
                let should = if case.reaches_the_server { WARM_UP + load.calls } else { 0 };
                assert_eq!(reached, should, "{}: calls that reached the server", case.name);
            }
            case.samples.push(samples);
        }
    }
    for load in 0..LOADS.len() {
        print(&cases, load);
        judge(&cases, load, bars);
    }
}

async fn measure(running: &Running, call: &Call, Load { connections, calls, idle }: Load) -> Sample {
    let mut agents = Agents::connect(running.address, connections, call).await;
    agents.call(WARM_UP).await;
    let spinning = (idle == Idle::Spin).then(|| tokio::spawn(spin()));
    let processor = || running.process().map_or(Duration::ZERO, usage::processor);
    let (before, slept) = (processor(), usage::sleeps());
    let taken = agents.call(calls).await;
    let (used, sleeps) = (processor() - before, usage::sleeps() - slept);
    spinning.inspect(JoinHandle::abort);
    Sample {
        processor: micros(used) / count(calls as u64),
        rate: taken.rate(),
        half: micros(taken.percentile(0.5)),
        most: micros(taken.percentile(0.99)),
        sleeps: count(sleeps) / count(calls as u64),
        memory: running.process().map_or(0.0, |process| mebibytes(usage::memory(process))),
    }
}

/// Keeps the thread from sleeping.
async fn spin() {
    loop {
        tokio::task::yield_now().await;
    }
}

fn find(cases: &[Case], subject: Subject) -> &Case {
    cases.iter().find(|case| case.subject == subject).expect("every subject has a case")
}

fn print(cases: &[Case], load: usize) {
    let mut table = Table::new(&[
        "",
        "CPU µs/call",
        "× minimal",
        "× Envoy",
        "calls/s",
        "p50 added µs",
        "× minimal",
        "p99 added µs",
        "sleeps/call",
        "RSS MiB",
    ]);
    let of = |subject| find(cases, subject).median(load, |sample| sample.processor);
    let (minimal, envoy) = (of(Subject::Minimal), of(Subject::Envoy));
    let minimal_added = added(cases, find(cases, Subject::Minimal), load, |sample| sample.half);
    for case in cases {
        let processor = case.median(load, |sample| sample.processor);
        let half = added(cases, case, load, |sample| sample.half);
        let most = added(cases, case, load, |sample| sample.most);
        let rate = figure(case.median(load, |sample| sample.rate), "");
        let sleeps = figure(case.median(load, |sample| sample.sleeps), "");
        let row = if case.subject == Subject::Direct {
            ["", "", "", &rate, "", "", "", &sleeps, ""].map(str::to_owned)
        } else {
            [
                figure(processor, ""),
                figure(processor / minimal, ""),
                figure(processor / envoy, ""),
                rate,
                figure(half, ""),
                figure(half / minimal_added, ""),
                figure(most, ""),
                sleeps,
                figure(case.median(load, |sample| sample.memory), ""),
            ]
        };
        table.row([case.name.clone()].into_iter().chain(row));
    }
    let direct = find(cases, Subject::Direct);
    let (half, most) = (direct.median(load, |sample| sample.half), direct.median(load, |sample| sample.most));
    let title = format!("{}, 200 bytes of arguments (direct: p50 {half:.0} µs, p99 {most:.0} µs)", LOADS[load].name());
    table.print(&title);
}

/// What a case adds to the direct call of the same round.
fn added(cases: &[Case], case: &Case, load: usize, of: impl Fn(&Sample) -> f64) -> f64 {
    let direct = &find(cases, Subject::Direct).samples;
    median(case.samples.iter().zip(direct).map(|(sample, direct)| of(&sample[load]) - of(&direct[load])))
}

fn judge(cases: &[Case], load: usize, bars: &mut Bars) {
    let (reeve, minimal, envoy) =
        (find(cases, Subject::Reeve { rules: 100 }), find(cases, Subject::Minimal), find(cases, Subject::Envoy));
    let processor = |case: &Case| case.median(load, |sample| sample.processor);
    let rate = |case: &Case| case.median(load, |sample| sample.rate);
    let at = format!("100 rules, {}", LOADS[load].name());
    bars.at_most(&format!("CPU per call, {at}, to minimal"), processor(reeve) / processor(minimal), 1.5, " ×");
    bars.at_most(&format!("CPU per call, {at}, to Envoy"), processor(reeve) / processor(envoy), 0.6, " ×");
    bars.at_least(&format!("calls/s, {at}, to Envoy"), rate(reeve) / rate(envoy), 1.5, " ×");
    if LOADS[load].connections == 1 {
        let half = |case| added(cases, case, load, |sample| sample.half);
        bars.at_most(&format!("p50 added, {at}, to minimal"), half(reeve) / half(minimal), 1.5, " ×");
    }
}
