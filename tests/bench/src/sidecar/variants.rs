//! Calls of other shapes: large arguments, HTTP/2 to the agent, TLS to the server, many streams at once.

use std::time::Duration;

use crate::figures::{count, figure, mebibytes, median, micros};
use crate::identity;
use crate::load::http2::Shared;
use crate::load::{Agents, Call, Taken, USUAL, streams};
use crate::server::{EVENTS, Server};
use crate::subject::{Place, Running, Subject, Upstream};
use crate::table::Table;
use crate::usage;

/// What stands between agent and server.
const SUBJECTS: [Subject; 3] = [Subject::Minimal, Subject::Reeve { rules: 100 }, Subject::Envoy];

/// The streams that are open at once.
const STREAMS: usize = 100;

/// A shape of calls.
#[derive(Clone, Copy, Debug)]
enum Variant {
    LargeArgument,
    Http2,
    Tls,
    Streams,
}

/// One subject in one round.
#[derive(Clone, Copy, Debug)]
struct Sample {
    processor: f64,
    half: f64,
    most: f64,
    memory: f64,
}

/// Measures and prints a table for each shape.
///
/// # Panics
/// If a call is answered otherwise than it must be.
pub async fn run(place: &Place, plain: &Upstream, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let authority = folder.path().join("authority.pem");
    let secure = Server::start(Some(identity::issue(&authority))).await;
    let secure = Upstream { address: secure.address, authority: Some(authority) };
    for variant in [Variant::LargeArgument, Variant::Http2, Variant::Tls, Variant::Streams] {
        let upstream = if matches!(variant, Variant::Tls) { &secure } else { plain };
        let mut samples = SUBJECTS.map(|_| Vec::new());
        for round in 1..=rounds {
            eprintln!("{}: round {round} of {rounds}", variant.title());
            for (subject, samples) in SUBJECTS.into_iter().zip(&mut samples) {
                let running = place.start(subject, upstream).await;
                samples.push(variant.measure(&running).await);
            }
        }
        print(variant, &samples);
    }
}

impl Variant {
    fn title(self) -> &'static str {
        match self {
            Self::LargeArgument => "An argument of 1 MiB, 1 connection",
            Self::Http2 => "HTTP/2 to the agent, 16 calls at once on one connection",
            Self::Tls => "TLS to the server, 16 connections",
            Self::Streams => "100 streams at once, an event each 10 ms on each; times are of events",
        }
    }

    async fn measure(self, running: &Running) -> Sample {
        match self {
            Self::LargeArgument => {
                let call = Call { arguments: 1 << 20, ..USUAL };
                let mut agents = Agents::connect(running.address, 1, &call).await;
                agents.call(50).await;
                sample(running, async { agents.call(500).await }).await
            }
            Self::Tls => {
                let mut agents = Agents::connect(running.address, 16, &USUAL).await;
                agents.call(2_000).await;
                sample(running, async { agents.call(30_000).await }).await
            }
            Self::Http2 => {
                let mut agents = Shared::connect(running.address, USUAL).await;
                agents.call(2_000, 16).await;
                sample(running, async { agents.call(30_000, 16).await }).await
            }
            Self::Streams => {
                let (mut memory, mut before) = (0, Duration::ZERO);
                let process = running.process().expect("a proxy is a process");
                let began = || before = usage::processor(process);
                let midway = || memory = usage::memory(process);
                let taken = streams::read(running.address, STREAMS, began, midway).await;
                let used = usage::processor(process) - before;
                Sample::new(used, &taken, memory)
            }
        }
    }
}

async fn sample(running: &Running, calls: impl Future<Output = Taken>) -> Sample {
    let process = running.process().expect("a proxy is a process");
    let before = usage::processor(process);
    let taken = calls.await;
    Sample::new(usage::processor(process) - before, &taken, usage::memory(process))
}

impl Sample {
    fn new(used: Duration, taken: &Taken, memory: u64) -> Self {
        Self {
            processor: micros(used) / count(taken.each.len() as u64),
            half: micros(taken.percentile(0.5)),
            most: micros(taken.percentile(0.99)),
            memory: mebibytes(memory),
        }
    }
}

fn print(variant: Variant, samples: &[Vec<Sample>; SUBJECTS.len()]) {
    let columns: [&str; 7] = match variant {
        Variant::Streams => ["", "CPU µs/event", "× minimal", "× Envoy", "p50 delay µs", "p99 delay µs", "RSS MiB"],
        _ => ["", "CPU µs/call", "× minimal", "× Envoy", "p50 µs", "p99 µs", "RSS MiB"],
    };
    let mut table = Table::new(&columns);
    let of = |index: usize, of: fn(&Sample) -> f64| median(samples[index].iter().map(of));
    let processor = |index| of(index, |sample| sample.processor);
    for (index, subject) in SUBJECTS.into_iter().enumerate() {
        table.row([
            subject.name(),
            figure(processor(index), ""),
            figure(processor(index) / processor(0), ""),
            figure(processor(index) / processor(SUBJECTS.len() - 1), ""),
            figure(of(index, |sample| sample.half), ""),
            figure(of(index, |sample| sample.most), ""),
            figure(of(index, |sample| sample.memory), ""),
        ]);
    }
    let events = STREAMS * EVENTS as usize;
    match variant {
        Variant::Streams => table.print(&format!("{} ({events} events)", variant.title())),
        _ => table.print(variant.title()),
    }
}
