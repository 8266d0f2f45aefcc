//! What readers are told of what sidecars said.

use futures_util::FutureExt as _;

use super::*;

fn report(pod: &str) -> PodReport {
    PodReport { pod: pod.into(), connected: true, running: None, servers: Vec::new() }
}

fn known(heard: &Heard, reader: &mut Reader) -> Vec<(String, bool)> {
    let reports = heard.read(reader, usize::MAX);
    reports.into_iter().map(|report| (report.pod.as_str().to_owned(), report.connected)).collect()
}

#[test]
fn a_slow_reader_is_told_the_last_of_each_pod() {
    let heard = Heard::default();
    let mut reader = Reader::default();
    let voices: Vec<_> = ["p1", "p2"].map(|pod| heard.begin(report(pod))).into();
    assert_eq!(known(&heard, &mut reader), [("p1".into(), true), ("p2".into(), true)]);
    assert_eq!(known(&heard, &mut reader), []);
    for generation in 1..9 {
        let state = reeve_wire::message::ServerState {
            uid: "s".into(),
            generation,
            reason: reeve_wire::message::ServerReason::Resolved,
            message: String::new(),
        };
        voices[0].0.say(PodReport { servers: vec![state], ..report("p1") });
    }
    drop(voices);
    assert_eq!(known(&heard, &mut reader), [("p1".into(), false), ("p2".into(), false)]);
    assert_eq!(heard.read(&mut Reader::default(), 1).len(), 1);
}

#[test]
fn who_begins_to_listen_is_told_of_the_connected_and_of_whoever_hangs_up_from_then_on() {
    let heard = Heard::default();
    let [(_p1, _r1), (p2, _r2), (p3, _r3)] = ["p1", "p2", "p3"].map(|pod| heard.begin(report(pod)));
    drop(p2);
    let mut reader = heard.reader_of_live();
    drop(p3);
    assert_eq!(known(&heard, &mut reader), [("p1".into(), true), ("p3".into(), false)]);
}

#[test]
fn what_says_nothing_new_wakes_nobody() {
    let heard = Heard::default();
    let (voice, _) = heard.begin(report("p1"));
    let mut watch = heard.watch();
    watch.mark_unchanged();
    voice.say(report("p1"));
    assert!(!watch.has_changed().unwrap());
    drop(voice);
    assert!(watch.has_changed().unwrap());
}

#[test]
fn the_newest_stream_of_a_pod_speaks_for_it_and_an_older_one_is_told_to_end() {
    let heard = Heard::default();
    let mut reader = Reader::default();
    let (older, mut replaced) = heard.begin(report("p1"));
    assert!((&mut replaced).now_or_never().is_none());
    let (newer, _still) = heard.begin(report("p1"));
    assert!(replaced.now_or_never().is_some());
    known(&heard, &mut reader);
    drop(older);
    assert_eq!(known(&heard, &mut reader), []);
    drop(newer);
    assert_eq!(known(&heard, &mut reader), [("p1".into(), false)]);
}

#[test]
fn pods_that_are_gone_are_forgotten_once_they_hang_up() {
    let heard = Heard::default();
    let (voice, _) = heard.begin(report("p1"));
    heard.retain(|_| false);
    assert_eq!(heard.read(&mut Reader::default(), 9).len(), 1);
    drop(voice);
    heard.retain(|_| true);
    assert_eq!(heard.read(&mut Reader::default(), 9).len(), 1);
    heard.retain(|_| false);
    assert_eq!(heard.read(&mut Reader::default(), 9).len(), 0);
}
