//! The engine alone: what is done with one call, without a network.
//!
//! The same operations are timed by criterion (`benches/engine.rs`) and counted by valgrind ([`count`]), which gives the
//! same number again and again.

pub mod bare;
pub mod count;
pub mod visitor;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use reeve_crds::v1alpha1::Mode;
use reeve_policy::compile::{Ruleset, Source, compile};
use reeve_policy::decide::{Call, Subject, Target, Verdict};
use reeve_policy::expr::{Expression, Purpose, Variables};
use reeve_policy::json::{Document, Limits, Value};
use reeve_policy::limit::{Capacity, Limiter};
use reeve_policy::load;
use reeve_policy::reason::Reason;
use reeve_policy::time::{Instant, WallTime};
use reeve_sidecar::clock::Clock;
use reeve_sidecar::metrics::{Metrics, ServerMetrics};

use crate::load::USUAL;
use crate::policies;
use crate::server::TOOL;

/// What can be done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// The body is read by a visitor of serde that looks at every value and keeps none: what Reeve's parser is held to.
    Visit,
    /// The body becomes a tree of `serde_json::Value`.
    Tree,
    /// The body is parsed strictly, to a tape.
    Parse,
    /// A parsed call is decided by a rule without an expression.
    Decide,
    /// The same, and the limit is reserved.
    Take,
    /// A parsed call is decided by a rule with an expression.
    DecideWithExpression,
    /// The expression alone, as Reeve evaluates it.
    Expression,
    /// The expression alone, by the bare evaluator over a lazy view of a tree of `serde_json::Value`.
    BareExpression,
    /// The hash of the arguments, for the audit log.
    Hash,
    /// A permitted call is counted, from its decision to the end of its answer: all that metrics cost a call.
    Count,
}

/// Everything that an operation needs.
pub struct Engine {
    body: Bytes,
    document: Document,
    plain: Ruleset,
    full: Ruleset,
    limiter: Limiter,
    subject: Subject,
    expression: Expression,
    bare: bare::Bare,
    counted: Counted,
}

/// What counts calls, and the decision that is counted.
struct Counted {
    metrics: Arc<Metrics>,
    server: Arc<ServerMetrics>,
    decided: Verdict,
}

impl Engine {
    /// With this many rules.
    ///
    /// # Panics
    /// If the policy of the benchmarks has mistakes.
    pub fn new(rules: usize) -> Self {
        let body = Bytes::from(USUAL.body());
        let limiter = Limiter::new(Capacity::default());
        let subject = Subject { server: "bench".into(), service_account: "agent".into(), ..Subject::default() };
        let compiled = |yaml: String| {
            let policies = load::policies("policy.yaml", yaml.as_bytes()).expect("the policy is well formed");
            let sources: Vec<_> = policies.into_iter().map(|policy| Source::Readable(Arc::new(policy.value))).collect();
            compile(&sources, &subject, &limiter)
        };
        let mut engine = Self {
            document: parse(body.clone()),
            plain: compiled(policies::without_expression(rules)),
            full: compiled(policies::yaml(rules)),
            expression: Expression::compile(policies::EXPRESSION, Purpose::Condition).expect("a valid expression"),
            bare: bare::Bare::new(policies::EXPRESSION, &body),
            body,
            subject: subject.clone(),
            limiter,
            counted: Counted::new(),
        };
        engine.counted.decided = engine.decide(&engine.plain);
        engine
    }

    /// Does it once, and says whether it came out as it must.
    pub fn once(&self, operation: Operation) -> bool {
        match operation {
            Operation::Visit => visitor::visit(&self.body) > 0,
            Operation::Tree => serde_json::from_slice::<serde_json::Value>(&self.body).is_ok(),
            Operation::Parse => parse(self.body.clone()).root().len() == 4,
            Operation::Decide => !self.decide(&self.plain).demands.is_empty(),
            Operation::Take => self.take(&self.decide(&self.plain)),
            Operation::DecideWithExpression => !self.decide(&self.full).demands.is_empty(),
            Operation::Expression => self.expression.condition(&self.variables()) == Ok(true),
            Operation::BareExpression => self.bare.holds(),
            Operation::Hash => self.arguments().map(reeve_policy::json::hash).is_some(),
            Operation::Count => self.counted.count(),
        }
    }

    fn arguments(&self) -> Option<Value<'_>> {
        self.document.root().get("params")?.get("arguments")
    }

    fn decide(&self, ruleset: &Ruleset) -> Verdict {
        let target = Target::Tool(TOOL);
        ruleset.decide(&Call { target, arguments: self.arguments(), session: None, tool: None, now: WallTime(0) })
    }

    fn take(&self, verdict: &Verdict) -> bool {
        let now = Instant(1_000_000_000_000);
        let held = verdict.demands.acquire(now);
        held.is_ok_and(|mut held| verdict.demands.reserve(&self.limiter, now, &mut held).is_ok())
    }

    fn variables(&self) -> Variables<'_> {
        let args = self.arguments();
        Variables { args, name: TOOL, tool: None, subject: &self.subject, session: None, now: WallTime(0) }
    }
}

impl Counted {
    fn new() -> Self {
        let metrics = Metrics::new(Clock::system()).expect("metrics that Prometheus accepts");
        Self { server: metrics.server("bench"), metrics, decided: Verdict::refusal(Reason::NoPolicy) }
    }

    /// Does what the proxy does of each call. The times are read there whether they are counted or not.
    fn count(&self) -> bool {
        let tool = self.server.known(TOOL);
        let in_flight = self.server.in_flight();
        tool.decided(self.decided.reason, self.decided.pointer.as_ref(), Mode::Enforce);
        self.metrics.decided_within(Duration::from_micros(4));
        tool.took(Duration::from_micros(50));
        drop(in_flight);
        self.decided.reason == Reason::AllowedByRule
    }
}

fn parse(body: Bytes) -> Document {
    Document::parse(body, Limits::default()).expect("strict JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_comes_out_as_it_must() {
        let engine = Engine::new(10);
        for operation in Operation::value_variants() {
            assert!(engine.once(*operation), "{operation:?}");
        }
    }
}
