//! What Audit policies and rules say of a call. Nothing here changes what happens to it.
//!
//! An Audit policy decides as if it were the only one; an Audit rule of an enforcing policy, as if it were the only rule. So
//! each says what it would refuse or grant by itself, however many are tried at once.

use super::approval::NoApprovals;
use super::arguments::Examined;
use super::combine::{Authority, Grant, Granted};
use super::plan::{Plan, Selected};
use super::{Refusal, Shadow, Verdict};
use crate::compile::Ruleset;
use crate::compile::model::Fallback;
use crate::reason::{Outcome, Reason};

impl Ruleset {
    /// Adds to a verdict what Audit policies and rules say, and what they would have a permitted call take.
    pub(super) fn shadow(&self, plan: &Plan, examined: &Examined<'_>, verdict: &mut Verdict) {
        for policy in &self.roles.audits {
            self.try_out(self.audited_by(plan, *policy), self.alone(policy), examined, verdict);
        }
        for selected in &plan.audited {
            if !self.is_audited(self.rules[selected.rule as usize].policy) {
                self.try_out(std::slice::from_ref(selected), Authority::NOBODY, examined, verdict);
            }
        }
    }

    /// An Audit policy, as if it were the only one.
    pub(super) fn alone<'r>(&self, policy: &'r u32) -> Authority<'r> {
        let audited = &self.policies[*policy as usize];
        let decides = audited.role.decides();
        let strict = !decides && audited.fallback == Fallback::Deny;
        let itself = std::slice::from_ref(policy);
        Authority {
            deciders: if decides { itself } else { &[] },
            strict: if strict { itself } else { &[] },
            ..Authority::NOBODY
        }
    }

    /// Whether a policy is in Audit mode.
    pub(super) fn is_audited(&self, policy: u32) -> bool {
        self.roles.audits.binary_search(&policy).is_ok()
    }

    /// The audited rules of one policy: they stand together, as rules are numbered policy by policy.
    pub(super) fn audited_by<'p>(&self, plan: &'p Plan, policy: u32) -> &'p [Selected] {
        let owner = |selected: &Selected| self.rules[selected.rule as usize].policy;
        let from = plan.audited.partition_point(|selected| owner(selected) < policy);
        let to = plan.audited.partition_point(|selected| owner(selected) <= policy);
        &plan.audited[from..to]
    }

    fn try_out(&self, rules: &[Selected], authority: Authority<'_>, examined: &Examined<'_>, verdict: &mut Verdict) {
        match self.judge(rules, authority, examined, &NoApprovals) {
            Err(refusal) => verdict.shadow.extend(Shadow::of(Err(refusal))),
            Ok(Granted { grant, demands }) => {
                let told = Shadow::of(Ok(grant)).map(|permits| {
                    verdict.shadow.push(permits);
                    verdict.shadow.len() - 1
                });
                if verdict.outcome() == Outcome::Allow {
                    verdict.demands.add_shadow(demands, told);
                }
            }
        }
    }
}

impl Shadow {
    /// What is recorded of what a policy or rule would have decided; nothing if it has nothing to say.
    pub(super) fn of(decided: Result<Grant, Refusal>) -> Option<Self> {
        let (reason, pointer) = match decided {
            Ok(Grant { reason: Reason::AuditOnly, pointer }) => (Reason::AllowedByRule, pointer),
            Ok(Grant { reason, pointer }) => (reason, pointer),
            Err(refusal) => (refusal.reason, refusal.pointer),
        };
        pointer.map(|pointer| Self { reason, pointer })
    }
}
