//! Sessions belong to one server and one grant, outlive a restart, and are bounded.

use bytes::Bytes;
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::mcp::envelope::{Envelope, Sender};

fn sessions(capacity: usize) -> Sessions {
    Sessions::new(NonZeroUsize::new(capacity).unwrap())
}

fn grant(name: &str) -> Arc<str> {
    name.into()
}

#[test]
fn a_session_is_known_for_the_server_and_grant_it_was_minted_for() {
    let mut sessions = sessions(8);
    sessions.begin("aws", "s1", &grant("clinic/agent"));
    assert!(sessions.check("aws", "s1", "clinic/agent"));
    assert!(!sessions.check("aws", "s1", "clinic/other"));
    assert!(!sessions.check("gcp", "s1", "clinic/agent"));
    assert!(!sessions.check("aws", "s2", "clinic/agent"));
    assert!(!sessions.check("aw", "ss1", "clinic/agent"));
}

#[test]
fn two_servers_may_mint_the_same_session() {
    let mut sessions = sessions(8);
    sessions.begin("aws", "1", &grant("a/a"));
    sessions.begin("gcp", "1", &grant("b/b"));
    assert!(sessions.check("aws", "1", "a/a") && sessions.check("gcp", "1", "b/b"));
    sessions.end("gcp", "1");
    assert!(sessions.check("aws", "1", "a/a") && !sessions.check("gcp", "1", "b/b"));
}

#[test]
fn the_table_is_bounded_and_forgets_what_was_used_least_recently() {
    let mut sessions = sessions(2);
    sessions.begin("aws", "s1", &grant("a/a"));
    sessions.begin("aws", "s2", &grant("a/a"));
    assert!(sessions.check("aws", "s1", "a/a"));
    let changes = sessions.begin("aws", "s3", &grant("a/a"));
    assert!(matches!(&changes[..], [SessionChange::End { .. }, SessionChange::Begin { .. }]));
    assert!(
        !sessions.check("aws", "s2", "a/a") && sessions.check("aws", "s1", "a/a") && sessions.check("aws", "s3", "a/a")
    );
    assert_eq!(sessions.len(), 2);
}

#[test]
fn what_was_logged_is_known_after_a_restart() {
    let mut before = sessions(8);
    let mut log = String::new();
    for session in ["s1", "s2", "s3"] {
        log.extend(before.begin("aws", session, &grant("clinic/agent \"7\"")).iter().map(SessionChange::write));
    }
    log.push_str(&before.end("aws", "s2").unwrap().write());
    assert!(!log.contains("s1"), "{log}");
    let mut after = sessions(8);
    for line in log.lines().chain(["", "{\"begin\":{\"session\":\"01", "not json", r#"{"end":{"session":"zz"}}"#]) {
        SessionChange::read(line).into_iter().for_each(|change| after.apply(change));
    }
    assert!(after.check("aws", "s1", "clinic/agent \"7\"") && after.check("aws", "s3", "clinic/agent \"7\""));
    assert!(!after.check("aws", "s2", "clinic/agent \"7\""));
}

#[test]
fn a_snapshot_has_all_sessions_in_the_order_in_which_they_are_forgotten() {
    let mut sessions = sessions(8);
    for session in ["s1", "s2", "s3"] {
        sessions.begin("aws", session, &grant("a/a"));
    }
    sessions.check("aws", "s1", "a/a");
    let mut copy = Sessions::new(NonZeroUsize::new(2).unwrap());
    sessions.snapshot().for_each(|change| copy.apply(change));
    assert!(!copy.check("aws", "s2", "a/a") && copy.check("aws", "s3", "a/a") && copy.check("aws", "s1", "a/a"));
}

#[test]
fn a_session_id_is_visible_ascii() {
    assert!(is_session_id("1868a90c-7d1c") && is_session_id("~!") && is_session_id(&"x".repeat(4_096)));
    for text in ["", "a b", "a\tb", "caf\u{e9}", "a\u{7f}", &"x".repeat(4_097)] {
        assert!(!is_session_id(text), "{text:?}");
    }
}

fn with_id<T>(id: &str, use_it: impl FnOnce(&Id<'_>) -> T) -> T {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    let document = Document::parse(Bytes::from(text), Limits::default()).unwrap();
    let envelope = Envelope::read(&document, Sender::Server).unwrap();
    use_it(envelope.id().unwrap())
}

#[test]
fn an_answer_finds_its_request_once_in_its_own_session() {
    let mut open = Open::new(NonZeroUsize::new(8).unwrap());
    with_id("1", |id| open.insert("aws", "s1", id, "one"));
    with_id(r#""a""#, |id| open.insert("aws", "s1", id, "two"));
    assert_eq!(with_id("1", |id| open.take("aws", "s2", id)), None);
    assert_eq!(with_id("1", |id| open.take("gcp", "s1", id)), None);
    assert_eq!(with_id(r#""1""#, |id| open.take("aws", "s1", id)), None);
    assert_eq!(with_id("1", |id| open.peek("aws", "s1", id).copied()), Some("one"));
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), Some("one"));
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), None);
    assert_eq!(with_id(r#""\u0061""#, |id| open.take("aws", "s1", id)), Some("two"));
    assert!(open.is_empty());
}

#[test]
fn when_too_many_requests_wait_the_longest_waiting_is_forgotten() {
    let mut open = Open::new(NonZeroUsize::new(2).unwrap());
    for id in ["1", "2", "3"] {
        with_id(id, |id| open.insert("aws", "s1", id, ()));
    }
    assert_eq!(open.len(), 2);
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), None);
    assert_eq!(with_id("3", |id| open.take("aws", "s1", id)), Some(()));
}
