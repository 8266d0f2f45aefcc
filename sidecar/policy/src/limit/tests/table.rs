//! What the table of keys promises when an agent chooses the keys.

use super::*;

const SMALL: Capacity = Capacity { keys_per_counter: 100, keys: 150, entries_per_counter: 1_000 };

/// How many of these keys take a unit at this time.
fn flood(limiter: &Limiter, counter: &Counter, keys: std::ops::Range<usize>, now: Instant) -> usize {
    let passes = |key: &usize| limiter.reserve(&[charge(counter, &format!("key {key}"), 1, 5)], now).is_ok();
    keys.filter(passes).count()
}

fn refusal(limiter: &Limiter, counter: &Counter, key: &str, now: Instant) -> Exceeded {
    limiter.reserve(&[charge(counter, key, 1, 5)], now).expect_err("refused")
}

#[test]
fn a_counter_has_no_more_keys_than_its_share() {
    let limiter = Limiter::new(SMALL);
    let counter = limiter.counter(named("by key"), MINUTE);
    assert_eq!(flood(&limiter, &counter, 0..1_000, at(0)), 100);
    let refused = refusal(&limiter, &counter, "another", at(5));
    assert_eq!(refused, Exceeded { charges: vec![0], table_full: true, retry_at: Some(at(60)) });
    assert_eq!(flood(&limiter, &counter, 0..1_000, at(10)), 100, "the keys that are in go on counting");
}

#[test]
fn a_full_table_tells_when_the_first_key_will_have_expired_however_keys_were_used_since() {
    let limiter = Limiter::new(SMALL);
    let counter = limiter.counter(named("by key"), MINUTE);
    for key in 0..100 {
        assert_eq!(flood(&limiter, &counter, key..key + 1, at(key as u64 / 10)), 1);
    }
    // The keys that would have expired first are used again.
    assert_eq!(flood(&limiter, &counter, 0..35, at(20)), 35);
    assert_eq!(refusal(&limiter, &counter, "another", at(21)).retry_at, Some(at(63)));
    assert!(refusal(&limiter, &counter, "another", Instant(at(63).0 - 1)).table_full);
    assert_eq!(flood(&limiter, &counter, 1_000..2_000, at(63)), 5, "keys 35 to 39 have expired");
}

#[test]
fn a_flooded_counter_leaves_other_counters_their_keys() {
    let limiter = Limiter::new(SMALL);
    let counters: Vec<_> = (0..5).map(|index| limiter.counter(named(&index.to_string()), MINUTE)).collect();
    assert_eq!(flood(&limiter, &counters[0], 0..1_000, at(0)), 100);
    assert_eq!(flood(&limiter, &counters[1], 0..1_000, at(10)), 50, "what is left of the pool");
    assert_eq!(flood(&limiter, &counters[2], 0..1_000, at(20)), 8, "keys of its own");
    assert_eq!(refusal(&limiter, &counters[2], "another", at(30)).retry_at, Some(at(60)));
    assert!(take(&limiter, &counters[3], 5, at(30)).is_ok());
    let passed = flood(&limiter, &counters[2], 1_000..2_000, at(60));
    assert_eq!(passed, 91, "the room that another's expired keys had");
}

#[test]
fn expired_keys_are_cleared_away_while_others_come() {
    let limiter = Limiter::new(SMALL);
    let counter = limiter.counter(named("by key"), MINUTE);
    for round in 0..100 {
        assert_eq!(flood(&limiter, &counter, round * 40..(round + 1) * 40, at(round as u64 * 61)), 40);
    }
    assert!(limiter.lock().sizes().1 <= 80);
}

#[test]
fn a_key_that_gave_everything_back_is_gone() {
    let limiter = Limiter::new(SMALL);
    let counter = limiter.counter(named("by key"), MINUTE);
    for key in 0..1_000 {
        let reservation = limiter.reserve(&[charge(&counter, &format!("key {key}"), 1, 5)], at(0));
        limiter.give_back(reservation.expect("room"));
    }
    assert_eq!(limiter.lock().sizes(), (1, 0));
}

