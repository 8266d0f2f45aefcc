//! What `check` tells of policies, as users would write them.

use std::sync::Arc;

use super::*;
use crate::load;

const CATALOGUE: &str = r#"[
    {"name": "start_job", "inputSchema": {"type": "object", "properties": {"bucket": {"type": "string"}}, "required": ["bucket"], "additionalProperties": false}},
    {"name": "get_datastore", "inputSchema": {"type": "object"}}
]"#;

fn policies(yaml: &str) -> Vec<Policy> {
    let loaded = load::policies("test.yaml", yaml.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}\n{yaml}"));
    loaded.into_iter().map(|loaded| loaded.value).collect()
}

fn mcp(spec: &str) -> Policy {
    let yaml = format!(
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p, namespace: clinic}}\nspec: {{serverRefs: [{{name: aws}}], {spec}}}"
    );
    policies(&yaml).remove(0)
}

fn cluster(spec: &str) -> Policy {
    let yaml =
        format!("apiVersion: reeve.dev/v1alpha1\nkind: ClusterMcpPolicy\nmetadata: {{name: p}}\nspec: {{{spec}}}");
    policies(&yaml).remove(0)
}

fn rule(rule: &str) -> Policy {
    mcp(&format!("rules: [{{name: r, {rule}}}]"))
}

/// The problems of a policy, as `pointer: message`.
fn problems(policy: &Policy, severity: Severity) -> Vec<String> {
    let problems = check(policy, Some(&Catalogue::read(CATALOGUE.as_bytes()))).into_iter();
    let problems = problems.filter(|problem| problem.severity == severity);
    problems.map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect()
}

/// Fails unless the policy has exactly one error, at this pointer and with these words.
#[track_caller]
fn refused(policy: &Policy, pointer: &str, words: &str) {
    let errors = problems(policy, Severity::Error);
    assert!(
        errors.len() == 1 && errors[0].starts_with(&format!("{pointer}: ")) && errors[0].contains(words),
        "{errors:?}"
    );
}

#[track_caller]
fn warned(policy: &Policy, pointer: &str, words: &str) {
    assert_eq!(problems(policy, Severity::Error), [""; 0]);
    let warnings = problems(policy, Severity::Warning);
    assert!(
        warnings.len() == 1 && warnings[0].starts_with(&format!("{pointer}: ")) && warnings[0].contains(words),
        "{warnings:?}"
    );
}

#[test]
fn a_sound_policy_has_no_problems() {
    let policy = rule(
        "tools: [start_job], action: Allow, when: 'args.bucket == \"b\"', limits: [{counter: c, window: 1m, max: 5}]",
    );
    assert_eq!(check(&policy, Some(&Catalogue::read(CATALOGUE.as_bytes()))), []);
}

