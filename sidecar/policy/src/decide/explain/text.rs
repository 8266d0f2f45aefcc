//! Explanations as plain lines.

use std::fmt;

use super::{Explanation, State};
use crate::catalogue::Risk;
use crate::compile::model::Selection;
use crate::decide::Refusal;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.kind, self.name, self.decision, self.reason)?;
        if let Some(pointer) = &self.pointer {
            write!(f, " by {pointer}")?;
        }
        writeln!(f, "\n  {}", self.sentence)?;
        writeln!(f, "\npolicies")?;
        for policy in &self.policies {
            writeln!(f, "  {}  {}, {:?}, default {}", policy.policy, policy.part, policy.mode, policy.default)?;
            policy.errors.iter().try_for_each(|error| writeln!(f, "    error: {error}"))?;
        }
        for policy in &self.yielding {
            writeln!(f, "  {policy}  Baseline, governs nothing here because an enforcing McpPolicy does")?;
        }
        if self.policies.is_empty() {
            writeln!(f, "  none governs")?;
        }
        writeln!(f, "\nrules that match")?;
        for rule in &self.rules {
            writeln!(f, "  {}  {:?}, {:?}: {}", rule.pointer, rule.action, rule.mode, rule.state)?;
            rule.why.iter().try_for_each(|why| writeln!(f, "    {why}"))?;
        }
        if self.rules.is_empty() {
            writeln!(f, "  none")?;
        }
        if !self.demands.is_empty() {
            writeln!(f, "\nto pass, the call must still fit")?;
            self.demands.iter().try_for_each(|demand| writeln!(f, "  {demand}"))?;
        }
        if !self.shadow.is_empty() {
            writeln!(f, "\nwhat policies and rules in Audit say")?;
            for shadow in &self.shadow {
                writeln!(f, "  {}: {} ({})", shadow.pointer, shadow.decision, shadow.reason)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSelected => "does not select the call",
            Self::DoesNotApply => "does not apply",
            Self::Applies => "applies",
            Self::Refuses => "applies and refuses the call",
            Self::Fails => "its condition cannot be evaluated",
        })
    }
}

/// What the tool's risk makes of a rule that narrows by risk.
pub(super) fn selection(selection: Selection, risk: Option<&Risk>) -> String {
    let known = match risk {
        Some(risk) => format!("the tool's risk is {risk}"),
        None => "the tool's risk is not known, as no list of tools has been seen".into(),
    };
    let effect = match selection {
        Selection::Selects => "which the rule selects",
        Selection::Binds => "so the rule binds, but cannot grant",
        Selection::Passes => "so the rule does not select it",
    };
    format!("{known}, {effect}")
}

/// Why a rule refuses.
pub(super) fn refusal(refusal: &Refusal) -> String {
    let message = refusal.message.as_deref().unwrap_or(refusal.reason.meaning());
    format!("{}: {message}", refusal.reason)
}
