//! Policies → [`Ruleset`]: everything that can be known before a call, computed once.
//!
//! ```text
//! Policy ──► draft (checks, parses patterns, compiles expressions) ──► assemble (numbers rules, resolves counters) ──► Ruleset
//!              └──► Problems, all at once: what `check` tells
//! ```
//!
//! Rules are numbered in the order of their pointers, so that the smallest number is the rule to name.

mod assemble;
mod draft;
mod drafts;
pub mod govern;
mod hints;
pub(crate) mod index;
mod limit;
pub(crate) mod model;
pub mod pointer;
mod problems;
mod rule;
mod scope;
mod spellings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use reeve_crds::v1alpha1::{Mode, Policy, Scope};

use crate::catalogue::Catalogue;
use crate::decide::{Plans, ServerRequestTable, Subject};
use crate::expr;
use crate::limit::{Counter, Limiter, Units};

pub use self::drafts::Drafts;
use self::index::Index;
use self::model::{CompiledPolicy, Rule};
pub use self::problems::{Problem, Severity};

/// The policies that govern one server for one pod, compiled.
#[derive(Debug)]
pub struct Ruleset {
    pub(crate) subject: Subject,
    /// The policies that take part, by key.
    pub(crate) policies: Vec<CompiledPolicy>,
    /// Baselines that yield to an enforcing McpPolicy, by key.
    yielding: Vec<Arc<str>>,
    /// Every rule of the policies that compile, in the order of pointers.
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) counters: Vec<ResolvedCounter>,
    pub(crate) roles: Roles,
    pub(crate) keys: ScopeKeys,
    pub(crate) plans: Plans,
    pub(crate) server_requests: ServerRequestTable,
    audited_arguments: Vec<Arc<str>>,
}

/// Which policies play which part, by number, in the order of keys.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// The first enforcing policy that does not compile: every call is denied.
    pub(crate) invalid: Option<u32>,
    /// The enforcing McpPolicies and Baselines.
    pub(crate) deciders: Vec<u32>,
    /// The enforcing Boundaries with `default: Deny`.
    pub(crate) strict: Vec<u32>,
    /// The enforcing Boundaries.
    pub(crate) boundaries: Vec<u32>,
    /// The Audit policies that compile.
    pub(crate) audits: Vec<u32>,
    /// Whether an Audit McpPolicy or Baseline governs, compiled or not.
    pub(crate) observed: bool,
}

/// The values of the scopes that are the same for every call.
#[derive(Debug)]
pub(crate) struct ScopeKeys {
    pub(crate) grant: Arc<str>,
    pub(crate) pod: Arc<str>,
    /// What calls without a session count as. Has a space, which no session id can have.
    pub(crate) no_session: Arc<str>,
    pub(crate) policy: Arc<str>,
}

/// A counter and its handle in the limiter.
#[derive(Debug)]
pub(crate) struct ResolvedCounter {
    pub(crate) name: Arc<str>,
    pub(crate) shadow: bool,
    pub(crate) handle: Counter,
}

/// A policy as it reaches the compiler.
#[derive(Clone, Debug)]
pub enum Source {
    /// One that could be read.
    Readable(Arc<Policy>),
    /// One that could not: it governs, and so every call is denied (`PolicyInvalid`) if it is to be enforced.
    Unreadable {
        /// What could be read of it: whom it governs, its mode and tier. What could not selects everything and is enforced.
        scope: Arc<Policy>,
        /// Why the rest could not be read.
        error: String,
    },
}

impl Source {
    /// The policy, or what could be read of it: what [`govern::governs`] judges.
    pub fn policy(&self) -> &Arc<Policy> {
        match self {
            Self::Readable(policy) | Self::Unreadable { scope: policy, .. } => policy,
        }
    }
}

/// Everything that the schema cannot say of one policy, in the order of its parts.
pub fn check(policy: &Policy, catalogue: Option<&Catalogue>) -> Vec<Problem> {
    Drafts::default().check(&Arc::new(policy.clone()), catalogue)
}

