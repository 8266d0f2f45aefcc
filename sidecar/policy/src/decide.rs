//! A call under a ruleset → a verdict: the steps of "How they combine" and "A call, in order", as pure functions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::{Catalogue, Tool};
use crate::compile::Ruleset;
use crate::json::Value;
use crate::limit::{Charge, Exceeded};
use crate::reason::{Outcome, Reason};
use crate::time::WallTime;

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
    /// The rule that decided, `namespace/policy#rule/part`, or the policy alone, or nothing (`NoPolicy`).
    pub pointer: Option<Arc<str>>,
    /// What to tell the agent beyond the reason: the rule's own message, or what would pass.
    pub message: Option<String>,
    /// Of an allowed call: what it must still take. Empty for a refusal.
    pub demands: Demands,
    /// What Audit rules would have done.
    pub shadow: Vec<Shadow>,
    /// The top-level arguments whose values the audit log may hold.
    pub audited_arguments: Vec<Arc<str>>,
}

impl Verdict {
    /// What happens to the call.
    pub fn outcome(&self) -> Outcome {
        self.reason.outcome()
    }
}

/// What an allowed call must still take: approvals, permits and quota. `E` designs the inside.
#[derive(Clone, Debug, Default)]
pub struct Demands {}

impl Demands {
    /// The charges to reserve, in the order of rule pointers.
    pub fn charges(&self) -> Vec<Charge<'_>> {
        todo!()
    }

    /// The verdict on a call whose reservation was refused: names the smallest rule pointer and says when to retry.
    pub fn exceeded(&self, exceeded: &Exceeded, retry_after: Option<Duration>) -> Verdict {
        let _ = (exceeded, retry_after);
        todo!()
    }
}

/// What one Audit rule or policy would have done.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// Why it would have been refused.
    pub reason: Reason,
    /// The rule.
    pub pointer: Arc<str>,
}

impl Ruleset {
    /// Decides a call: the steps before anything that is counted.
    pub fn decide(&self, call: &Call<'_>) -> Verdict {
        let _ = call;
        todo!()
    }

    /// Whether a tool (resource, prompt) is listed: left out if every call of it would be denied.
    pub fn lists(&self, target: Target<'_>, catalogue: &Catalogue) -> bool {
        let _ = (target, catalogue);
        todo!()
    }
}
