//! The limiter against a brute-force model that remembers everything: the same decisions where windows are exact, and
//! within one hundredth of the window where units share entries.

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 2] = ["one agent", "another"];

/// Every unit ever taken, with its time.
#[derive(Clone, Default)]
struct Model {
    windows: Vec<i64>,
    taken: Vec<Vec<(i64, i64)>>,
}

/// (counter, key) → its place in the model.
fn place(counter: usize, key: usize) -> usize {
    counter * KEYS.len() + key
}

/// (counter, key, cost, max) of one charge.
type Wanted = (usize, usize, i64, i64);

/// Whether two charges are to the same key of one counter.
fn unmerged(charges: &[Wanted]) -> bool {
    let mut places: Vec<_> = charges.iter().map(|charge| place(charge.0, charge.1)).collect();
    places.sort_unstable();
    places.windows(2).any(|pair| pair[0] == pair[1])
}

impl Model {
    fn used(&self, counter: usize, key: usize, now: i64) -> i64 {
        let counts = |(at, _): &&(i64, i64)| at + self.windows[counter] > now;
        self.taken[place(counter, key)].iter().filter(counts).map(|(_, units)| units).sum()
    }

    fn take(&mut self, charges: &[Wanted], now: i64) {
        for &(counter, key, cost, _) in charges {
            self.taken[place(counter, key)].push((now, cost));
        }
    }

    fn give_back(&mut self, charges: &[Wanted], at: i64) {
        for &(counter, key, cost, _) in charges {
            let taken = &mut self.taken[place(counter, key)];
            let index = taken.iter().position(|unit| *unit == (at, cost)).expect("it was taken");
            taken.remove(index);
        }
    }

    /// Holds a refusal by a limiter whose clock is `offset` behind against what is not taken.
    fn agrees(&self, exceeded: &Exceeded, charges: &[Wanted], now: i64, offset: i64) {
        let expected = self.exceeded(charges, now);
        assert!(!expected.is_empty());
        if !unmerged(charges) {
            assert_eq!(exceeded.charges, expected);
        }
        assert!(!exceeded.table_full);
        let retry_at = exceeded.retry_at.map(|at| at.0.cast_signed() + offset);
        assert_eq!(retry_at, self.retry_at(charges, now));
    }

    /// The charges that do not fit at `now` beside those before them.
    fn exceeded(&self, charges: &[Wanted], now: i64) -> Vec<usize> {
        let mut tried = self.clone();
        let mut exceeded = Vec::new();
        for (index, &(counter, key, cost, max)) in charges.iter().enumerate() {
            if cost > 0 && tried.used(counter, key, now) + cost > max {
                exceeded.push(index);
            }
            tried.taken[place(counter, key)].push((now, cost));
        }
        exceeded
    }

    /// The first time from `now` on at which all fit: something must have become free then.
    fn retry_at(&self, charges: &[Wanted], now: i64) -> Option<i64> {
        let frees = |&(counter, key, ..): &Wanted| {
            let window = self.windows[counter];
            self.taken[place(counter, key)].iter().map(move |(at, _)| at + window)
        };
        let mut times: Vec<i64> = charges.iter().flat_map(frees).filter(|at| *at > now).collect();
        times.sort_unstable();
        times.into_iter().find(|at| self.exceeded(charges, *at).is_empty())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Call {
        charges: Vec<Wanted>,
        wait: i64,
    },
    GiveBack {
        which: prop::sample::Index,
    },
    /// What is held already is for these charges instead.
    Exchange {
        which: prop::sample::Index,
        charges: Vec<Wanted>,
        wait: i64,
    },
    ShortenWindow {
        counter: usize,
    },
    /// Into a process whose clock shows `now`.
    Restart {
        now: i64,
    },
}

fn step(costs: impl Strategy<Value = i64> + Clone) -> impl Strategy<Value = Step> {
    let charge = (0..3_usize, 0..KEYS.len(), costs, prop::sample::select(vec![0, 3_000_000, 10_000_000]));
    let charges = prop::collection::vec(charge, 1..4);
    prop_oneof![
        6 => (any::<prop::sample::Index>(), charges.clone(), 0..30_i64)
            .prop_map(|(which, charges, wait)| Step::Exchange { which, charges, wait }),
        20 => (charges, 0..30_i64).prop_map(|(charges, wait)| Step::Call { charges, wait }),
        4 => any::<prop::sample::Index>().prop_map(|which| Step::GiveBack { which }),
        1 => (0..3_usize).prop_map(|counter| Step::ShortenWindow { counter }),
        1 => (0..1_000_i64).prop_map(|now| Step::Restart { now }),
    ]
}

fn asked<'a>(counters: &'a [Counter], charges: &[Wanted]) -> Vec<Charge<'a>> {
    let charge = |&(counter, key, cost, max): &Wanted| Charge {
        counter: &counters[counter],
        key: KEYS[key],
        cost: Units(cost),
        max: Units(max),
    };
    charges.iter().map(charge).collect()
}

