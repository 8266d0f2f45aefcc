//! What a permitted call must still take: approvals, permits and quota.
//!
//! The proxy takes them in the order of "A call, in order": [`Demands::acquire`] (concurrency), its own slot in the audit log,
//! [`Demands::reserve`] (limits, all or none), then the approvals; and with the call on its way, [`Demands::record_shadows`].

use std::sync::Arc;

use reeve_crds::v1alpha1::Scope;

use super::arguments::{Examined, expression_error};
use super::plan::Selected;
use super::{Refusal, Shadow, Verdict};
use crate::compile::model::{Concurrency, Limit};
use crate::compile::{Ruleset, pointer};
use crate::limit::concurrency::{Gate, Permit};
use crate::limit::{Charge, Counter, Exceeded, Limiter, Reservation, Units};
use crate::reason::Reason;
use crate::time::{Instant, format_duration};

/// What an allowed call must still take.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// One for each counter, in the order of the first limit's pointer.
    charges: Vec<Taking>,
    /// What few calls have to take.
    rare: Option<Box<Rare>>,
}

/// What few calls have to take, kept apart so that a verdict is small.
#[derive(Clone, Debug, Default)]
struct Rare {
    /// The rules whose approval the call uses, in the order of pointers.
    approvals: Vec<Arc<str>>,
    /// In the order of pointers.
    gates: Vec<Entry>,
    /// What Audit policies and rules that would permit the call would have it take.
    shadows: Vec<Tried>,
}

/// What one Audit policy or rule that would permit the call would have it take.
#[derive(Clone, Debug)]
struct Tried {
    demands: Demands,
    /// Where the verdict's shadows say that it would permit the call; nowhere if it only constrains.
    told: Option<usize>,
}

/// A gate to pass.
#[derive(Clone, Debug)]
struct Entry {
    gate: Gate,
    bound: Arc<Concurrency>,
}

/// What the call takes from one counter.
#[derive(Clone, Debug)]
struct Taking {
    /// The counter's number in the ruleset.
    number: u32,
    counter: Counter,
    key: Arc<str>,
    /// The highest cost that a limit puts on the call.
    cost: Units,
    /// The smallest `max`.
    max: Units,
    first: Arc<Limit>,
    /// Other limits on the same counter; seldom any.
    others: Vec<Arc<Limit>>,
}

/// What a call has taken. Kept until the call's response, or its task, has ended: dropping it ends its time in flight, and
/// leaves its quota taken.
#[derive(Debug, Default)]
#[must_use]
pub struct Held {
    permits: Vec<Permit>,
    quota: Option<Reservation>,
    shadows: Vec<Self>,
}

impl Held {
    /// Until when it is in flight at most, if that counts: no rule bounds how many are otherwise.
    pub fn in_flight_until(&self) -> Option<Instant> {
        self.permits.iter().map(Permit::until).max()
    }

    /// Whether its time in flight counts with any rule, if only with one that is tried.
    pub fn is_counted_in_flight(&self) -> bool {
        !self.permits.is_empty() || self.shadows.iter().any(Self::is_counted_in_flight)
    }

    /// Nobody will say when the call has ended: it is in flight until the time that was said last.
    pub fn lapse(self) {
        self.permits.into_iter().for_each(Permit::lapse);
        self.shadows.into_iter().for_each(Self::lapse);
    }

    /// Has the call's time in flight end at this time if it has not ended before, and no later than its rules say.
    pub fn in_flight_no_later_than(&mut self, until: Instant) {
        self.permits.iter_mut().for_each(|permit| permit.count_until(until));
        self.shadows.iter_mut().for_each(|shadow| shadow.in_flight_no_later_than(until));
    }

    /// Ends the call's time in flight, and keeps what else it holds.
    pub fn landed(self) -> Self {
        let shadows = self.shadows.into_iter().map(Self::landed).collect();
        Self { permits: Vec::new(), quota: self.quota, shadows }
    }

    /// The same of a call that takes the place of an earlier one: what that was charged is exchanged for what this one is when this one
    /// is charged, and kept if it cannot be.
    pub fn in_place_of(self, earlier: Self) -> Self {
        Self { permits: self.permits, quota: earlier.quota, shadows: earlier.shadows }
    }

    /// Returns the quota of a call that certainly never reached the server.
    pub fn give_back(self, limiter: &Limiter) {
        if let Some(quota) = self.quota {
            limiter.give_back(quota);
        }
        for shadow in self.shadows {
            shadow.give_back(limiter);
        }
    }
}

impl Demands {
    /// The rules whose approval the call uses, and which is to be consumed once quota is reserved.
    pub fn approvals(&self) -> &[Arc<str>] {
        self.rare.as_ref().map_or(&[], |rare| &rare.approvals)
    }

    fn gates(&self) -> &[Entry] {
        self.rare.as_ref().map_or(&[], |rare| &rare.gates)
    }

