//! A decided call takes what it needs before it is forwarded: concurrency, a place in the audit log, quota. All or nothing.
//!
//! The order is that of "A call, in order": a call that is refused for one of them holds none of the others.

use std::sync::Arc;

use reeve_policy::decide::{Held, Target, Verdict};
use reeve_policy::reason::{Outcome, Reason};
use reeve_policy::time::Instant;

use super::Shared;
use super::examine::{Decided, Kind};
use super::record::Facts;
use crate::live::Route;
use crate::metrics::ToolMetrics;
use crate::upstream::{Progress, Sent};

/// What a forwarded call holds until its answer has ended.
///
/// Dropped while the server certainly did not get the call (the agent hung up before a byte was sent, say), it returns the
/// quota; otherwise the quota stays taken.
#[derive(Debug)]
pub(super) struct Taken {
    shared: Arc<Shared>,
    held: Vec<Held>,
    /// Of what it is a call; none of a message that is no call.
    tool: Option<Arc<ToolMetrics>>,
    progress: Progress,
}

impl Taken {
    /// Of a message that takes nothing.
    pub(super) fn nothing(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), held: Vec::new(), tool: None, progress: Progress::new() }
    }

    /// How far the call has got.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The answer has come: concurrency is given up, quota stays taken.
    pub(super) fn answered(&mut self) {
        self.held.clear();
    }

    /// Until when the call is in flight at most, if that counts.
    pub(super) fn in_flight_until(&self) -> Option<Instant> {
        self.held.iter().filter_map(Held::in_flight_until).max()
    }

    /// What it holds, for who holds it on.
    pub(super) fn take_out(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// Of what it is a call.
    pub(super) fn tool(&self) -> Option<&Arc<ToolMetrics>> {
        self.tool.as_ref()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.progress.sent() == Sent::No {
            for held in self.held.drain(..) {
                held.give_back(&self.shared.limiter);
            }
        }
    }
}

impl Shared {
    /// Takes what the calls need, records every decision, and says whether they may go on.
    ///
    /// # Errors
    /// The call that is refused, and why. What the others took is returned.
    pub(super) fn take(
        self: &Arc<Self>,
        route: &Route,
        calls: Vec<Decided>,
        facts: &Facts<'_>,
    ) -> Result<Taken, Box<(Decided, Verdict)>> {
        let mut taken = Taken::nothing(self);
        for call in calls {
            match self.take_one(route, &call, facts) {
                Ok(held) => {
                    taken.held.push(held);
                    taken.tool = Some(self.tool_metrics(route, &call, facts.method()));
                }
                Err(verdict) => return Err(Box::new((call, verdict))),
            }
        }
        Ok(taken)
    }

    fn take_one(&self, route: &Route, call: &Decided, facts: &Facts<'_>) -> Result<Held, Verdict> {
        let now = self.clock.now();
        let acquired = match call.verdict.outcome() {
            Outcome::Allow => call.verdict.demands.acquire(now),
            Outcome::Deny | Outcome::Limited | Outcome::ApprovalRequired => Err(call.verdict.clone()),
        };
        let slot = self.audit.reserve(&facts.entry(route, call));
        let decided = match (acquired, &slot) {
            (Ok(_), Err(_)) => Err(Verdict::refusal(Reason::AuditUnavailable)),
            (Ok(mut held), Ok(_)) => match call.verdict.demands.reserve(&self.limiter, now, &mut held) {
                Ok(()) => {
                    self.keeper.changed();
                    Ok(held)
                }
                Err(verdict) => Err(verdict),
            },
            (Err(verdict), _) => Err(verdict),
        };
        let mut shadow = call.verdict.shadow.clone();
        let decided = decided.map(|mut held| {
            shadow.extend(call.verdict.demands.record_shadows(&self.limiter, now, &mut held));
            held
        });
        let verdict = decided.as_ref().err().unwrap_or(&call.verdict);
        self.record_call(route, call, verdict, &shadow, facts);
        if let Ok(slot) = slot {
            slot.write(&facts.decision(route, verdict, &shadow, self.clock.now()));
        }
        decided
    }
}

impl Decided {
    /// What is called.
    pub(super) fn target(&self) -> Target<'_> {
        match self.kind {
            Kind::Tool => Target::Tool(&self.name),
            Kind::Resource => Target::Resource(&self.name),
            Kind::Prompt => Target::Prompt(&self.name),
        }
    }
}
