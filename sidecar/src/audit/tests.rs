use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use reeve_crds::v1alpha1::Mode;
use reeve_policy::decide::{Shadow, Target};
use reeve_policy::json::{Document, Limits};
use reeve_policy::reason::Reason;
use reeve_policy::time::{Instant, WallTime};

use super::*;
use crate::trace::TraceId;

const DEADLINE: Duration = Duration::from_secs(10);

fn clock() -> Clock {
    Clock::manual(Instant(0), WallTime(1_793_701_999_123_456_789))
}

fn settings(on_full: OnFull) -> Settings {
    Settings { on_full, queue_bytes: SMALLEST_QUEUE }
}

static PARTIES: LazyLock<Parties> = LazyLock::new(|| Parties::new("clinic/agent", "agent-0", "imaging"));

fn entry() -> Entry<'static> {
    Entry {
        event: Event::Call,
        time: clock().wall(),
        parties: &PARTIES,
        session: None,
        method: "tools/call",
        target: Some(Target::Tool("get_datastore")),
        arguments: None,
        trace_id: None,
    }
}

fn decision() -> Decision<'static> {
    Decision {
        reason: Reason::AllowedByRule,
        rule: Some("clinic/imaging#reads"),
        policy_generation: None,
        mode: Mode::Enforce,
        latency: Duration::from_micros(1_042),
        shadow: &[],
    }
}

