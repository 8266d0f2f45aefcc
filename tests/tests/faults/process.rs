//! The sidecar's own end, asked for and not.

use std::time::{Duration, Instant};

use reeve_tests::eventually::eventually;
use reeve_tests::ledger::Behaviour;
use reeve_tests::load::{Load, Outcome};

use super::scene::{AGENTS, FORBIDDEN, SCARCE, Scene, lines, serves_on, the_truth_was_told, used};

/// What a killed process may forget: what was counted in the last second, and for how long its writer may be kept from a busy
/// processor.
const FORGOTTEN: Duration = Duration::from_secs(3);

#[test]
fn no_forbidden_call_passes_while_the_process_is_killed_again_and_again_and_quotas_hold() {
    const KILLS: usize = 4;
    let scene = Scene::new();
    let mut sidecar = scene.setup.start();
    let load = Load::start(&scene.url, AGENTS);
    let mut killed = Vec::new();
    for _ in 0..KILLS {
        load.goes_on(100);
        let signalled = Instant::now();
        sidecar.process.signal("KILL");
        drop(sidecar);
        killed.push((signalled, Instant::now()));
        load.until("told that nobody is there", 1, |told| told.outcome == Outcome::Unsent);
        sidecar = scene.setup.start();
    }
    load.goes_on(100);
    let told = load.finish();
    the_truth_was_told(&scene.ledger, &told);
    for told in &told {
        let expected = matches!(told.outcome, Outcome::Answered | Outcome::Refused(_) | Outcome::Unsent);
        let was_in_flight = killed.iter().any(|(from, to)| told.begun <= *to && *from <= told.ended);
        assert!(expected || was_in_flight, "only what was in flight is lost: {told:?}");
    }
    let forgotten = |at: &Instant| killed.iter().any(|(_, to)| at <= to && to.duration_since(*at) <= FORGOTTEN);
    let executions = scene.ledger.executions();
    let scarce: Vec<Instant> = executions.iter().filter(|one| one.tool == "scarce").map(|one| one.at).collect();
    let excused = scarce.iter().filter(|at| forgotten(at)).count();
    assert!(scarce.len() <= SCARCE + excused, "{} executions, of which {excused} may be forgotten", scarce.len());
    serves_on(&scene, &mut sidecar);
}

#[test]
fn what_a_killed_process_had_written_is_never_spent_again() {
    let scene = Scene::new();
    let sidecar = scene.setup.start();
    let load = Load::start(&scene.url, AGENTS);
    load.until("refused for want of quota", 20, |told| told.tool == "scarce" && told.outcome != Outcome::Answered);
    let spent = std::time::SystemTime::now();
    eventually("the count is written", || {
        let written = scene.setup.file("cache/limits").metadata().ok()?.modified().ok()?;
        (written > spent).then_some(())
    });
    sidecar.process.signal("KILL");
    drop(sidecar);
    let mut sidecar = scene.setup.start();
    load.goes_on(200);
    the_truth_was_told(&scene.ledger, &load.finish());
    assert_eq!(scene.ledger.executed("scarce"), SCARCE);
    serves_on(&scene, &mut sidecar);
    assert_eq!(scene.ledger.executed("scarce"), SCARCE);
}

#[test]
fn no_call_is_lost_and_the_books_close_while_the_process_ends_under_load() {
    let scene = Scene::new();
    let mut sidecar = scene.setup.start();
    scene.ledger.behave(Behaviour::AnswersAfter(Duration::from_millis(20)));
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(100);
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0, "{}", sidecar.process.log());
    load.until("told that nobody is there", AGENTS.count, |told| told.outcome == Outcome::Unsent);
    let told = load.finish();
    the_truth_was_told(&scene.ledger, &told);
    let executed = scene.ledger.by_number();
    for told in told.iter().filter(|told| matches!(told.outcome, Outcome::Broken(_) | Outcome::Failed(..))) {
        assert!(!executed.contains_key(&told.number), "what was begun is answered: {told:?}");
    }
    let log = lines(&std::fs::read_to_string(&scene.audit).unwrap());
    assert_eq!(log.last().unwrap()["event"], "stopped", "nothing is recorded after the end");
    let numbers: std::collections::BTreeSet<u64> = log.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(numbers.last().copied(), Some(numbers.len() as u64), "no record is missing");
    let allowed = log.iter().filter(|line| line["decision"] == "allow").count();
    assert_eq!(allowed, scene.ledger.executed_in_all(), "audit log and server");
    assert!(FORBIDDEN.iter().all(|tool| scene.ledger.executed(tool) == 0));

    scene.ledger.behave(Behaviour::Answers);
    let mut sidecar = scene.setup.start();
    assert_eq!(used(&sidecar), allowed, "the next process goes on counting where it was");
    let load = Load::start(&scene.url, AGENTS);
    load.until("refused for want of quota", 5, |told| told.outcome == Outcome::Refused("LimitExceeded".into()));
    load.finish();
    assert_eq!(scene.ledger.executed("scarce"), SCARCE, "of both runs together");
    serves_on(&scene, &mut sidecar);
}
