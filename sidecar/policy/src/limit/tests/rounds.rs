//! Calls in several rounds: each round is charged in exchange for the one before.

use proptest::prelude::*;

use super::*;

/// Two calls that a server answers with a question in any 100 ns, and three calls of any kind in any 10 ns.
const ASKS: (i64, i64) = (100, 2);
const ALL: (i64, i64) = (10, 3);

#[derive(Clone, Copy, Debug)]
enum Retried {
    /// The server certainly does not get it: the round stays open.
    NotSent,
    /// It does, and asks again.
    AskedAgain,
    /// It does, and answers.
    Answered,
}

#[derive(Clone, Debug)]
enum Step {
    /// A call that the server answers with a question, if it gets it.
    First {
        sent: bool,
    },
    Other,
    /// An open round is answered by the agent.
    Retry {
        which: prop::sample::Index,
        retried: Retried,
    },
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let retried = prop::sample::select(vec![Retried::NotSent, Retried::AskedAgain, Retried::Answered]);
    let step = prop_oneof![
        any::<bool>().prop_map(|sent| Step::First { sent }),
        Just(Step::Other),
        (any::<prop::sample::Index>(), retried).prop_map(|(which, retried)| Step::Retry { which, retried }),
    ];
    (0..6_i64, step)
}

struct World {
    limiter: Limiter,
    asks: Counter,
    all: Counter,
    now: i64,
}

impl World {
    fn new() -> Self {
        let limiter = Limiter::new(Capacity::default());
        let counter =
            |name, (window, _): (i64, i64)| limiter.counter(named(name), Duration::from_nanos(window.unsigned_abs()));
        let (asks, all) = (counter("asks", ASKS), counter("all", ALL));
        Self { limiter, asks, all, now: 0 }
    }

    fn now(&self) -> Instant {
        Instant(self.now.unsigned_abs())
    }

    fn charges(&self) -> [Charge<'_>; 2] {
        [charge(&self.asks, "agent", 1, ASKS.1), charge(&self.all, "agent", 1, ALL.1)]
    }

    fn first(&self) -> Option<Reservation> {
        self.limiter.reserve(&self.charges(), self.now()).ok()
    }

    fn used(&self) -> [i64; 2] {
        [&self.asks, &self.all].map(|counter| used(&self.limiter, counter, self.now()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_becomes_of_retries_each_first_round_that_a_server_may_have_got_counts_for_its_window_and_no_limit_is_passed(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        let mut open: Vec<Reservation> = Vec::new();
        // When servers may have got first rounds.
        let mut got: Vec<i64> = Vec::new();
        for (wait, step) in steps {
            world.now += wait;
            match step {
                Step::First { sent: true } => {
                    if let Some(charged) = world.first() {
                        got.push(world.now);
                        open.push(charged);
                    }
                }
                Step::First { sent: false } => {
                    if let Some(charged) = world.first() {
                        world.limiter.give_back(charged);
                    }
                }
                Step::Other => {
                    let _kept = world.limiter.reserve(&[charge(&world.all, "agent", 1, ALL.1)], world.now());
                }
                Step::Retry { which, retried } if !open.is_empty() => {
                    let index = which.index(open.len());
                    let before = world.used();
                    match (world.limiter.exchange(&mut open[index], &world.charges(), world.now()), retried) {
                        (Err(_), _) => prop_assert_eq!(world.used(), before, "refused"),
                        (Ok(()), Retried::NotSent | Retried::AskedAgain) => {}
                        (Ok(()), Retried::Answered) => drop(open.swap_remove(index)),
                    }
                }
                Step::Retry { .. } => {}
            }
            for (used, (window, max)) in world.used().into_iter().zip([ASKS, ALL]) {
                let count = got.iter().filter(|at| **at + window > world.now).count();
                prop_assert!(used <= max, "{used} of {max}");
                prop_assert!(used >= i64::try_from(count).unwrap(), "{used} count of {count} that the server got");
            }
        }
    }
}

#[test]
fn a_round_passes_where_nothing_is_left_but_its_own() {
    let mut world = World::new();
    let (mut one, _other) = (world.first().expect("the first"), world.first().expect("the second"));
    world.now = 50;
    assert!(world.limiter.exchange(&mut one, &world.charges(), world.now()).is_ok());
    assert!(world.first().is_none());
    world.now = 100;
    assert_eq!(world.used()[0], 1, "that of the retry counts from then on");
}

#[test]
fn a_round_that_another_limit_refuses_keeps_what_it_had() {
    let mut world = World::new();
    let mut round = world.first().expect("the first");
    world.now = 20;
    for _ in 0..3 {
        let _other = world.limiter.reserve(&[charge(&world.all, "agent", 1, ALL.1)], world.now());
    }
    let refused = world.limiter.exchange(&mut round, &world.charges(), world.now()).expect_err("`all` is full");
    assert_eq!(refused, Exceeded { charges: vec![1], table_full: false, retry_at: Some(Instant(30)) });
    assert_eq!(world.used(), [1, 3]);
    world.now = 30;
    assert!(world.limiter.exchange(&mut round, &world.charges(), world.now()).is_ok(), "later");
}
