//! Whether a server may send a request to the agent: `serverRequests`, decided once when the policies are compiled.
//!
//! Any explicit Deny of an enforcing policy wins, of a Boundary too; else any explicit Allow of the policies that decide;
//! else it is allowed only if every one of those has `default: Allow`.

use std::sync::Arc;

use reeve_crds::v1alpha1::{Permission, ServerRequests};

use super::{Refusal, Shadow, Verdict};
use crate::compile::model::{CompiledPolicy, Fallback};
use crate::compile::{Roles, Ruleset};
use crate::reason::Reason;

/// A request that a server may send to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerRequest {
    /// `sampling/createMessage`: the server asks the agent's model to write.
    Sampling,
    /// `elicitation/create`: the server asks the agent's user.
    Elicitation,
    /// `roots/list`: the server asks for the agent's folders.
    Roots,
}

impl ServerRequest {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Sampling, Self::Elicitation, Self::Roots];

    /// Its field of `serverRequests`, and its word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sampling => "sampling",
            Self::Elicitation => "elicitation",
            Self::Roots => "roots",
        }
    }

    /// The method that asks for it; how the entries of `inputRequests` name theirs too.
    pub fn method(self) -> &'static str {
        match self {
            Self::Sampling => "sampling/createMessage",
            Self::Elicitation => "elicitation/create",
            Self::Roots => "roots/list",
        }
    }

    /// The request that this method is.
    pub fn of(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|request| request.method() == method)
    }

    fn permission(self, requests: &ServerRequests) -> Option<Permission> {
        match self {
            Self::Sampling => requests.sampling,
            Self::Elicitation => requests.elicitation,
            Self::Roots => requests.roots,
        }
    }
}

/// The answer for each kind.
#[derive(Debug)]
pub(crate) struct ServerRequestTable {
    answers: [Answer; 3],
}

#[derive(Debug)]
struct Answer {
    reason: Reason,
    pointer: Option<Arc<str>>,
    shadow: Vec<Shadow>,
}

impl ServerRequestTable {
    pub(crate) fn new(policies: &[CompiledPolicy], roles: &Roles) -> Self {
        Self { answers: ServerRequest::ALL.map(|request| answer(request, policies, roles)) }
    }
}

impl Ruleset {
    /// Whether the server may send this request to the agent: allowed, or refused as `ServerRequestDenied`, `NoPolicy` or
    /// `PolicyInvalid`.
    pub fn server_request(&self, request: ServerRequest) -> Verdict {
        if let Some(refusal) = self.refuses_all() {
            return refusal.into();
        }
        let Answer { reason, pointer, shadow } = &self.server_requests.answers[request as usize];
        let refusal = Refusal { reason: *reason, pointer: pointer.clone(), message: None };
        Verdict { shadow: shadow.clone(), ..refusal.into() }
    }
}

fn answer(request: ServerRequest, policies: &[CompiledPolicy], roles: &Roles) -> Answer {
    let deciders = || roles.deciders.iter().map(|&number| &policies[number as usize]);
    let mut enforcing: Vec<_> = roles.deciders.iter().chain(&roles.boundaries).copied().collect();
    enforcing.sort_unstable();
    let mut enforcing = enforcing.into_iter().map(|number| &policies[number as usize]);
    let says =
        |permission| move |policy: &&CompiledPolicy| request.permission(&policy.server_requests) == Some(permission);

    let key = |policy: &CompiledPolicy| Some(Arc::clone(&policy.key));
    let (reason, pointer) = if let Some(policy) = enforcing.find(says(Permission::Deny)) {
        (Reason::ServerRequestDenied, key(policy))
    } else if let Some(policy) = deciders().find(says(Permission::Allow)) {
        (Reason::AllowedByRule, key(policy))
    } else if let Some(policy) = deciders().find(|policy| policy.fallback != Fallback::Allow) {
        (Reason::ServerRequestDenied, key(policy))
    } else if let Some(policy) = deciders().next() {
        (Reason::AllowedByDefault, key(policy))
    } else if roles.observed {
        (Reason::AuditOnly, None)
    } else {
        (Reason::NoPolicy, None)
    };
    let audits = roles.audits.iter().map(|&number| &policies[number as usize]);
    let shadow = audits.filter_map(|policy| alone(request, policy)).collect();
    Answer { reason, pointer, shadow }
}

/// What an Audit policy says by itself; nothing for a Boundary that does not deny.
fn alone(request: ServerRequest, policy: &CompiledPolicy) -> Option<Shadow> {
    let reason = match (request.permission(&policy.server_requests), policy.fallback) {
        (Some(Permission::Deny), _) => Reason::ServerRequestDenied,
        _ if !policy.role.decides() => return None,
        (Some(Permission::Allow), _) => Reason::AllowedByRule,
        (None, Fallback::Allow) => Reason::AllowedByDefault,
        (None, _) => Reason::ServerRequestDenied,
    };
    Some(Shadow { reason, pointer: Arc::clone(&policy.key) })
}
