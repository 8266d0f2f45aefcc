//! A call under a ruleset → a verdict: the steps of "How they combine" and "A call, in order", as pure functions.
//!
//! ```text
//! Call ──► plan (rules that select it) ──► combine (Deny, Boundary, grant) ──► arguments (ambiguity, schema, requirements)
//!                                                                                 │
//!          Verdict ◄── approvals ◄── demands (costs, keys; permits and quota to take) ◄──┘
//! ```
//!
//! Nothing here counts or waits: what a permitted call must still take is in [`Demands`], which the proxy takes in order.

mod approval;
mod arguments;
mod combine;
mod demands;
mod explain;
mod foresee;
mod listing;
mod plan;
mod sentence;
mod server_requests;
mod shadow;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::Tool;
use crate::compile::Ruleset;
use crate::glob::is_canonical_uri;
use crate::json::Value;
use crate::reason::{Outcome, Reason};
use crate::time::WallTime;

pub use self::approval::{ApprovalRequest, Approvals, NoApprovals};
pub use self::demands::{Demands, Held};
pub use self::explain::{Explanation, PolicyExplained, RuleExplained, ShadowExplained, State};
pub use self::foresee::Foreseen;
pub(crate) use self::plan::Plans;
pub use self::server_requests::ServerRequest;
pub(crate) use self::server_requests::ServerRequestTable;

use self::combine::{Authority, Grant, Granted, Otherwise};

/// Who calls, and which server: the same for every call that a ruleset decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The server's name.
    pub server: String,
    /// The namespace of the pod; `default` standalone.
    pub namespace: String,
    /// The pod's ServiceAccount; standalone the name of the grant.
    pub service_account: String,
    /// The pod's name; standalone the host's.
    pub pod: String,
    /// The pod's labels.
    pub labels: BTreeMap<String, String>,
}

impl Subject {
    /// The identity that calls are charged to, `namespace/name`.
    pub fn grant(&self) -> String {
        format!("{}/{}", self.namespace, self.service_account)
    }
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `tools/call`, by name.
    Tool(&'a str),
    /// `resources/read` and its kin, by URI.
    Resource(&'a str),
    /// `prompts/get` and its kin, by name.
    Prompt(&'a str),
}

impl<'a> Target<'a> {
    /// The name or URI.
    pub fn name(self) -> &'a str {
        match self {
            Self::Tool(name) | Self::Resource(name) | Self::Prompt(name) => name,
        }
    }

    /// What kind of thing it is, in a word.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Tool(_) => "tool",
            Self::Resource(_) => "resource",
            Self::Prompt(_) => "prompt",
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What is called.
    pub target: Target<'a>,
    /// Its arguments (for a resource, the request's `params`).
    pub arguments: Option<Value<'a>>,
    /// The session, where there is one.
    pub session: Option<&'a str>,
    /// What is known of the tool.
    pub tool: Option<&'a Arc<Tool>>,
    /// The time, for expressions.
    pub now: WallTime,
}

/// What a ruleset says of a call, before anything that is counted.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// The rule that decided, `namespace/policy#rule/part`, or the policy alone, or nothing (`NoPolicy`). Taken apart by
    /// [`crate::compile::pointer::split`].
    pub pointer: Option<Arc<str>>,
    /// What to tell the agent beyond the reason: the author's own message, or what would pass. Never a value of the call.
    pub message: Option<Arc<str>>,
    /// Of a call that is limited: when it would pass, as things stand; none if that cannot be told or never will be.
    pub retry_after: Option<Duration>,
    /// Of an allowed call: what it must still take. Empty for a refusal.
    pub demands: Demands,
    /// What Audit policies and rules say of the call.
    pub shadow: Vec<Shadow>,
}

impl Verdict {
    /// A refusal that no policy made, such as `NoConfiguration`.
    pub fn refusal(reason: Reason) -> Self {
        Self::bare(reason)
    }

    fn permitted(grant: Grant, demands: Demands) -> Self {
        let Grant { reason, pointer } = grant;
        Self { reason, pointer, message: None, retry_after: None, demands, shadow: Vec::new() }
    }

    fn bare(reason: Reason) -> Self {
        Refusal { reason, pointer: None, message: None }.into()
    }

    /// What happens to the call.
    pub fn outcome(&self) -> Outcome {
        self.reason.outcome()
    }
}

/// What one Audit policy or rule says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// What it would have decided, alone, and why.
    pub reason: Reason,
    /// The rule or policy.
    pub pointer: Arc<str>,
}

/// Why a call is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) pointer: Option<Arc<str>>,
    pub(crate) message: Option<Arc<str>>,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, pointer: &Arc<str>, message: Option<Arc<str>>) -> Self {
        Self { reason, pointer: Some(Arc::clone(pointer)), message }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason,
            pointer: refusal.pointer,
            message: refusal.message,
            retry_after: None,
            demands: Demands::default(),
            shadow: Vec::new(),
        }
    }
}

impl Ruleset {
    /// Decides a call where nobody can approve anything: see [`Ruleset::decide_with`].
    pub fn decide(&self, call: &Call<'_>) -> Verdict {
        self.decide_with(call, &NoApprovals)
    }

    /// Decides a call: every step before anything that is counted.
    pub fn decide_with(&self, call: &Call<'_>, approvals: &dyn Approvals) -> Verdict {
        if let Some(refusal) = self.refuses_all() {
            return refusal.into();
        }
        if let Target::Resource(uri) = call.target
            && !is_canonical_uri(uri)
        {
            return self.uri_not_canonical();
        }
        let plan = self.plan(call.target, call.tool.map(|tool| &tool.risk));
        let examined = self.examine(call, &plan);
        let mut verdict = match self.judge(&plan.enforced, self.authority(), &examined, approvals) {
            Ok(Granted { grant, demands }) => Verdict::permitted(grant, demands),
            Err(refusal) => refusal.into(),
        };
        self.shadow(&plan, &examined, &mut verdict);
        verdict
    }

    /// The refusal of every call, where an enforcing policy does not compile.
    pub(crate) fn refuses_all(&self) -> Option<Refusal> {
        let policy = &self.policies[self.roles.invalid? as usize];
        let message = format!("policy {} has errors, and until they are mended nothing is permitted", policy.key);
        Some(Refusal::new(Reason::PolicyInvalid, &policy.key, Some(message.into())))
    }

    /// Rules select resources by URI, so none can be trusted to select one that is not in canonical form.
    fn uri_not_canonical(&self) -> Verdict {
        let reason = Reason::UriNotCanonical;
        let first = self.roles.deciders.iter().chain(&self.roles.boundaries).min();
        let mut verdict: Verdict = match first {
            Some(&policy) => Refusal::new(reason, &self.policies[policy as usize].key, None).into(),
            None if self.roles.observed => Verdict::bare(Reason::AuditOnly),
            None => Verdict::bare(Reason::NoPolicy),
        };
        let audits = self.roles.audits.iter().map(|&policy| Arc::clone(&self.policies[policy as usize].key));
        verdict.shadow = audits.map(|pointer| Shadow { reason, pointer }).collect();
        verdict
    }

    /// The enforcing policies, as those who decide.
    fn authority(&self) -> Authority<'_> {
        let otherwise = if self.roles.observed { Otherwise::AuditOnly } else { Otherwise::NoPolicy };
        Authority { deciders: &self.roles.deciders, strict: &self.roles.strict, otherwise }
    }
}
