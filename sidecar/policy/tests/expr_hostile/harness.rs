//! Runs a case and says what it cost.
//!
//! A stack overflow or exhausted memory ends a process, so every case runs in a process of its own: this test binary again,
//! asked for the one case, which it runs on a small stack. The kernel says what that cost: time on a processor (others may
//! be using it too), of all its threads, and the most memory there ever was. The bars are those of an optimized build and
//! hold as they are in one (`--release`).

use std::process::Command;
use std::sync::Arc;
use std::{env, fs, thread};

use bytes::Bytes;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Source, compile};
use reeve_policy::decide::{Call, Subject, Target};
use reeve_policy::expr::{Expression, Purpose, Variables};
use reeve_policy::json::{Document, Limits, Value};
use reeve_policy::limit::{Capacity, Limiter};
use reeve_policy::load;
use reeve_policy::reason::Reason;
use reeve_policy::time::WallTime;
use rustix::time::{ClockId, clock_gettime};

/// The stack of a case: less than the 2 MiB that a thread usually has.
const STACK: usize = 1_536 * 1024;

/// What a case may cost: 200 ms of processor time to load, and for an evaluation 10 ms and 10 MiB, optimized. Without
/// optimization, as tests usually are, everything takes up to twenty times as long; memory is the same.
const SLOWER: u64 = if cfg!(debug_assertions) { 20 } else { 1 };
const COMPILE_US: u64 = 200_000 * SLOWER;
const EVALUATE_US: u64 = 10_000 * SLOWER;
const EVALUATE_KIB: u64 = 10 * 1024;
/// Arguments to decide on may cost [`EVALUATE_US`] for each so many bytes of them.
const DECIDED_BYTES: usize = 64 * 1024;

/// What the server has.
const TOOLS: &str = r#"[{"name": "tool", "inputSchema": {"type": "object", "properties": {
    "bucket": {"enum": ["good"]}, "inner": {"additionalProperties": {"properties": {"uri": {"type": "string"}}}}}}}]"#;

const ASKED: &str = "REEVE_HOSTILE_CASE";

/// How a case must end.
pub(crate) enum End {
    /// At load, with a message that has this in it.
    Refused(&'static str),
    /// At evaluation, with these words.
    Fails(&'static str),
    /// It is no threat at all.
    Gives(bool),
    /// A call is decided, for one of these reasons: on a busy machine validation may run out of time.
    Decides(&'static [Reason]),
}

pub(crate) struct Case {
    name: &'static str,
    /// An expression; a rule of a policy in YAML, if a call is decided.
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
        assert!(cost("compile us ") < COMPILE_US, "{name}: {text}");
        let mut evaluate_us = EVALUATE_US;
        match end {
            End::Refused(part) => {
                assert!(text.contains("\nrefused ") && said("refused ").contains(part), "{name}: {text}");
                continue;
            }
            End::Fails(words) => assert!(said("failed ").ends_with(words) && text.len() < 300, "{name}: {text}"),
            End::Gives(value) => assert_eq!(said("gave "), value.to_string(), "{name}: {text}"),
            End::Decides(reasons) => {
                evaluate_us *= case.arguments.len().div_ceil(DECIDED_BYTES) as u64;
                assert!(reasons.iter().any(|reason| said("decided ") == reason.to_string()), "{name}: {text}");
            }
        }
        assert!(cost("evaluate us ") < evaluate_us, "{name}: {text}");
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
    let args = document.root();
    match case.end {
        End::Decides(_) => decide(&case.source, args),
        End::Refused(_) | End::Fails(_) | End::Gives(_) => evaluate(&case.source, args),
    }
}

fn evaluate(source: &str, args: Value<'_>) {
    let before = on_processor_us();
    let compiled = Expression::compile(source, Purpose::Condition);
    println!("\ncompile us {}", on_processor_us() - before);
    let expression = match compiled {
        Ok(expression) => expression,
        Err(error) => return println!("refused {error}"),
    };
    let subject = Subject::default();
    let args = Some(args);
    let variables = Variables { args, name: "tool", tool: None, subject: &subject, session: None, now: WallTime(0) };
    match measured(|| expression.condition(&variables)) {
        Ok(value) => println!("gave {value}"),
        Err(error) => println!("failed {error}"),
    }
}

/// Decides a call of a tool under a policy of these rules. The schema of its arguments has been seen and compiled.
fn decide(rules: &str, args: Value<'_>) {
    let subject = Subject { server: "server".into(), namespace: "team".into(), ..Subject::default() };
    let before = on_processor_us();
    let policy = format!(
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p, namespace: team}}\nspec:\n  \
         serverRefs: [{{name: server}}]\n  rules:\n{rules}"
    );
    let policies = load::policies("policy.yaml", policy.as_bytes()).expect("a policy");
    let sources: Vec<_> = policies.into_iter().map(|policy| Source::Readable(Arc::new(policy.value))).collect();
    let ruleset = compile(&sources, &subject, &Limiter::new(Capacity::default()));
    println!("\ncompile us {}", on_processor_us() - before);
    let catalogue = Catalogue::read(TOOLS.as_bytes());
    let tool = catalogue.tool("tool");
    assert!(tool.is_some_and(|tool| tool.schema().is_ok()), "a schema");
    let call = Call { target: Target::Tool("tool"), arguments: Some(args), session: None, tool, now: WallTime(0) };
    println!("decided {}", measured(|| ruleset.decide(&call)).reason);
}

/// Does something and says what it cost.
fn measured<T>(work: impl FnOnce() -> T) -> T {
    fs::write("/proc/self/clear_refs", "5").expect("the right to make the peak the memory of now");
    let (resident, before) = (memory("VmRSS:"), on_processor_us());
    let result = work();
    println!("evaluate us {}", on_processor_us() - before);
    println!("evaluate KiB {}", memory("VmHWM:").saturating_sub(resident));
    result
}

/// Microseconds that this process has been on a processor.
fn on_processor_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000).expect("a time")
}

/// KiB, as the kernel counts them.
fn memory(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.trim().trim_end_matches("kB").trim().parse().expect("KiB")
}
