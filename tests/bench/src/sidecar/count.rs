//! Instructions and allocations of each call, counted by valgrind: they hardly depend on the machine, nor on what else it
//! does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{count, figure};
use crate::load::{Agents, Call, USUAL};
use crate::server::Server;
use crate::sidecar::bars::Bars;
use crate::subject::{Place, Subject, Upstream};
use crate::table::Table;

/// The calls that are counted.
const CALLS: u64 = 2_000;

/// How long a proxy is called before anything is counted: files that were written just before it began to read them it reads once
/// more, some seconds later.
const SETTLED_AFTER: Duration = Duration::from_secs(7);

/// What allocates memory.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// What a process did while calls were made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Instructions in user mode.
    pub instructions: u64,
    /// Calls of the allocator.
    pub allocations: u64,
}

/// Counts, prints, and adds the bars.
///
/// # Panics
/// If valgrind is missing, or a call is answered otherwise than it must be.
pub async fn run(place: &Place, upstream: &Upstream, bars: &mut Bars) {
    let subjects = [
        Subject::Minimal,
        Subject::Reeve { rules: 1 },
        Subject::Reeve { rules: 100 },
        Subject::Reeve { rules: 10_000 },
    ];
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut table = Table::new(&["", "instructions/call", "× minimal", "allocations/call", "beyond minimal"]);
    let mut counts = Vec::new();
    for subject in subjects {
        eprintln!("count: {}", subject.name());
        let counted = measure(place, subject, upstream, &USUAL, folder.path()).await;
        let per_call = [count(counted.instructions) / count(CALLS), count(counted.allocations) / count(CALLS)];
        counts.push(per_call);
        let [instructions, allocations] = per_call;
        table.row([
            subject.name(),
            figure(instructions, ""),
            figure(instructions / counts[0][0], ""),
            figure(allocations, ""),
            figure(allocations - counts[0][1], ""),
        ]);
    }
    table.print("Counted by valgrind, in user mode, 1 connection");
    bars.at_most("instructions per call, 10,000 rules to 1", counts[3][0] / counts[1][0], 1.1, " ×");
    bars.at_most("allocations per call beyond the minimal proxy's, 100 rules", counts[2][1] - counts[0][1], 6.0, "");
}

/// Counts what a proxy does for `CALLS` calls, and leaves valgrind's own file in `folder`.
///
/// # Panics
/// If valgrind is missing, or a call is answered otherwise than it must be.
pub async fn measure(place: &Place, subject: Subject, upstream: &Upstream, call: &Call, folder: &Path) -> Counted {
    let file = folder.join(format!("callgrind.{}", subject.name().replace([' ', ','], "-")));
    let output = format!("--callgrind-out-file={}", file.display());
    let valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", &output];
    let running = place.start_in(&valgrind, subject, upstream).await;
    let process = running.process().expect("a proxy is a process").to_string();
    let mut agents = Agents::connect(running.address, 1, call).await;
    let begun = Instant::now();
    while begun.elapsed() < SETTLED_AFTER {
        agents.call(200).await;
    }
    control(&["--instr=on", &process]);
    agents.call(50).await;
    control(&["--zero", &process]);
    agents.call(usize::try_from(CALLS).expect("a number of calls")).await;
    control(&["--dump", &process]);
    drop(agents);
    read(&PathBuf::from(format!("{}.1", file.display())))
}

fn control(arguments: &[&str]) {
    let status = Command::new("callgrind_control").args(arguments).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "callgrind_control, a part of valgrind, is missing or failed");
}

/// Reads what valgrind has written: its totals, and how often functions were called.
///
/// The format is described in "Callgrind Format Specification" of valgrind's manual: a name stands beside its number
/// once, and only the number later.
pub fn read(file: &Path) -> Counted {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut counted = Counted::default();
    let (mut names, mut called) = (HashMap::new(), "");
    for line in text.lines() {
        if let Some(totals) = line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")) {
            counted.instructions = totals.trim().parse().expect("a number of instructions");
        } else if let Some(name) = line.strip_prefix("fn=") {
            resolve(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = resolve(&mut names, name);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATORS.contains(&called)
        {
            let calls = calls.split(' ').next().and_then(|calls| calls.parse::<u64>().ok());
            counted.allocations += calls.expect("a number of calls");
        }
    }
    counted
}

fn resolve<'a>(names: &mut HashMap<&'a str, &'a str>, name: &'a str) -> &'a str {
    match name.split_once(' ') {
        Some((number, name)) => names.entry(number).or_insert(name),
        None => names.get(name).copied().unwrap_or_default(),
    }
}

/// Leaves in `folder` where Reeve with 100 rules spends its instructions, for `callgrind_annotate`.
///
/// # Panics
/// If valgrind is missing, or a call is answered otherwise than it must be.
pub async fn profile(place: &Place, folder: &Path) {
    let server = Server::start(None).await;
    let upstream = Upstream { address: server.address, authority: None };
    measure(place, Subject::Reeve { rules: 100 }, &upstream, &USUAL, folder).await;
}
