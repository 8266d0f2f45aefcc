//! Runs a case and says what it cost.
//!
//! A stack overflow or exhausted memory ends a process, so every case runs in a process of its own: this test binary again,
//! asked for the one case, which it runs on a small stack. The kernel says what that cost: time on a processor (others may
//! be using it too) and the most memory there ever was.

use std::process::Command;
use std::time::Instant;
use std::{env, fs, thread};

use bytes::Bytes;
use reeve_policy::decide::Subject;
use reeve_policy::expr::{Expression, Purpose, Variables};
use reeve_policy::json::{Document, Limits};
use reeve_policy::time::WallTime;

/// The stack of a case: less than the 2 MiB that a thread usually has.
const STACK: usize = 1_536 * 1024;

/// What a case may cost. The bars are 200 ms for a refusal at load and 10 ms for an evaluation; the tests, built without
/// optimization and run beside others, allow more.
const COMPILE_MS: u64 = 1_000;
const EVALUATE_MS: u64 = 200;
const EVALUATE_KIB: u64 = 10 * 1024;

const ASKED: &str = "REEVE_HOSTILE_CASE";

/// How a case must end.
pub(crate) enum End {
    /// At load, with a message that has this in it.
    Refused(&'static str),
    /// At evaluation, with these words.
    Fails(&'static str),
    /// It is no threat at all.
    Gives(bool),
}

pub(crate) struct Case {
    name: &'static str,
    source: String,
    arguments: String,
    end: End,
}

pub(crate) fn case(name: &'static str, source: impl Into<String>, arguments: impl Into<String>, end: End) -> Case {
    Case { name, source: source.into(), arguments: arguments.into(), end }
}

/// Runs each case in a process of its own and checks how it ends and what it costs.
pub(crate) fn check_all(cases: &[Case]) {
    for case in cases {
        let Case { name, end, .. } = case;
        let mut command = Command::new(env::current_exe().expect("the test binary"));
        let output = command.args(["--exact", "one_case", "--nocapture"]).env(ASKED, name).output().expect("a process");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: the process ended by {}: {text}", output.status);
        let said = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        let cost = |key: &str| said(key).parse::<u64>().unwrap_or_else(|_| panic!("{name}: {text}"));
        assert!(cost("compile ms ") < COMPILE_MS, "{name}: {text}");
        match end {
            End::Refused(part) => {
                assert!(text.contains("\nrefused ") && said("refused ").contains(part), "{name}: {text}");
                continue;
            }
            End::Fails(words) => assert!(said("failed ").ends_with(words) && text.len() < 300, "{name}: {text}"),
            End::Gives(value) => assert_eq!(said("gave "), value.to_string(), "{name}: {text}"),
        }
        assert!(cost("evaluate ms ") < EVALUATE_MS, "{name}: {text}");
        assert!(cost("evaluate KiB ") < EVALUATE_KIB, "{name}: {text}");
    }
}

/// In the process that [`check_all`] started: runs the case it was asked for.
pub(crate) fn run_if_asked(cases: impl FnOnce() -> Vec<Case>) {
    let Ok(name) = env::var(ASKED) else { return };
    let case = cases().into_iter().find(|case| case.name == name).expect("a case of this name");
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || run(&case)).expect("a thread");
    thread.join().expect("no panic");
}

fn run(case: &Case) {
    let limits = Limits { tokens: 4_000_000, ..Limits::default() };
    let document = Document::parse(Bytes::copy_from_slice(case.arguments.as_bytes()), limits).expect("JSON");
    let before = Instant::now();
    let compiled = Expression::compile(&case.source, Purpose::Condition);
    println!("\ncompile ms {}", before.elapsed().as_millis());
    let expression = match compiled {
        Ok(expression) => expression,
        Err(error) => return println!("refused {error}"),
    };
    let subject = Subject::default();
    let args = Some(document.root());
    let variables = Variables { args, name: "tool", tool: None, subject: &subject, session: None, now: WallTime(0) };
    fs::write("/proc/self/clear_refs", "5").expect("the right to make the peak the memory of now");
    let (resident, before) = (memory("VmRSS:"), on_processor_ms());
    let result = expression.condition(&variables);
    println!("evaluate ms {}", on_processor_ms() - before);
    println!("evaluate KiB {}", memory("VmHWM:").saturating_sub(resident));
    match result {
        Ok(value) => println!("gave {value}"),
        Err(error) => println!("failed {error}"),
    }
}

/// Milliseconds that this thread has been on a processor.
fn on_processor_ms() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanos: u64 = text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds");
    nanos / 1_000_000
}

/// KiB, as the kernel counts them.
fn memory(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.trim().trim_end_matches("kB").trim().parse().expect("KiB")
}
