//! Sessions and tasks belong to one server and one grant, outlive a restart, and are bounded.

use http::HeaderValue;

use super::Thing::{Session, Task};
use super::*;

fn bindings(capacity: usize) -> Bindings {
    Bindings::new(NonZeroUsize::new(capacity).unwrap())
}

fn name(text: &str) -> Arc<str> {
    text.into()
}

#[test]
fn a_session_is_known_for_the_server_and_grant_it_was_minted_for() {
    let mut bindings = bindings(8);
    bindings.bind(Session, &name("aws"), "s1", &name("clinic/agent"));
    assert!(bindings.check(Session, "aws", "s1", "clinic/agent"));
    assert!(!bindings.check(Session, "aws", "s1", "clinic/other"));
    assert!(!bindings.check(Session, "gcp", "s1", "clinic/agent"));
    assert!(!bindings.check(Session, "aws", "s2", "clinic/agent"));
    assert!(!bindings.check(Session, "aw", "ss1", "clinic/agent"));
}

#[test]
fn two_servers_may_mint_the_same_session() {
    let mut bindings = bindings(8);
    bindings.bind(Session, &name("aws"), "1", &name("a/a"));
    bindings.bind(Session, &name("gcp"), "1", &name("b/b"));
    assert!(bindings.check(Session, "aws", "1", "a/a") && bindings.check(Session, "gcp", "1", "b/b"));
    bindings.forget(Session, "gcp", "1");
    assert!(bindings.check(Session, "aws", "1", "a/a") && !bindings.check(Session, "gcp", "1", "b/b"));
}

#[test]
fn the_table_is_bounded_and_forgets_what_was_used_least_recently() {
    let mut bindings = bindings(2);
    bindings.bind(Session, &name("aws"), "s1", &name("a/a"));
    bindings.bind(Session, &name("aws"), "s2", &name("a/a"));
    assert!(bindings.check(Session, "aws", "s1", "a/a"));
    let changes = bindings.bind(Session, &name("aws"), "s3", &name("a/a"));
    assert!(matches!(&changes[..], [Change::End { .. }, Change::Begin { .. }]));
    assert!(
        !bindings.check(Session, "aws", "s2", "a/a")
            && bindings.check(Session, "aws", "s1", "a/a")
            && bindings.check(Session, "aws", "s3", "a/a")
    );
}

#[test]
fn sessions_that_are_begun_and_never_used_end_no_other() {
    let mut bindings = bindings(8);
    for idle in ["idle 1", "idle 2"] {
        bindings.bind(Session, &name("aws"), idle, &name("a/a"));
        assert!(bindings.check(Session, "aws", idle, "a/a"));
    }
    for number in 0..100 {
        bindings.bind(Session, &name("aws"), &format!("new {number}"), &name("a/a"));
    }
    for known in ["idle 1", "idle 2", "new 94", "new 99"] {
        assert!(bindings.check(Session, "aws", known, "a/a"), "{known}");
    }
    assert!(!bindings.check(Session, "aws", "new 93", "a/a"));
}

#[test]
fn a_new_session_has_room_however_many_are_in_use() {
    let mut bindings = bindings(8);
    for number in 0..100 {
        let session = format!("s{number}");
        bindings.bind(Session, &name("aws"), &session, &name("a/a"));
        assert!(bindings.check(Session, "aws", &session, "a/a"), "{session}");
    }
    for new in ["n1", "n2"] {
        bindings.bind(Session, &name("aws"), new, &name("a/a"));
    }
    assert!(bindings.check(Session, "aws", "n1", "a/a") && bindings.check(Session, "aws", "s94", "a/a"));
    assert!(!bindings.check(Session, "aws", "s93", "a/a"));
}