#[test]
fn entries_are_bounded_and_a_key_in_use_goes_on_for_as_long_as_they_can_be_shared() {
    let capacity = Capacity { keys_per_counter: 1_000, keys: 1_000, entries_per_counter: 1_000 };
    let limiter = Limiter::new(capacity);
    let counter = limiter.counter(named("by key"), MINUTE);
    let reserve = |key: &str, nanos: u64| limiter.reserve(&[charge(&counter, key, 1, 10_000)], Instant(nanos));
    // A hundred calls a second over ten keys: 500 entries are exact, then a key makes two a second.
    for nanos in (0..20_000_000_000).step_by(10_000_000) {
        let key = (nanos / 10_000_000 % 10).to_string();
        assert!(reserve(&key, nanos).is_ok(), "at {nanos}");
    }
    let second = 1_000_000_000;
    let passed = (0..600).filter(|key| reserve(&format!("new {key}"), 20 * second).is_ok()).count();
    assert!((150..250).contains(&passed), "{passed}");
    let exceeded = Exceeded { charges: vec![0], table_full: true, retry_at: Some(at(60)) };
    assert_eq!(reserve("0", 30 * second).expect_err("its last entry is too old to share"), exceeded);
    let exceeded = Exceeded { retry_at: Some(Instant(79_900_000_000)), ..exceeded };
    assert_eq!(reserve("newer", 30 * second).expect_err("a key needs an entry"), exceeded);
    assert!(reserve("0", 60 * second).is_ok());
}

#[test]
fn a_long_key_is_kept_as_its_hash_and_no_other_key_is_taken_for_it() {
    let limiter = Limiter::new(SMALL);
    let counter = limiter.counter(named("by key"), MINUTE);
    let long = "x".repeat(100_000);
    assert!(limiter.reserve(&[charge(&counter, &long, 5, 5)], at(0)).is_ok());
    assert!(refusal(&limiter, &counter, &long, at(0)).retry_at.is_some());
    let shown = limiter.usage(&counter, at(0));
    assert!(shown[0].0.starts_with("sha256:") && shown[0].0.len() == 71, "{shown:?}");
    assert!(limiter.reserve(&[charge(&counter, &shown[0].0, 1, 5)], at(0)).is_ok());
    assert!(limiter.reserve(&[charge(&counter, &long[1..], 1, 5)], at(0)).is_ok());
    assert_eq!(limiter.usage(&counter, at(0)).len(), 3);
}

#[test]
fn reloads_that_rename_counters_leave_nothing_behind_for_long() {
    let limiter = Limiter::new(Capacity::default());
    let mut largest = 0;
    for reload in 0..20_000_u64 {
        let now = Instant(reload * 10_000_000);
        let counters: Vec<_> =
            (0..3).map(|index| limiter.counter(named(&format!("{reload}/{index}")), MINUTE)).collect();
        assert!(take(&limiter, &counters[0], 5, now).is_ok());
        largest = largest.max(limiter.lock().sizes().0);
    }
    assert!(largest < 3_000, "{largest}");
    limiter.snapshot(at(1_000));
    assert_eq!(limiter.lock().sizes(), (0, 0), "a snapshot clears away what nobody names");
}

#[test]
fn a_counter_whose_name_returns_has_kept_what_it_counted() {
    let limiter = Limiter::new(Capacity::default());
    drop(take(&limiter, &limiter.counter(named("export"), MINUTE), 1, at(0)));
    limiter.snapshot(at(30));
    let counter = limiter.counter(named("export"), MINUTE);
    assert_eq!(take(&limiter, &counter, 1, at(59)).expect_err("used").retry_at, Some(at(60)));
}

#[test]
fn a_full_pool_takes_room_from_counters_that_no_policy_names_any_more() {
    let limiter = Limiter::new(SMALL);
    for name in ["old", "older"] {
        let counter = limiter.counter(named(name), MINUTE);
        flood(&limiter, &counter, 0..1_000, at(0));
    }
    let counter = limiter.counter(named("current"), MINUTE);
    assert_eq!(flood(&limiter, &counter, 0..1_000, at(1)), 100);
}

#[test]
fn a_limiter_full_of_keys_survives_a_restart_within_its_size() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("by key"), MINUTE);
    assert_eq!(flood(&limiter, &counter, 0..10_000, at(0)), 4_096);
    let bytes = limiter.snapshot(at(1));
    assert!(bytes.len() < 4_096 * 30, "{}", bytes.len());
    let restarted = Limiter::new(Capacity::default());
    restarted.restore(&bytes, at(1), Duration::ZERO).expect("a snapshot");
    let counter = restarted.counter(named("by key"), MINUTE);
    assert_eq!(flood(&restarted, &counter, 0..10_000, at(2)), 4_096);
    assert_eq!(used(&restarted, &counter, at(2)), 2);
}

#[test]
fn a_lock_poisoned_by_a_panic_elsewhere_goes_on_counting() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    assert!(take(&limiter, &counter, 1, at(0)).is_ok());
    let panicked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let _table = limiter.lock();
                std::panic::resume_unwind(Box::new("while the lock is held"));
            })
            .join()
    });
    assert!(panicked.is_err() && limiter.table.is_poisoned());
    assert!(take(&limiter, &counter, 1, at(1)).is_err());
}
