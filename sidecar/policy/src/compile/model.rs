//! What policies become: rules and limits in the form that a decision reads.
//!
//! Everything here is made once by [`super::draft`] and never changes. Texts that appear in verdicts are shared, so that a
//! decision copies no strings.

use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::{Action, Listing, Mode, Policy, RiskSelector, Scope, ServerRequests};

use crate::catalogue::Risk;
use crate::expr::Expression;
use crate::json::Name;
use crate::limit::Units;
use crate::limit::concurrency::Gate;

/// What part a policy plays in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Cannot grant; its denies win and its constraints apply.
    Boundary,
    /// An McpPolicy.
    Namespaced,
    /// Governs only where no enforcing McpPolicy does, and is then treated like one.
    Baseline,
}

impl Role {
    /// Whether policies of this role can grant a call.
    pub(crate) fn decides(self) -> bool {
        self != Self::Boundary
    }
}

/// What a policy says of calls that no rule selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// Permitted, if every other policy that decides agrees.
    Allow,
    /// Refused.
    Deny,
    /// Left to the other policies (Boundary only).
    Pass,
}

/// A policy that governs, without its rules.
#[derive(Debug)]
pub(crate) struct CompiledPolicy {
    /// `namespace/name`, or the name alone of a cluster-wide one: its own rule pointer.
    pub(crate) key: Arc<str>,
    /// The object, unless it could not be read.
    pub(crate) object: Option<Arc<Policy>>,
    pub(crate) role: Role,
    pub(crate) mode: Mode,
    pub(crate) fallback: Fallback,
    pub(crate) server_requests: ServerRequests,
    pub(crate) config_max_age: Option<Duration>,
    pub(crate) audited_arguments: Vec<Arc<str>>,
    /// Why it does not compile; empty if it does.
    pub(crate) errors: Vec<String>,
}

/// An expression and the pointer of the part that it is.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) expression: Expression,
    pub(crate) pointer: Arc<str>,
    /// The paths into the arguments that it reads.
    pub(crate) reads: Vec<Arc<[Name]>>,
}

/// A rule of a policy that compiles.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its number among the ruleset's policies.
    pub(crate) policy: u32,
    pub(crate) name: Arc<str>,
    pub(crate) pointer: Arc<str>,
    pub(crate) action: Action,
    /// Audit if the rule or its policy is.
    pub(crate) mode: Mode,
    pub(crate) risk: Option<RiskSelector>,
    pub(crate) when: Option<Located>,
    pub(crate) require: Vec<Requirement>,
    /// The pointer to name where arguments must match the tool's schema.
    pub(crate) validate_arguments: Option<Arc<str>>,
    /// In the order of their counters' names.
    pub(crate) limits: Vec<Arc<Limit>>,
    pub(crate) concurrency: Option<(Arc<Concurrency>, Gate)>,
    pub(crate) approval: Option<Approval>,
    pub(crate) listing: Listing,
    pub(crate) message: Option<Arc<str>>,
}

/// An expression that must be true.
#[derive(Debug)]
pub(crate) struct Requirement {
    pub(crate) condition: Located,
    /// What the agent reads if it is not: the author's words, or the expression.
    pub(crate) message: Arc<str>,
}

/// One limit of one rule.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) pointer: Arc<str>,
    /// Its number among the counters of the ruleset.
    pub(crate) counter: u32,
    pub(crate) max: Units,
    pub(crate) cost: Option<Located>,
    /// The pointer of `key`, where there is one.
    pub(crate) key: Option<Located>,
    pub(crate) scope: Scope,
    pub(crate) window: Duration,
    /// What the agent reads: the rule's own message.
    pub(crate) message: Option<Arc<str>>,
}

/// A bound on calls in flight.
#[derive(Debug)]
pub(crate) struct Concurrency {
    pub(crate) pointer: Arc<str>,
    pub(crate) max: u32,
    pub(crate) held_at_most: Duration,
    pub(crate) message: Option<Arc<str>>,
}

/// How an approval is held.
#[derive(Debug)]
pub(crate) struct Approval {
    pub(crate) pointer: Arc<str>,
    pub(crate) expires_after: Duration,
}

/// Whether a rule that matches a tool's name selects it, its risk considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// It does, and may grant if its action grants.
    Selects,
    /// It does, because the tool's risk is unknown; it binds and cannot grant.
    Binds,
    /// It does not.
    Passes,
}

impl Rule {
    /// Whether the rule's action can grant a call.
    pub(crate) fn grants(&self) -> bool {
        matches!(self.action, Action::Allow | Action::RequireApproval)
    }

    /// Every expression of the rule, with the part that it is.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Located> {
        let requirements = self.require.iter().map(|requirement| &requirement.condition);
        let limits = self.limits.iter().flat_map(|limit| limit.cost.iter().chain(&limit.key));
        self.when.iter().chain(requirements).chain(limits)
    }

    /// Whether the rule, whose patterns match a tool, selects it. A tool of unknown risk is selected by every action but
    /// Allow.
    pub(crate) fn selects(&self, risk: Option<&Risk>) -> Selection {
        let Some(wanted) = &self.risk else { return Selection::Selects };
        match risk {
            None if self.action == Action::Allow => Selection::Passes,
            None => Selection::Binds,
            Some(risk) if matches(wanted, risk) => Selection::Selects,
            Some(_) => Selection::Passes,
        }
    }
}

fn matches(wanted: &RiskSelector, risk: &Risk) -> bool {
    let category =
        wanted.categories.is_empty() || wanted.categories.iter().any(|category| risk.categories.contains(category));
    category && wanted.min_severity.is_none_or(|least| risk.severity >= least)
}
