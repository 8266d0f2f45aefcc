//! What a sidecar says, and what it is sent.

use proptest::prelude::*;
use reeve_wire::message::{Range, ServerReason};
use reeve_wire::{Hash, Origin, World};

use super::*;
use crate::delivery::tests::assignment;

fn hello(running: Option<Running>) -> FromSidecar {
    FromSidecar::Hello(Hello { protocol: PROTOCOL, version: "0.1.0".into(), running, servers: Vec::new() })
}

fn runs(hash: Hash) -> Running {
    let world = World { policies: 1, ..World::default() };
    Running { origin: Origin { hash, world, generations: [(Uid::from("u1"), 4)].into() }, problems: Vec::new() }
}

fn held(word: &str, policies: u64) -> Held {
    let world = World { policies, ..World::default() };
    Held { assignment: Arc::new(Assignment { world, ..assignment("p1", word) }), since: Instant::now() }
}

fn ack(held: &Held, outcome: Outcome, running: Option<Running>) -> FromSidecar {
    FromSidecar::Ack(Ack { hash: held.assignment.hash, world: held.assignment.world, outcome, running })
}

fn begin(running: Option<Running>) -> Dialogue {
    Dialogue::begin("p1".into(), hello(running), Instant::now()).unwrap().0
}

fn has_document(pieces: &Option<[Bytes; 3]>) -> bool {
    pieces.as_ref().is_some_and(|pieces| !pieces[1].is_empty())
}

#[test]
fn one_configuration_is_on_its_way_and_the_next_is_the_newest() {
    let mut dialogue = begin(None);
    let [first, second, third] = ["a", "b", "c"].map(|word| held(word, 1));
    let now = Instant::now();
    assert!(has_document(&dialogue.offer(&first, now)));
    assert!(!dialogue.is_current());
    assert_eq!(dialogue.offer(&second, now), None);
    let applied = ack(&first, Outcome::Applied(9), Some(runs(first.assignment.hash)));
    assert!(dialogue.take(applied, now).unwrap().report);
    assert!(dialogue.is_current());
    let pieces = dialogue.offer(&third, now).unwrap();
    assert_eq!(Some(&pieces[1]), third.assignment.document.as_ref());
    assert_eq!(dialogue.unanswered_since(), Some(now));
}

#[test]
fn a_sidecar_is_told_of_a_document_that_is_too_large_to_be_sent_and_only_told() {
    let mut dialogue = begin(None);
    let mut large = held("a", 1);
    Arc::make_mut(&mut large.assignment).document = None;
    let now = Instant::now();
    let pieces = dialogue.offer(&large, now);
    assert!(pieces.is_some() && !has_document(&pieces));
    let refused = ack(&large, Outcome::RefusedInvalid("it does not run here".into()), None);
    assert_eq!(dialogue.take(refused, now).unwrap().invalid, None);
    assert_eq!(dialogue.offer(&large, now), None, "once");
    assert!(!dialogue.is_current());
    assert!(has_document(&dialogue.offer(&held("b", 1), now)));
}

#[test]
fn the_document_is_left_out_for_a_sidecar_that_runs_it() {
    let given = held("a", 2);
    let mut dialogue = begin(Some(runs(given.assignment.hash)));
    let pieces = dialogue.offer(&given, Instant::now());
    assert!(pieces.is_some() && !has_document(&pieces));
    // Said to run it, and does not: it is sent after all, once.
    let refused = |with| ack(with, Outcome::RefusedInvalid("there is no document".into()), None);
    assert_eq!(dialogue.take(refused(&given), Instant::now()).unwrap().invalid, None);
    assert!(has_document(&dialogue.offer(&given, Instant::now())));
    let outcomes = dialogue.take(refused(&given), Instant::now()).unwrap();
    assert_eq!(outcomes.invalid.as_deref(), Some("there is no document"));
    assert_eq!(dialogue.offer(&given, Instant::now()), None);
}

#[test]
fn other_labels_of_the_same_content_are_sent_without_the_document() {
    let given = held("a", 1);
    let mut dialogue = begin(Some(runs(given.assignment.hash)));
    dialogue.offer(&given, Instant::now()).unwrap();
    dialogue.take(ack(&given, Outcome::Applied(1), None), Instant::now()).unwrap();
    assert_eq!(dialogue.offer(&given, Instant::now()), None);
    let mut relabelled = Assignment::clone(&given.assignment);
    relabelled.identity.labels.clear();
    let pieces = dialogue.offer(&Held { assignment: Arc::new(relabelled), ..given }, Instant::now());
    assert!(pieces.is_some() && !has_document(&pieces));
}

