//! What grows: the time from start to ready, memory over many calls, and what a reload does to calls.

use std::fs;
use std::time::{Duration, Instant};

use crate::figures::{count, figure, mebibytes, median, millis};
use crate::load::{Agents, USUAL};
use crate::policies;
use crate::sidecar::bars::Bars;
use crate::subject::{Place, Running, Subject, Upstream, get};
use crate::table::Table;
use crate::usage;

const FEW: Subject = Subject::Reeve { rules: 100 };
const MANY: Subject = Subject::Reeve { rules: 10_000 };

/// From start to ready, and memory then.
///
/// # Panics
/// If a proxy does not become ready.
pub async fn starts(place: &Place, upstream: &Upstream, rounds: usize, bars: &mut Bars) {
    let subjects = [Subject::Minimal, Subject::Reeve { rules: 1 }, FEW, MANY, Subject::Envoy];
    let mut samples = subjects.map(|_| Vec::new());
    for _ in 0..rounds {
        for (subject, samples) in subjects.into_iter().zip(&mut samples) {
            let running = place.start(subject, upstream).await;
            let memory = running.process().map_or(0, usage::memory);
            samples.push((millis(running.ready_after), mebibytes(memory)));
        }
    }
    let mut table = Table::new(&["", "ready after ms", "RSS MiB then"]);
    for (subject, samples) in subjects.into_iter().zip(&samples) {
        let ready = median(samples.iter().map(|(ready, _)| *ready));
        let memory = median(samples.iter().map(|(_, memory)| *memory));
        table.row([subject.name(), figure(ready, ""), figure(memory, "")]);
        match subject {
            FEW => bars.at_most("start to ready, 100 rules", ready, 100.0, " ms"),
            MANY => bars.at_most("start to ready, 10,000 rules", ready, 1_000.0, " ms"),
            _ => {}
        }
    }
    table.print("From start to ready");
}

/// How long calls are made before they are counted: by then a sidecar has given back what only its start ran.
const SETTLED: Duration = Duration::from_secs(5);

/// The share of all calls between two looks at memory.
const LOOKS: usize = 10;

/// Memory over many calls: over a tenth of them with 10,000 rules.
///
/// # Panics
/// If a call is answered otherwise than it must be.
pub async fn memory(place: &Place, upstream: &Upstream, calls: usize, bars: &mut Bars) {
    let few = look(place, FEW, upstream, calls).await;
    let many = look(place, MANY, upstream, calls / 10).await;
    let mut table = Table::new(&["share of the calls", "RSS MiB, 100 rules", "RSS MiB, 10,000 rules"]);
    for (index, (few, many)) in few.iter().zip(&many).enumerate() {
        table.row([format!("{}/{LOOKS}", index + 1), figure(*few, ""), figure(*many, "")]);
    }
    table.print(&format!("Memory over {calls} calls with 100 rules, {} with 10,000; 16 connections", calls / 10));
    let (last, last_of_many) = (few[LOOKS - 1], many[LOOKS - 1]);
    bars.at_most(&format!("RSS after {calls} calls, 100 rules"), last, 12.0, " MiB");
    bars.at_most("its growth over the last nine tenths of them", last / few[0], 1.02, " ×");
    bars.at_most(&format!("RSS after {} calls, 10,000 rules", calls / 10), last_of_many, 64.0, " MiB");
}

/// Makes calls, and looks at memory after each [`LOOKS`]th part of them.
async fn look(place: &Place, subject: Subject, upstream: &Upstream, calls: usize) -> Vec<f64> {
    eprintln!("memory: {calls} calls through {}", subject.name());
    let running = place.start(subject, upstream).await;
    let process = running.process().expect("a proxy is a process");
    let mut agents = Agents::connect(running.address, 16, &USUAL).await;
    agents.call_for(SETTLED).await;
    let mut looks = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        agents.call(calls / LOOKS).await;
        looks.push(mebibytes(usage::memory(process)));
    }
    looks
}

/// How often the policy is changed.
const RELOADS: usize = 10;

/// How long calls are made around each change.
const AROUND: Duration = Duration::from_millis(1_500);

/// The longest call while 10,000 rules are reloaded, beside the longest of as long a time without: the machine stalls calls too,
/// and a reload is judged by what it adds.
///
/// # Panics
/// If a reload does not take place.
pub async fn reload(place: &Place, upstream: &Upstream, bars: &mut Bars) {
    let running = place.start(MANY, upstream).await;
    let process = running.process().expect("a proxy is a process");
    let mut agents = Agents::connect(running.address, 1, &USUAL).await;
    agents.call(2_000).await;
    let (mut quiet, mut reloading, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for index in 0..RELOADS {
        eprintln!("reload: {} of {RELOADS}", index + 1);
        quiet.push(millis(agents.call_for(AROUND).await.longest()));
        let before = generation(&running).await;
        change(&running, index);
        reloading.push(millis(agents.call_for(AROUND).await.longest()));
        let deadline = Instant::now() + Duration::from_secs(20);
        while generation(&running).await == before {
            assert!(Instant::now() < deadline, "the changed policy is taken over");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        memory = memory.max(mebibytes(usage::memory(process)));
    }
    let longest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let mut table = Table::new(&["the longest call, ms", "median", "worst"]);
    table.row(["nothing happens".into(), figure(median(quiet.clone()), ""), figure(longest(&quiet), "")]);
    table.row([
        "10,000 rules are reloaded".into(),
        figure(median(reloading.clone()), ""),
        figure(longest(&reloading), ""),
    ]);
    let added: Vec<_> = reloading.iter().zip(&quiet).map(|(with, without)| with - without).collect();
    table.row(["the difference".into(), figure(median(added.clone()), ""), figure(longest(&added), "")]);
    let reloads = count(RELOADS as u64);
    table.print(&format!("{reloads} reloads of 10,000 rules, 1 connection; RSS at most {} MiB", figure(memory, "")));
    bars.at_most("what a reload of 10,000 rules adds to the longest call", median(added), 2.0, " ms");
}

/// Replaces the policy by one that differs in one rule.
fn change(running: &Running, index: usize) {
    let Subject::Reeve { rules } = MANY else { return };
    let policy = policies::yaml(rules).replace("\"list_table_1\"", &format!("\"changed_{index}\""));
    let next = running.file("policy.yaml.next");
    fs::write(&next, policy).expect("a temporary file can be written");
    fs::rename(&next, running.file("policy.yaml")).expect("a file can be replaced");
}

/// The number of the configuration in force.
async fn generation(running: &Running) -> String {
    let admin = running.admin.expect("Reeve has metrics");
    let metrics = get(admin, "/metrics").await.unwrap_or_default();
    let line = metrics.lines().find(|line| line.starts_with("reeve_config_generation "));
    line.expect("the generation is a metric").to_owned()
}
