//! Rule pointers, `namespace/policy#rule/part`: how refusals, metrics and the audit log name what decided.
//!
//! They are made once, when a policy is compiled, and shared. Where several decide alike the smallest is named: by policy,
//! then by rule, then by part (requirements in their order, limits by the name of their counter).

use std::fmt::Display;
use std::sync::Arc;

/// The words of a rule pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parts<'a> {
    /// The policy's key: `namespace/name`, or the name alone of a cluster-wide policy.
    pub policy: &'a str,
    /// The rule's name, unless the policy as a whole decided.
    pub rule: Option<&'a str>,
    /// What of the rule decided, such as `limits/export_rate`, unless the rule as a whole did.
    pub part: Option<&'a str>,
}

/// Takes a rule pointer apart.
pub fn split(pointer: &str) -> Parts<'_> {
    let Some((policy, rest)) = pointer.split_once('#') else {
        return Parts { policy: pointer, rule: None, part: None };
    };
    match rest.split_once('/') {
        Some((rule, part)) => Parts { policy, rule: Some(rule), part: Some(part) },
        None => Parts { policy, rule: Some(rest), part: None },
    }
}

/// The policy that a rule pointer is of.
pub fn policy(pointer: &str) -> &str {
    pointer.split_once('#').map_or(pointer, |(policy, _)| policy)
}

/// The pointer of a rule.
pub(crate) fn rule(policy: &str, rule: &str) -> Arc<str> {
    format!("{policy}#{rule}").into()
}

/// The pointer of a part of a rule.
pub(crate) fn part(rule: &str, kind: &str, which: impl Display) -> Arc<str> {
    format!("{rule}/{kind}/{which}").into()
}

/// The pointer of a part that a rule has only one of.
pub(crate) fn only_part(rule: &str, kind: &str) -> Arc<str> {
    format!("{rule}/{kind}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_comes_apart_into_policy_rule_and_part() {
        let whole = rule("clinic/imaging", "export-rate");
        assert_eq!(split(&whole), Parts { policy: "clinic/imaging", rule: Some("export-rate"), part: None });
        let limit = part(&whole, "limits", "export_rate");
        assert_eq!(&*limit, "clinic/imaging#export-rate/limits/export_rate");
        assert_eq!(split(&limit).part, Some("limits/export_rate"));
        assert_eq!(split(&only_part(&whole, "when")).part, Some("when"));
        assert_eq!((policy(&limit), policy("clinic/imaging")), ("clinic/imaging", "clinic/imaging"));
        assert_eq!(split("clinic/imaging"), Parts { policy: "clinic/imaging", rule: None, part: None });
    }
}