#[test]
fn what_was_refused_as_older_is_offered_again_once_the_world_has_moved() {
    let (old, moved) = (held("a", 1), held("a", 2));
    let mut dialogue = begin(Some(runs(Hash::of(b"newer"))));
    let now = Instant::now();
    dialogue.offer(&old, now).unwrap();
    let kinds = vec![Kind::Pod, Kind::Policies, Kind::Policies, Kind::Other];
    let outcomes = dialogue.take(ack(&old, Outcome::RefusedOlder(kinds), None), now).unwrap();
    assert_eq!(outcomes.reread, [Kind::Policies, Kind::Pod]);
    assert!(dialogue.awaits_world() && !dialogue.is_current());
    assert_eq!(dialogue.offer(&old, now), None);

    assert_eq!(dialogue.reread(now), []);
    let again = dialogue.next_reread().unwrap();
    assert_eq!(dialogue.reread(again), [Kind::Policies, Kind::Pod]);
    assert!(dialogue.next_reread().unwrap() > again);

    assert!(dialogue.offer(&moved, now).is_some());
    assert!(!dialogue.awaits_world());
}

#[test]
fn only_the_answer_to_what_was_sent_is_an_answer() {
    let (given, other) = (held("a", 1), held("b", 1));
    let mut dialogue = begin(None);
    let now = Instant::now();
    let early = ack(&given, Outcome::RefusedOlder(vec![Kind::Policies]), None);
    assert_eq!(dialogue.take(early, now).unwrap(), Outcomes::default());
    dialogue.offer(&given, now).unwrap();
    for wrong in [&other, &held("a", 2)] {
        let outcomes = dialogue.take(ack(wrong, Outcome::RefusedOlder(vec![Kind::Policies]), None), now).unwrap();
        assert_eq!(outcomes, Outcomes::default());
        assert!(dialogue.unanswered_since().is_some());
    }
}

#[test]
fn only_a_change_during_the_stream_counts_as_pushed() {
    let before = held("a", 1);
    let mut dialogue = begin(None);
    dialogue.offer(&before, Instant::now()).unwrap();
    let outcomes = dialogue.take(ack(&before, Outcome::Applied(1), None), Instant::now()).unwrap();
    assert_eq!(outcomes.pushed, None);
    let changed = Held { since: Instant::now() + Duration::from_millis(1), ..held("b", 2) };
    dialogue.offer(&changed, changed.since).unwrap();
    let then = changed.since + Duration::from_millis(30);
    let outcomes = dialogue.take(ack(&changed, Outcome::Applied(1), None), then).unwrap();
    assert_eq!(outcomes.pushed, Some(Duration::from_millis(30)));
}

#[test]
fn a_stream_begins_with_a_hello_in_a_version_that_both_speak_and_has_one() {
    let now = Instant::now();
    let first = |first| Dialogue::begin("p1".into(), first, now).map(|(_, protocol)| protocol);
    assert_eq!(first(hello(None)), Ok(PROTOCOL.most));
    assert_eq!(first(FromSidecar::Pong(1)), Err(Fault::NoHello));
    let far = Range { least: 7, most: 9 };
    let newer = Hello { protocol: far, version: "9.0.0".into(), running: None, servers: Vec::new() };
    assert_eq!(first(FromSidecar::Hello(newer)), Err(Fault::Protocol { least: 7, most: 9 }));
    let mut dialogue = begin(None);
    assert_eq!(dialogue.take(hello(None), now), Err(Fault::SecondHello));
    assert_eq!(dialogue.take(FromSidecar::Reports(Vec::new()), now), Err(Fault::NotReplica));
}

/// That a server cannot be used, in so many bytes.
fn unusable(server: usize, bytes: usize) -> ServerState {
    let (uid, message) = (format!("s{server:04}").as_str().into(), "x".repeat(bytes));
    ServerState { uid, generation: 1, reason: ServerReason::UrlInvalid, message }
}

#[test]
fn what_is_kept_of_a_sidecars_words_is_bounded_however_many_lines_it_says_them_in() {
    let mut dialogue = begin(None);
    for server in 0..200 {
        dialogue.take(FromSidecar::Servers(vec![unusable(server, 1_000_000)]), Instant::now()).unwrap();
    }
    let kept = |report: &PodReport| report.servers.iter().map(|state| state.message.capacity()).sum::<usize>();
    assert!(kept(&dialogue.report) <= 128 << 10, "{} bytes", kept(&dialogue.report));
    let messages: Vec<_> = dialogue.report.servers.iter().map(|state| state.message.as_str()).collect();
    assert!(messages.len() == 200 && messages[0].starts_with("xx") && messages[199] == "see its log");

    let servers = (0..200).map(|server| unusable(server, 1_000_000)).collect();
    let report = checked_report(PodReport { servers, ..dialogue.report() }).unwrap();
    assert!(kept(&report) <= 128 << 10, "{} bytes", kept(&report));
}

