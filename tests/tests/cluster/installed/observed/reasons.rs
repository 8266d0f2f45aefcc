//! Every reason that a decision can have is made on a cluster, and as often counted by Prometheus as by a test.

use std::collections::BTreeSet;

use reeve_policy::reason::Reason;

use super::ward::Ward;

/// What the ward does not make: the test of `alarms` that makes and counts it, and why the ward does not.
const ELSEWHERE: [(Reason, &str, &str); 1] = [(
    Reason::AuditUnavailable,
    "a_log_that_nobody_takes_is_told_and_so_are_records_that_it_has_no_room_for_until_it_is_taken",
    "it takes thousands of calls to fill a log, whose times would be all that the ward's figures of times are of",
)];

/// A reason that is new is to be made in the ward, or where a line of [`ELSEWHERE`] says.
pub fn every_one_is_made_or_it_is_known_where(ward: &Ward<'_>) {
    let made = ward.books.values("reason");
    println!("made: {made:?}");
    let astray = astray(&made);
    assert!(astray.is_empty(), "made in the ward, or by the test that ELSEWHERE names, but not by both: {astray:?}");
}

/// Those that are made neither here nor elsewhere, or in both places.
fn astray(made: &BTreeSet<&str>) -> Vec<Reason> {
    let is_elsewhere = |reason: &Reason| ELSEWHERE.iter().any(|(elsewhere, ..)| elsewhere == reason);
    let all = Reason::ALL.iter().copied();
    all.filter(|reason| made.contains(reason.as_str()) == is_elsewhere(reason)).collect()
}

#[test]
fn a_reason_that_nobody_makes_is_told_and_so_is_an_excuse_that_is_none() {
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let but = |reason: Reason| all.iter().copied().filter(|word| *word != reason.as_str()).collect();
    assert_eq!(astray(&but(Reason::AuditUnavailable)), []);
    assert_eq!(astray(&all), [Reason::AuditUnavailable]);
    assert_eq!(astray(&but(Reason::NoRule)), [Reason::NoRule, Reason::AuditUnavailable]);
}

#[test]
fn what_the_ward_does_not_make_is_counted_by_the_test_that_is_named() {
    let tests = include_str!("alarms/log.rs");
    for (reason, test, _) in ELSEWHERE {
        let (_, body) = tests.split_once(&format!("fn {test}()")).unwrap_or_else(|| panic!("there is no {test}"));
        let body = body.split("#[test]").next().unwrap();
        assert!(body.contains(&format!("\"{reason}\"")), "{test} does not count {reason}");
    }
}