#[test]
fn what_was_logged_is_known_after_a_restart() {
    let mut before = bindings(8);
    let mut log = String::new();
    for session in ["s1", "s2", "s3"] {
        log.extend(before.bind(Session, &name("aws"), session, &name("clinic/agent \"7\"")).iter().map(Change::write));
    }
    log.push_str(&before.forget(Session, "aws", "s2").unwrap().write());
    assert!(!log.contains("s1"), "{log}");
    let mut after = bindings(8);
    for line in log.lines().chain(["", "{\"begin\":{\"session\":\"01", "not json", r#"{"end":{"session":"zz"}}"#]) {
        Change::read(line).into_iter().for_each(|change| after.apply(change));
    }
    assert!(
        after.check(Session, "aws", "s1", "clinic/agent \"7\"")
            && after.check(Session, "aws", "s3", "clinic/agent \"7\"")
    );
    assert!(!after.check(Session, "aws", "s2", "clinic/agent \"7\""));
}

#[test]
fn a_snapshot_has_all_sessions_in_the_order_in_which_they_are_forgotten() {
    let mut bindings = bindings(8);
    for session in ["s1", "s2", "s3"] {
        bindings.bind(Session, &name("aws"), session, &name("a/a"));
    }
    bindings.check(Session, "aws", "s1", "a/a");
    let mut copy = self::bindings(2);
    bindings.snapshot().for_each(|change| copy.apply(change));
    assert!(
        !copy.check(Session, "aws", "s2", "a/a")
            && copy.check(Session, "aws", "s3", "a/a")
            && copy.check(Session, "aws", "s1", "a/a")
    );
}

#[test]
fn a_task_is_no_session_and_lives_beside_them() {
    let mut bindings = bindings(1);
    bindings.bind(Session, &name("aws"), "1", &name("a/a"));
    assert!(!bindings.check(Task, "aws", "1", "a/a") && !bindings.makes_tasks("aws"));
    bindings.bind(Task, &name("aws"), "1", &name("a/a"));
    assert!(bindings.check(Task, "aws", "1", "a/a") && bindings.check(Session, "aws", "1", "a/a"));
    assert!(!bindings.check(Task, "aws", "1", "b/b") && bindings.makes_tasks("aws") && !bindings.makes_tasks("gcp"));
    let mut after = Bindings::new(NonZeroUsize::new(8).unwrap());
    bindings.snapshot().for_each(|change| after.apply(Change::read(change.write().trim_end()).unwrap()));
    assert!(after.check(Task, "aws", "1", "a/a") && after.check(Session, "aws", "1", "a/a"));
}

#[test]
fn what_was_bound_before_is_not_logged_again() {
    let mut bindings = bindings(8);
    assert_eq!(bindings.bind(Task, &name("aws"), "1", &name("a/a")).len(), 1);
    assert_eq!(bindings.bind(Task, &name("aws"), "1", &name("a/a")), []);
    assert_eq!(bindings.bind(Task, &name("aws"), "1", &name("b/b")).len(), 1, "the server gave it to another");
}

#[test]
fn a_session_id_is_visible_ascii_that_requests_can_carry() {
    let room = 8_192;
    let of =
        |id: &str| [(SESSION_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap())].into_iter().collect::<HeaderMap>();
    let longest = "x".repeat(room - SESSION_ID.as_str().len());
    for id in ["1868a90c-7d1c", "~!", &"x".repeat(5_019), &longest] {
        assert_eq!(minted(&of(id), room), Ok(Some(id)));
    }
    for (id, why) in [
        ("a b", "not visible ASCII"),
        ("a\tb", "not visible ASCII"),
        ("caf\u{e9}", "not visible ASCII"),
        (&format!("{longest}x"), "8179 bytes, which requests could not carry (listener.maxHeaderBytes: 8192)"),
    ] {
        let told = minted(&of(id), room).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    assert_eq!((minted(&HeaderMap::new(), room), minted(&of(""), room)), (Ok(None), Ok(None)));
}

#[test]
fn which_ids_a_session_has_had_is_known_from_its_beginning_and_to_no_later_run() {
    let mut before = bindings(8);
    let (server, owner, began) = (name("aws"), name("a/a"), Since::Began(3));
    let log = before.begin(&server, "s1", &owner, began);
    assert_eq!(before.begin(&server, "s1", &owner, Since::Began(9)), [], "it goes on");
    assert_eq!(before.session("aws", "s1", "a/a"), Some(began));
    assert_eq!((before.session("aws", "s1", "b/b"), before.session("gcp", "s1", "a/a")), (None, None));
    let mut after = bindings(8);
    log.into_iter().for_each(|change| after.apply(change));
    assert_eq!(after.session("aws", "s1", "a/a"), Some(Since::Unknown));
    after.begin(&server, "s1", &owner, began);
    assert_eq!(after.session("aws", "s1", "a/a"), Some(Since::Unknown), "it has had ids before");
}