    fn shadows(&self) -> &[Tried] {
        self.rare.as_ref().map_or(&[], |rare| &rare.shadows)
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Notes that the call uses an approval of this rule.
    pub(super) fn use_approval(&mut self, rule: &Arc<str>) {
        self.rare().approvals.push(Arc::clone(rule));
    }

    /// Notes what an Audit policy or rule would have the call take, and where the verdict's shadows say that it would permit it.
    pub(super) fn add_shadow(&mut self, demands: Self, told: Option<usize>) {
        if !demands.is_empty() {
            self.rare().shadows.push(Tried { demands, told });
        }
    }

    /// Takes a permit of each concurrency bound.
    ///
    /// # Errors
    /// The refusal, without shadows, if too many calls are in flight; nothing is taken then.
    pub fn acquire(&self, now: Instant) -> Result<Held, Verdict> {
        let mut permits = Vec::with_capacity(self.gates().len());
        for Entry { gate, bound } in self.gates() {
            match gate.acquire(bound.max as usize, bound.held_at_most, now) {
                Some(permit) => permits.push(permit),
                None => return Err(full(bound)),
            }
        }
        Ok(Held { permits, quota: None, shadows: Vec::new() })
    }

    /// Takes the quota of all limits, or none. What is held already, of a call [in whose place](Held::in_place_of) this one is, is
    /// exchanged for it.
    ///
    /// # Errors
    /// The refusal, without shadows: it names the smallest pointer among the limits that are exceeded, and says when all
    /// would fit.
    pub fn reserve(&self, limiter: &Limiter, now: Instant, held: &mut Held) -> Result<(), Verdict> {
        let reserved = match self.charges.as_slice() {
            [] => return Ok(()),
            [one] => charge(&[one.charge()], limiter, now, held),
            many => charge(&many.iter().map(Taking::charge).collect::<Vec<_>>(), limiter, now, held),
        };
        reserved.map_err(|exceeded| self.exceeded(&exceeded, limiter, now))
    }

    /// Counts a call that is on its way on the shadow counters of Audit policies and rules, and off those of one in whose place
    /// it is. Those that would have refused it say so in `shadow`, which is the verdict's: instead of that they would have permitted it,
    /// as each says one thing of a call.
    pub fn record_shadows(&self, limiter: &Limiter, now: Instant, held: &mut Held, shadow: &mut Vec<Shadow>) {
        for earlier in held.shadows.drain(..) {
            earlier.give_back(limiter);
        }
        for Tried { demands, told } in self.shadows() {
            let taken = demands.acquire(now).and_then(|mut taken| {
                demands.reserve(limiter, now, &mut taken)?;
                Ok(taken)
            });
            match taken {
                Ok(taken) => held.shadows.push(taken),
                Err(Verdict { reason, pointer, .. }) => {
                    let Some(refused) = pointer.map(|pointer| Shadow { reason, pointer }) else { continue };
                    match told.and_then(|told| shadow.get_mut(told)) {
                        Some(permitted) => *permitted = refused,
                        None => shadow.push(refused),
                    }
                }
            }
        }
    }

    /// Whether a limit charges the call.
    pub fn is_charged(&self) -> bool {
        !self.charges.is_empty()
    }

    /// Whether there is nothing to take or record.
    pub fn is_empty(&self) -> bool {
        self.charges.is_empty() && self.rare.is_none()
    }

    /// What must be taken, a line each.
    pub(super) fn in_words(&self) -> Vec<String> {
        let gates = self
            .gates()
            .iter()
            .map(|Entry { bound, .. }| format!("{}: at most {} in flight", bound.pointer, counted(bound.max, "call")));
        let limits = self.charges.iter().flat_map(|taking| {
            let limits = std::iter::once(&taking.first).chain(&taking.others);
            limits.map(|limit| format!("{}: {}, of which it takes {}", limit.pointer, limit.terms(), taking.cost))
        });
        gates.chain(limits).collect()
    }

    fn exceeded(&self, exceeded: &Exceeded, limiter: &Limiter, now: Instant) -> Verdict {
        let mut refused: Vec<_> = exceeded.charges.iter().filter_map(|&index| self.charges.get(index)).collect();
        let mut reason = Reason::LimitExceeded;
        if exceeded.table_full {
            // A full table is the reason only if no limit is.
            let over = |taking: &Taking| taking.wanted(limiter, now) > taking.max;
            match refused.iter().any(|taking| over(taking)) {
                true => refused.retain(|taking| over(taking)),
                false => reason = Reason::CounterTableFull,
            }
        }
        let limits = refused.into_iter().flat_map(|taking| taking.exceeded(limiter, now));
        let Some(limit) = limits.min_by_key(|limit| pointer::split(&limit.pointer)) else {
            return Verdict::refusal(reason);
        };
        let message = match &limit.message {
            Some(own) => Arc::clone(own),
            None => limit.terms().into(),
        };
        let retry_after = exceeded.retry_at.map(|at| at.since(now));
        Verdict { retry_after, ..Refusal::new(reason, &limit.pointer, Some(message)).into() }
    }
}

fn charge(charges: &[Charge<'_>], limiter: &Limiter, now: Instant, held: &mut Held) -> Result<(), Exceeded> {
    match &mut held.quota {
        Some(earlier) => limiter.exchange(earlier, charges, now)?,
        none => *none = Some(limiter.reserve(charges, now)?),
    }
    Ok(())
}

fn full(bound: &Concurrency) -> Verdict {
    let message = match &bound.message {
        Some(own) => Arc::clone(own),
        None => format!("at most {} may be in flight at once", counted(bound.max, "call")).into(),
    };
    Refusal::new(Reason::ConcurrencyExceeded, &bound.pointer, Some(message)).into()
}

impl Taking {
    fn charge(&self) -> Charge<'_> {
        Charge { counter: &self.counter, key: &self.key, cost: self.cost, max: self.max }
    }

    /// What the counter would have to hold with this call.
    fn wanted(&self, limiter: &Limiter, now: Instant) -> Units {
        Units(limiter.used(&self.counter, &self.key, now).0.saturating_add(self.cost.0))
    }

    /// Those of the limits on this counter under which the call does not fit.
    fn exceeded(&self, limiter: &Limiter, now: Instant) -> impl Iterator<Item = &Arc<Limit>> {
        let wanted = if self.others.is_empty() { self.cost } else { self.wanted(limiter, now) };
        let limits = std::iter::once(&self.first).chain(&self.others);
        limits.filter(move |limit| limit.max == self.max || wanted > limit.max)
    }
}

impl Limit {
    /// What the limit permits, in words.
    fn terms(&self) -> String {
        let scope = match self.scope {
            Scope::Grant => "for each grant",
            Scope::Session => "for each session",
            Scope::Pod => "for each pod",
            Scope::Policy => "in all",
            Scope::Key => "for each key",
        };
        let what = if self.cost.is_some() { "unit" } else { "call" };
        let most = counted(self.max.0 / Units::ONE.0, what);
        format!("at most {most} in any {} {scope}", format_duration(self.window))
    }
}

/// `1 call`, `2 calls`.
fn counted(number: impl Into<i64>, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Ruleset {
    /// What the rules that apply demand. Costs and keys are evaluated here.
    pub(super) fn demands(&self, applied: &[Selected], examined: &Examined<'_>) -> Result<Demands, Refusal> {
        let mut demands = Demands::default();
        for rule in applied.iter().map(|selected| &self.rules[selected.rule as usize]) {
            if let Some((bound, gate)) = &rule.concurrency {
                demands.rare().gates.push(Entry { gate: gate.clone(), bound: Arc::clone(bound) });
            }
            for limit in &rule.limits {
                let cost = cost(limit, examined)?;
                if let Some(taking) = demands.charges.iter_mut().find(|taking| taking.number == limit.counter) {
                    taking.cost = taking.cost.max(cost);
                    taking.max = taking.max.min(limit.max);
                    taking.others.push(Arc::clone(limit));
                    continue;
                }
                demands.charges.push(Taking {
                    number: limit.counter,
                    counter: self.counters[limit.counter as usize].handle.clone(),
                    key: self.scope_value(limit, examined)?,
                    cost,
                    max: limit.max,
                    first: Arc::clone(limit),
                    others: Vec::new(),
                });
            }
        }
        Ok(demands)
    }

    fn scope_value(&self, limit: &Limit, examined: &Examined<'_>) -> Result<Arc<str>, Refusal> {
        let keys = &self.keys;
        Ok(match (limit.scope, &limit.key) {
            (Scope::Grant, _) => Arc::clone(&keys.grant),
            (Scope::Session, _) => examined.call.session.map_or_else(|| Arc::clone(&keys.no_session), Into::into),
            (Scope::Pod, _) => Arc::clone(&keys.pod),
            (Scope::Policy, _) | (Scope::Key, None) => Arc::clone(&keys.policy),
            (Scope::Key, Some(key)) => {
                let value = key.expression.key(&examined.variables);
                value.map_err(|error| expression_error(key, &error))?.into()
            }
        })
    }
}

fn cost(limit: &Limit, examined: &Examined<'_>) -> Result<Units, Refusal> {
    let Some(cost) = &limit.cost else { return Ok(Units::ONE) };
    match cost.expression.cost(&examined.variables) {
        Ok(Some(units)) => Ok(units),
        Ok(None) => {
            let message = format!("the cost of a call, {}, must be a number of zero or more", cost.expression.source());
            Err(Refusal::new(Reason::CostInvalid, &cost.pointer, Some(message.into())))
        }
        Err(error) => Err(expression_error(cost, &error)),
    }
}
