//! A request is found once, in its own session, and forgotten in its turn.

use bytes::Bytes;
use reeve_policy::json::{Document, Limits};

use super::*;
use crate::mcp::envelope::{Envelope, Sender};

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
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), Some("one"));
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), None);
    assert_eq!(with_id(r#""\u0061""#, |id| open.take("aws", "s1", id)), Some("two"));
}

#[test]
fn the_requests_of_a_session_that_is_no_more_are_forgotten_and_no_others() {
    let mut open = Open::new(NonZeroUsize::new(8).unwrap());
    for (server, session, id) in [("aws", "s1", "1"), ("aws", "s1", "2"), ("aws", "s2", "1"), ("gcp", "s1", "1")] {
        with_id(id, |id| open.insert(server, session, id, ()));
    }
    assert_eq!(open.forget("aws", "s1").len(), 2);
    for id in ["1", "2"] {
        assert_eq!(with_id(id, |id| open.take("aws", "s1", id)), None);
    }
    for (server, session) in [("aws", "s2"), ("gcp", "s1")] {
        assert_eq!(with_id("1", |id| open.take(server, session, id)), Some(()));
    }
}

#[test]
fn when_too_many_requests_wait_the_longest_waiting_is_forgotten() {
    let mut open = Open::new(NonZeroUsize::new(2).unwrap());
    for (id, forgotten) in [("1", None), ("2", None), ("3", Some("1"))] {
        assert_eq!(with_id(id, |known| open.insert("aws", "s1", known, id)), forgotten);
    }
    assert_eq!(with_id("1", |id| open.take("aws", "s1", id)), None);
    assert_eq!(with_id("3", |id| open.take("aws", "s1", id)), Some("3"));
}

#[test]
fn no_number_of_others_has_a_request_forgotten_that_counts() {
    let mut open = Ranked::new(NonZeroUsize::new(2).unwrap());
    let insert = |open: &mut Ranked<i32>, id: i32, about, rank| {
        with_id(&id.to_string(), |id| open.insert("aws", "s1", id, about, rank))
    };
    assert_eq!(insert(&mut open, 0, 0, Rank::Counts), [None, None]);
    for number in 1..10 {
        let forgotten = (number > 2).then_some(number - 2);
        assert_eq!(insert(&mut open, number, number, Rank::Other), [None, forgotten]);
    }
    let found = |open: &mut Ranked<i32>, id: &str| with_id(id, |id| open.take("aws", "s1", id));
    assert_eq!((found(&mut open, "0"), found(&mut open, "0")), (Some(0), None));
    assert_eq!((found(&mut open, "1"), found(&mut open, "9")), (None, Some(9)));
    assert_eq!(insert(&mut open, 8, 80, Rank::Counts), [Some(8), None]);
    assert_eq!((found(&mut open, "8"), found(&mut open, "8")), (Some(80), None), "each id once, whatever its rank");
}
