//! Where approvals plug in: rules ask, somebody answers.

use std::sync::Arc;
use std::time::Duration;

use super::arguments::Examined;
use super::demands::Demands;
use super::plan::Selected;
use super::{Call, Refusal};
use crate::compile::Ruleset;
use crate::reason::Reason;

/// What a rule asks a person to approve.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalRequest<'a> {
    /// The rule that asks.
    pub pointer: &'a Arc<str>,
    /// The call. An approval binds to its grant, server, target and arguments, never to less.
    pub call: &'a Call<'a>,
    /// How long the request, and an approval that is not used, stays open.
    pub expires_after: Duration,
}

/// Knows what has been approved. Asked once for each rule that needs it; what [`Demands::approvals`] lists is consumed
/// after quota was reserved, just before the call is forwarded.
pub trait Approvals {
    /// Whether an approval that is not yet used covers exactly this call under this rule.
    fn approved(&self, request: &ApprovalRequest<'_>) -> bool;
}

/// Nothing is ever approved.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApprovals;

impl Approvals for NoApprovals {
    fn approved(&self, _: &ApprovalRequest<'_>) -> bool {
        false
    }
}

impl Ruleset {
    /// Whether every rule that applies and needs an approval has one; those are noted, to be consumed.
    pub(super) fn approve(
        &self,
        applied: &[Selected],
        examined: &Examined<'_>,
        approvals: &dyn Approvals,
        demands: &mut Demands,
    ) -> Result<(), Refusal> {
        for rule in applied.iter().map(|selected| &self.rules[selected.rule as usize]) {
            let Some(approval) = &rule.approval else { continue };
            let request =
                ApprovalRequest { pointer: &rule.pointer, call: examined.call, expires_after: approval.expires_after };
            if !approvals.approved(&request) {
                return Err(Refusal::new(Reason::ApprovalRequired, &approval.pointer, rule.message.clone()));
            }
            demands.use_approval(&rule.pointer);
        }
        Ok(())
    }
}
