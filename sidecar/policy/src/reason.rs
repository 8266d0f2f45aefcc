//! The vocabulary of decisions. The same word appears in refusals, metrics, the audit log, conditions and Events.

use std::fmt;

use serde::Serialize;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Forwarded.
    Allow,
    /// Refused.
    Deny,
    /// Refused for now: a limit or concurrency bound is reached.
    Limited,
    /// Refused until a person approves.
    ApprovalRequired,
}

impl Outcome {
    /// The word used in metrics, the audit log and refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Limited => "limited",
            Self::ApprovalRequired => "approval_required",
        }
    }
}

/// Declares [`Reason`] and, beside each word, the outcome it leads to and what it means: the one table of both, which
/// `docs/refusals.md` shows.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $outcome:ident,)+) => {
        /// Why a call was decided as it was: one CamelCase word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The outcome that this reason leads to.
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome,)+ }
            }

            /// One sentence that says what the reason means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// A rule grants the call.
    AllowedByRule => Allow,
    /// No rule selects the call, and every policy that decides has `default: Allow`.
    AllowedByDefault => Allow,
    /// Only policies in Audit mode govern: the call passes and is recorded.
    AuditOnly => Allow,
    /// No rule grants the call.
    NoRule => Deny,
    /// A Deny rule applies.
    DeniedByRule => Deny,
    /// A Boundary with `default: Deny` has no rule that lets the call through.
    DeniedByBoundary => Deny,
    /// A `require` expression is not true.
    RequirementFailed => Deny,
    /// The arguments do not match the tool's `inputSchema`.
    ArgumentsInvalid => Deny,
    /// The arguments hold what servers read in different ways: a key that differs only in case from one that a rule reads, or a
    /// number of 2^53 or more.
    ArgumentsAmbiguous => Deny,
    /// The resource's URI is not in canonical form.
    UriNotCanonical => Deny,
    /// An expression could not be evaluated on this call.
    ExpressionError => Deny,
    /// The `cost` of the call is not a number of zero or more.
    CostInvalid => Deny,
    /// A rule needs the tool's schema, and nobody has seen it.
    SchemaUnknown => Deny,
    /// A limit is used up.
    LimitExceeded => Limited,
    /// Too many calls are in flight.
    ConcurrencyExceeded => Limited,
    /// The table of counters has no room for another key.
    CounterTableFull => Limited,
    /// A person must approve the call.
    ApprovalRequired => ApprovalRequired,
    /// No policy governs this server.
    NoPolicy => Deny,
    /// A policy that governs does not compile.
    PolicyInvalid => Deny,
    /// The sidecar has not received a configuration.
    NoConfiguration => Deny,
    /// The operator has not been heard of for longer than a Boundary permits (`configMaxAge`).
    ConfigurationStale => Deny,
    /// The audit log cannot take another record.
    AuditUnavailable => Deny,
    /// The server may not send this kind of request to the agent.
    ServerRequestDenied => Deny,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_meaning_and_its_own_word() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| reason.meaning().ends_with('.')));
    }
}
