//! The rules that select a target, worked out once for each tool that is known.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use reeve_crds::v1alpha1::Mode;

use super::Target;
use crate::catalogue::Risk;
use crate::compile::Ruleset;
use crate::compile::model::Selection;
use crate::json::Name;

/// The most tools whose plans are kept. Twice what a catalogue can hold; policies may name more.
const MOST_PLANS: usize = 8_192;

/// A rule that selects a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    /// The rule's number.
    pub(crate) rule: u32,
    /// Whether it may grant the call. Never for Deny and Constrain, nor where the tool's risk would have to be known.
    pub(crate) grants: bool,
}

/// The rules that select a target, in the order of their pointers.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Those that bind.
    pub(crate) enforced: Vec<Selected>,
    /// Those in Audit, or of a policy in Audit.
    pub(crate) audited: Vec<Selected>,
    /// The paths into the arguments that any of them reads, each once, in order.
    pub(crate) reads: Vec<Arc<[Name]>>,
}

/// Plans of the tools that policies name exactly or a catalogue knows. Others are worked out anew for each call, so that
/// an agent that makes up names fills no memory.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    kept: RwLock<HashMap<Arc<str>, Kept, RandomState>>,
}

/// A plan holds for a name and a risk.
#[derive(Debug)]
struct Kept {
    risk: Option<Risk>,
    plan: Arc<Plan>,
}

impl Ruleset {
    /// The rules that select a target.
    pub(crate) fn plan(&self, target: Target<'_>, risk: Option<&Risk>) -> Arc<Plan> {
        let Target::Tool(name) = target else { return Arc::new(self.work_out(target, None)) };
        if risk.is_none() && !self.index.names_tool(name) {
            return Arc::new(self.work_out(target, None));
        }
        if let Some(kept) = self.plans.kept.read().unwrap_or_else(PoisonError::into_inner).get(name)
            && kept.risk.as_ref() == risk
        {
            return Arc::clone(&kept.plan);
        }
        let plan = Arc::new(self.work_out(target, risk));
        let mut kept = self.plans.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_PLANS {
            kept.clear();
        }
        kept.insert(name.into(), Kept { risk: risk.cloned(), plan: Arc::clone(&plan) });
        plan
    }

    /// The same, worked out anew.
    pub(super) fn work_out(&self, target: Target<'_>, risk: Option<&Risk>) -> Plan {
        let mut plan = Plan::default();
        for number in self.index.matches(target) {
            let rule = &self.rules[number as usize];
            let selection = match target {
                Target::Tool(_) => rule.selects(risk),
                Target::Resource(_) | Target::Prompt(_) => Selection::Selects,
            };
            let grants = match selection {
                Selection::Passes => continue,
                Selection::Binds => false,
                Selection::Selects => rule.grants(),
            };
            let selected = Selected { rule: number, grants };
            if rule.mode == Mode::Audit {
                plan.audited.push(selected);
            } else {
                plan.enforced.push(selected);
            }
            plan.reads.extend(rule.expressions().flat_map(|located| &located.reads).map(Arc::clone));
        }
        plan.reads.sort_unstable();
        plan.reads.dedup();
        plan
    }
}
