//! The problems found in one policy, gathered so that all are told at once.

/// Something wrong, or likely wrong, in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// JSON pointer into the policy object, such as `/spec/rules/2/require/0/expression`.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether the policy is refused for it.
    pub severity: Severity,
}

/// Whether a problem refuses the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// Legal, but likely not what was meant.
    Warning,
}

/// Collects problems.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    /// Notes what refuses the policy.
    pub(super) fn error(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.list.push(Problem { pointer: pointer.into(), message: message.into(), severity: Severity::Error });
    }

    /// Notes what is legal, but likely not what was meant.
    pub(super) fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.list.push(Problem { pointer: pointer.into(), message: message.into(), severity: Severity::Warning });
    }

    /// What a fallible step gave; its error is noted.
    pub(super) fn take<T, E: ToString>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.error(pointer, error.to_string())).ok()
    }

    /// Everything noted, in the order of discovery.
    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
