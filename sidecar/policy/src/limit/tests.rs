//! What limits promise, claim by claim; the laws over random times are in [`model`].

mod model;
mod rounds;
mod table;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

fn named(counter: &str) -> CounterName {
    CounterName { policy: "clinic/imaging".into(), counter: counter.into(), shadow: false }
}

fn charge<'a>(counter: &'a Counter, key: &'a str, cost: i64, max: i64) -> Charge<'a> {
    Charge { counter, key, cost: Units::whole(cost), max: Units::whole(max) }
}

/// One unit of at most `max`.
fn take(limiter: &Limiter, counter: &Counter, max: i64, now: Instant) -> Result<Reservation, Exceeded> {
    limiter.reserve(&[charge(counter, "agent", 1, max)], now)
}

fn used(limiter: &Limiter, counter: &Counter, now: Instant) -> i64 {
    limiter.highest_usage(counter, now).0 / Units::ONE.0
}

#[test]
fn eleventh_call_within_a_minute_is_refused_until_the_first_is_a_minute_old() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    for second in 0..10 {
        assert!(take(&limiter, &counter, 10, at(second)).is_ok());
    }
    let refused = take(&limiter, &counter, 10, at(23)).expect_err("the window is full");
    assert_eq!(refused, Exceeded { charges: vec![0], table_full: false, retry_at: Some(at(60)) });
    assert!(take(&limiter, &counter, 10, Instant(at(60).0 - 1)).is_err());
    assert!(take(&limiter, &counter, 10, at(60)).is_ok());
    assert!(take(&limiter, &counter, 10, at(60)).is_err());
}

#[test]
fn a_burst_at_a_boundary_is_not_doubled() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    let passed = (0..1_200).filter(|tenth| {
        let now = Instant(at(30).0 + tenth * 50_000_000);
        take(&limiter, &counter, 10, now).is_ok()
    });
    assert_eq!(passed.count(), 10, "in the minute from 30 s to 90 s");
}

#[test]
fn charges_are_taken_all_or_none() {
    let limiter = Limiter::new(Capacity::default());
    let (one, two) = (limiter.counter(named("one"), MINUTE), limiter.counter(named("two"), MINUTE * 2));
    let both = [charge(&one, "agent", 1, 5), charge(&two, "agent", 1, 1)];
    assert!(limiter.reserve(&both, at(0)).is_ok());
    let refused = limiter.reserve(&both, at(1)).expect_err("the second is used up");
    assert_eq!(refused, Exceeded { charges: vec![1], table_full: false, retry_at: Some(at(120)) });
    assert_eq!((used(&limiter, &one, at(1)), used(&limiter, &two, at(1))), (1, 1));

    assert!(limiter.reserve(&[charge(&one, "agent", 4, 5)], at(2)).is_ok());
    let refused = limiter.reserve(&both, at(3)).expect_err("both are used up");
    assert_eq!(refused, Exceeded { charges: vec![0, 1], table_full: false, retry_at: Some(at(120)) });
    let fresh = [charge(&one, "someone else", 1, 5), charge(&two, "agent", 1, 1)];
    assert!(limiter.reserve(&fresh, at(3)).is_err());
    assert_eq!(limiter.usage(&one, at(3)).len(), 1, "a refused call leaves no key behind");
}

#[test]
fn a_cost_of_zero_takes_nothing_and_fits_even_where_nothing_else_does() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("spend"), MINUTE);
    assert!(limiter.reserve(&[charge(&counter, "agent", 0, 0)], at(0)).is_ok());
    assert!(limiter.usage(&counter, at(0)).is_empty());
    assert_eq!(take(&limiter, &counter, 0, at(0)).expect_err("max is zero").retry_at, None);
}

#[test]
fn a_cost_above_max_is_refused_with_no_retry_time_whatever_else_is_refused() {
    let limiter = Limiter::new(Capacity::default());
    let (spend, calls) = (limiter.counter(named("spend"), MINUTE), limiter.counter(named("calls"), MINUTE));
    assert!(take(&limiter, &calls, 1, at(0)).is_ok());
    let charges = [charge(&calls, "agent", 1, 1), charge(&spend, "agent", 6, 5)];
    let refused = limiter.reserve(&charges, at(1)).expect_err("too dear");
    assert_eq!(refused, Exceeded { charges: vec![0, 1], table_full: false, retry_at: None });
}

#[test]
fn two_charges_to_one_key_are_taken_one_after_the_other() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("spend"), MINUTE);
    let pair = |max| [charge(&counter, "agent", 2, 9), charge(&counter, "agent", 3, max)];
    assert_eq!(limiter.reserve(&pair(4), at(0)).expect_err("5 of 4").charges, [1]);
    assert_eq!(used(&limiter, &counter, at(0)), 0);
    assert!(limiter.reserve(&pair(5), at(0)).is_ok());
    assert_eq!(used(&limiter, &counter, at(0)), 5);
}

#[test]
fn quota_given_back_is_free_at_once_and_quota_dropped_is_not() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    let reservation = take(&limiter, &counter, 1, at(0)).expect("the first");
    assert!(take(&limiter, &counter, 1, at(1)).is_err());
    limiter.give_back(reservation);
    drop(take(&limiter, &counter, 1, at(1)).expect("it was given back"));
    assert!(take(&limiter, &counter, 1, at(2)).is_err());
}