#[test]
fn expressions_that_do_not_compile_are_located_to_the_column() {
    refused(&rule("tools: [x], action: Allow, when: 'args.bucket =='"), "/spec/rules/0/when", "column ");
    refused(
        &rule("tools: [x], action: Allow, require: [{expression: 'true'}, {expression: 'nope > 1'}]"),
        "/spec/rules/0/require/1/expression",
        "column 1",
    );
    refused(
        &rule("tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, cost: '\"a\"'}]"),
        "/spec/rules/0/limits/0/cost",
        "column ",
    );
    refused(
        &rule("tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Key, key: '[1]'}]"),
        "/spec/rules/0/limits/0/key",
        "column ",
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let policy = mcp(
        "rules: [{name: r, tools: [x], action: Allow, when: 'args.'}, {name: r, action: Deny, require: [{expression: 'true'}]}]",
    );
    let errors = problems(&policy, Severity::Error);
    for pointer in ["/spec/rules/0/when", "/spec/rules/1/name", "/spec/rules/1", "/spec/rules/1/require"] {
        assert!(errors.iter().any(|error| error.starts_with(&format!("{pointer}: "))), "{pointer} {errors:?}");
    }
}

#[test]
fn a_rule_must_select_something() {
    refused(&rule("action: Allow"), "/spec/rules/0", "selects nothing");
    refused(&rule("resources: ['FILE:///docs/*'], action: Allow"), "/spec/rules/0/resources/0", "can match nothing");
    refused(&rule("prompts: [x], risk: {minSeverity: High}, action: Deny"), "/spec/rules/0/risk", "risk narrows");
    refused(
        &rule("prompts: [x], validateArguments: true, action: Allow"),
        "/spec/rules/0/validateArguments",
        "only the arguments of tools",
    );
}

#[test]
fn a_deny_rule_has_nothing_to_bind() {
    for (part, text) in [
        ("limits", "limits: [{counter: c, window: 1m, max: 1}]"),
        ("require", "require: [{expression: 'true'}]"),
        ("concurrency", "concurrency: {max: 1}"),
        ("validateArguments", "validateArguments: true"),
        ("approval", "approval: {expiresAfter: 1m}"),
    ] {
        refused(&rule(&format!("tools: [x], action: Deny, {text}")), &format!("/spec/rules/0/{part}"), "Deny rule");
    }
}

#[test]
fn modes_and_approvals_that_mean_nothing_are_refused() {
    refused(
        &rule("tools: [x], action: Allow, approval: {expiresAfter: 1m}"),
        "/spec/rules/0/approval",
        "RequireApproval",
    );
    let policy = mcp("mode: Audit, rules: [{name: r, tools: [x], action: Deny, mode: Enforce}]");
    refused(&policy, "/spec/rules/0/mode", "mode Audit");
}

#[test]
fn limits_are_bounded_and_scopes_fit_their_keys() {
    let limit = |limit: &str| rule(&format!("tools: [x], action: Allow, limits: [{{counter: c, {limit}}}]"));
    for window in ["0s", "32d", "1w", "1m30"] {
        refused(&limit(&format!("max: 1, window: {window}")), "/spec/rules/0/limits/0/window", window);
    }
    refused(&limit("max: 1, window: 1m, scope: Key"), "/spec/rules/0/limits/0/key", "needs a `key`");
    refused(&limit("max: 1, window: 1m, key: args.a"), "/spec/rules/0/limits/0/key", "only with scope: Key");
    refused(
        &rule("tools: [x], action: Allow, concurrency: {max: 1, heldAtMost: 60d}"),
        "/spec/rules/0/concurrency/heldAtMost",
        "60d",
    );
    refused(
        &rule("tools: [x], action: RequireApproval, approval: {expiresAfter: soon}"),
        "/spec/rules/0/approval/expiresAfter",
        "soon",
    );
}

#[test]
fn bounds_hold_for_policies_that_no_schema_has_checked() {
    let Policy::McpPolicy(mut object) =
        rule("tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1}], concurrency: {max: 1}")
    else {
        panic!("an McpPolicy");
    };
    object.spec.rules[0].limits[0].max = -1;
    refused(&Policy::McpPolicy(object.clone()), "/spec/rules/0/limits/0/max", "not -1");
    object.spec.rules[0].limits[0].max = 1;
    object.spec.rules[0].limits[0].counter = "a#b".into();
    refused(&Policy::McpPolicy(object.clone()), "/spec/rules/0/limits/0/counter", "letters");
    object.spec.rules[0].limits[0].counter = "c".into();
    object.spec.rules[0].name = "a/b".into();
    refused(&Policy::McpPolicy(object.clone()), "/spec/rules/0/name", "lower-case");
    object.spec.rules[0].name = "r".into();
    object.spec.rules[0].concurrency.as_mut().unwrap().max = 0;
    refused(&Policy::McpPolicy(object.clone()), "/spec/rules/0/concurrency/max", "not 0");
    object.spec.rules[0].concurrency = None;
    object.metadata.name = "a#b".into();
    refused(&Policy::McpPolicy(object), "/metadata/name", "name");
}

#[test]
fn a_counter_is_the_same_wherever_a_policy_names_it() {
    let two = |first: &str, second: &str| {
        let limits = |text: &str| format!("action: Allow, tools: [x], limits: [{{counter: c, max: 1, {text}}}]");
        mcp(&format!("rules: [{{name: a, {}}}, {{name: b, {}}}]", limits(first), limits(second)))
    };
    assert_eq!(problems(&two("window: 1m", "window: 60s"), Severity::Error), [""; 0]);
    refused(&two("window: 1m", "window: 1h"), "/spec/rules/1/limits/0/window", "another window in clinic/p#a");
    refused(&two("window: 1m", "window: 1m, scope: Pod"), "/spec/rules/1/limits/0/scope", "another scope");
    refused(
        &two("window: 1m, scope: Key, key: args.a", "window: 1m, scope: Key, key: args.b"),
        "/spec/rules/1/limits/0/key",
        "another key",
    );
    let twice =
        rule("tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1}, {counter: c, window: 1m, max: 2}]");
    refused(&twice, "/spec/rules/0/limits/1/counter", "twice");
}

#[test]
fn tiers_have_their_own_defaults() {
    refused(&cluster("tier: Boundary, default: Allow"), "/spec/default", "cannot grant");
    refused(&cluster("tier: Baseline, default: Pass"), "/spec/default", "Deny or Allow");
    refused(&cluster("tier: Baseline, configMaxAge: 1h"), "/spec/configMaxAge", "only a Boundary");
    refused(&cluster("tier: Boundary, configMaxAge: soon"), "/spec/configMaxAge", "not a duration");
    assert_eq!(problems(&cluster("tier: Boundary, default: Deny, configMaxAge: 12h"), Severity::Error), [""; 0]);
}

#[test]
fn what_a_policy_governs_must_be_able_to_match() {
    refused(&cluster("tier: Boundary, serviceAccounts: [agent]"), "/spec/serviceAccounts/0", "namespace/name");
    refused(&mcp("serviceAccounts: [clinic/agent]"), "/spec/serviceAccounts/0", "without the namespace");
    refused(
        &cluster("tier: Boundary, podSelector: {matchExpressions: [{key: a, operator: In}]}"),
        "/spec/podSelector/matchExpressions/0/values",
        "at least one",
    );
    refused(
        &cluster("tier: Boundary, namespaceSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}"),
        "/spec/namespaceSelector/matchExpressions/0/values",
        "no values",
    );
}

#[test]
fn what_is_legal_but_odd_is_a_warning() {
    warned(&rule("tools: ['*'], action: Allow"), "/spec/rules/0/tools", "every tool");
    warned(&rule("tools: [start_job], action: Constrain"), "/spec/rules/0", "changes nothing");
    warned(
        &rule("tools: [start_job], action: Allow, limits: [{counter: c, window: 1m, max: 5, onStoreFailure: Allow}]"),
        "/spec/rules/0/limits/0/onStoreFailure",
        "no shared store",
    );
    let boundary = cluster("tier: Boundary, rules: [{name: r, tools: [start_job], action: Allow}]");
    warned(&boundary, "/spec/rules/0", "cannot grant");
}

#[test]
fn the_catalogue_tells_of_unknown_tools_and_arguments() {
    warned(&rule("tools: [start_jobs], action: Allow"), "/spec/rules/0/tools/0", "did you mean `start_job`?");
    warned(&rule("tools: [frobnicate], action: Allow"), "/spec/rules/0/tools/0", "no tool `frobnicate`");
    warned(&rule("tools: ['nope_*'], action: Allow"), "/spec/rules/0/tools/0", "matches no tool");
    warned(
        &rule("tools: [start_job], action: Allow, when: 'args.buckte == \"b\"'"),
        "/spec/rules/0/when",
        "did you mean `bucket`?",
    );
}

#[test]
fn without_a_catalogue_no_tool_is_unknown() {
    assert_eq!(check(&rule("tools: [start_jobs], action: Allow"), None), []);
}

#[test]
fn what_is_accepted_compiles_and_what_is_refused_does_not() {
    for policy in [
        rule("tools: [x], action: Allow"),
        rule("tools: [x], action: Allow, when: 'args.'"),
        cluster("tier: Baseline, default: Pass"),
    ] {
        let accepted = problems(&policy, Severity::Error).is_empty();
        let limiter = Limiter::new(crate::limit::Capacity::default());
        let ruleset = compile(&[Source::Readable(Arc::new(policy))], &Subject::default(), &limiter);
        assert_eq!(ruleset.invalid_policies().count() == 0, accepted);
    }
}

#[test]
fn a_ruleset_tells_what_it_was_made_of() {
    let sources = [
        mcp(
            "audit: {argumentValues: [bucket]}, rules: [{name: r, tools: [x, 'get_*'], action: Allow, limits: [{counter: c, window: 1m, max: 5}]}]",
        ),
        cluster("tier: Boundary, configMaxAge: 12h"),
    ];
    let sources = sources.map(|policy| Source::Readable(Arc::new(policy)));
    let ruleset = compile(&sources, &Subject::default(), &Limiter::new(crate::limit::Capacity::default()));
    assert_eq!(ruleset.policies().map(|policy| policy.key.to_string()).collect::<Vec<_>>(), ["clinic/p", "p"]);
    assert_eq!(ruleset.named_tools().map(ToString::to_string).collect::<Vec<_>>(), ["x"]);
    assert_eq!(ruleset.audited_arguments().iter().map(ToString::to_string).collect::<Vec<_>>(), ["bucket"]);
    assert_eq!(
        ruleset.max_config_age().map(|(age, key)| (age.as_secs(), key.to_string())),
        Some((43_200, "p".to_owned()))
    );
    let limits: Vec<_> = ruleset.limits().map(|limit| (limit.pointer.to_string(), limit.max, limit.shadow)).collect();
    assert_eq!(limits, [("clinic/p#r/limits/c".to_owned(), Units::whole(5), false)]);
}
