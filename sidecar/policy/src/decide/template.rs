//! Resource templates (RFC 6570): what is decided of all the URIs that one may stand for.

use reeve_crds::v1alpha1::Mode;

use super::combine::Authority;
use super::listing::Judged;
use super::{Call, Demands, Shadow, Target, Verdict};
use crate::compile::Ruleset;
use crate::glob::may_begin_canonical_uri;
use crate::time::WallTime;

/// The rules that may select a resource of a template, in the order of their pointers.
pub(super) struct Reaching<'r> {
    /// Those that bind.
    pub(super) enforced: Vec<Judged<'r>>,
    /// Those in Audit, or of a policy in Audit.
    audited: Vec<Judged<'r>>,
}

impl Ruleset {
    /// Decides a request that names a resource, or a template of some, without having any (`completion/complete`). A resource
    /// is decided as a call of it; a template is permitted if some resource may be that it stands for, and takes nothing, as
    /// it cannot be known of which one limits would count.
    pub fn decide_reference(&self, uri: &str, session: Option<&str>, now: WallTime) -> Verdict {
        if !uri.contains('{') {
            return self.decide(&Call { target: Target::Resource(uri), arguments: None, session, tool: None, now });
        }
        if let Some(refusal) = self.refuses_all() {
            return refusal.into();
        }
        let Some(reaching) = self.reaching(uri) else { return self.uri_not_canonical() };
        let mut verdict = match self.outlook(&reaching.enforced, self.authority()) {
            Ok(grant) => Verdict::permitted(grant, Demands::default()),
            Err(refusal) => refusal.into(),
        };
        verdict.shadow = self.shadows(reaching.audited);
        verdict
    }

    /// The rules that may select a resource whose URI begins as a template does; none of what is no template, or one whose
    /// URIs no rule can select because they are not canonical.
    pub(super) fn reaching(&self, template: &str) -> Option<Reaching<'_>> {
        let (prefix, _) = template.split_once('{').filter(|(prefix, _)| may_begin_canonical_uri(prefix))?;
        let judge = |(number, reach)| self.rules[number as usize].judge_all(reach);
        let judged = self.index.resources_under(prefix).map(judge);
        let (enforced, audited) = judged.partition(|judged| judged.rule.mode == Mode::Enforce);
        Some(Reaching { enforced, audited })
    }

    /// What each Audit policy would decide, and each Audit rule of another.
    fn shadows(&self, audited: Vec<Judged<'_>>) -> Vec<Shadow> {
        let (by_policy, by_rule): (Vec<_>, Vec<_>) =
            audited.into_iter().partition(|judged| self.is_audited(judged.rule.policy));
        let policies = self.roles.audits.iter().map(|policy| {
            let own: Vec<_> = by_policy.iter().filter(|judged| judged.rule.policy == *policy).copied().collect();
            self.outlook(&own, self.alone(policy))
        });
        let rules = by_rule.chunk_by(|one, other| std::ptr::eq(one.rule, other.rule));
        let rules = rules.map(|rule| self.outlook(rule, Authority::NOBODY));
        policies.chain(rules).filter_map(Shadow::of).collect()
    }
}