/// Compiles the policies that govern. One that does not compile denies every call if it is to be enforced, and binds
/// nothing if it is in Audit; [`Ruleset::invalid_policies`] says why.
pub fn compile(sources: &[Source], subject: &Subject, limiter: &Limiter) -> Ruleset {
    expr::compiling(|| assemble::assemble(sources, subject, limiter))
}

/// A policy that takes part, for inspection.
#[derive(Clone, Copy, Debug)]
pub struct PolicyInfo<'a> {
    /// `namespace/name`, or the name alone of a cluster-wide one.
    pub key: &'a Arc<str>,
    /// The object, unless it could not be read.
    pub object: Option<&'a Arc<Policy>>,
    /// Whether it is enforced.
    pub mode: Mode,
    /// Why it does not compile; empty if it does.
    pub errors: &'a [String],
}

impl PolicyInfo<'_> {
    /// Counts the changes of the policy; unset for one from a file.
    pub fn generation(&self) -> Option<i64> {
        self.object.and_then(|object| object.metadata().generation)
    }
}

/// A limit, for inspection and metrics.
#[derive(Clone, Copy, Debug)]
pub struct LimitInfo<'a> {
    /// The policy's key.
    pub policy: &'a Arc<str>,
    /// The rule's name.
    pub rule: &'a Arc<str>,
    /// The limit's pointer.
    pub pointer: &'a Arc<str>,
    /// The counter's name.
    pub counter: &'a Arc<str>,
    /// The length of the sliding window.
    pub window: Duration,
    /// The most units in the window.
    pub max: Units,
    /// What is counted together.
    pub scope: Scope,
    /// Whether the limit is only tried (Audit), and counts apart.
    pub shadow: bool,
    /// Where it counts.
    pub handle: &'a Counter,
}

impl Ruleset {
    /// Who calls, and which server.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The policies that take part, by key.
    pub fn policies(&self) -> impl Iterator<Item = PolicyInfo<'_>> {
        self.policies.iter().map(|policy| PolicyInfo {
            key: &policy.key,
            object: policy.object.as_ref(),
            mode: policy.mode,
            errors: &policy.errors,
        })
    }

    /// The generation of the policy with this key; none for one from a file.
    pub fn generation(&self, key: &str) -> Option<i64> {
        let number = self.policies.binary_search_by(|policy| (*policy.key).cmp(key)).ok()?;
        self.policies[number].object.as_ref().and_then(|object| object.metadata().generation)
    }

    /// Baselines that govern nothing here because an enforcing McpPolicy does, by key.
    pub fn yielding_policies(&self) -> &[Arc<str>] {
        &self.yielding
    }

    /// The policies that do not compile.
    pub fn invalid_policies(&self) -> impl Iterator<Item = PolicyInfo<'_>> {
        self.policies().filter(|policy| !policy.errors.is_empty())
    }

    /// The tools that policies name exactly, in no order: those that may become a label of a metric.
    pub fn named_tools(&self) -> impl Iterator<Item = &Arc<str>> {
        self.index.named_tools()
    }

    /// How long a configuration holds without word from the operator, by the strictest enforcing Boundary, and that one's key.
    pub fn max_config_age(&self) -> Option<(Duration, &Arc<str>)> {
        let boundaries = self.roles.boundaries.iter().map(|&number| &self.policies[number as usize]);
        boundaries.filter_map(|policy| Some((policy.config_max_age?, &policy.key))).min()
    }

    /// The top-level arguments whose values the audit log may hold: those that any of the policies opts in to.
    pub fn audited_arguments(&self) -> &[Arc<str>] {
        &self.audited_arguments
    }

    /// Every limit of every rule, in the order of pointers.
    pub fn limits(&self) -> impl Iterator<Item = LimitInfo<'_>> {
        self.rules.iter().flat_map(|rule| {
            rule.limits.iter().map(|limit| {
                let counter = &self.counters[limit.counter as usize];
                LimitInfo {
                    policy: &self.policies[rule.policy as usize].key,
                    rule: &rule.name,
                    pointer: &limit.pointer,
                    counter: &counter.name,
                    window: limit.window,
                    max: limit.max,
                    scope: limit.scope,
                    shadow: counter.shadow,
                    handle: &counter.handle,
                }
            })
        })
    }
}
