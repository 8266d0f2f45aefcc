//! A decided call takes what it needs before it is forwarded: concurrency, a place in the audit log, quota. All or nothing.
//!
//! The order is that of "A call, in order": a call that is refused for one of them holds none of the others.

use std::sync::Arc;

use reeve_policy::decide::{Held, Target, Verdict};
use reeve_policy::reason::{Outcome, Reason};
use reeve_policy::time::Instant;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::Shared;
use super::examine::Decided;
use super::question::Question;
use super::record::Facts;
use crate::audit::{Full, Slot};
use crate::live::Route;
use crate::mcp::ids::OpenId;
use crate::mcp::rounds::Round;
use crate::metrics::ToolMetrics;
use crate::trace::Span;
use crate::upstream::{Progress, Sent};

/// What a forwarded call holds until its answer has ended.
///
/// Dropped while the server certainly did not get the call (the agent hung up before a byte was sent, say), it returns the
/// quota, and the request of the server that it answers; otherwise they stay taken. What a call took for a round of which the server
/// got an earlier one stays taken in any case, and opens that again.
///
/// Boxed, as it is large and handed from phase to phase.
#[derive(Debug)]
pub(super) struct Taken {
    shared: Arc<Shared>,
    held: SmallVec<[Held; 1]>,
    /// The round that the call answers, if its quota is that of the one before.
    round: Option<Round>,
    /// The call that is timed; none of a message that is no call, or a stream without end.
    call: Option<Counted>,
    /// What the message answers.
    question: Option<Question>,
    /// Its id, of a request in a session.
    id: Option<OpenId>,
    /// What is recorded of the call, if anything.
    span: Option<Box<Span>>,
    progress: Progress,
}

/// Why calls were not taken.
#[derive(Debug)]
pub(super) struct Refused {
    /// The call that is refused, among those of its message.
    pub(super) number: usize,
    /// Why.
    pub(super) verdict: Box<Verdict>,
}

/// A call that metrics count.
#[derive(Debug)]
pub(super) struct Counted {
    /// Of what it is a call.
    pub(super) tool: Arc<ToolMetrics>,
    /// When its last byte came.
    pub(super) received: Instant,
}

impl Taken {
    /// Of a message that takes nothing.
    pub(super) fn nothing(shared: &Arc<Shared>) -> Box<Self> {
        Box::new(Self {
            shared: Arc::clone(shared),
            held: SmallVec::new(),
            round: None,
            call: None,
            question: None,
            id: None,
            span: None,
            progress: Progress::new(),
        })
    }

    /// Of an answer to this request.
    pub(super) fn question(shared: &Arc<Shared>, question: Question) -> Box<Self> {
        let mut taken = Self::nothing(shared);
        taken.question = Some(question);
        taken
    }

    /// How far the call has got.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The same of a request whose id is open in its session.
    pub(super) fn with_id(mut self: Box<Self>, id: Option<OpenId>) -> Box<Self> {
        self.id = id;
        self
    }

    /// The same of a stream that no answer ends. The calls that it was decided as are counted; for how long it is open is the
    /// duration of none of them, and its span ends with the decision.
    pub(super) fn endless(mut self: Box<Self>) -> Box<Self> {
        self.call = None;
        if let Some(mut span) = self.span.take() {
            span.answered();
        }
        self
    }

    /// The answer has come: concurrency and the id are given up, quota stays taken.
    pub(super) fn answered(&mut self) {
        self.held.clear();
        self.id = None;
        if let Some(span) = &mut self.span {
            span.answered();
        }
    }

    /// What is recorded of the call, if it is.
    pub(super) fn span(&mut self) -> Option<&mut Span> {
        self.span.as_deref_mut()
    }

    /// What tells that its agent has cancelled it, if that can be told; given once.
    pub(super) fn take_cancelled(&mut self) -> Option<oneshot::Receiver<()>> {
        self.id.as_mut().and_then(OpenId::take_cancelled)
    }

    /// Its id, for who holds it on.
    pub(super) fn take_id(&mut self) -> Option<OpenId> {
        self.id.take()
    }

    /// Whether the server's answer must be seen though nobody waits for it: the request is in flight until then.
    pub(super) fn must_be_answered(&self) -> bool {
        self.id.is_some() || self.in_flight_until().is_some()
    }

    /// Until when the call is in flight at most, if that counts.
    pub(super) fn in_flight_until(&self) -> Option<Instant> {
        self.held.iter().filter_map(Held::in_flight_until).max()
    }

