//! Everything that a server can do wrong, one after the other, under load.

use std::time::{Duration, Instant};

use reeve_tests::ledger::{Behaviour, Ledger};
use reeve_tests::load::{Agents, Load, Outcome, Told};
use reeve_tests::sidecar::Sidecar;
use reeve_tests::sink::Sink;

use super::scene::{AGENTS, Counted, Scene, none_was_lost, serves_on, the_books_agree, the_truth_was_told};

/// A server that fails, and what its agents are told.
struct Fault {
    /// Bounds of the server.
    limits: &'static str,
    agents: Agents,
    /// Of calls that the fault meets.
    told: fn(&Outcome) -> bool,
    /// The metric's word for it; none where nothing is counted.
    cause: Option<&'static str>,
}

impl Default for Fault {
    fn default() -> Self {
        Self { limits: "{}", agents: AGENTS, told: |outcome| matches!(outcome, Outcome::Failed(502, _)), cause: None }
    }
}

impl Fault {
    /// Runs a load over a server that is well, fails, and is well again, and checks what must hold of every fault.
    fn befalls(self, begin: impl FnOnce(&mut Ledger), end: impl FnOnce(&mut Ledger)) -> (Sidecar, Counted) {
        let mut scene = Scene::with(self.limits, "");
        let mut sidecar = scene.setup.start();
        let load = Load::start(&scene.url, self.agents);
        load.goes_on(50);
        begin(&mut scene.ledger);
        load.until("that the fault has met", 2 * self.agents.count, |told| (self.told)(&told.outcome));
        end(&mut scene.ledger);
        let over = Instant::now();
        load.goes_on(50);
        let told = load.finish();
        the_truth_was_told(&scene.ledger, &told);
        for Told { number, tool, outcome, .. } in &told {
            let expected = matches!(outcome, Outcome::Answered | Outcome::Refused(_)) || (self.told)(outcome);
            assert!(expected, "{tool} {number}: {outcome:?}");
        }
        let after: Vec<Told> = told.into_iter().filter(|told| told.begun > over).collect();
        none_was_lost(&after);
        let counted = the_books_agree(&scene, &sidecar);
        if let Some(cause) = self.cause {
            let series = format!("reeve_upstream_errors_total{{cause=\"{cause}\",server=\"upstream\"}}");
            assert!(sidecar.metric(&series) > 0.0, "{series}: {}", sidecar.metrics());
        }
        serves_on(&scene, &mut sidecar);
        (sidecar, counted)
    }

    fn while_it(self, behaviour: Behaviour) -> (Sidecar, Counted) {
        self.befalls(|ledger| ledger.behave(behaviour), |ledger| ledger.behave(Behaviour::Answers))
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_the_calls_in_flight_and_no_quota_while_it_is_gone() {
    let fault = Fault { cause: Some("connect"), ..Fault::default() };
    let (_, counted) = fault.befalls(Ledger::die, Ledger::come_back);
    assert!(counted.unsent > 0, "{counted:?}");
}

#[test]
fn a_server_that_hangs_is_given_up_in_time() {
    let fault = Fault {
        limits: "{responseTimeout: 2s}",
        told: |outcome| matches!(outcome, Outcome::Failed(504, _)),
        cause: Some("response_timeout"),
        ..Fault::default()
    };
    fault.while_it(Behaviour::Hangs);
}

#[test]
fn a_server_that_is_slow_loses_no_call() {
    let answered = Fault { told: |outcome| *outcome == Outcome::Answered, ..Fault::default() };
    answered.while_it(Behaviour::AnswersAfter(Duration::from_millis(100)));
    let answered = Fault { told: |outcome| *outcome == Outcome::Answered, ..Fault::default() };
    answered.while_it(Behaviour::Trickles);
}

#[test]
fn an_answer_that_is_reset_in_its_body_is_told_as_such() {
    Fault { cause: Some("reset"), ..Fault::default() }.while_it(Behaviour::ResetsInTheBody);
}

#[test]
fn an_answer_that_is_reset_in_an_event_is_told_or_broken_off_and_never_taken_for_whole() {
    // A legacy agent may resume the stream, and is told nothing.
    let told = |outcome: &Outcome| matches!(outcome, Outcome::Failed(502, _) | Outcome::Broken(_));
    Fault { told, cause: Some("reset"), ..Fault::default() }.while_it(Behaviour::ResetsInAnEvent);
}

#[test]
fn a_server_that_answers_garbage_is_told_of() {
    Fault { cause: Some("protocol"), ..Fault::default() }.while_it(Behaviour::SendsGarbage);
    Fault { cause: Some("unreadable"), ..Fault::default() }.while_it(Behaviour::SendsNoMessage);
}

#[test]
fn a_redirect_leads_no_call_elsewhere() {
    let elsewhere = Sink::start();
    let port = elsewhere.url.rsplit(':').next().unwrap().parse().unwrap();
    Fault { cause: Some("redirect"), ..Fault::default() }.while_it(Behaviour::Redirects(port));
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// The most memory that the process had at once, in MiB.
fn peak(sidecar: &Sidecar) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// What all answers together may take, with as much again for buffers that grow, and the program.
const MOST: u64 = 2 * 64 + 64;

#[test]
fn an_event_of_50_mib_ends_its_stream_and_takes_bounded_memory() {
    let told = |outcome: &Outcome| matches!(outcome, Outcome::Failed(502, _) | Outcome::Broken(_));
    let fault = Fault { told, cause: Some("too_large"), ..Fault::default() };
    let (sidecar, _) = fault.while_it(Behaviour::SendsAHugeEvent);
    assert!(peak(&sidecar) < MOST, "{} MiB", peak(&sidecar));
}

#[test]
fn a_body_that_never_ends_is_cut_off_and_takes_bounded_memory() {
    let (sidecar, _) = Fault { cause: Some("too_large"), ..Fault::default() }.while_it(Behaviour::SendsForEver);
    assert!(peak(&sidecar) < MOST, "{} MiB", peak(&sidecar));
}

#[test]
fn a_stream_that_never_ends_takes_bounded_memory_and_ends_when_its_agent_hangs_up() {
    let fault = Fault {
        agents: Agents { patience: Duration::from_secs(4), ..AGENTS },
        told: |outcome| *outcome == Outcome::GivenUp,
        ..Fault::default()
    };
    let (sidecar, _) = fault.while_it(Behaviour::StreamsForEver);
    assert!(peak(&sidecar) < MOST, "{} MiB", peak(&sidecar));
}
