//! Concurrency: how many calls of one rule are in flight.
//!
//! A [`Gate`] belongs to a rule pointer and is resolved when a policy is compiled, as a [`Counter`](super::Counter) is:
//! a reload finds the same gate again with the permits that calls still hold, and a gate that neither a ruleset nor a
//! call holds is gone. A [`Permit`] counts until it is dropped, at most until the time its rule allows for. There is no
//! time to retry at: a call may end at any moment.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use slab::Slab;

use crate::time::Instant;

/// Every gate of a sidecar.
#[derive(Debug, Default)]
pub struct Permits {
    names: Mutex<Names>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Names {
    gates: HashMap<Arc<str>, Weak<GateState>>,
    /// The number of names at which those of gates that are gone are dropped.
    sweep_at: usize,
}

/// For each gate, until when each of its permits counts at most. One lock for all gates, so that a call passes all of
/// its gates at one moment.
#[derive(Debug, Default)]
struct Held {
    gates: Slab<BTreeSet<(Instant, u64)>>,
    next: u64,
}

/// What one rule's calls in flight are counted at. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<GateState>,
}

#[derive(Debug)]
struct GateState {
    slot: usize,
    held: Arc<Mutex<Held>>,
}

/// One of the places that a call asks for.
#[derive(Clone, Copy, Debug)]
pub struct Entrance<'a> {
    /// The gate.
    pub gate: &'a Gate,
    /// The most calls in flight.
    pub max: usize,
    /// How long a permit counts if it is not dropped before.
    pub held_at_most: Duration,
}

/// A place in flight, given up by dropping it.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    state: Arc<GateState>,
    until: Instant,
    id: u64,
}

impl Permit {
    /// When it stops counting though nobody gave it up.
    pub fn until(&self) -> Instant {
        self.until
    }
}

impl Permits {
    /// The gate of this rule pointer, made if need be.
    pub fn gate(&self, rule: &Arc<str>) -> Gate {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = names.gates.get(rule).and_then(Weak::upgrade) {
            return Gate { state };
        }
        if names.gates.len() >= names.sweep_at {
            names.gates.retain(|_, gate| gate.strong_count() > 0);
            names.sweep_at = (names.gates.len() * 2).max(64);
        }
        let slot = lock(&self.held).gates.insert(BTreeSet::new());
        let state = Arc::new(GateState { slot, held: Arc::clone(&self.held) });
        names.gates.insert(Arc::clone(rule), Arc::downgrade(&state));
        Gate { state }
    }

    /// A permit of each gate, or none of any.
    ///
    /// # Errors
    /// The indices of the gates at which too many calls are in flight.
    pub fn acquire_all(&self, entrances: &[Entrance<'_>], now: Instant) -> Result<Vec<Permit>, Vec<usize>> {
        if entrances.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = lock(&self.held);
        let mut full = Vec::new();
        for (index, entrance) in entrances.iter().enumerate() {
            // A gate that is asked for twice must have room for both.
            let same = |other: &&Entrance<'_>| Arc::ptr_eq(&other.gate.state, &entrance.gate.state);
            let wanted = entrances[..index].iter().filter(same).count() + 1;
            if held.in_flight(entrance.gate.state.slot, now) + wanted > entrance.max {
                full.push(index);
            }
        }
        if full.is_empty() {
            Ok(entrances.iter().map(|entrance| held.admit(entrance, now)).collect())
        } else {
            Err(full)
        }
    }
}

impl Gate {
    /// A permit, if fewer than `max` calls are in flight.
    pub fn acquire(&self, max: usize, held_at_most: Duration, now: Instant) -> Option<Permit> {
        let mut held = lock(&self.state.held);
        let room = held.in_flight(self.state.slot, now) < max;
        room.then(|| held.admit(&Entrance { gate: self, max, held_at_most }, now))
    }

    /// How many permits count at this time.
    pub fn in_flight(&self, now: Instant) -> usize {
        lock(&self.state.held).in_flight(self.state.slot, now)
    }
}

impl Held {
    fn in_flight(&mut self, slot: usize, now: Instant) -> usize {
        let permits = &mut self.gates[slot];
        while permits.first().is_some_and(|(until, _)| *until <= now) {
            permits.pop_first();
        }
        permits.len()
    }

    fn admit(&mut self, entrance: &Entrance<'_>, now: Instant) -> Permit {
        let state = Arc::clone(&entrance.gate.state);
        let (until, id) = (now.after(entrance.held_at_most), self.next);
        self.next += 1;
        self.gates[state.slot].insert((until, id));
        Permit { state, until, id }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.state.held).gates[self.state.slot].remove(&(self.until, self.id));
    }
}

impl Drop for GateState {
    fn drop(&mut self) {
        lock(&self.held).gates.remove(self.slot);
    }
}

/// Each change under the lock is a single insertion or removal, so that a panic elsewhere leaves nothing half done.
fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(lock(&permits.held).gates.len(), 0);
        assert!(permits.names.lock().expect("no panic").gates.len() <= 64);
    }

    #[test]
    fn a_call_passes_all_of_its_gates_or_none() {
        let permits = Permits::default();
        let (one, two) = (permits.gate(&rule("one")), permits.gate(&rule("two")));
        let entrance = |gate, max| Entrance { gate, max, held_at_most: HOUR };
        let both = [entrance(&one, 2), entrance(&two, 1)];
        let held = permits.acquire_all(&both, NOW).expect("the first");
        assert_eq!(permits.acquire_all(&both, NOW).expect_err("two is full"), [1]);
        assert_eq!((one.in_flight(NOW), two.in_flight(NOW)), (1, 1));
        drop(held);
        assert_eq!((one.in_flight(NOW), two.in_flight(NOW)), (0, 0));
        let twice = [entrance(&one, 1), entrance(&one, 1)];
        assert_eq!(permits.acquire_all(&twice, NOW).expect_err("one place, asked for twice"), [1]);
        assert_eq!(permits.acquire_all(&[], NOW).expect("nothing asked for").len(), 0);
    }
}
