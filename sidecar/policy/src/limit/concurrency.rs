//! Concurrency: how many calls of one rule are in flight.
//!
//! A [`Gate`] belongs to a rule pointer and is resolved when a policy is compiled, as a [`Counter`](super::Counter) is:
//! a reload finds the same gate again with the permits that calls still hold, and a gate that neither a ruleset nor a
//! call holds is gone. A [`Permit`] counts until it is dropped, at most until the time its rule allows for. There is no
//! time to retry at: a call may end at any moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::time::Instant;

/// Every gate of a sidecar.
#[derive(Debug, Default)]
pub struct Permits(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    gates: HashMap<Arc<str>, Weak<Mutex<Held>>>,
    /// The number of names at which those of gates that are gone are dropped.
    sweep_at: usize,
}

/// Until when each permit of a gate counts at most.
#[derive(Debug, Default)]
struct Held {
    permits: BTreeSet<(Instant, u64)>,
    next: u64,
}

/// What one rule's calls in flight are counted at. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<Held>>);

/// A place in flight, given up by dropping it.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    gate: Gate,
    until: Instant,
    /// The end of the time that its rule allows for.
    at_most: Instant,
    id: u64,
    /// Whether it counts until its time though it is dropped.
    lapses: bool,
}

impl Permit {
    /// When it stops counting though nobody gave it up.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Has it stop counting at this time, which may be earlier or later than was said before, but no later than its rule
    /// allows for. One that has stopped does not begin again.
    pub fn count_until(&mut self, until: Instant) {
        let until = until.min(self.at_most);
        let mut held = self.gate.held();
        if held.permits.remove(&(self.until, self.id)) {
            held.permits.insert((until, self.id));
        }
        drop(held);
        self.until = until;
    }

    /// Nobody will say when its call has ended: it counts until its time.
    pub fn lapse(mut self) {
        self.lapses = true;
    }
}

impl Permits {
    /// The gate of this rule pointer, made if need be.
    pub fn gate(&self, rule: &Arc<str>) -> Gate {
        // Every change is a single insertion or removal, so that a panic elsewhere leaves nothing half done.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = names.gates.get(rule).and_then(Weak::upgrade) {
            return Gate(held);
        }
        if names.gates.len() >= names.sweep_at {
            names.gates.retain(|_, gate| gate.strong_count() > 0);
            names.sweep_at = (names.gates.len() * 2).max(64);
        }
        let gate = Gate(Arc::default());
        names.gates.insert(Arc::clone(rule), Arc::downgrade(&gate.0));
        gate
    }
}

impl Gate {
    /// A permit, if fewer than `max` calls are in flight.
    pub fn acquire(&self, max: usize, held_at_most: Duration, now: Instant) -> Option<Permit> {
        let mut held = self.held();
        if held.in_flight(now) >= max {
            return None;
        }
        let (until, id) = (now.after(held_at_most), held.next);
        held.next += 1;
        held.permits.insert((until, id));
        Some(Permit { gate: self.clone(), until, at_most: until, id, lapses: false })
    }

    /// How many permits count at this time.
    pub fn in_flight(&self, now: Instant) -> usize {
        self.held().in_flight(now)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn in_flight(&mut self, now: Instant) -> usize {
        while self.permits.first().is_some_and(|(until, _)| *until <= now) {
            self.permits.pop_first();
        }
        self.permits.len()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.lapses {
            self.gate.held().permits.remove(&(self.until, self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const NOW: Instant = Instant(0);

    fn rule(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn a_third_call_waits_until_one_of_two_has_ended() {
        let permits = Permits::default();
        let gate = permits.gate(&rule("clinic/imaging#export"));
        let first = gate.acquire(2, HOUR, NOW).expect("the first");
        let _second = gate.acquire(2, HOUR, NOW).expect("the second");
        assert!(gate.acquire(2, HOUR, NOW).is_none());
        drop(first);
        assert!(gate.acquire(2, HOUR, NOW).is_some());
        assert_eq!(gate.in_flight(NOW), 1);
    }

    #[test]
    fn a_permit_that_nobody_drops_counts_no_longer_than_its_rule_says() {
        let permits = Permits::default();
        let gate = permits.gate(&rule("clinic/imaging#export"));
        let stuck = gate.acquire(1, HOUR, NOW).expect("the first");
        assert!(gate.acquire(1, HOUR, Instant(NOW.after(HOUR).0 - 1)).is_none());
        let next = gate.acquire(1, HOUR, NOW.after(HOUR));
        assert!(next.is_some());
        drop(stuck);
        assert!(gate.acquire(1, HOUR, NOW.after(HOUR)).is_none(), "it had stopped counting already");
    }

    #[test]
    fn a_permit_counts_no_longer_than_is_said_later_and_never_longer_than_its_rule_says() {
        let (minute, permits) = (Duration::from_secs(60), Permits::default());
        let gate = permits.gate(&rule("clinic/imaging#export"));
        let mut left = gate.acquire(1, HOUR, NOW).expect("the first");
        left.count_until(NOW.after(minute));
        left.count_until(NOW.after(2 * HOUR));
        assert_eq!((left.until(), gate.in_flight(NOW.after(minute))), (NOW.after(HOUR), 1));
        left.count_until(NOW.after(minute));
        assert_eq!(gate.in_flight(NOW.after(minute)), 0);
        left.count_until(NOW.after(HOUR));
        assert_eq!(gate.in_flight(NOW.after(minute)), 0, "it had stopped already");
    }

    #[test]
    fn a_permit_that_lapses_counts_until_its_time_though_nobody_has_it() {
        let permits = Permits::default();
        let gate = permits.gate(&rule("clinic/imaging#export"));
        let mut lapsing = gate.acquire(1, HOUR, NOW).expect("the first");
        lapsing.count_until(Instant(1_000));
        lapsing.lapse();
        assert!(gate.acquire(1, HOUR, Instant(999)).is_none());
        assert!(gate.acquire(1, HOUR, Instant(1_000)).is_some());
    }

    #[test]
    fn a_reload_finds_the_permits_that_calls_still_hold() {
        let permits = Permits::default();
        let gate = permits.gate(&rule("clinic/imaging#export"));
        let held = gate.acquire(1, HOUR, NOW);
        drop(gate);
        let gate = permits.gate(&rule("clinic/imaging#export"));
        assert!(gate.acquire(1, HOUR, NOW).is_none());
        drop(held);
        assert!(gate.acquire(1, HOUR, NOW).is_some());
    }

    #[test]
    fn gates_of_removed_rules_are_gone_when_no_call_holds_them() {
        let permits = Permits::default();
        for reload in 0..10_000 {
            let gate = permits.gate(&rule(&format!("clinic/imaging#{reload}")));
            drop(gate.acquire(1, HOUR, NOW));
        }
        assert!(permits.0.lock().expect("no panic").gates.len() <= 64);
    }
}