fn intern(limiter: &Limiter, model: &Model) -> Vec<Counter> {
    let counter = |(index, window): (usize, &i64)| {
        limiter.counter(named(&index.to_string()), Duration::from_nanos(window.unsigned_abs()))
    };
    model.windows.iter().enumerate().map(counter).collect()
}

/// The model's clock goes on over restarts; the limiter's is `offset` behind it.
fn run(steps: Vec<Step>) {
    let mut model = Model { windows: vec![100, 37, 1_000], taken: vec![Vec::new(); 3 * KEYS.len()] };
    let mut limiter = Limiter::new(Capacity::default());
    let mut counters = intern(&limiter, &model);
    let mut reservations: Vec<(Reservation, Vec<Wanted>, i64)> = Vec::new();
    let (mut now, mut offset) = (0_i64, 0_i64);
    for step in steps {
        match step {
            Step::Call { charges, wait } => {
                now += wait;
                match limiter.reserve(&asked(&counters, &charges), Instant((now - offset).unsigned_abs())) {
                    Ok(reservation) => {
                        assert_eq!(model.exceeded(&charges, now), [0; 0]);
                        model.take(&charges, now);
                        reservations.push((reservation, charges, now));
                    }
                    Err(exceeded) => model.agrees(&exceeded, &charges, now, offset),
                }
            }
            Step::Exchange { which, charges, wait } if !reservations.is_empty() => {
                now += wait;
                let index = which.index(reservations.len());
                let (reservation, old, at) = &mut reservations[index];
                let mut without = model.clone();
                without.give_back(old, *at);
                let now_there = Instant((now - offset).unsigned_abs());
                match limiter.exchange(reservation, &asked(&counters, &charges), now_there) {
                    Ok(()) => {
                        assert_eq!(without.exceeded(&charges, now), [0; 0]);
                        without.take(&charges, now);
                        model = without;
                        (*old, *at) = (charges, now);
                    }
                    Err(exceeded) => without.agrees(&exceeded, &charges, now, offset),
                }
            }
            Step::GiveBack { which } if !reservations.is_empty() => {
                let (reservation, charges, at) = reservations.swap_remove(which.index(reservations.len()));
                limiter.give_back(reservation);
                model.give_back(&charges, at);
            }
            Step::GiveBack { .. } | Step::Exchange { .. } => {}
            Step::ShortenWindow { counter } => {
                model.windows[counter] = (model.windows[counter] * 2 / 3).max(1);
                counters = intern(&limiter, &model);
            }
            Step::Restart { now: clock } => {
                let bytes = limiter.snapshot(Instant((now - offset).unsigned_abs()));
                now += 5;
                offset = now - clock;
                limiter = Limiter::new(Capacity::default());
                limiter.restore(&bytes, Instant(clock.unsigned_abs()), Duration::from_nanos(5)).expect("a snapshot");
                counters = intern(&limiter, &model);
                // The calls in flight have died with the process.
                reservations.clear();
            }
        }
        for (counter, handle) in counters.iter().enumerate() {
            let shown = limiter.usage(handle, Instant((now - offset).unsigned_abs()));
            for (key, name) in KEYS.iter().enumerate() {
                let used = shown.iter().find(|(shown, _)| shown == name).map_or(0, |(_, used)| used.0);
                assert_eq!(used, model.used(counter, key, now));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn unit_costs_are_decided_as_by_a_model_that_remembers_everything(
        steps in prop::collection::vec(step(Just(1_000_000)), 1..200)
    ) {
        run(steps);
    }

    #[test]
    fn any_costs_are_decided_as_by_a_model_that_remembers_everything(
        steps in prop::collection::vec(step(prop::sample::select(vec![0, 1, 250_000, 1_000_000, 3_000_001, 10_000_000])), 1..200)
    ) {
        run(steps);
    }
}

/// One key, more units than are kept apart: follows the limiter's decisions and holds each against what has really been
/// taken.
fn run_crowded(calls: &[(i64, i64)], max: i64, window: i64, restart_every: usize, give_back_every: usize) {
    let mut limiter = Limiter::new(Capacity::default());
    let intern = |limiter: &Limiter| limiter.counter(named("c"), Duration::from_nanos(window.unsigned_abs()));
    let mut counter = intern(&limiter);
    let mut taken: Vec<(i64, i64)> = Vec::new();
    let mut now = 0;
    let mut retry_at: Option<(i64, i64)> = None;
    for (index, &(wait, cost)) in calls.iter().cycle().take(4_000).enumerate() {
        now += wait;
        let (mut cost, mut told) = (cost, false);
        // Every other refusal is followed by the same call just before the time that was told, and at it.
        if let Some((at, refused)) = retry_at.take().filter(|(at, _)| *at > now && index % 2 == 0) {
            let early = limiter.reserve(&[units(&counter, refused, max)], time(at - 1));
            assert_eq!(early.expect_err("told to wait").retry_at, Some(time(at)));
            (now, cost) = (at, refused);
            told = true;
        }
        let used = |window: i64| -> i64 {
            taken.iter().rev().take_while(|(at, _)| at + window > now).map(|(_, units)| units).sum()
        };
        match limiter.reserve(&[units(&counter, cost, max)], time(now)) {
            Ok(reservation) => {
                assert!(used(window) + cost <= max, "looser than the model at {now}");
                if index % give_back_every == 0 {
                    limiter.give_back(reservation);
                } else {
                    taken.push((now, cost));
                }
            }
            Err(exceeded) => {
                assert!(!told, "refused at the time that was told");
                let longer = used(window + window / 100);
                assert!(longer + cost > max, "stricter than a window of 101 % at {now}");
                let at = exceeded.retry_at.map(|at| (at.0.cast_signed(), cost));
                retry_at = at.filter(|_| index % restart_every != 0);
            }
        }
        if index % restart_every == 0 {
            let bytes = limiter.snapshot(time(now));
            limiter = Limiter::new(Capacity::default());
            limiter.restore(&bytes, time(now), Duration::ZERO).expect("a snapshot");
            counter = intern(&limiter);
        }
    }
}

fn time(now: i64) -> Instant {
    Instant(now.unsigned_abs())
}

fn units(counter: &Counter, cost: i64, max: i64) -> Charge<'_> {
    Charge { counter, key: "agent", cost: Units(cost), max: Units(max) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn beyond_the_exact_entries_a_unit_counts_up_to_a_hundredth_longer_and_never_shorter(
        calls in prop::collection::vec((0..9_i64, 1..50_i64), 1..300),
        max in 1_000..100_000_i64,
        window in 500..20_000_i64,
        restart_every in 50..2_000_usize,
        give_back_every in 5..50_usize,
    ) {
        run_crowded(&calls, max, window, restart_every, give_back_every);
    }
}
