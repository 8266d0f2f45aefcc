//! What Audit policies and rules say of a call. Nothing here changes what happens to it.
//!
//! An Audit policy decides as if it were the only one; an Audit rule of an enforcing policy, as if it were the only rule. So
//! each says what it would refuse or grant by itself, however many are tried at once.

use std::sync::Arc;

use super::approval::NoApprovals;
use super::arguments::Examined;
use super::combine::{Authority, Granted, Otherwise};
use super::plan::{Plan, Selected};
use super::{Shadow, Verdict};
use crate::compile::Ruleset;
use crate::compile::model::Fallback;
use crate::reason::{Outcome, Reason};

impl Ruleset {
    /// Adds to a verdict what Audit policies and rules say, and what they would have a permitted call take.
    pub(super) fn shadow(&self, plan: &Plan, examined: &Examined<'_>, verdict: &mut Verdict) {
        for &policy in &self.roles.audits {
            let numbers = [policy];
            let audited = &self.policies[policy as usize];
            let decides = audited.role.decides();
            let strict = !decides && audited.fallback == Fallback::Deny;
            let authority = Authority {
                deciders: if decides { &numbers } else { &[] },
                strict: if strict { &numbers } else { &[] },
                otherwise: Otherwise::AuditOnly,
            };
            self.try_out(self.audited_by(plan, policy), authority, examined, verdict);
        }
        let alone = Authority { deciders: &[], strict: &[], otherwise: Otherwise::AuditOnly };
        for selected in &plan.audited {
            let policy = self.rules[selected.rule as usize].policy;
            if self.roles.audits.binary_search(&policy).is_err() {
                self.try_out(std::slice::from_ref(selected), alone, examined, verdict);
            }
        }
    }

    /// The audited rules of one policy: they stand together, as rules are numbered policy by policy.
    fn audited_by<'p>(&self, plan: &'p Plan, policy: u32) -> &'p [Selected] {
        let owner = |selected: &Selected| self.rules[selected.rule as usize].policy;
        let from = plan.audited.partition_point(|selected| owner(selected) < policy);
        let to = plan.audited.partition_point(|selected| owner(selected) <= policy);
        &plan.audited[from..to]
    }

    fn try_out(&self, rules: &[Selected], authority: Authority<'_>, examined: &Examined<'_>, verdict: &mut Verdict) {
        match self.judge(rules, authority, examined, &NoApprovals) {
            Err(refusal) => {
                let reason = refusal.reason;
                verdict.shadow.extend(refusal.pointer.map(|pointer| Shadow { reason, pointer }));
            }
            Ok(Granted { reason, pointer, demands }) => {
                let reason = if reason == Reason::AuditOnly { Reason::AllowedByRule } else { reason };
                verdict.shadow.extend(pointer.map(|pointer| Shadow { reason, pointer: Arc::clone(&pointer) }));
                if verdict.outcome() == Outcome::Allow {
                    verdict.demands.add_shadow(demands);
                }
            }
        }
    }
}