#[test]
fn what_a_sidecar_may_speak_of_is_bounded() {
    let now = Instant::now();
    let mut dialogue = begin(None);
    let state = |number: usize| ServerState {
        uid: format!("s{number}").as_str().into(),
        generation: 1,
        reason: ServerReason::SecretMissing,
        message: "é".repeat(5_000),
    };
    dialogue.take(FromSidecar::Servers((0..MOST_OBJECTS).map(state).collect()), now).unwrap();
    let longest = dialogue.report().servers.iter().map(|state| state.message.chars().count()).max();
    assert_eq!(longest, Some(LONGEST_MESSAGE));
    dialogue.take(FromSidecar::Servers(vec![state(7)]), now).unwrap();
    dialogue.take(FromSidecar::Servers(vec![state(MOST_OBJECTS)]), now).unwrap();
    assert_eq!(dialogue.report().servers.len(), MOST_OBJECTS);

    let mut running = runs(Hash::of(b"a"));
    running.origin.generations = (0..=MOST_OBJECTS).map(|number| (format!("u{number}").as_str().into(), 1)).collect();
    assert_eq!(checked(running).unwrap().origin.generations.len(), MOST_OBJECTS, "it can be given something else");
    let long = ServerState { uid: "x".repeat(65).as_str().into(), ..state(0) };
    assert_eq!(dialogue.take(FromSidecar::Servers(vec![long]), now), Err(Fault::Uid(65)));
}

/// What a sidecar, good or bad, may say; and changes of what it is to be given.
#[derive(Clone, Debug)]
enum Step {
    Publish(u8, u64),
    Ack { word: u8, policies: u64, outcome: u8, runs: Option<u8> },
    Servers(Vec<u8>),
    Pong(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u8, 0..3_u64).prop_map(|(word, policies)| Step::Publish(word, policies)),
        (0..3_u8, 0..3_u64, 0..4_u8, proptest::option::of(0..4_u8))
            .prop_map(|(word, policies, outcome, runs)| Step::Ack { word, policies, outcome, runs }),
        proptest::collection::vec(0..20_u8, 0..4).prop_map(Step::Servers),
        any::<u64>().prop_map(Step::Pong),
    ]
}

proptest! {
    /// Whatever is said in whatever order: a document is left out only if the sidecar runs it, nothing is sent while something
    /// is on its way, and a sidecar that answers as it should ends with what it is to have.
    #[test]
    fn whatever_a_sidecar_says_it_ends_with_what_it_is_to_have(steps in proptest::collection::vec(step(), 0..40)) {
        let word = |word: u8| ["a", "b", "c", "d"][usize::from(word)];
        let mut now = Instant::now();
        let mut dialogue = begin(None);
        let mut current = held("a", 0);
        let mut is_on_its_way = false;
        for step in steps {
            now += Duration::from_millis(1);
            match step {
                Step::Publish(name, policies) => current = held(word(name), policies),
                Step::Pong(number) => {
                    dialogue.take(FromSidecar::Pong(number), now).unwrap();
                }
                Step::Servers(servers) => {
                    let states = servers.iter().map(|number| ServerState {
                        uid: format!("s{number}").as_str().into(),
                        generation: 1,
                        reason: ServerReason::Resolved,
                        message: String::new(),
                    });
                    dialogue.take(FromSidecar::Servers(states.collect()), now).unwrap();
                }
                Step::Ack { word: name, policies, outcome, runs: running } => {
                    let outcome = match outcome {
                        0 => Outcome::Applied(1),
                        1 => Outcome::RefusedOlder(vec![Kind::Policies]),
                        2 => Outcome::RefusedInvalid("no".into()),
                        _ => Outcome::Unknown,
                    };
                    let running = running.map(|name| runs(held(word(name), 0).assignment.hash));
                    dialogue.take(ack(&held(word(name), policies), outcome, running), now).unwrap();
                    is_on_its_way = dialogue.unanswered_since().is_some();
                }
            }
            if let Some(pieces) = dialogue.offer(&current, now) {
                prop_assert!(!is_on_its_way);
                is_on_its_way = true;
                let runs = dialogue.report().running.map(|running| running.origin.hash);
                prop_assert!(!pieces[1].is_empty() || runs == Some(current.assignment.hash));
            }
        }
        // From here on it answers, and the world moves on.
        let last = held(word(3), 9);
        for offered in [&current, &last] {
            if let Some(sent) = dialogue.sent.as_ref().map(|sent| Held { assignment: Arc::clone(&sent.assignment), since: now }) {
                let running = runs(sent.assignment.hash);
                dialogue.take(ack(&sent, Outcome::Applied(1), Some(running)), now).unwrap();
            }
            dialogue.offer(offered, now);
        }
        let running = runs(last.assignment.hash);
        dialogue.take(ack(&last, Outcome::Applied(1), Some(running)), now).unwrap();
        prop_assert!(dialogue.is_current());
        prop_assert_eq!(dialogue.offer(&last, now), None);
    }
}
