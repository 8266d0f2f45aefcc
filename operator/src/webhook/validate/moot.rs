//! Rules that grant what a Boundary refuses all the same.
//!
//! Only what is certain is told: of tools, prompts and resources as their patterns say, and of Boundaries that no selector of
//! theirs keeps from any call of the policy. And only where the rule is written: an API server need not prove to a webhook that it
//! is one, so that what is answered of a Boundary could be had by any pod, and policies of a namespace are for who may read them.

use reeve_crds::v1alpha1::{
    Action, ClusterDefault, ClusterMcpPolicySpec, McpPolicySpec, Mode, Object, Policy, Rule, Tier,
};
use reeve_policy::compile::Source;
use reeve_policy::glob::{Dialect, Pattern};

use super::Findings;
use crate::world::World;

/// Warns of each rule of a policy that a Boundary of the cluster makes moot.
pub(super) fn in_policy(object: &Object<McpPolicySpec>, world: &World, findings: &mut Findings) {
    let boundaries: Vec<_> = world.cluster_policies().filter_map(|view| as_boundary(&view.source)).collect();
    for (number, rule) in object.spec.rules.iter().enumerate().filter(|(_, rule)| grants(rule)) {
        let by = boundaries.iter().find_map(|boundary| {
            let why = if binds(&boundary.spec, object, world) { refuses(&boundary.spec, rule) } else { None };
            Some((boundary.metadata.name.as_str(), why?))
        });
        if let Some((boundary, why)) = by {
            let message = format!("rule {} grants nothing: the Boundary {boundary} refuses it, {why}", rule.name);
            findings.warn(&format!("spec.rules[{number}]"), message);
        }
    }
}

fn as_boundary(source: &Source) -> Option<&Object<ClusterMcpPolicySpec>> {
    let Source::Readable(policy) = source else { return None };
    match &**policy {
        Policy::ClusterMcpPolicy(object) if object.spec.tier == Tier::Boundary && object.spec.mode == Mode::Enforce => {
            Some(object)
        }
        _ => None,
    }
}

/// Whether a rule could grant.
fn grants(rule: &Rule) -> bool {
    matches!(rule.action, Action::Allow | Action::RequireApproval) && is_enforced(rule)
}

fn is_enforced(rule: &Rule) -> bool {
    rule.mode != Some(Mode::Audit)
}

/// Whether a Boundary binds every call that a policy governs.
fn binds(boundary: &ClusterMcpPolicySpec, policy: &Object<McpPolicySpec>, world: &World) -> bool {
    let namespace = policy.metadata.namespace.as_deref().unwrap_or("default");
    let labels = world.namespace(namespace).map(|namespace| &namespace.labels);
    labels.is_some_and(|labels| boundary.namespace_selector.matches(labels))
        && boundary.pod_selector.is_empty()
        && boundary.service_accounts.is_none()
        && boundary.server_urls.is_none()
}

/// Why a Boundary refuses whatever a rule selects, if it does.
fn refuses(boundary: &ClusterMcpPolicySpec, rule: &Rule) -> Option<String> {
    let enforced = || boundary.rules.iter().filter(|rule| is_enforced(rule));
    let denies = |of: &&Rule| of.action == Action::Deny && of.when.is_none() && of.risk.is_none() && covers(of, rule);
    if let Some(denying) = enforced().find(denies) {
        return Some(format!("by its rule {}", denying.name));
    }
    let permits = |of: &Rule| matches!(of.action, Action::Allow | Action::RequireApproval) && may_meet(of, rule);
    let is_strict = boundary.default == Some(ClusterDefault::Deny);
    (is_strict && !enforced().any(permits)).then(|| "as it has default: Deny and no rule for it".into())
}

/// The patterns of two rules, kind by kind.
fn pairs<'r>(a: &'r Rule, b: &'r Rule) -> [(&'r [String], &'r [String], Dialect); 3] {
    [
        (&a.tools, &b.tools, Dialect::Name),
        (&a.resources, &b.resources, Dialect::Uri),
        (&a.prompts, &b.prompts, Dialect::Name),
    ]
}

/// Whether everything that `rule` selects, `by` selects as well.
fn covers(by: &Rule, rule: &Rule) -> bool {
    pairs(by, rule).into_iter().all(|(outer, inner, dialect)| {
        inner.iter().all(|inner| outer.iter().any(|outer| is_within(inner, outer, dialect)))
    })
}

/// Whether everything that one pattern matches, another does. A `*` of the inner can only be matched by a `*` of the outer, and
/// that matches whatever the inner's stands for. In URIs a `*` may stand for less than a `**`, so those must be equal, or exact.
fn is_within(inner: &str, outer: &str, dialect: Dialect) -> bool {
    let comparable = dialect == Dialect::Name || !inner.contains('*');
    inner == outer || (comparable && Pattern::parse(outer, dialect).is_ok_and(|outer| outer.matches(inner)))
}

/// Whether there may be a call that both rules select. Two globs may always meet.
fn may_meet(a: &Rule, b: &Rule) -> bool {
    pairs(a, b).into_iter().any(|(ours, theirs, dialect)| {
        ours.iter().any(|ours| {
            theirs.iter().any(|theirs| {
                (ours.contains('*') && theirs.contains('*'))
                    || is_within(ours, theirs, dialect)
                    || is_within(theirs, ours, dialect)
            })
        })
    })
}