    /// What it holds, for who holds it on.
    pub(super) fn take_out(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held).into_vec()
    }

    /// The time on the clock that its moments are of.
    pub(super) fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// The call, if it is one.
    pub(super) fn call(&self) -> Option<&Counted> {
        self.call.as_ref()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.progress.sent() == Sent::No {
            for held in self.held.drain(..) {
                // Only a call by itself answers one.
                match self.round.take() {
                    Some(round) => self.shared.rounds().open(round, held.landed()),
                    None => held.give_back(&self.shared.limiter),
                }
            }
            if let Some(question) = self.question.take() {
                question.put_back();
            }
        }
    }
}

impl Shared {
    /// Takes what the calls of a message need, records every decision, and says whether the message may go on. If one call is
    /// refused, none passes, and the others are recorded as refused for what refused it. The message has one span, which tells
    /// of the call that is refused, or of the first.
    ///
    /// # Errors
    /// Which call is refused, and why. What the others took is returned.
    pub(super) fn take(
        self: &Arc<Self>,
        route: &Route,
        calls: &[Decided],
        facts: &Facts,
        mut span: Option<Box<Span>>,
    ) -> Result<Box<Taken>, Refused> {
        let now = self.clock.now();
        let mut taken = Taken::nothing(self);
        let is_refused = |call: &Decided| call.verdict.outcome() != Outcome::Allow;
        let mut refused = calls.iter().position(is_refused).map(|number| (number, calls[number].verdict.clone()));
        let mut slots = SmallVec::<[_; 1]>::new();
        for (number, call) in calls.iter().enumerate() {
            let acquired = if refused.is_none() { Some(call.verdict.demands.acquire(now)) } else { None };
            let slot = self.audit.reserve(&facts.entry(route, call));
            match acquired.map(|acquired| self.reserve(call, acquired?, &slot, now)) {
                None => {}
                Some(Ok((held, round))) => {
                    taken.held.push(held);
                    taken.round = round;
                }
                Some(Err(verdict)) => refused = Some((number, verdict)),
            }
            slots.push(slot.ok());
        }
        let permitted = refused.is_none();
        let told = refused.as_ref().map_or(0, |(number, _)| *number);
        for ((number, call), slot) in calls.iter().enumerate().zip(slots) {
            let mut shadow = call.verdict.shadow.clone();
            if let (true, Some(held)) = (permitted, taken.held.get_mut(number)) {
                call.verdict.demands.record_shadows(&self.limiter, now, held, &mut shadow);
            }
            // A call that is refused for itself says so; another, why the message is.
            let because = refused.as_ref().filter(|_| !is_refused(call)).map(|(_, verdict)| verdict);
            let verdict = because.unwrap_or(&call.verdict);
            let tool = self.tool_metrics(route, call, facts.method());
            let decision = facts.decision(route, verdict, &shadow, self.clock.now());
            self.record_call(&tool, verdict, &decision);
            if let Some(span) = span.as_mut().filter(|_| number == told) {
                facts.describe(span, route, (calls.len() == 1).then(|| call.target()), &decision);
            }
            if let Some(slot) = slot {
                slot.write(&decision);
            }
            if permitted {
                taken.call = Some(Counted { tool, received: facts.received() });
            }
        }
        match refused {
            None => {
                taken.span = span;
                Ok(taken)
            }
            Some((number, verdict)) => Err(Refused { number, verdict: Box::new(verdict) }),
        }
    }

    /// Reserves the quota of a call that has its permits, if the audit log has a place for it. A call that answers what the server asked
    /// in an earlier round takes the place of that round's, which stays open with its quota if the call is refused; gives the round.
    fn reserve(
        &self,
        call: &Decided,
        mut held: Held,
        slot: &Result<Slot, Full>,
        now: Instant,
    ) -> Result<(Held, Option<Round>), Verdict> {
        if slot.is_err() {
            return Err(Verdict::refusal(Reason::AuditUnavailable));
        }
        let earlier = call.again.round.and_then(|round| Some((round, self.rounds().take(round)?)));
        let round = earlier.as_ref().map(|(round, _)| *round);
        if let Some((_, charged)) = earlier {
            held = held.in_place_of(charged);
        }
        if let Err(verdict) = call.verdict.demands.reserve(&self.limiter, now, &mut held) {
            if let Some(round) = round {
                self.rounds().open(round, held.landed());
            }
            return Err(verdict);
        }
        self.keeper.changed();
        Ok((held, round))
    }
}

impl Decided {
    /// What is called.
    pub(super) fn target(&self) -> Target<'_> {
        self.kind.target(&self.name)
    }
}
