//! The conditions of objects: their types, the reasons that the operator gives, and how one replaces another.
//!
//! The reasons are those that Events and the documentation use as well, so they stand here once.

use std::fmt;

use crate::v1alpha1::Condition;

/// Declares an enum whose values are single CamelCase words, written as they are spelled.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $word:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $word),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => stringify!($word)),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The conditions of a policy.
    PolicyCondition {
        /// The policy compiles.
        Accepted,
        /// Every pod that the policy governs enforces this generation of it.
        Programmed,
        /// No limit of it is counted apart in several pods.
        LimitsExact,
    }
}

words! {
    /// Why a condition of a policy is as it is.
    PolicyReason {
        /// Accepted is True: it compiles.
        Accepted,
        /// Accepted is False: it can be read, and does not compile. Every call of the pods it governs is refused if it is enforced.
        Invalid,
        /// Accepted is False: what is stored cannot be read, as another version stored it.
        Unreadable,
        /// Programmed is True: every counted sidecar has acknowledged this generation.
        Programmed,
        /// Programmed is False: a sidecar still runs an older generation.
        Reconciling,
        /// Programmed is False: a pod should have a sidecar and has none.
        UnprotectedPods,
        /// Programmed is False: a sidecar that runs an older generation has not been heard of for a while.
        NotConnected,
        /// Programmed is False: a sidecar cannot read or compile it.
        SidecarRefused,
        /// Programmed is False: a sidecar would have to be sent more than can be sent.
        ConfigurationTooLarge,
        /// Programmed is False: the policy is not accepted.
        PolicyInvalid,
        /// Programmed is Unknown: no pod is governed.
        NoPods,
        /// LimitsExact is True.
        Exact,
        /// LimitsExact is False: a limit whose scope spans pods is counted in each of them apart.
        CountedPerPod,
    }
}

words! {
    /// The conditions of a server.
    ServerCondition {
        /// The server can be given to sidecars.
        Accepted,
        /// Its sidecars have the Secrets and ConfigMaps that it names.
        ResolvedRefs,
    }
}

words! {
    /// Why a condition of a server is as it is.
    ServerReason {
        /// Accepted is True.
        Accepted,
        /// Accepted is False: what it says cannot be used.
        Invalid,
        /// ResolvedRefs is True.
        Resolved,
        /// ResolvedRefs is Unknown: a sidecar that is given the server has not said yet what it found, or none is given it.
        NotReported,
        /// ResolvedRefs is False: a Secret or ConfigMap that it names does not exist.
        SecretMissing,
        /// ResolvedRefs is False: a Secret or ConfigMap that it names lacks the key.
        KeyMissing,
        /// ResolvedRefs is False: a certificate or key that it names cannot be used.
        CertificateInvalid,
        /// ResolvedRefs is False: a running pod lacks what it names, and gets it when it is restarted.
        RestartNeeded,
    }
}

/// Puts a condition in place of the one of its type, or adds it. While its status stays the same, so does the time of the last
/// transition. Says whether anything else than that time changed: if not, nothing is worth writing.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition) -> bool {
    let Some(present) = conditions.iter_mut().find(|present| present.kind == condition.kind) else {
        conditions.push(condition);
        return true;
    };
    if present.status == condition.status {
        condition.last_transition_time.clone_from(&present.last_transition_time);
    }
    let changes = *present != condition;
    *present = condition;
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1alpha1::ConditionStatus;

    fn condition(kind: PolicyCondition, status: ConditionStatus, time: &str) -> Condition {
        Condition {
            kind: kind.as_str().into(),
            status,
            observed_generation: 1,
            last_transition_time: time.into(),
            reason: "Programmed".into(),
            message: String::new(),
        }
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_is_the_same() {
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, condition(PolicyCondition::Programmed, ConditionStatus::True, "1")));
        assert!(!set_condition(&mut conditions, condition(PolicyCondition::Programmed, ConditionStatus::True, "2")));
        assert_eq!(conditions[0].last_transition_time, "1");

        let mut other_words = condition(PolicyCondition::Programmed, ConditionStatus::True, "3");
        other_words.message = "other words".into();
        assert!(set_condition(&mut conditions, other_words));
        assert_eq!(conditions[0].last_transition_time, "1");

        assert!(set_condition(&mut conditions, condition(PolicyCondition::Programmed, ConditionStatus::False, "4")));
        assert_eq!(conditions[0].last_transition_time, "4");
    }

    #[test]
    fn each_type_of_condition_stands_once() {
        let mut conditions = Vec::new();
        for time in ["1", "2"] {
            set_condition(&mut conditions, condition(PolicyCondition::Accepted, ConditionStatus::True, time));
            set_condition(&mut conditions, condition(PolicyCondition::Programmed, ConditionStatus::False, time));
        }
        let kinds: Vec<_> = conditions.iter().map(|condition| condition.kind.as_str()).collect();
        assert_eq!(kinds, ["Accepted", "Programmed"]);
    }

    #[test]
    fn words_are_written_as_they_are_spelled() {
        assert_eq!(PolicyReason::UnprotectedPods.to_string(), "UnprotectedPods");
        assert_eq!(PolicyCondition::ALL.len(), 3);
        assert!(ServerReason::ALL.contains(&ServerReason::RestartNeeded));
    }
}
