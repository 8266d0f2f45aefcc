//! The operations counted by valgrind and timed by criterion, side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::{Engine, Operation};
use crate::figures::{count, figure};
use crate::sidecar::bars::Bars;
use crate::sidecar::count::read;
use crate::table::Table;

/// What is counted.
const CASES: [(Operation, usize); 14] = [
    (Operation::Visit, 1),
    (Operation::Tree, 1),
    (Operation::Parse, 1),
    (Operation::Decide, 1),
    (Operation::Decide, 100),
    (Operation::Decide, 10_000),
    (Operation::Take, 1),
    (Operation::Take, 10_000),
    (Operation::DecideWithExpression, 1),
    (Operation::DecideWithExpression, 10_000),
    (Operation::BareExpression, 1),
    (Operation::Expression, 1),
    (Operation::Hash, 1),
    (Operation::Count, 1),
];

/// An operation with a number of rules, as criterion names it.
pub fn name(operation: Operation, rules: usize) -> String {
    let value = operation.to_possible_value().expect("every operation has a name");
    match operation {
        Operation::Decide | Operation::Take | Operation::DecideWithExpression => {
            format!("{}-{rules}", value.get_name())
        }
        _ => value.get_name().to_owned(),
    }
}

/// What criterion times: the same.
pub fn cases() -> impl Iterator<Item = (Operation, usize)> {
    CASES.into_iter()
}

/// Where criterion has left its figures.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The folder `criterion` of the target directory.
    #[arg(long)]
    criterion: PathBuf,
}

/// Does an operation this often; what valgrind runs.
#[derive(Clone, Debug, clap::Args)]
pub struct Repeat {
    #[arg(value_enum)]
    operation: Operation,
    rules: usize,
    times: u64,
}

/// Does an operation again and again.
///
/// # Panics
/// If it does not come out as it must.
pub fn repeat(options: &Repeat) {
    let engine = Engine::new(options.rules);
    for _ in 0..options.times {
        assert!(engine.once(options.operation), "{:?}", options.operation);
    }
}

/// Counts, reads what criterion has timed, and prints both.
///
/// # Panics
/// If valgrind is missing.
pub fn run(options: &Options) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut table =
        Table::new(&["operation", "rules", "ns", "instructions", "× visit (time)", "× visit (instructions)"]);
    let mut rows = Vec::new();
    for (operation, rules) in CASES {
        eprintln!("count: {}", name(operation, rules));
        let [few, many] = [1_000, 2_000].map(|times| instructions(operation, rules, times, folder.path()));
        let instructions = count(many - few) / 1_000.0;
        let nanoseconds = timed(&options.criterion, &name(operation, rules));
        rows.push((operation, rules, nanoseconds, instructions));
    }
    let of = |wanted, with| {
        let row = rows.iter().find(|(operation, rules, ..)| (*operation, *rules) == (wanted, with));
        row.map(|(.., nanoseconds, instructions)| (*nanoseconds, *instructions)).expect("every case was counted")
    };
    let (visit, visit_instructions) = of(Operation::Visit, 1);
    for (operation, rules, nanoseconds, instructions) in &rows {
        table.row([
            operation.to_possible_value().expect("every operation has a name").get_name().to_owned(),
            rules.to_string(),
            figure(*nanoseconds, ""),
            format!("{instructions:.0}"),
            figure(nanoseconds / visit, ""),
            figure(instructions / visit_instructions, ""),
        ]);
    }
    table.print("The engine alone, the usual call");
    let mut bars = Bars::default();
    bars.at_most("strict parse to a plain visitor", of(Operation::Parse, 1).0 / visit, 1.2, " ×");
    bars.at_most(
        "decision without an expression, 100 rules, to a plain visitor",
        of(Operation::Decide, 100).0 / visit,
        1.2,
        " ×",
    );
    let bare = of(Operation::BareExpression, 1).0;
    bars.at_most("an expression to the bare evaluator", of(Operation::Expression, 1).0 / bare, 2.0, " ×");
    let instructions = |rules| of(Operation::DecideWithExpression, rules).1;
    bars.at_most("instructions of a decision, 10,000 rules to 1", instructions(10_000) / instructions(1), 1.1, " ×");
    bars.print();
}

fn instructions(operation: Operation, rules: usize, times: u64, folder: &Path) -> u64 {
    let file = folder.join(format!("{}-{times}", name(operation, rules)));
    let program = std::env::current_exe().expect("a program has a file");
    let status = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["repeat", operation.to_possible_value().expect("every operation has a name").get_name()])
        .args([rules.to_string(), times.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "valgrind is missing or failed");
    read(&file).instructions
}

/// Criterion's estimate of the median, in nanoseconds.
fn timed(folder: &Path, name: &str) -> f64 {
    let file = folder.join("engine").join(name).join("new/estimates.json");
    let estimates = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    estimates.and_then(|estimates| estimates["median"]["point_estimate"].as_f64()).unwrap_or(f64::NAN)
}
