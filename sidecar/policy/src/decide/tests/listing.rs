//! What lists show: what is left out is denied whatever the call.

use super::world::{World, imaging, policy};
use crate::decide::Target;

const ALLOW_ALL: &str = "{name: all, tools: ['*'], action: Allow}";

impl World {
    fn lists(&self, tool: &str) -> bool {
        self.ruleset.lists(Target::Tool(tool), &self.catalogue)
    }
}

#[test]
fn a_tool_that_no_rule_grants_is_left_out() {
    let world = World::with_rules("{name: reads, tools: ['get_*'], action: Allow}");
    assert!(world.lists("get_datastore"));
    assert!(!world.lists("start_job"));
}

#[test]
fn a_denied_tool_is_left_out_unless_a_rule_says_that_it_is_always_listed() {
    let deny = |listing: &str| format!("{ALLOW_ALL}\n{{name: never, tools: [x], action: Deny{listing}}}");
    assert!(!World::with_rules(&deny("")).lists("x"));
    assert!(World::with_rules(&deny(", listing: Always")).lists("x"));
    let shown = "{name: shown, tools: [z], action: Constrain, listing: Always}";
    assert!(World::with_rules(shown).lists("z"));
    assert!(!World::with_rules("{name: shown, tools: [z], action: Allow, mode: Audit, listing: Always}").lists("z"));
}

#[test]
fn what_a_boundary_denies_is_left_out_whatever_another_policy_says() {
    let shown = imaging("", "{name: all, tools: ['*'], action: Allow, listing: Always}");
    let denies = policy("ClusterMcpPolicy", "guard", "tier: Boundary", "{name: never, tools: [x], action: Deny}");
    let strict =
        policy("ClusterMcpPolicy", "guard", "tier: Boundary\ndefault: Deny", "{name: z, tools: [z], action: Allow}");
    for guard in [denies, strict] {
        let world = World::new(&(guard + &shown));
        assert!(!world.lists("x"));
        assert!(world.lists("z"));
    }
}

#[test]
fn a_tool_whose_rules_depend_on_the_call_is_listed() {
    for rule in [
        "{name: r, tools: ['*'], when: args.amount < 5, action: Allow}",
        "{name: r, tools: ['*'], when: 'now > timestamp(\"2030-01-01T00:00:00Z\")', action: Allow}",
        "{name: r, tools: ['*'], action: RequireApproval}",
        "{name: r, tools: ['*'], action: Allow, limits: [{counter: c, window: 1m, max: 0}]}",
        "{name: r, tools: ['*'], action: Allow, require: [{expression: args.amount < 5}]}",
    ] {
        assert!(World::with_rules(rule).lists("start_job"), "{rule}");
    }
}

#[test]
fn a_condition_on_the_tool_alone_is_decided_at_once() {
    let world = World::with_rules("{name: r, tools: ['*'], when: 'tool.name == \"a\"', action: Allow}");
    assert!(world.lists("a"));
    assert!(!world.lists("b"));
    let never =
        World::with_rules("{name: r, tools: ['*'], action: Allow, require: [{expression: 'server == \"other\"'}]}");
    assert!(!never.lists("a"));
}

#[test]
fn a_tool_whose_schema_cannot_be_used_is_left_out_where_arguments_must_match_it() {
    let world = World::with_rules("{name: r, tools: ['*'], action: Allow, validateArguments: true}");
    assert!(!world.lists("broken_tool"));
    assert!(world.lists("get_datastore"));
}

#[test]
fn everything_is_listed_where_only_audit_policies_govern_and_nothing_where_none_does() {
    assert!(World::new(&imaging("mode: Audit", "")).lists("x"));
    assert!(!World::new("").lists("x"));
}

#[test]
fn resources_and_prompts_are_listed_by_the_same_decision() {
    let world = World::with_rules("{name: docs, resources: ['file:///docs/*'], prompts: [greet], action: Allow}");
    let lists = |target| world.ruleset.lists(target, &world.catalogue);
    assert!(lists(Target::Resource("file:///docs/a")));
    assert!(!lists(Target::Resource("file:///docs/../a")));
    assert!(!lists(Target::Resource("file:///etc/passwd")));
    assert!(lists(Target::Prompt("greet")));
    assert!(!lists(Target::Prompt("other")));
}

#[test]
fn a_template_is_listed_if_a_uri_that_begins_like_it_may_be_read() {
    let world = World::with_rules(
        "{name: docs, resources: ['file:///docs/*', 'file:///one/a'], action: Allow}
         {name: closed, resources: ['file:///docs/closed/**'], action: Deny}",
    );
    for (template, listed) in [
        ("file:///docs/{name}", true),
        ("file:///docs/a{name}", true),
        ("file:///{+path}", true),
        ("file:///one/{name}", true),
        ("file:///two/{name}", false),
        ("file:///docs/closed/{name}", false),
        ("file:///docs/a", true),
        ("file:///etc/a", false),
    ] {
        assert_eq!(world.ruleset.lists_template(template), listed, "{template}");
    }
    assert!(World::new(&imaging("default: Allow", "")).ruleset.lists_template("file:///{+path}"));
    let strict = policy("ClusterMcpPolicy", "guard", "tier: Boundary\ndefault: Deny", "");
    let world = World::new(&(imaging("default: Allow", "") + &strict));
    assert!(!world.ruleset.lists_template("file:///{+path}"));
}