/// A destination in memory, and what it was given.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn lines(&self) -> Vec<Line> {
        parse(&self.0.lock().unwrap())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Vec<Line> {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A destination that fails whenever the test says so, and does one write for each answer.
struct Scripted {
    answers: Receiver<io::Result<usize>>,
    written: Memory,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.answers.recv().unwrap_or(Ok(usize::MAX))?;
        self.written.write(&bytes[..most.min(bytes.len())])
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted(on_full: OnFull) -> (Log, Sender<io::Result<usize>>, Memory) {
    let (answers, receiver) = channel();
    let written = Memory::default();
    let sink = Scripted { answers: receiver, written: written.clone() };
    let log = Log::open(Destination::Writer(Box::new(sink)), settings(on_full), clock()).unwrap();
    (log, answers, written)
}

fn record(log: &Log) -> Result<(), Full> {
    log.reserve(&entry()).map(|slot| slot.write(&decision()))
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = std::time::Instant::now() + DEADLINE;
    while !condition() {
        assert!(std::time::Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn numbers(lines: &[Line]) -> BTreeSet<u64> {
    lines.iter().map(|line| line.seq).collect()
}

fn disk_full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

#[test]
fn a_line_tells_everything_about_a_call_but_its_values() {
    let memory = Memory::default();
    let log = Log::open(Destination::Writer(Box::new(memory.clone())), settings(OnFull::Deny), clock()).unwrap();
    let document =
        Document::parse(Bytes::from_static(br#"{"b": "secret", "a": [1.0, "x"]}"#), Limits::default()).unwrap();
    let arguments = Arguments::of(document.root(), &[]);
    let entry = Entry {
        session: Some(SessionTag::of("0123-4567")),
        arguments: Some(&arguments),
        trace_id: TraceId::parse(b"4bf92f3577b34da6a3ce929d0e0e4736"),
        ..entry()
    };
    let shadow = [Shadow { reason: Reason::LimitExceeded, pointer: "clinic/trial#tight/limits/all".into() }];
    let decision = Decision { policy_generation: Some(4), shadow: &shadow, ..decision() };
    log.reserve(&entry).unwrap().write(&decision);
    log.close(DEADLINE).unwrap();

    let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("secret") && !text.contains("0123-4567"), "{text}");
    let lines = memory.lines();
    let line = &lines[0];
    assert_eq!((line.seq, line.event.as_str(), line.time.as_str()), (1, "call", "2026-11-03T10:33:19.123456Z"));
    assert_eq!(line.run.len(), 8);
    let expected = Line {
        seq: 1,
        run: line.run.clone(),
        time: line.time.clone(),
        event: "call".into(),
        grant: Some("clinic/agent".into()),
        pod: Some("agent-0".into()),
        server: Some("imaging".into()),
        method: Some("tools/call".into()),
        tool: Some("get_datastore".into()),
        argument_keys: Some(vec!["b".into(), "a".into()]),
        arguments_sha256: line.arguments_sha256.clone(),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        decision: Some("allow".into()),
        reason: Some("AllowedByRule".into()),
        rule: Some("clinic/imaging#reads".into()),
        policy_generation: Some(4),
        mode: Some("Enforce".into()),
        latency_ms: Some(1.042),
        shadow: Some(vec![ShadowLine {
            decision: "limited".into(),
            reason: "LimitExceeded".into(),
            rule: "clinic/trial#tight/limits/all".into(),
        }]),
        session: Some(SessionTag::of("0123-4567").to_string()),
        ..empty()
    };
    assert_eq!(*line, expected);
    assert_eq!((lines[1].seq, lines[1].event.as_str()), (2, "stopped"));
}

fn empty() -> Line {
    serde_json::from_str(r#"{"seq":0,"run":"","time":"","event":""}"#).unwrap()
}

#[test]
fn equal_arguments_have_equal_hashes_however_they_were_written() {
    let fragment = |text: &'static str| {
        let document = Document::parse(Bytes::from_static(text.as_bytes()), Limits::default()).unwrap();
        let line = format!(
            "{{\"x\":0{}}}",
            String::from_utf8(Arguments::of(document.root(), &[]).fragment().to_vec()).unwrap()
        );
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["argumentsSha256"].as_str().unwrap().to_owned()
    };
    assert_eq!(fragment(r#"{"a":1,"b":"é"}"#), fragment("{ \"b\": \"\\u00e9\",\n \"a\": 1.0 }"));
    assert_ne!(fragment(r#"{"a":1}"#), fragment(r#"{"a":"1"}"#));
}

#[test]
fn values_are_written_only_for_the_arguments_that_a_policy_names_and_only_if_they_fit() {
    let body = format!(r#"{{"uri": "s3://x/\u009b", "big": "{}", "token": "secret"}}"#, "x".repeat(5_000));
    let document = Document::parse(Bytes::from(body), Limits::default()).unwrap();
    let audited: Vec<Arc<str>> = vec!["uri".into(), "big".into(), "absent".into()];
    let arguments = Arguments::of(document.root(), &audited);
    let memory = Memory::default();
    let log = Log::open(Destination::Writer(Box::new(memory.clone())), settings(OnFull::Deny), clock()).unwrap();
    log.reserve(&Entry { arguments: Some(&arguments), ..entry() }).unwrap().write(&decision());
    log.close(DEADLINE).unwrap();
    let line = &memory.lines()[0];
    let values = line.arguments.as_ref().unwrap();
    assert_eq!(values.keys().collect::<Vec<_>>(), ["uri"]);
    assert_eq!(values["uri"], "s3://x/\u{9b}");
    assert_eq!(line.arguments_omitted, Some(vec!["big".into()]));
    assert!(!memory.0.lock().unwrap().contains(&0x9b));
}

#[test]
fn the_documented_schema_has_a_description_for_every_member() {
    let schema = schema();
    let members = schema["properties"].as_object().unwrap();
    assert!(members.len() >= 28);
    for (name, member) in members {
        assert!(member["description"].is_string(), "{name}");
    }
}

#[test]
fn a_full_log_refuses_before_the_call_and_takes_records_again_once_there_is_room() {
    let (log, answers, written) = scripted(OnFull::Deny);
    let mut accepted = 0;
    while record(&log).is_ok() {
        accepted += 1;
        assert!(log.queue_bytes() <= log.queue_limit());
    }
    assert!(accepted > 50, "{accepted}");
    assert_eq!(log.lost(), 1);
    drop(answers);
    eventually("the queue is empty", || log.queue_bytes() == 0);
    assert_eq!(record(&log), Ok(()));
    log.close(DEADLINE).unwrap();
    let numbers = numbers(&written.lines());
    // The refused one is missing, and `stopped` is the last.
    let expected: BTreeSet<u64> = (1..=accepted).chain([accepted + 2, accepted + 3]).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn with_drop_a_full_log_lets_calls_pass_and_counts_what_is_lost() {
    let (log, answers, written) = scripted(OnFull::Drop);
    let total = 400;
    for _ in 0..total {
        assert_eq!(record(&log), Ok(()));
    }
    let lost = log.lost();
    assert!(lost > 0);
    drop(answers);
    log.close(DEADLINE).unwrap();
    // `stopped` may be lost too, as it comes while the log is full.
    let kept = written.lines().iter().filter(|line| line.event == "call").count() as u64;
    assert_eq!(kept + lost, total);
}

#[test]
fn calls_in_flight_hold_their_room_and_a_slot_that_is_dropped_gives_it_back() {
    let (log, _answers, _) = scripted(OnFull::Deny);
    let mut slots = Vec::new();
    while let Ok(slot) = log.reserve(&entry()) {
        slots.push(slot);
    }
    assert!(log.queue_bytes() > log.queue_limit() / 2);
    let lost = log.lost();
    let held = slots.len() as u64;
    drop(slots);
    assert_eq!(log.queue_bytes(), 0);
    assert_eq!(log.lost(), lost + held);
}

#[test]
fn a_destination_that_fails_makes_the_log_full_and_loses_nothing_when_it_works_again() {
    let (log, answers, written) = scripted(OnFull::Deny);
    answers.send(Ok(40)).unwrap();
    answers.send(Err(disk_full())).unwrap();
    record(&log).unwrap();
    eventually("the log is full", || log.reserve(&entry()).is_err());
    assert!(log.queue_bytes() < log.queue_limit() / 2);
    drop(answers);
    eventually("the log takes records again", || record(&log).is_ok());
    log.close(DEADLINE).unwrap();
    let lines = written.lines();
    let calls = lines.iter().filter(|line| line.event == "call").count();
    assert_eq!(calls, 2);
    assert_eq!(numbers(&lines).len() as u64 + log.lost(), numbers(&lines).last().copied().unwrap());
}

#[test]
fn closing_gives_up_on_a_destination_that_hangs() {
    let (log, answers, _) = scripted(OnFull::Deny);
    record(&log).unwrap();
    assert!(log.close(Duration::from_millis(50)).unwrap_err() > 0);
    assert_eq!(record(&log), Err(Full), "what comes after the end is refused");
    assert_eq!(log.lost(), 1);
    drop(answers);
}

#[test]
fn a_log_that_is_off_costs_nothing_and_records_nothing() {
    let log = Log::open(Destination::Off, settings(OnFull::Deny), clock()).unwrap();
    assert!(!log.is_on());
    record(&log).unwrap();
    assert_eq!((log.queue_bytes(), log.lost(), log.close(DEADLINE)), (0, 0, Ok(())));
}

#[test]
fn a_file_is_appended_to_and_a_line_cut_by_a_killed_process_stays_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.log");
    std::fs::write(&path, "{\"seq\":1,\"ru").unwrap();
    let log = Log::open(Destination::File(path.clone()), settings(OnFull::Deny), clock()).unwrap();
    record(&log).unwrap();
    log.close(DEADLINE).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (cut, rest) = text.split_once('\n').unwrap();
    assert_eq!(cut, "{\"seq\":1,\"ru");
    assert_eq!(parse(rest.as_bytes()).len(), 2);
}

#[test]
fn a_rotated_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("audit.log"), directory.path().join("audit.log.1"));
    let log = Log::open(Destination::File(path.clone()), settings(OnFull::Deny), clock()).unwrap();
    record(&log).unwrap();
    eventually("the first line is there", || log.queue_bytes() == 0);
    std::fs::rename(&path, &old).unwrap();
    record(&log).unwrap();
    log.close(DEADLINE).unwrap();
    assert_eq!(numbers(&parse(&std::fs::read(&old).unwrap())), BTreeSet::from([1]));
    assert_eq!(numbers(&parse(&std::fs::read(&path).unwrap())), BTreeSet::from([2, 3]));
}

#[test]
fn a_full_disk_refuses_calls_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let (path, roomy) = (directory.path().join("audit.log"), directory.path().join("roomy.log"));
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let log = Log::open(Destination::File(path.clone()), settings(OnFull::Deny), clock()).unwrap();
    record(&log).unwrap();
    eventually("the log is full", || log.reserve(&entry()).is_err());
    std::os::unix::fs::symlink(&roomy, directory.path().join("next")).unwrap();
    std::fs::rename(directory.path().join("next"), &path).unwrap();
    eventually("the log takes records again", || record(&log).is_ok());
    log.close(DEADLINE).unwrap();
    let calls: Vec<_> =
        parse(&std::fs::read(&roomy).unwrap()).into_iter().filter(|line| line.event == "call").collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].seq, 1);
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_flag_that_changes_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/audit.log");
    let error = Log::open(Destination::File(path.clone()), settings(OnFull::Deny), clock()).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("--audit"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever names an agent or server sends, a record is one line of JSON within the room reserved for it.
    #[test]
    fn hostile_names_stay_on_one_line_within_its_bound(
        name in "(\\PC|[\\x00-\\x1f\"\\\\\u{80}-\u{9f}]){0,700}",
        rule in "\\PC{0,900}",
        shadows in 0_usize..40,
    ) {
        let memory = Memory::default();
        let log = Log::open(Destination::Writer(Box::new(memory.clone())), settings(OnFull::Deny), clock()).unwrap();
        let parties = Parties::new(&name, &name, &name);
        let entry = Entry { parties: &parties, method: &name, target: Some(Target::Resource(&name)), trace_id: TraceId::parse(&[b'f'; 32]), ..entry() };
        let shadow = vec![Shadow { reason: Reason::DeniedByRule, pointer: rule.as_str().into() }; shadows];
        log.reserve(&entry).unwrap().write(&Decision { rule: Some(&rule), shadow: &shadow, ..decision() });
        log.close(DEADLINE).unwrap();
        let bytes = memory.0.lock().unwrap().clone();
        let lines = parse(&bytes);
        prop_assert_eq!(lines.len(), 2);
        prop_assert!(bytes.len() < 8 << 10, "{}", bytes.len());
        let told = lines[0].shadow.as_ref().map_or(0, Vec::len) + lines[0].shadow_omitted.map_or(0, |n| usize::try_from(n).unwrap());
        prop_assert_eq!(told, shadows);
    }

    /// However a destination cuts and fails, what it holds in the end is every line, whole and in order.
    #[test]
    fn writes_that_are_cut_and_fail_give_the_same_log(answers in prop::collection::vec(prop::option::of(1_usize..600), 0..12)) {
        let (log, sender, written) = scripted(OnFull::Drop);
        for answer in answers {
            let result = answer.ok_or_else(|| io::Error::from(io::ErrorKind::Interrupted));
            sender.send(result).unwrap();
        }
        drop(sender);
        for _ in 0..20 {
            record(&log).unwrap();
        }
        log.close(DEADLINE).unwrap();
        let order: Vec<u64> = written.lines().iter().map(|line| line.seq).collect();
        prop_assert_eq!(order, (1..=21).collect::<Vec<_>>());
    }
}
