//! Policies → [`Ruleset`]: everything that can be known before a call, computed once.

use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;

use crate::catalogue::Catalogue;
use crate::decide::Subject;
use crate::limit::Limiter;

/// The policies that govern one server for one pod, compiled. Designed by the engine.
#[derive(Debug)]
pub struct Ruleset {}

/// Something wrong, or likely wrong, in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the policy object, such as `/spec/rules/2/require/0/expression`.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether the policy is refused for it.
    pub severity: Severity,
}

/// Whether a problem refuses the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// Legal, but likely not what was meant.
    Warning,
}

/// Everything that the schema cannot say of one policy.
pub fn check(policy: &Policy, catalogue: Option<&Catalogue>) -> Vec<Problem> {
    let _ = (policy, catalogue);
    todo!()
}

/// A policy as it reaches the compiler.
#[derive(Clone, Debug)]
pub enum Source {
    /// One that could be read.
    Readable(Arc<Policy>),
    /// One that could not: it governs, and so every call is denied (`PolicyInvalid`).
    Unreadable {
        /// Its `namespace/name`.
        key: String,
        /// Why.
        error: String,
    },
}

/// Compiles the policies that govern.
pub fn compile(sources: &[Source], subject: Subject, limiter: &Limiter) -> Ruleset {
    let _ = (sources, subject, limiter);
    todo!()
}
