//! Steps 2 to 4 of how policies combine: what applies, what denies, who grants. The order of rules never matters.

use std::borrow::Cow;
use std::sync::Arc;

use reeve_crds::v1alpha1::Action;

use super::Refusal;
use super::approval::Approvals;
use super::arguments::Examined;
use super::demands::Demands;
use super::plan::Selected;
use crate::compile::Ruleset;
use crate::compile::model::{Fallback, Rule};
use crate::reason::Reason;

/// Who decides: the enforcing policies, or an Audit policy alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority<'r> {
    /// Numbers of the policies that can grant.
    pub(super) deciders: &'r [u32],
    /// Numbers of the Boundaries with `default: Deny`.
    pub(super) strict: &'r [u32],
    /// What holds where there are no deciders.
    pub(super) otherwise: Otherwise,
}

impl Authority<'_> {
    /// Nobody: what is tried out by a rule of its own.
    pub(super) const NOBODY: Self = Self { deciders: &[], strict: &[], otherwise: Otherwise::AuditOnly };
}

/// What becomes of a call that nobody can grant and nothing denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Denied: no policy governs.
    NoPolicy,
    /// Permitted: only Audit policies govern.
    AuditOnly,
}

/// A permitted call.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) demands: Demands,
}

/// Who grants: a rule, a policy by its default, or nobody where only Audit policies govern.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) reason: Reason,
    pub(super) pointer: Option<Arc<str>>,
}

/// What combining gave for a call that nothing denies.
struct Combined<'p> {
    grant: Grant,
    applied: Cow<'p, [Selected]>,
}

impl Ruleset {
    /// Decides by these rules, all of which select the call, and these policies.
    pub(super) fn judge(
        &self,
        selected: &[Selected],
        authority: Authority<'_>,
        examined: &Examined<'_>,
        approvals: &dyn Approvals,
    ) -> Result<Granted, Refusal> {
        let Combined { grant, applied } = self.combine(selected, authority, examined)?;
        self.check_arguments(&applied, examined)?;
        let mut demands = self.demands(&applied, examined)?;
        self.approve(&applied, examined, approvals, &mut demands)?;
        Ok(Granted { grant, demands })
    }

    fn combine<'p>(
        &self,
        selected: &'p [Selected],
        authority: Authority<'_>,
        examined: &Examined<'_>,
    ) -> Result<Combined<'p>, Refusal> {
        let (applied, fault) = self.applied(selected, examined);
        let rule = |selected: &Selected| &self.rules[selected.rule as usize];
        if let Some(deny) = applied.iter().map(rule).find(|rule| rule.action == Action::Deny) {
            return Err(Refusal::new(Reason::DeniedByRule, &deny.pointer, deny.message.clone()));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let lets_through =
            |policy: u32| applied.iter().any(|selected| selected.grants && rule(selected).policy == policy);
        if let Some(&boundary) = authority.strict.iter().find(|boundary| !lets_through(**boundary)) {
            return Err(Refusal::new(Reason::DeniedByBoundary, &self.policies[boundary as usize].key, None));
        }
        let grant = self.grant(selected, &applied, authority)?;
        Ok(Combined { grant, applied })
    }

    /// The rules that apply, and the refusal by the first whose condition cannot be evaluated.
    fn applied<'p>(&self, selected: &'p [Selected], examined: &Examined<'_>) -> (Cow<'p, [Selected]>, Option<Refusal>) {
        let conditional = |selected: &Selected| self.rules[selected.rule as usize].when.is_some();
        if !selected.iter().any(conditional) {
            return (Cow::Borrowed(selected), None);
        }
        let mut applied = Vec::with_capacity(selected.len());
        let mut fault = None;
        for selected in selected {
            match examined.applies(&self.rules[selected.rule as usize]) {
                Ok(true) => applied.push(*selected),
                Ok(false) => {}
                Err(refusal) => {
                    fault.get_or_insert(refusal);
                }
            }
        }
        (Cow::Owned(applied), fault)
    }

    /// Step 4: who grants.
    fn grant(&self, selected: &[Selected], applied: &[Selected], authority: Authority<'_>) -> Result<Grant, Refusal> {
        let rule = |selected: &Selected| &self.rules[selected.rule as usize];
        let mut granting = applied.iter().filter(|selected| selected.grants).map(rule);
        let granting = granting.find(|rule| self.decides(rule)).map(|rule| &rule.pointer);
        self.settle(authority, granting, || selected.iter().map(rule).any(|rule| rule.grants() && self.decides(rule)))
    }

    /// Step 4, given the rule that grants, if one does. `claimed`: whether a rule that may grant selects the call.
    pub(super) fn settle(
        &self,
        authority: Authority<'_>,
        granting: Option<&Arc<str>>,
        claimed: impl FnOnce() -> bool,
    ) -> Result<Grant, Refusal> {
        let granting = granting.map(Arc::clone);
        if authority.deciders.is_empty() {
            return match authority.otherwise {
                Otherwise::AuditOnly => Ok(Grant { reason: Reason::AuditOnly, pointer: granting }),
                Otherwise::NoPolicy => Err(Refusal { reason: Reason::NoPolicy, pointer: None, message: None }),
            };
        }
        if granting.is_some() {
            return Ok(Grant { reason: Reason::AllowedByRule, pointer: granting });
        }
        let mut deciders = authority.deciders.iter().map(|&policy| &self.policies[policy as usize]);
        let refuses = deciders.clone().find(|policy| policy.fallback != Fallback::Allow);
        let first = deciders.next();
        let pointer = refuses.or(first).map(|policy| Arc::clone(&policy.key));
        if refuses.is_some() || claimed() {
            return Err(Refusal { reason: Reason::NoRule, pointer, message: None });
        }
        Ok(Grant { reason: Reason::AllowedByDefault, pointer })
    }

    /// Whether a rule is one of a policy that decides, which Boundaries do not.
    pub(super) fn decides(&self, rule: &Rule) -> bool {
        self.policies[rule.policy as usize].role.decides()
    }
}
