//! Requests that name a resource template are decided by what it may stand for.

use super::world::{World, brief, imaging, policy};
use crate::decide::Verdict;
use crate::reason::{Outcome, Reason};
use crate::time::WallTime;

const TEMPLATE: &str = "test://template/{id}/data";

impl World {
    fn reference(&self, uri: &str) -> Verdict {
        self.ruleset.decide_reference(uri, None, WallTime(0))
    }
}

#[test]
fn a_template_is_permitted_if_some_resource_may_be_that_it_stands_for() {
    for (rules, expected) in [
        (
            "{name: all, resources: ['test://template/**'], action: Allow}",
            (Reason::AllowedByRule, "clinic/imaging#all"),
        ),
        (
            "{name: one, resources: ['test://template/7/data'], action: Allow}",
            (Reason::AllowedByRule, "clinic/imaging#one"),
        ),
        ("{name: other, resources: ['test://other/**'], action: Allow}", (Reason::NoRule, "clinic/imaging")),
        ("", (Reason::NoRule, "clinic/imaging")),
        (
            "{name: all, resources: ['test://**'], action: Allow}
             {name: closed, resources: ['test://template/**'], action: Deny}",
            (Reason::DeniedByRule, "clinic/imaging#closed"),
        ),
        (
            "{name: all, resources: ['test://**'], action: Allow}
             {name: closed, resources: ['test://template/7/**'], action: Deny}",
            (Reason::AllowedByRule, "clinic/imaging#all"),
        ),
    ] {
        let world = World::with_rules(rules);
        let verdict = world.reference(TEMPLATE);
        assert_eq!(brief(&verdict), expected, "{rules}");
        assert_eq!(verdict.outcome() == Outcome::Allow, world.ruleset.lists_template(TEMPLATE), "{rules}");
    }
}

#[test]
fn a_template_is_decided_by_every_policy_that_governs() {
    let open = imaging("default: Allow", "");
    let strict = policy("ClusterMcpPolicy", "guard", "tier: Boundary\ndefault: Deny", "");
    for (policies, expected) in [
        (open.clone(), (Reason::AllowedByDefault, "clinic/imaging")),
        (open + &strict, (Reason::DeniedByBoundary, "guard")),
        (imaging("mode: Audit", ""), (Reason::AuditOnly, "")),
        (String::new(), (Reason::NoPolicy, "")),
    ] {
        assert_eq!(brief(&World::new(&policies).reference(TEMPLATE)), expected, "{policies}");
    }
}

#[test]
fn what_is_tried_out_says_of_a_template_what_it_would_decide() {
    let world = World::new(
        &(imaging(
            "",
            "{name: all, resources: ['test://**'], action: Allow}
             {name: tried, resources: ['test://template/**'], action: Deny, mode: Audit}",
        ) + &policy("McpPolicy", "observed", "serverRefs: [{name: aws}]\nmode: Audit", "")),
    );
    let verdict = world.reference(TEMPLATE);
    assert_eq!(verdict.reason, Reason::AllowedByRule);
    let shadow: Vec<_> = verdict.shadow.iter().map(|shadow| (shadow.reason, &*shadow.pointer)).collect();
    assert_eq!(shadow, [(Reason::NoRule, "clinic/observed"), (Reason::DeniedByRule, "clinic/imaging#tried")]);
}

#[test]
fn a_template_takes_no_quota_and_a_resource_does() {
    let limited = "{name: all, resources: ['test://**'], action: Allow, limits: [{counter: c, window: 1m, max: 0}]}";
    let world = World::with_rules(limited);
    for (uri, passes) in [(TEMPLATE, true), ("test://static", false)] {
        let verdict = world.reference(uri);
        assert_eq!(verdict.outcome(), Outcome::Allow);
        let mut held = verdict.demands.acquire(world.now).unwrap();
        assert_eq!(verdict.demands.reserve(&world.limiter, world.now, &mut held).is_ok(), passes, "{uri}");
    }
}

#[test]
fn a_template_whose_uris_no_rule_can_select_is_refused_and_not_listed() {
    let world = World::with_rules("{name: all, resources: ['file:///docs/**', 'https://**'], action: Allow}");
    for (template, reason) in [
        ("file:///docs/../etc/{name}", Reason::UriNotCanonical),
        ("file:///docs//{name}", Reason::UriNotCanonical),
        ("FILE:///docs/{name}", Reason::UriNotCanonical),
        ("file:///docs/%2e%2e/{name}", Reason::UriNotCanonical),
        ("file:///docs/.{name}", Reason::AllowedByRule),
        ("https://{host}/a", Reason::AllowedByRule),
        ("{+uri}", Reason::AllowedByRule),
    ] {
        assert_eq!(world.reference(template).reason, reason, "{template}");
        assert_eq!(world.ruleset.lists_template(template), reason == Reason::AllowedByRule, "{template}");
    }
}