#[test]
fn quota_given_back_late_returns_nothing_of_others() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    let old = take(&limiter, &counter, 5, at(0)).expect("the first");
    assert!(take(&limiter, &counter, 5, at(61)).is_ok());
    limiter.give_back(old);
    assert_eq!(used(&limiter, &counter, at(61)), 1);

    let foreign = take(&Limiter::new(Capacity::default()), &counter, 5, at(61));
    assert!(foreign.is_err(), "a counter of another limiter");
    let other = Limiter::new(Capacity::default());
    let same_name = other.counter(named("export"), MINUTE);
    let foreign = take(&other, &same_name, 5, at(61)).expect("another table");
    limiter.give_back(foreign);
    assert_eq!(used(&limiter, &counter, at(61)), 1);
}

#[test]
fn a_reload_goes_on_counting_with_the_window_it_brings() {
    let limiter = Limiter::new(Capacity::default());
    let before = limiter.counter(named("export"), MINUTE);
    let kept = take(&limiter, &before, 2, at(0)).expect("the first");
    assert!(take(&limiter, &before, 2, at(10)).is_ok());
    let after = limiter.counter(named("export"), MINUTE * 2);
    drop(before);
    assert_eq!(take(&limiter, &after, 2, at(61)).expect_err("two minutes now").retry_at, Some(at(120)));
    limiter.give_back(kept);
    assert!(take(&limiter, &after, 2, at(61)).is_ok());
    let shorter = limiter.counter(named("export"), Duration::from_secs(1));
    assert_eq!(used(&limiter, &shorter, at(62)), 0);
}

#[test]
fn shadow_counters_and_counters_of_other_policies_are_apart() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    let shadow = limiter.counter(CounterName { shadow: true, ..named("export") }, MINUTE);
    let other = limiter.counter(CounterName { policy: "clinic/other".into(), ..named("export") }, MINUTE);
    for counter in [&counter, &shadow, &other] {
        assert!(take(&limiter, counter, 1, at(0)).is_ok());
    }
    assert_eq!(counter.name(), &named("export"));
}

#[test]
fn counters_survive_a_restart_into_a_process_whose_clock_began_later() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    for second in [1_000, 1_030] {
        assert!(take(&limiter, &counter, 2, at(second)).is_ok());
    }
    let bytes = limiter.snapshot(at(1_040));

    let restarted = Limiter::new(Capacity::default());
    restarted.restore(&bytes, at(3), Duration::from_secs(5)).expect("a snapshot");
    let counter = restarted.counter(named("export"), MINUTE);
    let refused = take(&restarted, &counter, 2, at(3)).expect_err("both still count, 45 s and 15 s old");
    assert_eq!(refused.retry_at, Some(at(18)));
    assert!(take(&restarted, &counter, 2, at(18)).is_ok());
    assert!(take(&restarted, &counter, 2, at(47)).is_err());
    assert!(take(&restarted, &counter, 2, at(48)).is_ok());
}

#[test]
fn a_snapshot_that_cannot_be_used_leaves_the_limiter_as_it_was() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    assert!(take(&limiter, &counter, 1, at(0)).is_ok());
    let bytes = limiter.snapshot(at(0));
    let refused = limiter.restore(&bytes, at(0), Duration::ZERO).expect_err("it counts already");
    assert!(refused.contains("before the first call"), "{refused}");
    let fresh = Limiter::new(Capacity::default());
    let refused = fresh.restore(&bytes[..bytes.len() - 1], at(0), Duration::ZERO).expect_err("cut off");
    assert_eq!(refused, "the snapshot of the limits cannot be used: it is cut off or damaged");
    assert!(!fresh.lock().has_keys());
}

#[test]
fn a_window_that_a_policy_named_before_the_restore_stays() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    assert!(take(&limiter, &counter, 1, at(0)).is_ok());
    let restarted = Limiter::new(Capacity::default());
    let longer = restarted.counter(named("export"), MINUTE * 60);
    restarted.restore(&limiter.snapshot(at(0)), at(0), Duration::ZERO).expect("a snapshot");
    assert_eq!(take(&restarted, &longer, 1, at(1)).expect_err("an hour").retry_at, Some(at(3_600)));
}

#[test]
fn a_clock_read_before_another_callers_turn_does_not_shorten_a_window() {
    let limiter = Limiter::new(Capacity::default());
    let counter = limiter.counter(named("export"), MINUTE);
    assert!(take(&limiter, &counter, 1, at(0)).is_ok());
    assert_eq!(limiter.highest_usage(&counter, at(60)), Units(0));
    // Read earlier, got the lock later: counts from 60 s on.
    assert!(take(&limiter, &counter, 1, at(59)).is_ok());
    assert!(take(&limiter, &counter, 1, Instant(at(120).0 - 1)).is_err());
    assert!(take(&limiter, &counter, 1, at(120)).is_ok());
}

#[test]
fn threads_never_take_more_than_max_together() {
    let limiter = Limiter::new(Capacity::default());
    let (one, two) = (limiter.counter(named("one"), MINUTE), limiter.counter(named("two"), MINUTE));
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let call = |second| {
                        let charges = [charge(&one, "agent", 1, 100), charge(&two, "agent", 1, 150)];
                        limiter.reserve(&charges, at(second)).is_ok()
                    };
                    (0..60).filter(|second| call(*second)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(passed, 100);
    assert_eq!((used(&limiter, &one, at(0)), used(&limiter, &two, at(0))), (100, 100));
}
